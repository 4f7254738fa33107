"""From the requests of a session to pixels in its mask, one after the other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari.qt.threading import create_worker
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_simpleclick.plugin.mouse import STROKE_MS, is_painting

if TYPE_CHECKING:
    from napari_simpleclick.plugin.layers import Bench
    from napari_simpleclick.plugin.models import Models
    from napari_simpleclick.plugin.worker import Answer


class Answers:
    """Has requests predicted in the background, and writes what comes back.

    Parameters
    ----------
    models : Models
        Gives the engine.

    Attributes
    ----------
    bench : Bench or None
        Whose requests are answered; answers to others are dropped.
    working : bool
        Whether a prediction is under way.
    """

    answered = Signal(object)
    """An :class:`Answer` is in the mask."""

    failed = Signal(str, object)
    """A sentence for the person, and the error behind it."""

    def __init__(self, models: Models) -> None:
        self.models = models
        self.bench: Bench | None = None
        self.working = False

    def pump(self) -> None:
        """Start on the next request, if nothing is being worked on."""
        bench, engine = self.bench, self.models.engine
        if self.working or bench is None or engine is None:
            return
        request = bench.session.pending
        if request is None:
            return
        from napari_simpleclick.plugin.worker import Job

        rgb, spacing = bool(bench.image.rgb), bench.spacing(request.spot.plane)
        job = Job(request, bench.source(), rgb, bench.window(), spacing)
        self.working = True
        create_worker(
            engine.answer,
            job,
            _connect={
                "returned": partial(self._on_answer, bench),
                "errored": partial(self._on_error, bench),
            },
        )

    def _on_answer(self, bench: Bench, answer: Answer) -> None:
        if is_painting(bench.mask):
            QTimer.singleShot(STROKE_MS, partial(self._on_answer, bench, answer))
            return
        self.working = False
        if bench is self.bench:
            self._show(bench, answer)
        self.pump()

    def _show(self, bench: Bench, answer: Answer) -> None:
        """Put an answer into the mask, unless it was withdrawn or painted over."""
        request = answer.request
        spot = request.spot
        if not bench.session.is_pending(request):
            return
        present = bench.object_mask(spot.plane, spot.label)
        if bench.session.is_outdated(request, present):
            bench.session.restart(request, present)
            return
        change = None
        try:
            change = bench.write(spot.plane, spot.label, answer.mask)
        except Exception as error:
            self.failed.emit(f"The mask could not be written: {error}.", error)
        now = bench.object_mask(spot.plane, spot.label)
        bench.session.record(request, change, now)
        self.answered.emit(answer)

    def _on_error(self, bench: Bench, error: Exception) -> None:
        self.working = False
        if bench is self.bench:
            bench.session.withdraw()
            self.failed.emit(str(error), error)
        self.pump()
