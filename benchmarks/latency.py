"""Where the time of a click goes, from the finger to the pixel.

    python benchmarks/latency.py [--sides 512 4096] [--objects 1 30 500] [--runs 9]

A stub network answers at once, so that what is left is everything else: the event, the
slice, the crop, the finish, the write, and the repaint as far as napari does it on the
processor. So many objects are in the mask already, and 1,000 clicks in the layers. All
is done in one thread, and times are its processor time, so that other programs hardly
change them; in a window, crop and finish run beside the main thread. *Beside* is the
click being drawn, which the main thread does while the network computes: all but that
is *waited for*. Medians, ms.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections import defaultdict
from statistics import median

import numpy as np
import torch
from napari.components import ViewerModel
from napari.layers import Labels

from napari_simpleclick import Click, Predictor
from napari_simpleclick.annotation import MaskChange
from napari_simpleclick.inference.crop_network import CropNetwork
from napari_simpleclick.networks import Network, NetworkConfig, NetworkSpec
from napari_simpleclick.plugin.controller import Controller
from napari_simpleclick.plugin.layers.canvas import LayerCanvas
from napari_simpleclick.plugin.layers.placement import NOT_RECORDED
from napari_simpleclick.weights import catalogue
from napari_simpleclick.workflow import InlineExecutor
from napari_simpleclick.workflow.engine import Job, PredictionEngine
from napari_simpleclick.workflow.prediction_queue import PredictionQueue

CLICKS = 1000
"""In the layers before anything is timed."""

STEPS = {
    "slice": (PredictionEngine, "show"),
    "crop": (Predictor, "_answer"),
    "network": (CropNetwork, "answer"),
    "encode": (CropNetwork, "encode"),
    "finish": (Job, "finish"),
    "engine": (PredictionEngine, "answer"),
    "write": (PredictionQueue, "_take"),
    "repaint": (Labels, "refresh"),
    "beside": (LayerCanvas, "show_click"),
}
"""What each step is spent in; a step within another one counts for itself alone."""


class StubConfig(NetworkConfig):
    """Of a network that answers at once."""

    @property
    def spec(self) -> NetworkSpec:
        """Any input size will do."""
        return NetworkSpec(self.image_size)


class StubNetwork(Network):
    """Answers with a grown disk around the click; it does not look at the image."""

    def encode(self, image):
        """Give something to remember."""
        return (image[:, :1, ::8, ::8],)

    def decode(self, features, prompt):
        """Grow the positive disks."""
        prior, positive, negative = prompt.split(1, dim=1)
        grown = torch.nn.functional.avg_pool2d(positive, 9, 1, 4) > 0
        return 8 * (2 * prior - 1 + 2 * grown.float()).clamp(max=1) - 16 * negative


class Stopwatch:
    """Adds up the time that is spent in each step, that of inner steps taken off."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._inner = [0.0]

    def timed(self, name: str, call, *args, **options):
        """Call something, and add up what it takes."""
        start = time.thread_time()
        self._inner.append(0.0)
        try:
            return call(*args, **options)
        finally:
            all_of_it = time.thread_time() - start
            self.spent[name] += all_of_it - self._inner.pop()
            self._inner[-1] += all_of_it

    def watch(self) -> None:
        """Time the steps of every click from now on."""
        for name, (owner, method) in STEPS.items():
            call = getattr(owner, method)

            def wrapped(*args, _name=name, _call=call, **options):
                return self.timed(_name, _call, *args, **options)

            setattr(owner, method, functools.wraps(call)(wrapped))


def without_window() -> tuple[Controller, PredictionEngine]:
    """Give a viewer without a window, and the stub network."""
    network = StubNetwork(StubConfig())
    predictor = Predictor(network, "cpu", "float32", threads=1)
    engine = PredictionEngine(predictor, next(iter(catalogue().values())))
    return Controller(ViewerModel(), InlineExecutor()), engine


def annotated(
    side: int, objects: int, controller: Controller, engine: PredictionEngine
) -> Controller:
    """Open an image with so many objects and 1,000 clicks."""
    rng = np.random.default_rng(0)
    viewer = controller.viewer
    image = rng.integers(0, 255, (side, side), np.uint8)
    viewer.add_image(image, metadata={NOT_RECORDED: True})
    controller.workflow.models.engine = engine
    controller.use_image(viewer.layers[0])
    canvas = controller.canvas
    columns = int(np.ceil(np.sqrt(objects)))
    pitch = side // (columns + 1)
    labels = canvas.mask.data
    for number in range(objects):
        row, column = divmod(number, columns)
        size = max(2, pitch // 3)
        box = np.s_[
            row * pitch : row * pitch + size, column * pitch : column * pitch + size
        ]
        now = np.zeros(labels.shape, bool)
        now[box] = True
        indices = np.nonzero(now)
        change = MaskChange.of(labels.shape, indices, 0, number + 1)
        change.apply(labels)
        canvas.session.paint(change)
    canvas.session.choose(objects + 1)
    _with_clicks(controller, objects, side, rng)
    return controller


def _with_clicks(controller: Controller, objects: int, side: int, rng) -> None:
    """Put clicks of the objects into the session and the layers."""
    from napari_simpleclick.annotation import ObjectSlice, PlacedPrompt
    from napari_simpleclick.annotation.history import EditState

    canvas = controller.canvas
    plane = canvas.current_plane()
    share = max(1, CLICKS // objects)
    prompts, order = {}, 0
    for label in range(1, objects + 1):
        placed = []
        for row, column in rng.uniform(0, side - 1, (share, 2)):
            order += 1
            placed.append(PlacedPrompt(order, Click(row, column)))
        prompts[ObjectSlice(label, plane)] = tuple(placed)
    canvas.session.objects.take(EditState(prompts))
    canvas.show_steps()


def measure(side: int, objects: int, runs: int, watch: Stopwatch) -> dict[str, float]:
    """Time clicks on a new object, each at another place; ms."""
    controller = annotated(side, objects, *without_window())
    rng, found = np.random.default_rng(1), defaultdict(list)
    middle = side * 0.9
    for run in range(runs + 1):
        watch.spent.clear()
        place = middle + rng.uniform(-20, 20, 2)
        start = time.thread_time()
        controller.click(tuple(place), True)
        all_of_it = time.thread_time() - start
        if run:  # the first one shows the slice
            spent = dict(watch.spent)
            outside = all_of_it - spent.get("network", 0) - spent.get("encode", 0)
            spent |= {"event": all_of_it - sum(spent.values()), "outside": outside}
            spent["waited for"] = outside - spent["beside"]
            for name, seconds in spent.items():
                found[name].append(1000 * seconds)
    assert (controller.canvas.mask.data == objects + 1).any()
    controller.close()
    return {name: median(values) for name, values in found.items()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[512, 4096])
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 30, 500])
    parser.add_argument("--runs", type=int, default=9)
    args = parser.parse_args(arguments)
    watch = Stopwatch()
    watch.watch()
    names = ["event", *STEPS, "outside", "waited for"]
    print("| Side, px | Objects | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 2) + "|")
    for side in args.sides:
        for objects in args.objects:
            spent = measure(side, objects, args.runs, watch)
            numbers = " | ".join(f"{spent.get(name, 0):.1f}" for name in names)
            print(f"| {side} | {objects} | {numbers} |", flush=True)


if __name__ == "__main__":
    main()
