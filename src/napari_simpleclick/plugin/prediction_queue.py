"""From the requests of a session to pixels in its mask, one after the other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_simpleclick.plugin.background import start
from napari_simpleclick.plugin.mouse import STROKE_MS, is_painting

if TYPE_CHECKING:
    from napari_simpleclick.annotate import Request
    from napari_simpleclick.answer import Answer, Job
    from napari_simpleclick.plugin.layers import Bench
    from napari_simpleclick.plugin.models import Models


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

    held = Signal()
    """A click waits to be predicted."""

    failed = Signal(str, object)
    """A sentence for the person, and the error behind it."""

    def __init__(self, models: Models) -> None:
        self.models = models
        self.bench: Bench | None = None
        self.working = self._released = False

    def predict(self) -> None:
        """Answer all that waits, also if clicks are not predicted by themselves."""
        self._released = True
        self.pump()

    def job(self, bench: Bench, request: Request) -> Job:
        """Take a snapshot of all that an answer depends on."""
        from napari_simpleclick.answer import Job

        view, spacing = bench.view(), bench.spacing(request.spot.plane)
        bench.recorder.note("look", view.look)
        if self.models.engine is not None:
            bench.recorder.note("model", self.models.engine.card.name)
        return Job(request, view, spacing, bench.options)

    def pump(self) -> None:
        """Start on the next request, if nothing is being worked on.

        Where clicks are not predicted by themselves, they wait for :meth:`predict`.
        """
        bench, engine = self.bench, self.models.engine
        if self.working or bench is None or engine is None:
            return
        request = bench.session.pending
        if request is None:
            self._released = False
            return
        if not (bench.options.auto or self._released):
            self.held.emit()
            return
        self.working = True
        start(
            partial(engine.answer, self.job(bench, request)),
            partial(self._on_answer, bench),
            partial(self._on_error, bench),
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
            if request.options is None:
                bench.session.restart(request, present)
            else:  # what was painted stays as it is
                bench.session.drop(request.number)
            return
        self.write(bench, answer)

    def write(self, bench: Bench, answer: Answer) -> None:
        """Write the answer to a request, which is done with, as one undo step."""
        request = answer.request
        spot, change, trouble = request.spot, None, None
        try:
            change = bench.write(spot.plane, spot.label, answer.mask)
        except Exception as error:
            trouble = error
        now = bench.object_mask(spot.plane, spot.label)
        bench.session.record(request, change, now)
        self.answered.emit(answer)
        if trouble is not None:
            self.failed.emit(f"The mask could not be written: {trouble}.", trouble)

    def _on_error(self, bench: Bench, error: Exception) -> None:
        self.working = False
        if bench is self.bench:
            bench.session.withdraw()
            self.failed.emit(str(error), error)
        self.pump()
