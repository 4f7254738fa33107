"""A propagated slice against a click, in the fast mode.

    python benchmarks/carried_slice.py [--models encode-once simpleclick-xtiny]

The left hippocampus of the packaged sample is carried from its largest slice along each
axis; a click corrects the carried mask on the same slices, each of them new to the
network, as a click in their place would be. Both are measured in turn, on one thread,
in its processor time per slice; learning what the object looks like is included.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np

from napari_simpleclick import Click, Predictor, load_weights, propagate_mask
from napari_simpleclick.images.files import read_image
from napari_simpleclick.inference.modes import Mode, for_volumes
from napari_simpleclick.inference.object_state import ObjectState
from napari_simpleclick.samples import sample_path

REACH = 6
"""Slices in either direction."""


def along(
    predictor: Predictor, clicked: Predictor, volume, truth, axis: int
) -> tuple[float, float]:
    """Time a propagated slice and a click on such a slice, ms."""
    volume, truth = (np.moveaxis(one, axis, 0) for one in (volume, truth))
    start = int(truth.sum((1, 2)).argmax())
    low, high = max(0, start - REACH), min(len(volume) - 1, start + REACH)
    begun = time.process_time()
    found = propagate_mask(
        predictor, volume, truth[start], 0, start, low=low, high=high
    )
    carried_s = time.process_time() - begun
    reached = [one for one in found.confidence if one != start]
    begun = time.process_time()
    for number in reached:
        mask = found.mask[number] > 0
        row, column = np.argwhere(mask).mean(0)
        clicked.set_image(volume[number])
        clicked.predict([Click(row, column)], mask, state=ObjectState())
    clicked_s = time.process_time() - begun
    return 1000 * carried_s / len(reached), 1000 * clicked_s / len(reached)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--models", nargs="+", default=["encode-once", "simpleclick-xtiny"]
    )
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args(arguments)
    volume = np.asarray(read_image(sample_path("hippocampus.nii.gz")).array)
    labels = np.asarray(read_image(sample_path("hippocampus-labels.nii.gz")).array)
    truth, mode = labels == labels[labels > 0].min(), Mode.named("fast")
    print("| Model | Computed by | Propagated, ms | Click, ms | Ratio |")
    print("|---" * 5 + "|", flush=True)
    for name in args.models:
        predictor, clicked = (  # nothing that the one has encoded helps the other
            mode.predictor(load_weights(name)[0], "cpu", threads=1) for _ in range(2)
        )
        predictor = for_volumes(predictor)
        predictor.accelerate()
        clicked.accelerate()
        pairs = [
            along(predictor, clicked, volume, truth, axis)
            for _ in range(args.runs)
            for axis in range(3)
        ]
        carried, clicked = (median(column) for column in zip(*pairs, strict=True))
        ratio = median(one / other for one, other in pairs)
        engine = "OpenVINO" if predictor.encoder.is_accelerated else "PyTorch"
        row = f"{carried:.0f} | {clicked:.0f} | {ratio:.2f} x"
        print(f"| {name} | {engine} | {row} |", flush=True)


if __name__ == "__main__":
    main()
