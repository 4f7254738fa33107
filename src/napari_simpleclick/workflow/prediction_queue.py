"""From the requests of a session to pixels in its mask, one after the other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_simpleclick.images.local_map import NOWHERE, LocalMap
from napari_simpleclick.workflow.advice import advice_on
from napari_simpleclick.workflow.explain import in_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_simpleclick.annotation import Request
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.engine import Answer, Job
    from napari_simpleclick.workflow.executor import Executor
    from napari_simpleclick.workflow.model_loader import ModelLoader


class PredictionQueue:
    """Has requests predicted in the background, and writes what comes back.

    What goes wrong with a request fails that one; the next is gone on with.

    Parameters
    ----------
    models : ModelLoader
        Gives the engine.
    executor : Executor
        Predicts.

    Attributes
    ----------
    canvas : Canvas or None
        Whose requests are answered; answers to others are dropped.
    working : bool
        Whether a prediction is under way.
    """

    answered = Signal(object)
    """An :class:`Answer` is in the mask."""

    advised = Signal(str)
    """A word about the answer that was just written; empty for none."""

    held = Signal()
    """A click waits to be predicted."""

    rested = Signal()
    """Nothing is under way any more."""

    failed = Signal(object)
    """A request has failed with an exception."""

    def __init__(self, models: ModelLoader, executor: Executor) -> None:
        self.models = models
        self.canvas: Canvas | None = None
        self.working = False
        self._executor = executor
        self._released = False
        self._when_answered: list[Callable[[], None]] = []

    def follow(self, canvas: Canvas | None) -> None:
        """Answer the requests of another canvas from now on; None for none."""
        self.canvas = canvas
        self._released = False
        self._when_answered.clear()

    def predict(self) -> None:
        """Answer all that waits, also if clicks are not predicted by themselves."""
        self._released = True
        self.pump()

    def when_answered(self, call: Callable[[], None]) -> None:
        """Answer all that waits, then call something; not if the canvas changes."""
        self._when_answered.append(call)
        self.predict()

    def when_none_waits(self, call: Callable[[], None]) -> None:
        """Call something when no request waits: at once if so, also without a model."""
        canvas = self.canvas
        if canvas is None or canvas.session.requests.pending is None:
            call()
        else:
            self.when_answered(call)

    def job(self, canvas: Canvas, request: Request) -> Job:
        """Take a snapshot of all that an answer depends on."""
        from napari_simpleclick.workflow.engine import Job

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
            self._on_empty()
        elif not (canvas.options.auto or self._released):
            self.held.emit()
        else:
            self._start(canvas, engine.answer, request)

    def write(
        self, canvas: Canvas, answer: Answer, present: LocalMap | None = None
    ) -> None:
        """Write the answer to a request, which is done with, as one undo step.

        Parameters
        ----------
        canvas : Canvas
            The image.
        answer : Answer
            The answer.
        present : LocalMap or None
            The object's mask on the slice as it is now, if it is known.
        """
        request = answer.request
        where, change, trouble = request.object_slice, None, None
        if present is None:
            present = canvas.object_part(where.plane, where.label)
        try:
            change = canvas.write(
                where.plane, where.label, answer.part, present=present
            )
        except Exception as error:
            trouble = error
        within = LocalMap.common_window(answer.part, present) or NOWHERE
        now = canvas.object_part(where.plane, where.label, within)
        canvas.session.record(request, change, now, answer.settings)
        self.answered.emit(answer)
        self.advised.emit(advice_on(canvas, answer, change is not None))
        if trouble is not None:
            self.failed.emit(in_context("The mask could not be written", trouble))

    def _start(
        self, canvas: Canvas, answer: Callable[[Job], Answer], request: Request
    ) -> None:
        self.working = True
        try:
            job = self.job(canvas, request)
        except Exception as error:
            failed = partial(self._on_error, canvas, request, error)
            self._executor.call_soon(failed)
            return
        self._executor.start(
            partial(answer, job),
            partial(self._on_answer, canvas),
            partial(self._on_error, canvas, request),
        )

    def _on_empty(self) -> None:
        self._released = False
        calls, self._when_answered = self._when_answered, []
        for call in calls:
            call()

    def _on_answer(self, canvas: Canvas, answer: Answer) -> None:
        canvas.when_idle(partial(self._take, canvas, answer))

    def _take(self, canvas: Canvas, answer: Answer) -> None:
        """Use an answer, unless the person has gone elsewhere meanwhile."""
        if canvas is self.canvas:
            try:
                self._show(canvas, answer)
            except Exception as error:
                self._fail(canvas, answer.request)
                self.failed.emit(error)
        self._go_on()

    def _show(self, canvas: Canvas, answer: Answer) -> None:
        """Put an answer into the mask, unless it was withdrawn or painted over."""
        request = answer.request
        object_slice = request.object_slice
        if not canvas.session.requests.is_pending(request):
            return
        present = canvas.object_part(object_slice.plane, object_slice.label)
        if canvas.session.requests.is_outdated(request, present):
            if request.options is None:
                canvas.session.requests.restart(request, present)
            else:  # what was painted stays as it is
                canvas.session.requests.drop(request.number)
            return
        self.write(canvas, answer, present)

    def _on_error(self, canvas: Canvas, request: Request, error: Exception) -> None:
        """Fail a request that is still wanted, and go on with the next."""
        if canvas is self.canvas and canvas.session.requests.is_pending(request):
            self._fail(canvas, request)
            self.failed.emit(error)
        self._go_on()

    @staticmethod
    def _fail(canvas: Canvas, request: Request) -> None:
        if canvas.session.requests.is_pending(request):
            canvas.session.requests.fail(request)

    def _go_on(self) -> None:
        self.working = False
        self.pump()
        if not self.working:
            self.rested.emit()
