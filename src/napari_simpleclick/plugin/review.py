"""After a propagation: what to look at, what is good, and where the object ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_simpleclick.annotate import Change, Note

if TYPE_CHECKING:
    from napari_simpleclick.annotate import Notes, Stack
    from napari_simpleclick.plugin.layers import Bench
    from napari_simpleclick.plugin.propagation import Propagator


class Review:
    """Goes through what was propagated.

    Parameters
    ----------
    propagator : Propagator
        Knows the slices.
    """

    def __init__(self, propagator: Propagator) -> None:
        self.propagator = propagator

    def go_on(self) -> None:
        """Show the slice whose correction is likely to mend most, but not this one."""
        from napari_simpleclick.propagate.review import next_to_check

        bench, stack, here = self.propagator.where()
        profile = self.propagator.profile()
        confidence = {
            index: sure
            for index, sure in profile.confidence.items()
            if sure is not None and self._is_untouched(bench, stack, index)
        }
        areas = dict(enumerate(bench.areas(stack).tolist()))
        index = next_to_check(confidence, areas, {*profile.annotated, here})
        if index is None:
            status = "There is no other propagated slice to look at."
            self.propagator.controller.status.emit(status)
        else:
            bench.go_to(stack.spot(index).plane, stack.axis)

    def accept(self) -> None:
        """Take the displayed slice for annotated as it is."""
        bench, stack, here = self.propagator.where()
        spot, status = stack.spot(here), self.propagator.controller.status
        if not bench.object_mask(spot.plane, spot.label).any():
            status.emit("There is no mask on this slice to accept.")
        elif bench.session.propagated.note(spot) is None:
            status.emit(f"Slice {here} was annotated already.")
        else:
            bench.session.propagate({spot: None}, None)
            status.emit(f"Slice {here} counts as annotated now.")
            self.propagator.look_again()

    def end_here(self) -> None:
        """Clear the displayed slice, and what was propagated beyond it.

        Beyond is the side where the object is annotated on no slice.
        """
        from napari_simpleclick.propagate.review import beyond

        bench, stack, here = self.propagator.where()
        session, labels = bench.session, bench.mask.data
        session.withdraw(stack.label)
        holds = set(np.flatnonzero(bench.areas(stack)).tolist())
        annotated = self.propagator.profile().annotated - {here}
        cleared = [
            index
            for index in beyond(here, holds & annotated, labels.shape[stack.axis])
            if index in holds and self._is_untouched(bench, stack, index)
        ]
        notes: Notes = {stack.spot(index): None for index in cleared}
        notes[stack.spot(here)] = Note(b"", None)  # an annotation: nothing is here
        changes = []
        for spot in notes:
            empty = np.zeros(spot.plane.size(labels.shape), bool)
            change = bench.write(spot.plane, spot.label, empty, show=False)
            changes += [] if change is None else [change]
        session.end(stack.spot(here), notes, Change.joined(changes))
        bench.mask.refresh()
        more = f" {len(cleared)} beyond it cleared, too." if cleared else ""
        self.propagator.controller.status.emit(f"The object ends before {here}.{more}")
        self.propagator.look_again()

    @staticmethod
    def _is_untouched(bench: Bench, stack: Stack, index: int) -> bool:
        """Whether a slice is as propagation left it."""
        spot = stack.spot(index)
        mask = bench.object_mask(spot.plane, spot.label)
        clicked = bool(bench.session.clicks(spot))
        return not clicked and bench.session.propagated.made(spot, mask)
