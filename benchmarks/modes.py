"""How fast and exact mode agree: clicks needed, and masks after the third click.

    python benchmarks/modes.py sstem ROOT/ssTEM folder ROOT/lgg_mri [--limit 20]

Pairs of a data set's name and its folder follow, as `napari-simpleclick evaluate` takes
them. The robot clicks on the same objects in both modes; then both answer the robot's
first three clicks of the exact mode. It prints a row of the table in docs/speed.md for
each model and set. Times are processor time per click, the two modes in turn.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import mean, median

import numpy as np

from napari_simpleclick import Predictor, load_weights
from napari_simpleclick.evaluation.annotator import annotate
from napari_simpleclick.evaluation.case_options import CaseOptions
from napari_simpleclick.evaluation.datasets import find_cases
from napari_simpleclick.evaluation.run import choose_cases
from napari_simpleclick.inference import THRESHOLD
from napari_simpleclick.inference.modes import MODES, Mode

MODELS = ("encode-once", "simpleclick-xtiny-2")
TARGET, AGREED_AT = 0.90, 3


def predictors(model: str) -> dict[str, Predictor]:
    """Give a predictor for each mode, on one thread."""
    found = {}
    for name in MODES:
        mode = Mode.named(name)
        found[name] = mode.predictor(load_weights(model)[0], "cpu", threads=1)
        if mode.accelerated:
            print(found[name].accelerate(), end="", flush=True)
    return found


def compare(model: str, cases, clicks: int) -> str:
    """Let the robot click in both modes, and compare."""
    by_mode = predictors(model)
    noc: dict[str, list[int]] = {name: [] for name in MODES}
    spent: dict[str, list[float]] = {name: [] for name in MODES}
    overlaps = []
    for case in cases:
        image, truth = case.load()
        turns = {}
        for name, predictor in by_mode.items():
            predictor.set_image(image)
            start = time.process_time()
            turns[name] = annotate(predictor, truth, clicks, TARGET)
            spent[name].append((time.process_time() - start) / len(turns[name]))
            hit = turns[name][-1].iou >= TARGET
            noc[name].append(len(turns[name]) if hit else clicks)
        exact = turns["exact"][:AGREED_AT]
        *_, other = by_mode["fast"].replay([turn.click for turn in exact])
        one, two = exact[-1].mask, other > THRESHOLD
        union = np.count_nonzero(one | two)
        overlaps.append(np.count_nonzero(one & two) / union if union else 1.0)
    counts = [mean(noc[name]) for name in ("exact", "fast")]
    times = [1000 * median(spent[name]) for name in ("exact", "fast")]
    engine = "OpenVINO" if by_mode["fast"].encoder.is_accelerated else "PyTorch"
    return (
        f"{model} | {len(cases)} | {counts[0]:.2f} | {counts[1]:.2f} | "
        f"{counts[1] - counts[0]:+.2f} | {mean(overlaps):.4f} | {min(overlaps):.3f} | "
        f"{times[0]:.0f} ms | {times[1]:.0f} ms | {times[0] / times[1]:.1f} x | "
        f"{engine}"
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+", help="NAME FOLDER, one pair after the other")
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--clicks", type=int, default=20)
    parser.add_argument("--model", action="append")
    args = parser.parse_args(arguments)
    print("| Set | Model | Objects | NoC@90 exact | fast | difference", end=" | ")
    print("mean IoU | least IoU | exact | fast | ratio | computed by |")
    print("|---" * 12 + "|")
    for name, folder in zip(args.sets[::2], args.sets[1::2], strict=True):
        cases = find_cases(name, Path(folder), CaseOptions())
        for model in args.model or MODELS:
            row = compare(model, choose_cases(cases, args.limit), args.clicks)
            print(f"| {Path(folder).name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
