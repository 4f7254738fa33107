"""Carrying the current object's mask through the slices."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_simpleclick.annotation import (
    MaskChange,
    ObjectSlice,
    ObjectStack,
    PropagatedSlice,
    PropagatedSlices,
    fingerprint,
)
from napari_simpleclick.errors import UserError
from napari_simpleclick.plugin.layers.mouse import STROKE_MS, is_painting
from napari_simpleclick.plugin.sections.confidence_plot import Profile
from napari_simpleclick.plugin.workers import go_through

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.plugin.layers.canvas import LayerCanvas
    from napari_simpleclick.plugin.propagation_run import PropagationRun

ONE_SLICE = "There is only one slice, so there is nothing to go through."


class Propagator:
    """Starts propagations, one at a time, and writes what they have reached.

    Parameters
    ----------
    controller : Controller
        Whose image, object and model are used.
    """

    changed = Signal()
    """A run has begun, gone on or ended, or masks have changed."""

    began = Signal()
    """A run has begun."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.run: PropagationRun | None = None
        self._canvas: LayerCanvas | None = None
        self._seen: dict[ObjectSlice, bool] = {}
        self._outdated = False
        self._told: tuple[ObjectStack, str] | None = None
        controller.changed.connect(self._on_controller)
        controller.answers.answered.connect(self._on_mask)

    # -- what the panel and the keys ask for -------------------------------------

    def propagate(self, down: bool, up: bool, reach: int, least: float) -> None:
        """Go from the displayed slice to its neighbours.

        Parameters
        ----------
        down, up : bool
            Towards slice 0, and away from it.
        reach : int
            Number of slices each way; 0 goes to the end of the axis.
        least : float
            Stop where the confidence is lower, 0 to 1.
        """
        self._ask(partial(self._propagate, down, up, reach, least))

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
        again = list(self._seen) if self._outdated else []
        self._outdated = False
        for object_slice in (*again, stack.object_slice(here)):
            self._look(canvas, object_slice)
        notes = canvas.session.objects.propagated.along(stack)
        confidence = {index: note.confidence for index, note in notes.items()}
        states = {
            stack.index(object_slice): state
            for object_slice, state in self._seen.items()
        }
        if self.run is not None and self.run.stack == stack:
            patches = self.run.patches.copy()
            confidence |= {index: patch.confidence for index, patch in patches.items()}
            states = {i: state for i, state in states.items() if i not in patches}
            states |= dict.fromkeys(self.run.anchors.copy(), True)
        clicked = [
            object_slice
            for object_slice, steps in canvas.session.objects.prompts.items()
            if steps
        ]
        states |= {stack.index(object_slice): True for object_slice in clicked}
        told = self._told is not None and self._told[0] == stack
        return Profile(
            length=canvas.mask.data.shape[stack.axis],
            here=here,
            confidence={i: c for i, c in confidence.items() if i not in states},
            annotated={i for i, state in states.items() if i is not None and state},
            sentence=self._told[1] if self._told is not None and told else "",
        )

    def where(self) -> tuple[LayerCanvas, ObjectStack, int]:
        """Find the canvas, the current object's stack in view, and the slice's number.

        Raises
        ------
        UserError
            If there is nothing to go through.
        """
        canvas = self.controller.canvas
        if canvas is None:
            raise UserError("Choose an image first.")
        return canvas, *displayed(canvas)

    # -- runs ----------------------------------------------------------------------

    def _ask(self, begin: Callable[[LayerCanvas, ObjectStack, int], None]) -> None:
        """Begin a run on what is displayed now."""
        if self.run is not None:
            return
        try:
            if self.controller.engine is None:
                raise UserError("The model is still being loaded.")
            place = self.where()
        except UserError as error:
            self.controller.complain(str(error))
        else:
            self._when_answered(place[0], partial(begin, *place))

    def _when_answered(self, canvas: LayerCanvas, begin: Callable[[], None]) -> None:
        """Begin when the clicks that were made before have their masks."""
        if self.run is not None or canvas is not self.controller.canvas:
            return
        if canvas.session.requests.pending is None:
            begin()
        else:
            self.controller.answers.predict()
            wait = partial(self._when_answered, canvas, begin)
            QTimer.singleShot(STROKE_MS, wait)

    def _propagate(
        self,
        down: bool,
        up: bool,
        reach: int,
        least: float,
        canvas: LayerCanvas,
        stack: ObjectStack,
        start: int,
    ) -> None:
        object_slice = stack.object_slice(start)
        if not canvas.object_mask(object_slice.plane, object_slice.label).any():
            self.controller.complain(
                f"There is no mask of object {object_slice.label} on this slice; "
                "click on it first."
            )
            return
        from napari_simpleclick.plugin.propagation_run import walk

        last = canvas.mask.data.shape[stack.axis] - 1
        low = max(0, start - (reach or last)) if down else start
        high = min(last, start + (reach or last)) if up else start
        self._begin(canvas, stack, start, walk, low, high, least)

    def _interpolate(self, canvas: LayerCanvas, stack: ObjectStack, start: int) -> None:
        from napari_simpleclick.plugin.propagation_run import fill

        self._begin(canvas, stack, start, fill)

    def _begin(
        self,
        canvas: LayerCanvas,
        stack: ObjectStack,
        start: int,
        work: Any,
        *arguments: Any,
    ) -> None:
        from napari_simpleclick.plugin.propagation_run import PropagationRun

        engine = self.controller.engine
        assert engine is not None
        self.run = run = PropagationRun(canvas, engine, stack, start)
        go_through(
            work(run, *arguments),
            self.changed.emit,
            partial(self._on_end, run),
            partial(self._on_error, run),
            "Through the volume",
            run.length,
        )
        self._told = None
        self.began.emit()
        self.changed.emit()

    def _on_error(self, run: PropagationRun, error: Exception) -> None:
        if run is self.run:
            self.controller.complain(str(error) or type(error).__name__, error)
            self._on_end(run)

    def _on_end(self, run: PropagationRun) -> None:
        """Write what was reached, unless the run was dropped meanwhile."""
        if run is not self.run:
            return
        if is_painting(run.canvas.mask):
            QTimer.singleShot(STROKE_MS, partial(self._on_end, run))
            return
        self.run = None
        if run.trouble:
            self.controller.complain(run.trouble)
        elif run.stands():
            self._write(run)
        self.changed.emit()

    def _write(self, run: PropagationRun) -> None:
        """Write all slices as one undo step, but none that the person changed."""
        canvas, stack, notes = run.canvas, run.stack, PropagatedSlices()
        left, changes = 0, list[MaskChange]()
        try:
            for index, patch in sorted(run.patches.items()):
                object_slice = stack.object_slice(index)
                mask = canvas.object_mask(object_slice.plane, object_slice.label)
                changed = fingerprint(mask) != run.before.get(index)
                by_hand = canvas.session.objects.is_annotated(object_slice, mask)
                if changed or by_hand or canvas.session.objects.placed(object_slice):
                    left += 1
                    continue
                new = patch.paste(mask.shape)
                changes += filter(
                    None,
                    [canvas.write(object_slice.plane, object_slice.label, new, False)],
                )
                now = fingerprint(
                    canvas.object_mask(object_slice.plane, object_slice.label)
                )
                notes[object_slice] = (
                    PropagatedSlice(now, patch.confidence) if now else None
                )
                run.release()
        except Exception as error:
            self.controller.complain(f"A mask was not written: {error}.", error)
        if notes:
            canvas.session.propagate(notes, MaskChange.joined(changes))
        canvas.mask.refresh()
        self._seen |= {
            stack.object_slice(index): True for index in run.anchors | {run.start}
        }
        self._outdated = True
        more = f" {left} of them left as made by hand." if left else ""
        self._told = stack, run.sentence + more

    # -- following -----------------------------------------------------------------

    def _on_controller(self) -> None:
        """Drop the run of another image or model, and follow to the present one."""
        canvas, run = self.controller.canvas, self.run
        if run is not None and (
            run.canvas is not canvas or run.engine is not self.controller.engine
        ):
            run.predictor.stopped, self.run = True, None
        if canvas is not self._canvas:
            if self._canvas is not None:
                self._canvas.session.changed.disconnect(self._on_masks)
                self._canvas.mask.events.paint.disconnect(self._on_mask)
            if canvas is not None:
                canvas.session.changed.connect(self._on_masks)
                canvas.mask.events.paint.connect(self._on_mask)
            self._canvas, self._told = canvas, None
            self._seen.clear()
        self.changed.emit()

    def look_again(self) -> None:
        """Look again at what is known of the slices."""
        self._outdated = True
        self.changed.emit()

    def _on_mask(self) -> None:
        """Look again at the displayed slice."""
        self.changed.emit()

    def _on_masks(self) -> None:
        """Look again, at all that is known."""
        self._told, self._outdated = None, True
        self.changed.emit()

    def _look(self, canvas: LayerCanvas, object_slice: ObjectSlice) -> None:
        """Remember a slice that is not as propagation left it, and if it has a mask."""
        mask = canvas.object_mask(object_slice.plane, object_slice.label)
        state = canvas.session.objects.is_annotated(object_slice, mask)
        self._seen.pop(object_slice, None)
        if state or not canvas.session.objects.propagated.is_unchanged(
            object_slice, mask
        ):
            self._seen[object_slice] = state


def displayed(canvas: LayerCanvas) -> tuple[ObjectStack, int]:
    """Find the current object's stack in view, and the displayed slice's number.

    Raises
    ------
    UserError
        If no slice is in view, or if there are no others.
    """
    object_slice = canvas.session.object_slice(canvas.current_plane())
    stack = ObjectStack.containing(object_slice, canvas.options.channel_axis)
    if stack is None or canvas.mask.data.shape[stack.axis] < 2:
        raise UserError(ONE_SLICE)
    return stack, object_slice.plane.index[stack.axis]
