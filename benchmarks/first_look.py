"""First clicks: the whole image as published, a view, or several magnifications.

Run it with the folder that holds ``ssTEM``, ``knee_bones``, ``lgg_mri`` and
``brats2013``; the tables replace what is between the marks in the document::

    python benchmarks/first_look.py DATA --write docs/first-look.md
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_simpleclick import Predictor, load_weights
from napari_simpleclick.evaluation import CaseOptions, choose_cases, find_cases, iou
from napari_simpleclick.evaluation.annotator import next_click, view_of
from napari_simpleclick.inference import THRESHOLD, ObjectState
from napari_simpleclick.inference.stability import CropAnswer

SETS = {
    "ssTEM": ("sstem", CaseOptions()),
    "knee_bones": ("folder", CaseOptions()),
    "lgg_mri": ("folder", CaseOptions()),
    "brats2013": ("volume", CaseOptions(whole=True, every=5, min_area=200)),
}
TILES = 2, 4
"""How often a section is repeated along both axes."""

Looks = dict[str, list[list[float]]]
"""By set, what :func:`look` gives of each object."""

MARKS = ("<!-- table -->", "<!-- end -->")


def iou_of(answer: CropAnswer, truth: NDArray[np.bool_]) -> float:
    """Give the IoU of an answer, alone on its crop, with a mask of the image."""
    crop = answer.crop
    size = (crop.width, crop.height)
    mask = cv2.resize(answer.probability, size) > THRESHOLD
    both = np.count_nonzero(mask & truth[crop.slices])
    return both / (np.count_nonzero(mask) + np.count_nonzero(truth) - both)


def look(predictor: Predictor, image: Any, truth: Any) -> list[float]:
    """Click once on an object.

    Returns
    -------
    list of float
        IoU as published, with a view of 8 times the object's side, with magnifications,
        and of the best of these without a second look.
    """
    predictor.set_image(image)
    empty = np.zeros(truth.shape, bool)
    click = next_click(truth, empty, ~empty)
    ious = [iou_of(one, truth == 1) for one in predictor.magnified([click])]
    seen, chosen = (
        iou(predictor.predict([click], state=state)[0] > THRESHOLD, truth)
        for state in (ObjectState(viewport=view_of(truth)), ObjectState())
    )
    return [ious[-1], seen, chosen, max(ious)]


def tiled(
    image: NDArray[Any], truth: NDArray[Any], times: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Repeat a section; the object is in the middle one alone."""
    height, width = truth.shape
    large = np.zeros((times * height, times * width), truth.dtype)
    row, column = times // 2 * height, times // 2 * width
    large[row : row + height, column : column + width] = truth
    return np.tile(image, (times, times, *(1,) * (image.ndim - 2))), large


def measure(data: Path, weights: str, objects: int, seed: int) -> Looks:
    """Click on objects of all sets, and of ssTEM in tiled sections."""
    network, _ = load_weights(weights)
    predictor = Predictor(network, threads=1, first_look="magnifications")
    found: Looks = defaultdict(list)
    for name, (layout, options) in SETS.items():
        for case in choose_cases(
            find_cases(layout, data / name, options), objects, seed
        ):
            image, truth = case.load()
            found[name].append(look(predictor, image, truth))
    sections = find_cases("sstem", data / "ssTEM", CaseOptions())
    for case in choose_cases(sections, objects, seed):
        image, truth = case.load()
        for times in TILES:
            name = f"ssTEM, {times * truth.shape[0]} px"
            place = tiled(image, truth, times)
            found[name].append(look(predictor, *place))
    return found


def table(found: Looks) -> str:
    """Mean IoU in percent as a table in Markdown."""
    heads = ["whole image (published)", "view", "magnifications", "best"]
    lines = ["| Set | Objects | " + " | ".join(heads) + " |", "|---" * 6 + "|"]
    for name, looks in found.items():
        means = 100 * np.mean(looks, axis=0)
        numbers = " | ".join(f"{mean:.0f}" for mean in means)
        lines.append(f"| {name} | {len(looks)} | {numbers} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", default="encode-once")
    parser.add_argument("--objects", type=int, default=24, help="of each set")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args()
    text = table(measure(chosen.data, chosen.weights, chosen.objects, chosen.seed))
    print(text)
    if chosen.write is not None:
        before, _, rest = chosen.write.read_text().partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        chosen.write.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}")


if __name__ == "__main__":
    main()
