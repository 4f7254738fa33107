"""After a propagation: what to look at, what is good, and where the object ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal

from napari_simpleclick.annotation import MaskChange, PropagatedSlice
from napari_simpleclick.workflow.counted import to_look_at
from napari_simpleclick.workflow.propagator import LEAST_CONFIDENCE

if TYPE_CHECKING:
    from napari_simpleclick.annotation import ObjectStack, PropagatedSlices
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.known_slices import Profile
    from napari_simpleclick.workflow.propagator import Propagator


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
        """Show the slice whose correction is likely to mend most, but not this one.

        It goes through the slices of the current object, and when none of them is
        worth a look any more, on to the next object that has some.
        """
        canvas, stack, here = self.propagator.where()
        waiting = self._worth_a_look(canvas, stack, here)
        others = [label for label in waiting if label != stack.label]
        if others and stack.label not in waiting:
            after = [label for label in others if label > stack.label]
            stack = replace(stack, label=(after or others)[0])
            canvas.choose(stack.label)
        if self._show_next(canvas, stack, here) and others:
            left = [len(slices) for slices in waiting.values()]
            self.status.emit(to_look_at(left))

    def _worth_a_look(
        self, canvas: Canvas, stack: ObjectStack, here: int
    ) -> dict[int, list[int]]:
        """List doubtful slices but the displayed one, of every object that has some."""
        session = canvas.session
        found: dict[int, list[int]] = {}
        for label in session.objects.labels():
            own = replace(stack, label=label)
            slices = [
                index
                for index, note in session.objects.propagated.along(own).items()
                if note.confidence is not None
                and note.confidence < LEAST_CONFIDENCE
                and index != here
                and self._is_untouched(canvas, own, index)
            ]
            if slices:
                found[label] = slices
        return found

    def _show_next(self, canvas: Canvas, stack: ObjectStack, here: int) -> bool:
        """Show the next slice of an object; false if there is none."""
        from napari_simpleclick.propagation.review import next_to_check

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
            return False
        canvas.go_to(stack.object_slice(index).plane, stack.axis)
        return True

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
        if not holds:
            self.status.emit("The object is on no slice yet, so it ends nowhere.")
            return
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
