"""A viewer without a window, a network that sees bright things, and no threads."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from skimage.measure import label

from napari_simpleclick.inference import ObjectState, ZoomIn
from napari_simpleclick.inference.prompt_pixels import as_clicks, settle
from napari_simpleclick.plugin.controller import Controller
from napari_simpleclick.plugin.layers.placement import NOT_RECORDED
from napari_simpleclick.weights import catalogue
from napari_simpleclick.workflow import InlineExecutor
from napari_simpleclick.workflow.engine import PredictionEngine

BRIGHT = 120


class BrightPredictor:
    """Finds the bright parts that are clicked on, or that were there before.

    Attributes
    ----------
    calls : int
        How often it was asked.
    errors : list of Exception
        Raised one after the other, instead of the next answers.
    """

    encodes_once = False
    flip = False
    dtype = "float32"
    zoom = ZoomIn()
    encoder = SimpleNamespace(is_accelerated=False)

    def __init__(self) -> None:
        self.calls = 0
        self.errors: list[Exception] = []
        self.shown: list[Any] = []
        self._counts = self

    def one_look(self):
        return copy(self)

    def set_image(self, image, window=None, spacing=(1.0, 1.0)):
        self.shown.append((image, window, spacing))
        gray = np.asarray(image, float).mean(-1) if image.ndim == 3 else image
        self._parts = label(np.asarray(gray) > BRIGHT)

    def predict(self, clicks, prior=None, *, state=None, focus=None):
        self._counts.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        found = np.zeros(self._parts.shape, bool)
        if prior is not None:
            before = np.asarray(prior) > 0.5
            found |= np.isin(self._parts, np.unique(self._parts[before])[1:])
            found |= before & (self._parts > 0)
        shape = self._parts.shape
        for click in (c for one in clicks for c in as_clicks(one, shape, 5)):
            part = self._parts == self._parts[round(click.row), round(click.column)]
            if self._parts[round(click.row), round(click.column)] == 0:
                part = np.zeros_like(found)
                part[round(click.row), round(click.column)] = True
            found = found | part if click.positive else found & ~part
        probability = np.where(found, 0.9, 0.1).astype(np.float32)
        settle(probability, clicks)
        return probability, state if state is not None else ObjectState()


@dataclass
class Person:
    """Works on an image as a person does, but through the controller."""

    controller: Controller
    predictor: BrightPredictor
    answers: list[Any] = field(default_factory=list)
    troubles: list[tuple[str, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        flow = self.controller.workflow
        flow.queue.answered.connect(self.answers.append)
        flow.trouble.connect(lambda *what: self.troubles.append(what))
        flow.status.connect(self.said.append)

    @property
    def workflow(self):
        return self.controller.workflow

    @property
    def canvas(self):
        return self.controller.canvas

    @property
    def mask(self):
        return self.canvas.mask.data

    @property
    def viewer(self):
        return self.controller.viewer

    @property
    def executor(self):
        return self.workflow.executor

    def click(self, *place: float, positive: bool = True) -> None:
        """Click on a place in image coordinates, and go to its slice."""
        world = self.canvas.image.data_to_world(place)
        self.viewer.dims.set_point(range(len(world)), world)
        self.controller.click(tuple(world), positive)

    def draw(self, tool, *places, positive: bool = True) -> None:
        """Drag along places in image coordinates, on the slice of the first."""
        world = [tuple(self.canvas.image.data_to_world(place)) for place in places]
        self.viewer.dims.set_point(range(len(world[0])), world[0])
        self.workflow.tool = tool
        drawing = self.controller.drawing
        drawing.begin(world[0], positive != self.workflow.positive)
        for place in world[1:]:
            drawing.go(place)
        drawing.end()

    def go(self, index: int) -> None:
        """Show a slice."""
        axis = self.viewer.dims.order[0]
        self.viewer.dims.set_current_step(axis, index)

    def points(self, positive: bool = True):
        return self.canvas.points[positive].data


def load_stub(controller: Controller) -> BrightPredictor:
    """Let the controller have a model, without loading one."""
    predictor = BrightPredictor()
    models = controller.workflow.models
    models.engine = PredictionEngine(predictor, catalogue()["simpleclick-xtiny"])
    models.loaded.emit()
    return predictor


@pytest.fixture
def open_image():
    """Open an image in a viewer without a window, with a network at hand.

    The session is written only if ``recorded``.
    """
    controllers = []

    def build(data, executor=None, recorded=False, **look) -> Person:
        viewer = ViewerModel()
        metadata = look.pop("metadata", {})
        metadata |= {} if recorded else {NOT_RECORDED: True}
        image = viewer.add_image(data, metadata=metadata, **look)
        controller = Controller(viewer, executor or InlineExecutor())
        controllers.append(controller)
        predictor = load_stub(controller)
        controller.use_image(image)
        return Person(controller, predictor)

    yield build
    for controller in controllers:
        canvases = list(controller._canvases)
        controller.close()
        for canvas in canvases:
            canvas.recorder.close()


@pytest.fixture
def balls():
    """A volume with two bright balls, around (12, 30, 30) and (12, 60, 90)."""
    grid = np.indices((24, 100, 120))
    volume = np.full(grid.shape[1:], 40, np.uint8)
    for centre in ((12, 30, 30), (12, 60, 90)):
        far = sum(
            ((g - c) / r) ** 2
            for g, c, r in zip(grid, centre, (9, 16, 16), strict=True)
        )
        volume[far <= 1] = 200
    return volume
