"""A first click with and without encoding ahead, and what a store costs.

    python benchmarks/encode_ahead.py [--model encode-once] [--runs 15]

Runs alternate, so that whatever else the computer does falls on all of them alike; what
counts are the ratios of the medians. Processor time is that of this thread.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from statistics import median

import numpy as np
import torch
from napari.components import ViewerModel

from napari_simpleclick import Click, Predictor, load_weights
from napari_simpleclick.inference.encoding import packed
from napari_simpleclick.inference.feature_files import unpack
from napari_simpleclick.plugin.controller import Controller
from napari_simpleclick.plugin.files import read_layers
from napari_simpleclick.plugin.layers.placement import NOT_RECORDED
from napari_simpleclick.samples import sample_path
from napari_simpleclick.workflow import InlineExecutor
from napari_simpleclick.workflow.engine import PredictionEngine

torch.set_num_threads(1)


def timed(times: dict[str, list[tuple[float, float]]], name: str, call) -> None:
    """Note wall and processor time of a call, ms."""
    wall, own = time.perf_counter(), time.thread_time()
    call()
    spent = time.perf_counter() - wall, time.thread_time() - own
    times[name].append((1000 * spent[0], 1000 * spent[1]))


def clicks(model: str, usual: str, runs: int) -> dict[str, list[tuple[float, float]]]:
    """Time first clicks on new images of 448 x 448 px."""
    times: dict[str, list[tuple[float, float]]] = defaultdict(list)
    fresh, ahead, other = (
        Predictor(load_weights(name)[0], threads=1) for name in (model, model, usual)
    )
    rng = np.random.default_rng(0)
    for run in range(runs + 2):
        image = rng.integers(0, 255, (448, 448)).astype(np.uint8)
        noted = times if run > 1 else defaultdict(list)
        for predictor in (fresh, ahead, other):
            predictor.set_image(image)
        ahead.encode()
        click = [Click(200, 210)]
        timed(noted, "encode and click", lambda: fresh.predict(click))  # noqa: B023
        timed(noted, "click, encoded ahead", lambda: ahead.predict(click))  # noqa: B023
        timed(noted, f"click, {usual}", lambda: other.predict(click))  # noqa: B023
    return times


def store(model: str, runs: int) -> dict[str, list[tuple[float, float]]]:
    """Time an encode, and writing and reading its features."""
    times: dict[str, list[tuple[float, float]]] = defaultdict(list)
    predictor = Predictor(load_weights(model)[0], threads=1)
    predictor.set_image(np.random.default_rng(0).random((448, 448)))
    pixels = predictor.first_pixels()
    key = predictor.encoder.stored_key(pixels)
    content = packed(predictor, pixels)
    for _ in range(runs):
        timed(times, "encode for the store", lambda: packed(predictor, pixels))
        timed(times, "check what was read", lambda: unpack(content, key))
    print(f"{len(content) / 1e6:.2f} MB a slice")
    return times


def window(model: str, runs: int) -> dict[str, list[tuple[float, float]]]:
    """Time what a new slice costs the main thread before anything is encoded."""
    times: dict[str, list[tuple[float, float]]] = defaultdict(list)
    viewer = ViewerModel()
    ((array, look, _),) = read_layers(str(sample_path("em.tif")))
    viewer.add_image(array, **look | {"metadata": {NOT_RECORDED: True}})
    executor = InlineExecutor()
    executor.start = lambda *_, **__: None
    controller = Controller(viewer, executor)
    network, card = load_weights(model)
    controller.workflow.models.engine = PredictionEngine(Predictor(network), card)
    controller.use_image(viewer.layers[0])
    for _ in range(runs):
        timed(times, "new slice, main thread", controller.workflow.encode_ahead.renew)
    controller.close()
    return times


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="encode-once")
    parser.add_argument("--usual", default="simpleclick-xtiny")
    parser.add_argument("--runs", type=int, default=15)
    args = parser.parse_args(arguments)
    times = clicks(args.model, args.usual, args.runs)
    times |= store(args.model, args.runs) | window(args.model, args.runs)
    usual = median(wall for wall, _ in times[f"click, {args.usual}"])
    for name, pairs in times.items():
        wall, own = (median(column) for column in zip(*pairs, strict=True))
        print(f"{name:28} {wall:8.1f} ms {own:8.1f} ms own {wall / usual:6.2f} x")


if __name__ == "__main__":
    main()
