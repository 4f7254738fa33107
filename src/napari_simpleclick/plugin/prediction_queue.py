"""From the requests of a session to pixels in its mask, one after the other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_simpleclick.plugin.layers.mouse import STROKE_MS, is_painting
from napari_simpleclick.plugin.workers import start

if TYPE_CHECKING:
    from napari_simpleclick.annotation import Request
    from napari_simpleclick.plugin.layers.canvas import LayerCanvas
    from napari_simpleclick.plugin.model_loader import ModelLoader
    from napari_simpleclick.workflow import Answer, Job


class PredictionQueue:
    """Has requests predicted in the background, and writes what comes back.

    Parameters
    ----------
    models : ModelLoader
        Gives the engine.

    Attributes
    ----------
    canvas : LayerCanvas or None
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

    def __init__(self, models: ModelLoader) -> None:
        self.models = models
        self.canvas: LayerCanvas | None = None
        self.working = self._released = False

    def predict(self) -> None:
        """Answer all that waits, also if clicks are not predicted by themselves."""
        self._released = True
        self.pump()

    def job(self, canvas: LayerCanvas, request: Request) -> Job:
        """Take a snapshot of all that an answer depends on."""
        from napari_simpleclick.workflow import Job

        view, spacing = canvas.view(), canvas.spacing(request.object_slice.plane)
        return Job(request, view, spacing, canvas.options)

    def pump(self) -> None:
        """Start on the next request, if nothing is being worked on.

        Where clicks are not predicted by themselves, they wait for :meth:`predict`.
        """
        canvas, engine = self.canvas, self.models.engine
        if self.working or canvas is None or engine is None:
            return
        request = canvas.session.requests.pending
        if request is None:
            self._released = False
            return
        if not (canvas.options.auto or self._released):
            self.held.emit()
            return
        self.working = True
        start(
            partial(engine.answer, self.job(canvas, request)),
            partial(self._on_answer, canvas),
            partial(self._on_error, canvas),
        )

    def _on_answer(self, canvas: LayerCanvas, answer: Answer) -> None:
        if is_painting(canvas.mask):
            QTimer.singleShot(STROKE_MS, partial(self._on_answer, canvas, answer))
            return
        self.working = False
        if canvas is self.canvas:
            self._show(canvas, answer)
        self.pump()

    def _show(self, canvas: LayerCanvas, answer: Answer) -> None:
        """Put an answer into the mask, unless it was withdrawn or painted over."""
        request = answer.request
        object_slice = request.object_slice
        if not canvas.session.requests.is_pending(request):
            return
        present = canvas.object_mask(object_slice.plane, object_slice.label)
        if canvas.session.requests.is_outdated(request, present):
            if request.options is None:
                canvas.session.requests.restart(request, present)
            else:  # what was painted stays as it is
                canvas.session.requests.drop(request.number)
            return
        self.write(canvas, answer)

    def write(self, canvas: LayerCanvas, answer: Answer) -> None:
        """Write the answer to a request, which is done with, as one undo step."""
        request = answer.request
        object_slice, change, trouble = request.object_slice, None, None
        try:
            change = canvas.write(object_slice.plane, object_slice.label, answer.mask)
        except Exception as error:
            trouble = error
        now = canvas.object_mask(object_slice.plane, object_slice.label)
        canvas.session.record(request, change, now, answer.settings)
        self.answered.emit(answer)
        if trouble is not None:
            self.failed.emit(f"The mask could not be written: {trouble}.", trouble)

    def _on_error(self, canvas: LayerCanvas, error: Exception) -> None:
        self.working = False
        if canvas is self.canvas:
            canvas.session.requests.withdraw()
            self.failed.emit(str(error), error)
        self.pump()
