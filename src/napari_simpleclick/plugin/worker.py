"""What runs off the main thread: answering one request at a time."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_simpleclick.predict import THRESHOLD, Box, Predictor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_simpleclick.annotate import Request, Spot, Steps
    from napari_simpleclick.clicks import Click
    from napari_simpleclick.volumes import Window
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
    spacing : tuple of float
        Height and width of a pixel.
    """

    request: Request
    source: Any
    rgb: bool
    window: Window | None
    spacing: tuple[float, float] = (1.0, 1.0)


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
    spacing: tuple[float, float]
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

    Attributes
    ----------
    lock : Lock
        Held during every use of the predictor.
    shown : object
        What the predictor was shown last.
    """

    def __init__(self, predictor: Predictor, card: Card) -> None:
        self.predictor, self.card = predictor, card
        self.lock = Lock()
        self.shown: Any = None
        self._source: Any = None
        self._latest: OrderedDict[Spot, Latest] = OrderedDict()
        self._outdated = False

    def forget(self) -> None:
        """Read the slice anew next time, because its pixels have changed."""
        self._outdated = True

    def answer(self, job: Job) -> Answer:
        """Predict; clicks whose answers are not remembered are gone through again."""
        with self.lock:
            return self._answer(job)

    def _answer(self, job: Job) -> Answer:
        start = time.perf_counter()
        request = job.request
        shape = self._show(job)
        steps = request.steps
        clicks = [step.click for step in steps]
        probability: NDArray[np.float32] | None = None
        first = self._first_open(job)
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
            self._latest[request.spot] = self._cut(job, probability)
            self._latest.move_to_end(request.spot)
        while len(self._latest) > REMEMBERED:
            self._latest.popitem(last=False)
        return Answer(request, mask, 1000 * (time.perf_counter() - start))

    def _cut(self, job: Job, probability: NDArray[np.float32]) -> Latest:
        crop, extent = self.predictor.crop, self.predictor.extent
        assert crop is not None
        assert extent is not None
        inside = probability[extent.slices].copy()
        return Latest(job.request.steps, job.spacing, crop, extent, inside)

    def _show(self, job: Job) -> tuple[int, int]:
        """Show the predictor the job's slice, unless it has seen it."""
        plane = job.request.spot.plane
        if self._outdated or job.source is not self._source:
            self._latest.clear()
            self.shown, self._source, self._outdated = None, job.source, False
        if self.shown != (plane, job.window, job.spacing):
            picture = plane.read(job.source)
            if job.rgb:
                picture = picture[..., :3]
            self.predictor.set_image(picture, job.window, job.spacing)
            self.shown = plane, job.window, job.spacing
            self._size = picture.shape[0], picture.shape[1]
        return self._size

    def _first_open(self, job: Job) -> int:
        """Index of the first click that has to be predicted."""
        known, steps = self._latest.get(job.request.spot), job.request.steps
        goes_on = known is not None and known[:2] == (steps[:-1], job.spacing)
        return len(steps) - 1 if goes_on and steps else 0


class Stopped(Exception):
    """A loan was called back."""


class Loan:
    """The predictor of an engine, lent for one prediction at a time.

    Clicks are answered between two predictions. It stands in for a
    :class:`Predictor`.

    Parameters
    ----------
    engine : Engine
        The engine.

    Attributes
    ----------
    stopped : bool
        Set it to end the loan: what is predicted next raises :class:`Stopped`.
    """

    def __init__(self, engine: Engine) -> None:
        self.stopped = False
        self.crop: Box | None = None
        self._engine = engine
        self._picture: tuple[Any, ...] = ()
        self._name = object()

    def check(self) -> None:
        """Raise Stopped if the loan was called back."""
        if self.stopped:
            raise Stopped

    def set_image(
        self,
        image: ArrayLike,
        window: Window | None = None,
        spacing: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        """Take what :meth:`Predictor.set_image` takes."""
        self._picture, self._name, self.crop = (image, window, spacing), object(), None

    def predict(
        self,
        clicks: Sequence[Click],
        prior: ArrayLike | None = None,
        focus: ArrayLike | None = None,
    ) -> NDArray[np.float32]:
        """Predict as :meth:`Predictor.predict` does."""
        time.sleep(0.001)  # a lock is not fair: let a click that waits go first
        engine = self._engine
        with engine.lock:
            self.check()
            if engine.shown is not self._name:
                engine.predictor.set_image(*self._picture)
                engine.shown = self._name
            engine.predictor.crop = self.crop
            answer = engine.predictor.predict(clicks, prior, focus)
            self.crop = engine.predictor.crop
        return answer
