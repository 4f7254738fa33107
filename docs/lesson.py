"""The pictures of a lesson in ``docs/images``: made-up cells, learned in a real window.

Run it with a display, from anywhere; it takes some minutes::

    python docs/lesson.py [FOLDER]

A hand that knows where the cells end clicks on them one by one, as people do: until
each is right, then *New object*. It accepts the offer to learn, and goes on when that
is done; then it lets the rest of a section be found.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from qtpy.QtTest import QTest
from scipy import ndimage
from scipy.special import expit
from screenshots import IMAGES, Studio, keep

from napari_simpleclick.evaluation.annotator import next_click
from napari_simpleclick.evaluation.metrics import iou
from napari_simpleclick.inference.shapes import signed_distance, smooth_noise
from napari_simpleclick.training.synthetic import ragged_disk

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE, CELLS, SECTIONS = 384, 5, 6
TAUGHT, AFTER = 12, 3
"""Objects to learn from, and objects that are annotated afterwards."""

GOOD, MOST = 0.9, 10
"""IoU that the hand is content with, and clicks after which it goes on all the same."""


def section(number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw cells, and label each with its nucleus, its wall and its halo."""
    rng, shape = np.random.default_rng(number), (SIDE, SIDE)

    def noise(cells: float, strength: float) -> NDArray[np.float32]:
        return np.float32(strength) * smooth_noise(rng, shape, cells)

    image = 0.62 + noise(30, 0.05) + noise(90, 0.03)
    labels = np.zeros(shape, np.uint8)
    while labels.max() < CELLS:
        centre, radius = rng.uniform(50, SIDE - 50, 2), rng.uniform(26, 38)
        inside = ragged_disk(rng, shape, centre, radius, (0.02, 0.12), (0.3, 0.9))
        if labels[ndimage.binary_dilation(inside, iterations=8)].any():
            continue
        depth = signed_distance(inside)
        nucleus = ragged_disk(rng, shape, centre, 0.38 * radius, (0, 0.2), (0.3, 0.9))
        cell = np.where(depth < 3, 0.72 + noise(80, 0.03), 0.5 + noise(60, 0.08))
        cell = np.where(nucleus, 0.27 + noise(80, 0.04), cell)
        cell -= 0.35 * np.exp(-0.5 * ((depth - 4) / 1.6) ** 2)
        image += expit(depth / 0.7) * (cell - image)
        labels[inside] = labels.max() + 1
    image = ndimage.gaussian_filter(image, 0.8) + rng.normal(0, 0.025, shape)
    return (np.clip(image, 0, 1) * 255).astype(np.uint8), labels


class Lesson(Studio):
    """A window in which someone annotates cells and has them learned."""

    def hold(self) -> None:
        """Open the sections, and go through all states."""
        drawn = [section(number) for number in range(SECTIONS)]
        self.truth = np.stack([labels for _, labels in drawn])
        self.viewer.add_image(np.stack([image for image, _ in drawn]), name="cells")
        self.until(lambda: self.controller.canvas is not None)
        self.panel.tour.hide()
        objects = [(z, n) for z in range(SECTIONS) for n in range(1, CELLS + 1)]
        needed = [self.annotate(*one) for one in objects[:TAUGHT]]
        self.photograph("offer")
        teaching, workflow = self.panel.sections["teaching"], self.panel.workflow
        teaching.expand()
        self.panel.teach_offer.accept.click()
        self.until(lambda: workflow.teaching.process is None, minutes=10)
        self.panel.scroll.bring(teaching)
        self.photograph("learned")
        after = [self.annotate(*one) for one in objects[TAUGHT : TAUGHT + AFTER]]
        print(f"clicks before {needed}, after {after}")
        print(teaching.state.text())
        teaching.collapse()
        similar = self.panel.sections["similar"]
        similar.expand()
        self.viewer.dims.set_current_step(0, SECTIONS - 1)
        similar.here.click()
        self.until(lambda: bool(workflow.similar.waiting().open), minutes=10)
        self.panel.scroll.bring(similar)
        self.photograph("similar")

    def annotate(self, number: int, label: int) -> int:
        """Click on a cell until its mask is good; tell how often."""
        self.viewer.dims.set_current_step(0, number)
        canvas = self.controller.canvas
        truth = (self.truth[number] == label).astype(np.int32)
        mask, fresh, clicks = np.zeros(truth.shape, bool), np.ones(truth.shape, bool), 0
        while clicks < MOST and iou(mask, truth) < GOOD:
            click = next_click(truth, mask, fresh)
            place = canvas.image.data_to_world((number, click.row, click.column))
            self.controller.click(place, click.positive)
            self.until(lambda: canvas.session.requests.pending is None)
            mask = np.asarray(canvas.mask.data[number]) == canvas.session.label
            clicks += 1
        self.panel.workflow.new_object()
        return clicks

    def photograph(self, name: str) -> None:
        """Take a picture of the window."""
        self.viewer.reset_view()
        QTest.qWait(500)
        shown = self.viewer.screenshot(canvas_only=False, flash=False)
        keep(Image.fromarray(shown), self.folder / f"lesson-{name}.png")


def main() -> None:
    """Hold the lesson."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    with tempfile.TemporaryDirectory() as place:
        os.environ["NAPARI_SIMPLECLICK_SESSIONS"] = place
        lesson = Lesson("dark", folder)
        lesson.hold()
        lesson.close()


if __name__ == "__main__":
    main()
