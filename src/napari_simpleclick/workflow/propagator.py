"""Carrying masks through the slices."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_simpleclick.annotation import (
    MaskChange,
    ObjectStack,
)
from napari_simpleclick.errors import UserError
from napari_simpleclick.workflow.displayed_stack import displayed
from napari_simpleclick.workflow.explain import in_context
from napari_simpleclick.workflow.known_slices import KnownSlices, Profile
from napari_simpleclick.workflow.written import Written

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.executor import Executor
    from napari_simpleclick.workflow.model_loader import ModelLoader
    from napari_simpleclick.workflow.prediction_queue import PredictionQueue
    from napari_simpleclick.workflow.propagation_run import PropagationRun

LEAST_CONFIDENCE = 0.5
"""That of ``propagate``, whose import takes seconds."""

UNDER_WAY = "One propagation is under way; wait for its end, or press Cancel."


class Whom(Enum):
    """Which objects are carried through the slices."""

    THIS = "This object"
    SELECTED = "Selected objects"
    ALL = "All on this slice"


_WHOSE = {Whom.SELECTED: "the selected objects", Whom.ALL: "any object"}


class Propagator:
    """Starts propagations, one at a time, and writes what they have reached.

    Parameters
    ----------
    models : ModelLoader
        Gives the engine.
    queue : PredictionQueue
        Answers the clicks that were made before.
    executor : Executor
        Propagates.

    Attributes
    ----------
    canvas : Canvas or None
        The image that is gone through.
    run : PropagationRun or None
        What goes on.
    reach : int
        Number of slices each way; 0 goes to the end of the axis.
    least_confidence : float
        Stop where the confidence is lower, 0 to 1.
    whom : Whom
        Which objects are carried.
    selected : frozenset of int
        Objects that are selected beside the current one.
    axis : int or None
        Axis of the image to go through, if it is one that is not displayed; the last of
        these if None or displayed.
    """

    changed = Signal()
    """A run has begun, gone on or ended, or masks have changed."""

    began = Signal()
    """A run has begun."""

    status = Signal(str)
    """How far a run is, and how it ended."""

    failed = Signal(object)
    """What was asked for cannot be done, or not to the end; an exception."""

    def __init__(
        self, models: ModelLoader, queue: PredictionQueue, executor: Executor
    ) -> None:
        self.canvas: Canvas | None = None
        self.run: PropagationRun | None = None
        self.reach = 0
        self.least_confidence = LEAST_CONFIDENCE
        self.whom = Whom.THIS
        self.selected = frozenset[int]()
        self.axis: int | None = None
        self._models, self._queue, self._executor = models, queue, executor
        self._slices = KnownSlices()
        models.loaded.connect(self._on_model)
        queue.answered.connect(self._on_mask)

    # -- what the panel and the keys ask for -------------------------------------

    def propagate(self, down: bool, up: bool) -> None:
        """Go from the displayed slice to its neighbours.

        Parameters
        ----------
        down, up : bool
            Towards slice 0, and away from it.
        """
        self._ask(partial(self._propagate, down, up))

    def interpolate(self) -> None:
        """Fill in between the annotated slices around the displayed one."""
        self._ask(self._interpolate)

    def cancel(self) -> None:
        """Stop after the present prediction; what was reached is kept."""
        if self.run is not None:
            self.run.predictor.stopped = True

    def go_to(self, index: int) -> None:
        """Show a slice."""
        canvas, stack, _ = self.where()
        canvas.go_to(stack.object_slice(index).plane, stack.axis)

    def profile(self) -> Profile:
        """Tell what is known of the slices.

        Raises
        ------
        UserError
            If there is nothing to go through.
        """
        canvas, stack, here = self.where()
        return self._slices.profile(canvas, stack, here, self.run)

    def where(self) -> tuple[Canvas, ObjectStack, int]:
        """Find the canvas, the current object's stack in view, and the slice's number.

        Raises
        ------
        UserError
            If there is nothing to go through.
        """
        if self.canvas is None:
            raise UserError("Choose an image first.")
        return self.canvas, *displayed(self.canvas, self.axis)

    # -- runs ----------------------------------------------------------------------

    def _ask(self, begin: Callable[[Canvas, ObjectStack, int], None]) -> None:
        """Begin a run on what is displayed now."""
        if self.run is not None:
            self.failed.emit(UserError(UNDER_WAY))
            return
        try:
            if self._models.engine is None:
                raise UserError("The model is still being loaded.")
            place = self.where()
        except UserError as error:
            self.failed.emit(error)
        else:  # when the clicks that were made before have their masks
            self._queue.when_answered(partial(begin, *place))

    def _propagate(
        self,
        down: bool,
        up: bool,
        canvas: Canvas,
        stack: ObjectStack,
        start: int,
    ) -> None:
        try:
            stacks = self._chosen(canvas, stack, start)
        except UserError as error:
            self.failed.emit(error)
            return
        from napari_simpleclick.workflow.propagation_run import walk

        reach, least = self.reach, self.least_confidence
        last = canvas.labels.shape[stack.axis] - 1
        low = max(0, start - (reach or last)) if down else start
        high = min(last, start + (reach or last)) if up else start
        self._begin(canvas, stacks, start, walk, low, high, least)

    def _chosen(
        self, canvas: Canvas, stack: ObjectStack, start: int
    ) -> tuple[ObjectStack, ...]:
        """Find the objects to carry from a slice.

        Raises
        ------
        UserError
            If there is none, or the only one is locked.
        """
        plane = stack.object_slice(start).plane
        here = [int(one) for one in np.unique(plane.read(canvas.labels)) if one > 0]
        if self.whom is Whom.THIS:
            if stack.label not in here:
                raise UserError(
                    f"There is no mask of object {stack.label} on this slice; click on "
                    "it first."
                )
            canvas.session.objects.check_unlocked(stack.label)
            return (stack,)
        locked = canvas.session.objects.locked()
        here = [one for one in here if one not in locked]
        if self.whom is Whom.SELECTED:
            here = [one for one in here if one in self.selected | {stack.label}]
        if not here:
            raise UserError(
                f"There is no mask of {_WHOSE[self.whom]} on this slice that is not "
                "locked; click on an object first."
            )
        return tuple(replace(stack, label=label) for label in here)

    def _interpolate(self, canvas: Canvas, stack: ObjectStack, start: int) -> None:
        from napari_simpleclick.workflow.propagation_run import fill

        try:
            canvas.session.objects.check_unlocked(stack.label)
        except UserError as error:
            self.failed.emit(error)
            return
        self._begin(canvas, (stack,), start, fill)

    def _begin(
        self,
        canvas: Canvas,
        stacks: tuple[ObjectStack, ...],
        start: int,
        work: Any,
        *arguments: Any,
    ) -> None:
        from napari_simpleclick.workflow.propagation_run import PropagationRun

        engine = self._models.engine
        if engine is None or self.run is not None:
            return  # the clicks before it took so long that all is different now
        try:
            self.run = run = PropagationRun(canvas, engine, stacks, start)
        except Exception as error:
            self.failed.emit(error)
            return
        self._slices.forget_sentence()
        self.began.emit()
        self.changed.emit()
        self._executor.go_through(
            work(run, *arguments),
            partial(self._on_step, run),
            partial(self._on_end, run),
            partial(self._on_error, run),
            "Through the volume",
            run.length * len(stacks),
        )

    def _on_step(self, run: PropagationRun) -> None:
        if run is self.run:
            self.status.emit(f"Through the volume: {run.reached} slices reached.")
            self.changed.emit()

    def _on_error(self, run: PropagationRun, error: Exception) -> None:
        if run is self.run:
            self.failed.emit(error)
            self._on_end(run)

    def _on_end(self, run: PropagationRun) -> None:
        if run is self.run:
            run.canvas.when_idle(partial(self._take, run))

    def _take(self, run: PropagationRun) -> None:
        """Write what was reached, unless the run was dropped meanwhile."""
        if run is not self.run:
            return
        self.run = None
        if run.trouble:
            self.failed.emit(UserError(run.trouble))
        elif run.same_image():
            self._write(run)
        self.changed.emit()

    def _write(self, run: PropagationRun) -> None:
        """Write all slices as one undo step, but none that the person changed."""
        canvas, written = run.canvas, Written(run)
        try:
            written.write_all()
        except UserError as error:
            self.failed.emit(error)
        except Exception as error:
            self.failed.emit(in_context("A mask was not written", error))
        if written.notes or written.changes:
            canvas.session.propagate(written.notes, MaskChange.joined(written.changes))
        canvas.refresh()
        left = written.left
        more = f" {left} of them left as made by hand." if left else ""
        self._slices.take(run, run.sentence + more)
        self.status.emit(run.sentence + more)

    # -- following -----------------------------------------------------------------

    def follow(self, canvas: Canvas | None) -> None:
        """Go through another image from now on, and drop the run of this one."""
        self._drop()
        if self.canvas is not None:
            self.canvas.session.changed.disconnect(self._on_masks)
            self.canvas.painted.disconnect(self._on_mask)
        if canvas is not None:
            canvas.session.changed.connect(self._on_masks)
            canvas.painted.connect(self._on_mask)
        self.canvas = canvas
        self._slices.forget()
        self.changed.emit()

    def _on_model(self) -> None:
        """Drop the run of another model."""
        if self.run is not None and self.run.engine is not self._models.engine:
            self._drop()
            self.changed.emit()

    def _drop(self) -> None:
        run, self.run = self.run, None
        if run is not None:
            run.predictor.stopped = True

    def look_again(self) -> None:
        """Look again at what is known of the slices."""
        self._slices.look_again()
        self.changed.emit()

    def _on_mask(self) -> None:
        """Look again at the displayed slice."""
        self.changed.emit()

    def _on_masks(self) -> None:
        """Look again, at all that is known."""
        self._slices.forget_sentence()
        self._slices.look_again()
        self.changed.emit()
