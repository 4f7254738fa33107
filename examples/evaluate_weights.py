"""Measure weights against a classical baseline, and write the report.

python examples/evaluate_weights.py report

Each `# %%` starts a cell in editors that know notebooks.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage import data, filters, measure, morphology
from skimage.io import imsave

from napari_simpleclick.evaluation import (
    CaseOptions,
    RobotSettings,
    compare,
    draw_strips,
    find_cases,
    robot,
    write_report,
)


def main() -> None:
    """Go through the cells."""
    # %% A data set: a folder with images and label masks of equal names
    root = Path(tempfile.mkdtemp())
    coins = data.coins()
    inside = ndimage.binary_fill_holes(coins > filters.threshold_otsu(coins))
    labels = measure.label(morphology.opening(inside, morphology.disk(4)))
    for folder, array in (("images", coins), ("masks", labels.astype(np.uint8))):
        (root / folder).mkdir()
        imsave(root / folder / "coins.png", array, check_contrast=False)
    cases = find_cases("folder", root, CaseOptions(min_area=500))[:4]
    print(f"{len(cases)} objects, the first at {cases[0].image.name}")

    # %% The robot annotator, as published but with six clicks and without flip
    settings = RobotSettings(weights="bundled", clicks=6, flip=False)
    result = robot("coins", cases, settings)
    low, high = result.noc_interval["90"]
    print(f"NoC@90 {result.noc['90']:.2f} ({low:.2f} to {high:.2f})")
    print("mIoU", [round(value, 3) for value in result.miou])

    # %% The same objects with a classical method, and a paired test
    floor = robot("coins", cases, RobotSettings(baseline="geodesic", clicks=6))
    for test in compare(result, floor):
        print(f"{test.metric}: {test.first:.2f} against {test.second:.2f}")

    # %% One page with everything
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "report")
    strips = draw_strips(result, cases, settings)
    print("Saved", write_report([result, floor], folder, strips))


if __name__ == "__main__":
    main()
