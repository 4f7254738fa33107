"""After a propagation: what to look at, what is good, and where the object ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal

from napari_simpleclick.annotation import MaskChange, PropagatedSlice

if TYPE_CHECKING:
    from napari_simpleclick.annotation import ObjectStack, PropagatedSlices
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.propagator import Profile, Propagator


def _nothing_left(profile: Profile) -> str:
    """Say why there is no slice to go to."""
    if profile.confidence:
        return "There is no other propagated slice to look at."
    if len(profile.annotated) > 1:
        return "Done: every slice of this object is annotated or accepted."
    return "There is no propagated slice to look at yet; press Both first."


class Review:
    """Goes through what was propagated.

    Parameters
    ----------
    propagator : Propagator
        Knows the slices.
    """

    status = Signal(str)
    """What was done, or why nothing."""

    def __init__(self, propagator: Propagator) -> None:
        self.propagator = propagator

    def go_on(self) -> None:
        """Show the slice whose correction is likely to mend most, but not this one."""
        from napari_simpleclick.propagation.review import next_to_check

        canvas, stack, here = self.propagator.where()
        profile = self.propagator.profile()
        confidence = {
            index: sure
            for index, sure in profile.confidence.items()
            if sure is not None and self._is_untouched(canvas, stack, index)
        }
        areas = dict(enumerate(canvas.areas(stack).tolist()))
        index = next_to_check(confidence, areas, {*profile.annotated, here})
        if index is None:
            self.status.emit(_nothing_left(profile))
        else:
            canvas.go_to(stack.object_slice(index).plane, stack.axis)

    def accept(self) -> None:
        """Take the displayed slice for annotated as it is."""
        canvas, stack, here = self.propagator.where()
        object_slice = stack.object_slice(here)
        if not canvas.object_mask(object_slice.plane, object_slice.label).any():
            self.status.emit("There is no mask on this slice to accept.")
        elif canvas.session.objects.propagated.find(object_slice) is None:
            self.status.emit(f"Slice {here} was annotated already.")
        else:
            canvas.session.propagate({object_slice: None}, None)
            self.status.emit(f"Slice {here} counts as annotated now.")
            self.propagator.look_again()

    def end_here(self) -> None:
        """Clear the displayed slice, and what was propagated beyond it.

        Beyond is the side where the object is annotated on no slice.
        """
        from napari_simpleclick.propagation.review import beyond

        canvas, stack, here = self.propagator.where()
        session, labels = canvas.session, canvas.labels
        session.objects.check_unlocked(stack.label)
        session.requests.withdraw(stack.label)
        holds = set(np.flatnonzero(canvas.areas(stack)).tolist())
        annotated = self.propagator.profile().annotated - {here}
        cleared = [
            index
            for index in beyond(here, holds & annotated, labels.shape[stack.axis])
            if index in holds and self._is_untouched(canvas, stack, index)
        ]
        notes: PropagatedSlices = {stack.object_slice(index): None for index in cleared}
        nothing_is_here = PropagatedSlice(b"", None)  # counts as an annotation
        notes[stack.object_slice(here)] = nothing_is_here
        changes = []
        for object_slice in notes:
            empty = np.zeros(object_slice.plane.size(labels.shape), bool)
            change = canvas.write(
                object_slice.plane, object_slice.label, empty, show=False
            )
            changes += [] if change is None else [change]
        session.end(stack.object_slice(here), notes, MaskChange.joined(changes))
        canvas.refresh()
        more = f" {len(cleared)} beyond it cleared, too." if cleared else ""
        self.status.emit(f"The object ends before {here}.{more}")
        self.propagator.look_again()

    @staticmethod
    def _is_untouched(canvas: Canvas, stack: ObjectStack, index: int) -> bool:
        """Whether a slice is as propagation left it."""
        object_slice = stack.object_slice(index)
        mask = canvas.object_mask(object_slice.plane, object_slice.label)
        clicked = bool(canvas.session.objects.placed(object_slice))
        return not clicked and canvas.session.objects.propagated.is_unchanged(
            object_slice, mask
        )
