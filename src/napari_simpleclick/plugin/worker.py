"""What runs off the main thread: answering one request."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_simpleclick.predict import THRESHOLD, Box, Predictor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.annotate import Request, Spot, Steps
    from napari_simpleclick.volumes import Plane, Window
    from napari_simpleclick.weights import Card

REMEMBERED = 8
"""Answers kept to go on from; others are computed again from their clicks."""


@dataclass(frozen=True, eq=False)
class Job:
    """A request with a snapshot of all that its answer depends on.

    Parameters
    ----------
    request : Request
        The clicks.
    source : array_like
        The image's data; only the slice is read.
    rgb : bool
        Whether the last axis of the data is colour.
    window : Window or None
        Intensities shown as black and white; None for colour.
    """

    request: Request
    source: Any
    rgb: bool
    window: Window | None


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer to a request.

    Parameters
    ----------
    request : Request
        What was asked.
    mask : ndarray
        (H, W) bool.
    milliseconds : float
        Time of the last prediction, reading the slice included.
    """

    request: Request
    mask: NDArray[np.bool_]
    milliseconds: float


class Latest(NamedTuple):
    """The answer to go on from at a spot: clicks, crop, and the probability in it."""

    steps: Steps
    crop: Box
    extent: Box
    inside: NDArray[np.float32]


class Engine:
    """A predictor that alternates between slices and objects.

    Parameters
    ----------
    predictor : Predictor
        The model.
    card : Card
        Where its weights come from.
    """

    def __init__(self, predictor: Predictor, card: Card) -> None:
        self.predictor, self.card = predictor, card
        self._source: Any = None
        self._shown: tuple[Plane, Window | None] | None = None
        self._latest: OrderedDict[Spot, Latest] = OrderedDict()
        self._outdated = False

    def forget(self) -> None:
        """Read the slice anew next time, because its pixels have changed."""
        self._outdated = True

    def answer(self, job: Job) -> Answer:
        """Predict; clicks whose answers are not remembered are gone through again."""
        start = time.perf_counter()
        request = job.request
        shape = self._show(job)
        steps = request.steps
        clicks = [step.click for step in steps]
        probability: NDArray[np.float32] | None = None
        first = self._first_open(request)
        if first > 0:
            last = self._latest[request.spot]
            probability = np.zeros(shape, np.float32)
            probability[last.extent.slices] = last.inside
            self.predictor.crop = last.crop
        for count in range(first, len(steps)):
            base = steps[count].base
            if base is not None:
                probability, self.predictor.crop = base.astype(np.float32), None
            probability = self.predictor.predict(clicks[: count + 1], probability)
        if probability is None:
            mask = np.zeros(shape, bool) if request.rest is None else request.rest
            self._latest.pop(request.spot, None)
        else:
            mask = probability > THRESHOLD
            self._latest[request.spot] = self._cut(steps, probability)
            self._latest.move_to_end(request.spot)
        while len(self._latest) > REMEMBERED:
            self._latest.popitem(last=False)
        return Answer(request, mask, 1000 * (time.perf_counter() - start))

    def _cut(self, steps: Steps, probability: NDArray[np.float32]) -> Latest:
        crop, extent = self.predictor.crop, self.predictor.extent
        assert crop is not None
        assert extent is not None
        return Latest(steps, crop, extent, probability[extent.slices].copy())

    def _show(self, job: Job) -> tuple[int, int]:
        """Show the predictor the job's slice, unless it has seen it."""
        plane = job.request.spot.plane
        if self._outdated or job.source is not self._source:
            self._latest.clear()
            self._shown, self._source, self._outdated = None, job.source, False
        if self._shown != (plane, job.window):
            picture = plane.read(job.source)
            if job.rgb:
                picture = picture[..., :3]
            self.predictor.set_image(picture, job.window)
            self._shown = plane, job.window
            self._size = picture.shape[0], picture.shape[1]
        return self._size

    def _first_open(self, request: Request) -> int:
        """Index of the first click that has to be predicted."""
        known = self._latest.get(request.spot)
        goes_on = known is not None and known.steps == request.steps[:-1]
        return len(request.steps) - 1 if goes_on and request.steps else 0
