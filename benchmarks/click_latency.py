"""Clicks in a real window, from the finger to the drawn pixel.

Run it with a display, or under Xvfb:

    xvfb-run -a python benchmarks/click_latency.py [--sides 512 4096] [--objects 1 500]

A stub network answers at once (``--model encode-once`` takes that one), with so many
objects in the mask and 1,000 clicks in the layers. Each row is a process of its own.
Medians in ms of wall time:

* event: until the program can go on to something else after a press;
* answer: from the press until the answer is in the mask;
* drawing: what the window then takes to draw a frame;
* pixel: from the press until that frame is there;
* gap: the longest that a 10 ms timer on the main thread had to wait, of all clicks.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from itertools import pairwise, product
from statistics import median

import napari
import numpy as np
from latency import StubConfig, StubNetwork, annotated
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication

from napari_simpleclick import Predictor, load_weights
from napari_simpleclick.inference.modes import Mode
from napari_simpleclick.weights import catalogue
from napari_simpleclick.workflow.engine import PredictionEngine

PATIENCE_S = 60

NAMES = ("event", "answer", "drawing", "pixel", "gap")


def wait(reached) -> None:
    """Let the window work until something is reached."""
    end = time.perf_counter() + PATIENCE_S
    while not reached():
        QApplication.processEvents()
        time.sleep(0.0002)
        if time.perf_counter() > end:
            raise TimeoutError("Nothing came.")


def rest(seconds: float = 3) -> None:
    """Let the window do what it has left to do."""
    end = time.perf_counter() + seconds
    wait(lambda: time.perf_counter() > end)


def open_window(side: int, objects: int, model: str):
    """Open a window with the panel on such an image."""
    viewer = napari.Viewer()
    viewer.window.resize(1200, 850)
    _, panel = viewer.window.add_plugin_dock_widget("napari-simpleclick", "SimpleClick")
    wait(lambda: panel.controller.engine is not None)
    if model == "stub":
        predictor = Predictor(StubNetwork(StubConfig()))
        card = next(iter(catalogue().values()))
    else:
        network, card = load_weights(model)
        predictor = Mode.named("fast").predictor(network)
        predictor.accelerate()
    engine = PredictionEngine(predictor, card)
    controller = annotated(side, objects, panel.controller, engine)
    return viewer, panel, controller


def measure(side: int, objects: int, model: str, runs: int) -> dict[str, float]:
    """Time clicks on a new object."""
    viewer, panel, controller = open_window(side, objects, model)
    panel.workflow.trouble.connect(lambda *said: print(*said, flush=True))
    answers: list[float] = []
    frames: list[tuple[float, float]] = []
    begun = [0.0]
    panel.workflow.queue.answered.connect(lambda _: answers.append(time.perf_counter()))
    draw = viewer.window._qt_viewer.canvas._scene_canvas.events.draw

    def begin(_) -> None:
        begun[0] = time.perf_counter()

    def end(_) -> None:
        frames.append((begun[0], time.perf_counter()))

    draw.connect(begin, position="first")
    draw.connect(end, position="last")
    ticks: list[float] = []
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
    found: dict[str, list[float]] = {}
    gaps = [0.0]
    rng = np.random.default_rng(1)
    rest()
    for run in range(runs + 1):
        place = 0.9 * side + rng.uniform(-20, 20, 2)
        before = len(answers)
        timer.start(10)
        start = time.perf_counter()
        controller.click(tuple(place), True)
        clicked = time.perf_counter()
        wait(lambda before=before: len(answers) > before)
        answered = answers[-1]
        wait(lambda at=answered: frames and frames[-1][0] > at)
        first = next(frame for frame in frames if frame[0] > answered)
        timer.stop()
        if run:
            times = {
                "event": clicked - start,
                "answer": answered - start,
                "drawing": first[1] - first[0],
                "pixel": first[1] - start,
            }
            for name, seconds in times.items():
                found.setdefault(name, []).append(1000 * seconds)
            within = [at for at in ticks if start <= at <= first[1]]
            gaps += [1000 * (after - one) for one, after in pairwise(within)]
        rest(0.3)
    viewer.close()
    return {name: median(values) for name, values in found.items()} | {"gap": max(gaps)}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[512, 4096])
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 500])
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--model", default="stub")
    args = parser.parse_args(arguments)
    os.environ.setdefault("NAPARI_SIMPLECLICK_OPENVINO", "0")
    rows = list(product(args.sides, args.objects))
    if len(rows) == 1:
        spent = measure(*rows[0], args.model, args.runs)
        numbers = " | ".join(f"{spent[name]:.1f}" for name in NAMES)
        print(f"| {args.sides[0]} | {args.objects[0]} | {numbers} |", flush=True)
        return
    print("| Side, px | Objects | " + " | ".join(NAMES) + " |")
    print("|---" * (len(NAMES) + 2) + "|", flush=True)
    same = [sys.executable, __file__, f"--runs={args.runs}", f"--model={args.model}"]
    for side, objects in rows:
        row = [f"--sides={side}", f"--objects={objects}"]
        subprocess.run([*same, *row], check=True)


if __name__ == "__main__":
    main()
