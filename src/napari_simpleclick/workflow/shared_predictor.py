"""A predictor that propagation and clicks share."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from napari_simpleclick.inference.modes import for_volumes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from napari_simpleclick.images import Window
    from napari_simpleclick.inference import ObjectState
    from napari_simpleclick.prompts import Click
    from napari_simpleclick.workflow.engine import PredictionEngine


class Stopped(Exception):
    """Nobody waits for the predictions any more."""


class SharedPredictor:
    """The network of an engine, lent for one prediction at a time.

    Clicks are answered between two predictions. It stands in for a
    :class:`Predictor`.

    Parameters
    ----------
    engine : PredictionEngine
        The engine.

    Attributes
    ----------
    stopped : bool
        Set it to end: what is predicted next raises :class:`Stopped`.
    """

    def __init__(self, engine: PredictionEngine) -> None:
        self.stopped = False
        self._lock, self._predictor = engine.lock, for_volumes(engine.predictor)
        self._picture: tuple[Any, ...] = ()
        self._is_shown = False

    @property
    def view_px(self) -> int | None:
        """Side of what the network takes, px, if it encodes once; else None."""
        predictor = self._predictor
        return predictor.input_side if predictor.encodes_once else None

    def check(self) -> None:
        """Raise Stopped if nobody waits any more."""
        if self.stopped:
            raise Stopped

    def set_image(
        self,
        image: ArrayLike,
        window: Window | None = None,
        spacing: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        """Take what :meth:`Predictor.set_image` takes.

        The very image that was shown last is not shown again, so that several objects
        can be asked about on one slice.
        """
        same = bool(self._picture) and self._picture[0] is image
        if same and self._picture[1:] == (window, spacing):
            return
        self._picture, self._is_shown = (image, window, spacing), False

    def predict(
        self,
        clicks: Sequence[Click],
        prior: ArrayLike | None = None,
        *,
        state: ObjectState,
        focus: ArrayLike | None = None,
    ) -> tuple[NDArray[np.float32], ObjectState]:
        """Predict as :meth:`Predictor.predict` does with a state."""
        time.sleep(0.001)  # a lock is not fair: let a click that waits go first
        with self._lock:
            self.check()
            if not self._is_shown:
                self._predictor.set_image(*self._picture)
                self._is_shown = True
            return self._predictor.predict(clicks, prior, state=state, focus=focus)
