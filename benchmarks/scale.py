"""Many volumes: throughput against worker processes, cost against slices and objects.

    python benchmarks/scale.py [--workers 1 2 4] [--plot docs/images/scale.png]

A Dask cluster on this computer with so many worker processes of one thread each does
three kinds of tasks: objects that the robot annotates, slices that are encoded, volumes
that an object is carried through. Loading is done before the clock starts. Processor
time of all workers for each task says what more of them would cost where other programs
hold cores meanwhile. What a slice and an object cost is processor time of this process.
Volumes are made up, bright tubes in noise, so that walks never end early.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import nibabel
import numpy as np
from distributed import LocalCluster
from skimage.io import imsave

from napari_simpleclick import Predictor, load_weights
from napari_simpleclick.evaluation import RobotSettings, find_cases
from napari_simpleclick.evaluation.worker import annotate_case
from napari_simpleclick.inference.encoding import EncoderSettings, encode_pixels
from napari_simpleclick.propagation import propagate_labels
from napari_simpleclick.propagation.volume_files import (
    AnnotatedVolume,
    PropagationSettings,
    propagate_file,
)
from napari_simpleclick.tasks.pool import open_pool

SIDE = 160


def tubes(slices: int, objects: int) -> tuple[np.ndarray, np.ndarray]:
    """Give a volume (slices, SIDE, SIDE) and the labels of its first slice."""
    places = np.arange(objects)
    rows, columns = np.divmod(places, 4)
    grid = np.indices((SIDE, SIDE))
    labels = np.zeros((SIDE, SIDE), np.uint8)
    for label, row, column in zip(places + 1, rows, columns, strict=True):
        near = np.hypot(grid[0] - 20 - 38 * row, grid[1] - 20 - 38 * column) < 11
        labels[near] = label
    noise = np.random.default_rng(0).normal(40, 8, (slices, SIDE, SIDE))
    return (noise + 120 * (labels > 0)).clip(0, 255).astype(np.uint8), labels


def tasks_of(folder: Path, count: int, slices: int) -> dict[str, list[tuple]]:
    """Make tasks of each kind."""
    settings = RobotSettings(clicks=5, flip=False).resolved("folder")
    volume, labels = tubes(slices, 1)
    marked = np.zeros_like(volume)
    marked[0] = labels
    for path, values in (("volume.nii", volume), ("mask.nii", marked)):
        image = nibabel.Nifti1Image(np.moveaxis(values, 0, 2), np.eye(4))
        nibabel.save(image, folder / path)
    for kind, values in (("images", volume[0]), ("masks", labels)):
        (folder / kind).mkdir()
        for number in range(count):
            imsave(folder / kind / f"{number}.png", values, check_contrast=False)
    work = AnnotatedVolume(folder / "volume.nii", folder / "mask.nii", 2)
    crops = np.random.default_rng(1).random((count, 448, 448)).astype(np.float32)
    how = PropagationSettings()
    return {
        "evaluate, objects": [
            (annotate_case, case, settings) for case in find_cases("folder", folder)
        ],
        "encode, slices": [
            (encode_pixels, EncoderSettings("encode-once", "cpu"), crop)
            for crop in crops
        ],
        "propagate, volumes": [
            (propagate_file, work, how, folder / f"{number}.nii.gz", {})
            for number in range(count)
        ],
    }


def throughput(
    workers: list[int], count: int, slices: int
) -> dict[str, dict[int, tuple[float, float]]]:
    """Tasks a second of each kind with so many workers, and processor time of each."""
    rates: dict[str, dict[int, tuple[float, float]]] = {}
    for number in workers:
        with (
            tempfile.TemporaryDirectory() as folder,
            LocalCluster(
                n_workers=number, threads_per_worker=1, dashboard_address=None
            ) as cluster,
            open_pool(scheduler=cluster.scheduler_address) as pool,
        ):
            for kind, tasks in tasks_of(Path(folder), count, slices).items():
                warm = tasks[: 2 * number]
                for outcome in pool.finished(warm):
                    outcome.result()
                began, worked = time.perf_counter(), processor_seconds(cluster)
                for outcome in pool.finished(tasks):
                    outcome.result()
                rate = len(tasks) / (time.perf_counter() - began)
                each = (processor_seconds(cluster) - worked) / len(tasks)
                rates.setdefault(kind, {})[number] = rate, each
                told = f"{rate:.2f} /s, {each:.2f} s of processor each"
                print(f"{kind:20} {number} workers  {told}", flush=True)
    return rates


def processor_seconds(cluster: LocalCluster) -> float:
    """Processor time of all workers so far."""
    with cluster.get_client() as client:
        return sum(client.run(time.process_time).values())


def seconds_for(predictor: Predictor, slices: int, objects: int, runs: int) -> float:
    """Processor time of carrying so many objects through so many slices, s.

    The least of several runs.
    """
    volume, labels = tubes(slices, objects)
    found = []
    for _ in range(runs):
        began = time.process_time()
        result = propagate_labels(predictor, volume, labels, 0, 0, least_confidence=0)
        found.append(time.process_time() - began)
    reached = sum(map(len, result.confidence.values()))
    if reached < 0.9 * objects * (slices - 1):
        print(f"  only {reached} of {objects * (slices - 1)} slices were reached")
    return min(found)


def slope(counts: list[int], seconds: list[float]) -> str:
    """How costs grow: seconds for one more, and the exponent of the growth."""
    if len(counts) < 3:
        return "too few for a slope"
    each = np.polyfit(counts, seconds, 1)[0]
    power = np.polyfit(np.log(counts[1:]), np.log(seconds[1:]), 1)[0]
    return f"{1000 * each:.0f} ms for one more, grows as n^{power:.2f}"


def plot(
    path: Path,
    rates: dict[str, dict[int, tuple[float, float]]],
    costs: dict[str, tuple[list[int], list[float]]],
) -> None:
    from matplotlib.figure import Figure

    figure = Figure((9, 3), layout="constrained")
    axes = figure.subplots(1, 1 + len(costs))
    for kind, found in rates.items():
        shown = [rate for rate, _ in found.values()]
        axes[0].plot(list(found), shown, "o-", label=kind.replace(", ", ": "))
    axes[0].set(xlabel="worker processes", ylabel="tasks a second")
    axes[0].legend(frameon=False)
    for place, (name, (counts, seconds)) in zip(axes[1:], costs.items(), strict=True):
        place.plot(counts, seconds, "o-")
        place.plot([0, counts[-1]], [0, seconds[-1]], ":", color="gray")
        place.set(xlabel=name, ylabel="processor seconds")
    for place in axes:
        place.set(xlim=(0, None), ylim=(0, None))
    axes[0].set_ylim(0, 1.5 * axes[0].get_ylim()[1])  # room for the legend
    figure.savefig(path, dpi=110)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--count", type=int, default=16, help="tasks of each kind")
    parser.add_argument("--slices", type=int, nargs="+", default=[5, 10, 20, 40])
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--plot", type=Path, help="where to draw it, PNG")
    args = parser.parse_args(arguments)
    rates = throughput(args.workers, args.count, min(args.slices))
    predictor = Predictor(load_weights()[0], threads=1)
    seconds_for(predictor, 3, 1, 1)
    costs: dict[str, tuple[list[int], list[float]]] = {}
    for name, counts in (("slices", args.slices), ("objects", args.objects)):
        seconds = []
        for count in counts:
            sizes = (count, 1) if name == "slices" else (min(args.slices), count)
            seconds.append(seconds_for(predictor, *sizes, args.runs))
            print(f"{count:3} {name:8} {seconds[-1]:6.2f} s of processor", flush=True)
        print(f"  {slope(counts, seconds)}", flush=True)
        costs[name] = counts, seconds
    if args.plot is not None:
        plot(args.plot, rates, costs)


if __name__ == "__main__":
    main()
