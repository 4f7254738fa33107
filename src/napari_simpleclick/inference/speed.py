"""How long a model takes on this computer: to look at an image, and to answer."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_simpleclick.inference.object_state import ObjectState
from napari_simpleclick.prompts import Click

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_simpleclick.inference.predictor import Predictor


class Speed(NamedTuple):
    """Time that a model takes.

    Parameters
    ----------
    encode_s : float
        Until an image has been looked at, seconds.
    click_s : float
        From a click on it to the probability, seconds; the median of several.
    """

    encode_s: float
    click_s: float


class SpeedTest:
    """Times a predictor on an image of noise as large as the network's input.

    What the predictor itself was shown stays as it is. The first prediction of a
    process takes longer than all others, and should have been made before.

    Parameters
    ----------
    predictor : Predictor
        What is timed; nothing else may be predicted with it during a step.
    clock : callable
        Seconds; that of the wall by default.
    """

    def __init__(
        self, predictor: Predictor, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._clock = clock
        self._predictor = predictor.beside()
        self._noise = np.random.default_rng()
        self._side = predictor.zoom.longest_side or max(predictor.zoom.size)
        rows, columns = np.indices((self._side, self._side)) - self._side / 2
        self._mask = np.hypot(rows, columns) < self._side / 4
        self._encode_s = 0.0
        self._click_s: list[float] = []

    def encode(self) -> None:
        """Time looking at an image that was never seen."""
        image = self._noise.integers(0, 256, self._mask.shape, np.uint8)
        self._predictor.set_image(image)
        start = self._clock()
        self._predictor.encode()
        self._encode_s = self._clock() - start

    def click(self) -> None:
        """Time the correction of a disc on that image."""
        place = Click(self._side / 2, self._side / 4)
        whole = np.zeros_like(self._mask)
        start = self._clock()
        self._predictor.predict([place], self._mask, state=ObjectState(), focus=whole)
        self._click_s.append(self._clock() - start)

    @property
    def last_click_s(self) -> float:
        """Time of the last :meth:`click`, seconds."""
        return self._click_s[-1]

    @property
    def speed(self) -> Speed:
        """What was found; after one :meth:`encode` and one :meth:`click` at least."""
        return Speed(self._encode_s, median(self._click_s))
