"""First clicks: the whole image as published, a view, or several magnifications.

Run it with the folder that holds ``ssTEM``, ``knee_bones``, ``lgg_mri`` and
``brats2013``; the tables replace what is between the marks in the document::

    python benchmarks/first_look.py measure DATA --write docs/first-look.md

or with a folder of image sets that may be learned from, to learn which of several
answers is the best::

    python benchmarks/first_look.py learn SETS --write learned.json

The learned weights belong into ``src/napari_simpleclick/inference/first_look.json``.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_simpleclick import Predictor, load_weights
from napari_simpleclick.evaluation import CaseOptions, choose_cases, find_cases, iou
from napari_simpleclick.evaluation.annotator import next_click, view_of
from napari_simpleclick.inference import THRESHOLD, ObjectState
from napari_simpleclick.inference.answer_features import NAMES, describe
from napari_simpleclick.inference.chooser import MOST_STABLE, Chooser
from napari_simpleclick.training.first_look import (
    FirstAnswers,
    chosen,
    cross_validate,
    fit,
    gather,
    iou_of,
)
from napari_simpleclick.training.images import read_sets

SETS = {
    "ssTEM": ("sstem", CaseOptions()),
    "knee_bones": ("folder", CaseOptions()),
    "lgg_mri": ("folder", CaseOptions()),
    "brats2013": ("volume", CaseOptions(whole=True, every=5, min_area=200)),
}
TILES = 2, 4
"""How often a section is repeated along both axes."""

MARKS = ("<!-- table -->", "<!-- end -->")


@dataclass(frozen=True, eq=False)
class Look:
    """First clicks on one object.

    Parameters
    ----------
    answers : FirstAnswers
        At all magnifications.
    view : float
        IoU of the answer to a view of 8 times the object's side.
    chosen : float
        IoU of the answer that the network's chooser takes.
    """

    answers: FirstAnswers
    view: float
    chosen: float

    @property
    def row(self) -> list[float]:
        """Published, view, magnifications, the most stable and the best of them."""
        ious = self.answers.ious
        stable = chosen([self.answers], MOST_STABLE.weights)[0]
        return [ious[-1], self.view, self.chosen, stable, ious.max()]


def look(
    predictor: Predictor, chooser: Chooser, name: str, image: Any, truth: Any
) -> Look:
    """Click once on an object."""
    predictor.set_image(image)
    empty = np.zeros(truth.shape, bool)
    click = next_click(truth, empty, ~empty)
    answers = predictor.magnified([click])
    ious = np.array([iou_of(one, truth == 1) for one in answers])
    features = describe(answers)
    best = chooser.choose(answers) if len(answers) > 1 else 0
    state = ObjectState(viewport=view_of(truth))
    probability, _ = predictor.predict([click], state=state)
    seen = iou(probability > THRESHOLD, truth)
    return Look(FirstAnswers(name, features, ious), seen, float(ious[best]))


def tiled(
    image: NDArray[Any], truth: NDArray[Any], times: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Repeat a section; the object is in the middle one alone."""
    height, width = truth.shape
    large = np.zeros((times * height, times * width), truth.dtype)
    row, column = times // 2 * height, times // 2 * width
    large[row : row + height, column : column + width] = truth
    return np.tile(image, (times, times, *(1,) * (image.ndim - 2))), large


def measure(data: Path, weights: str, objects: int, seed: int) -> dict[str, list[Look]]:
    """Click on objects of all sets, and of ssTEM in tiled sections."""
    network, _ = load_weights(weights)
    predictor, chooser = Predictor(network, threads=1), Chooser.of(network)
    found: dict[str, list[Look]] = defaultdict(list)
    for name, (layout, options) in SETS.items():
        for case in choose_cases(
            find_cases(layout, data / name, options), objects, seed
        ):
            image, truth = case.load()
            found[name].append(look(predictor, chooser, name, image, truth))
    sections = find_cases("sstem", data / "ssTEM", CaseOptions())
    for case in choose_cases(sections, objects, seed):
        image, truth = case.load()
        for times in TILES:
            name = f"ssTEM, {times * truth.shape[0]} px"
            place = tiled(image, truth, times)
            found[name].append(look(predictor, chooser, name, *place))
    return found


def table(found: dict[str, list[Look]]) -> str:
    """Mean IoU in percent as a table in Markdown."""
    heads = ["whole image (published)", "view", "magnifications", "most stable", "best"]
    lines = ["| Set | Objects | " + " | ".join(heads) + " |", "|---" * 7 + "|"]
    for name, looks in found.items():
        means = 100 * np.mean([one.row for one in looks], axis=0)
        numbers = " | ".join(f"{mean:.0f}" for mean in means)
        lines.append(f"| {name} | {len(looks)} | {numbers} |")
    return "\n".join(lines)


def learn(data: Path, weights: str, objects: int, seed: int) -> dict[str, Any]:
    """Learn which answer is the best, and tell what it is worth on sets left out."""
    network, card = load_weights(weights)
    predictor = Predictor(network, threads=1)
    examples = list(gather(predictor, read_sets(data), objects, seed))
    return {card.network: summary(examples, seed)}


def summary(examples: list[FirstAnswers], seed: int) -> dict[str, Any]:
    """Tell what was learned from examples, as it goes into the package."""
    groups = np.array([one.group for one in examples])
    names = np.unique(groups)
    ious = {
        "whole image": np.array([one.ious[-1] for one in examples]),
        "most stable": chosen(examples, MOST_STABLE.weights),
        "sets left out": cross_validate(examples, NAMES),
        "best": np.array([one.ious.max() for one in examples]),
    }
    means = {
        key: round(float(np.mean([of[groups == name].mean() for name in names])), 3)
        for key, of in ious.items()
    }
    weights = {key: round(one, 4) for key, one in fit(examples, NAMES).items()}
    about = {"objects": len(examples), "seed": seed, "sets": names.tolist()}
    return {"weights": weights, "mean_iou": means, "learned_from": about}


def main() -> None:
    """Measure or learn, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("measure", "learn"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", default="encode-once")
    parser.add_argument("--objects", type=int, default=24, help="of each set")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path)
    chosen_ = parser.parse_args()
    arguments = chosen_.data, chosen_.weights, chosen_.objects, chosen_.seed
    if chosen_.what == "learn":
        text = json.dumps(learn(*arguments), indent=2) + "\n"
    else:
        text = table(measure(*arguments))
    print(text)
    if chosen_.write is not None and chosen_.what == "measure":
        before, _, rest = chosen_.write.read_text().partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        text = f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}"
    if chosen_.write is not None:
        chosen_.write.write_text(text)


if __name__ == "__main__":
    main()
