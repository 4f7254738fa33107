"""Training recipes side by side: same start, seed and number of samples.

DATA holds the image sets that docs/model-card.md names; EVAL holds ``ssTEM``,
``knee_bones``, ``lgg_mri`` and ``brats2013``, which are never trained on::

    python benchmarks/recipes.py DATA EVAL OUT --write docs/training.md

Each file in ``benchmarks/recipes``, or those named with ``--only``, is trained in turn
on one thread, the robot clicks on a fixed choice of objects with what each run had
learnt at three points, and table and figure are made. What was stopped goes on with the
same command.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from napari_simpleclick import networks, training
from napari_simpleclick.evaluation import (
    CaseOptions,
    Result,
    RobotSettings,
    choose_cases,
    find_cases,
    robot,
)
from napari_simpleclick.evaluation.comparison import paired_test
from napari_simpleclick.evaluation.metrics import clicks_needed
from napari_simpleclick.weights import Card, save_weights

FIRST = "mix"
"""The recipe that the others are compared with."""

LINES = {
    FIRST: "C0-",
    "mix-again": "C0--",
    "superpixels": "C3-",
    "real": "C1-",
    "synthetic": "C2-",
}
"""Files in ``benchmarks/recipes`` and their lines in the figure."""

SETS = {
    "ssTEM": ("sstem", CaseOptions()),
    "knee_bones": ("folder", CaseOptions()),
    "lgg_mri": ("folder", CaseOptions()),
    "brats2013": ("volume", CaseOptions(whole=True, every=5, min_area=200)),
}
"""Layout and options of the sets in EVAL."""

OBJECTS = 25
"""Objects of each set, drawn once for all recipes."""

CLICKS = 10
SIZE = 256
"""Side of the network's input where the robot clicks, px."""

POINTS = (0.25, 0.5, 1.0)
"""Shares of the run after which the robot clicks."""

MARKS = ("<!-- recipes -->", "<!-- end of recipes -->")
Values = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("data", "eval", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--write", type=Path, help="document with the table")
    parser.add_argument(
        "--measured", action="store_true", help="train no further, show what there is"
    )
    parser.add_argument("--only", nargs="+", choices=LINES, default=list(LINES))
    told = parser.parse_args()
    names = [name for name in LINES if name in {FIRST, *told.only}]
    torch.set_num_threads(1)
    for name in () if told.measured else names:
        learn(config_of(name), told.data, told.out / name)
        for weights in (told.out / name).glob("*.safetensors"):
            measure(weights, told.eval)
    table = tabulate(told.out, names)
    print(table)
    if told.write:
        text = told.write.read_text()
        before, after = text.split(MARKS[0])[0], text.split(MARKS[1])[1]
        told.write.write_text(f"{before}{MARKS[0]}\n{table}\n{MARKS[1]}{after}")
        picture = told.write.parent / "images" / "recipes.png"
        draw(told.out, names).savefig(picture, pil_kwargs={"optimize": True})


def config_of(name: str) -> training.TrainConfig:
    return training.read_config(Path(__file__).parent / "recipes" / f"{name}.toml")


def learn(config: training.TrainConfig, data: Path, out: Path) -> None:
    """Train, and keep the average of the weights at the chosen points."""
    steps = [round(point * config.stages[0].steps) for point in POINTS]
    if (out / f"{steps[-1]}.safetensors").exists():
        return

    def keep(now: training.Progress) -> None:
        # this runs before the checkpoint of its step, thus after that of the one before
        if now.step - 1 in steps:
            export(config, out / "checkpoint.pt", out / f"{now.step - 1}.safetensors")

    training.train(config, data, out, keep)
    export(config, out / "checkpoint.pt", out / f"{steps[-1]}.safetensors")
    (out / "weights.safetensors").unlink()  # the same once more


def export(config: training.TrainConfig, checkpoint: Path, target: Path) -> None:
    """Write the averaged weights of a checkpoint as safetensors."""
    size = config.stages[0].size
    network = networks.build(config.network, size)
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["average"])
    card = Card(target.stem, config.network, target.name, origin=target.parent.name)
    save_weights(network, target, card)


def measure(weights: Path, root: Path) -> None:
    """Let the robot click on the chosen objects of all sets."""
    size = (SIZE, SIZE)
    settings = RobotSettings(weights=str(weights), clicks=CLICKS, flip=False, size=size)
    for name, (layout, options) in SETS.items():
        cases = choose_cases(find_cases(layout, root / name, options), OBJECTS, seed=0)
        robot(layout, cases, settings, out=weights.with_name(found_in(weights, name)))


def found_in(weights: Path, name: str) -> str:
    """Name of the file with what the robot found on a set."""
    return f"{weights.stem}-{name}.json"


def results(folder: Path) -> dict[int, list[Result]]:
    """Results on all sets, by the number of batches seen."""
    points = {}
    for weights in sorted(folder.glob("*.safetensors"), key=lambda w: int(w.stem)):
        paths = [weights.with_name(found_in(weights, name)) for name in SETS]
        if all(path.exists() for path in paths):
            points[int(weights.stem)] = [Result.read(path) for path in paths]
    return points


def overlaps(found: Sequence[Result], clicks: int) -> Values:
    """IoU of every object after so many clicks, in percent."""
    return np.array(
        [100 * case.ious[clicks - 1] for one in found for case in one.cases]
    )


def counts(found: Sequence[Result]) -> Values:
    """Clicks to an IoU of 80 percent of every object."""
    needed = [clicks_needed(c.ious, 0.8, CLICKS) for one in found for c in one.cases]
    return np.array(needed, np.float64)


def tabulate(out: Path, names: Sequence[str]) -> str:
    """Make the table: means over all objects, and differences to the first recipe.

    It is of the last point that all recipes have reached.
    """
    every = {name: results(out / name) for name in names}
    step = max(set.intersection(*(set(points) for points in every.values())))
    last = {name: points[step] for name, points in every.items()}
    sets = " | ".join(f"{name} @3" for name in SETS)
    lines = [
        f"| After {step} batches | mIoU@1 | mIoU@3 | NoC@80 | {sets} |",
        "|---" * (4 + len(SETS)) + "|",
    ]
    metrics = (partial(overlaps, clicks=1), partial(overlaps, clicks=3), counts)
    for name, found in last.items():
        cells = [described(last[FIRST], found, metric) for metric in metrics]
        cells += [f"{overlaps([one], 3).mean():.1f}" for one in found]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def described(
    first: Sequence[Result],
    second: Sequence[Result],
    metric: Callable[[Sequence[Result]], Values],
) -> str:
    """Mean, with the interval of the paired difference in brackets."""
    if second is first:
        return f"{metric(first).mean():.1f}"
    test = paired_test("", metric(first), metric(second))
    low, high = test.interval
    return f"{test.second:.1f} ({low:+.1f} to {high:+.1f})"


def draw(out: Path, names: Sequence[str]) -> Figure:
    """Draw loss and IoU of the samples, and mIoU of the robot, over samples seen."""
    with mpl.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(10, 3), layout="constrained")
        panels = figure.subplots(1, 4)
        for name in names:
            line = LINES[name]
            log = [json.loads(text) for text in (out / name / "log.jsonl").open()]
            seen = [entry["samples"] / 1000 for entry in log]
            panels[0].plot(seen, [entry["loss"] for entry in log], line)
            panels[1].plot(seen, [100 * entry["iou"] for entry in log], line)
            batch, points = config_of(name).stages[0].batch, results(out / name)
            seen = [batch * step / 1000 for step in points]
            for panel, clicks in zip(panels[2:], (1, 3), strict=True):
                means = [overlaps(found, clicks).mean() for found in points.values()]
                panel.plot(seen, means, line, marker="o", markersize=3, label=name)
        titles = ("loss of samples", "IoU of samples, %", "mIoU@1, %", "mIoU@3, %")
        for panel, title in zip(panels, titles, strict=True):
            panel.set_title(title)
            panel.set_xlabel("thousand samples")
        panels[3].legend(fontsize=8)
    return figure


if __name__ == "__main__":
    main()
