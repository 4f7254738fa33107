"""Where the masks of the fast mode come to differ from those of the exact one.

    python benchmarks/mode_parts.py sstem ROOT/ssTEM folder ROOT/lgg_mri [--limit 12]

The robot makes three clicks in the exact mode; others then answer the same clicks. Each
differs from another in one thing: without the mirror image, by OpenVINO, with the
mirror image at the last click alone. It prints mean IoU with the exact masks and with
those without the mirror image, and each one's mean IoU with the truth. *Small crops* is
the fast mode of networks whose small crops it enlarges less, in PyTorch.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean

import numpy as np

from napari_simpleclick import Predictor, load_weights
from napari_simpleclick.evaluation.annotator import annotate
from napari_simpleclick.evaluation.case_options import CaseOptions
from napari_simpleclick.evaluation.datasets import find_cases
from napari_simpleclick.evaluation.run import choose_cases
from napari_simpleclick.inference import THRESHOLD, ZoomIn

MODELS = ("encode-once", "simpleclick-xtiny-2")
OTHERS = ("no mirror", "OpenVINO", "small crops")
CLICKS = 3


def iou(one, other) -> float:
    """IoU of two masks; 1 of two empty ones."""
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 1.0


def predictors(model: str) -> dict[str, Predictor]:
    """Give what is compared, on one thread."""
    found = {}
    for name in ("exact", *OTHERS):
        network = load_weights(model)[0]
        zoom = ZoomIn.of(network.spec, fast=name == "small crops")
        flip = name == "exact"
        found[name] = Predictor(network, "cpu", "float32", flip, zoom, threads=1)
    print(found["OpenVINO"].accelerate(), end="", flush=True)
    return found


def compare(model: str, cases) -> list[str]:
    """Answer the robot's clicks in all ways."""
    by_name = predictors(model)
    masks: dict[str, list] = {}
    truths = []
    for case in cases:
        image, truth = case.load()
        for predictor in by_name.values():
            predictor.set_image(image)
        turns = annotate(by_name["exact"], truth, CLICKS, 1.0)
        clicks = [turn.click for turn in turns]
        truths.append(truth == 1)
        masks.setdefault("exact", []).append(turns[-1].mask)
        for name in OTHERS:
            *before, last = by_name[name].replay(clicks)
            masks.setdefault(name, []).append(last > THRESHOLD)
            if name == "no mirror":
                prior = before[-1] if before else None
                last = by_name["exact"].predict(clicks, prior)
                masks.setdefault("mirror last", []).append(last > THRESHOLD)
    references = masks["exact"], masks["no mirror"], truths
    rows = []
    for name, own in masks.items():
        found = [mean(map(iou, own, reference)) for reference in references]
        numbers = " | ".join(f"{value:.4f}" for value in found)
        rows.append(f"{model} | {len(cases)} | {name} | {numbers}")
    return rows


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+", help="NAME FOLDER, one pair after the other")
    parser.add_argument("--limit", type=int, default=12)
    parser.add_argument("--model", action="append")
    args = parser.parse_args(arguments)
    print(
        "| Set | Model | Objects | Masks | with exact | without mirror | with truth |"
    )
    print("|---" * 7 + "|")
    for name, folder in zip(args.sets[::2], args.sets[1::2], strict=True):
        cases = choose_cases(find_cases(name, Path(folder), CaseOptions()), args.limit)
        for model in args.model or MODELS:
            for row in compare(model, cases):
                print(f"| {Path(folder).name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
