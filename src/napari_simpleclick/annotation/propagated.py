"""Which masks nobody made: what propagation wrote, and how sure it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_simpleclick.annotation.object_slice import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_simpleclick.annotation.object_slice import (
        Mask,
        ObjectSlice,
        ObjectStack,
    )


@dataclass(frozen=True)
class PropagatedSlice:
    """What was propagated to a spot.

    Parameters
    ----------
    fingerprint : bytes
        Of the mask that was written.
    confidence : float or None
        0 to 1; None where the image was not looked at.
    """

    fingerprint: bytes
    confidence: float | None


class Propagated:
    """A note of every mask that was propagated and not taken back."""

    def __init__(self) -> None:
        self._notes: dict[ObjectSlice, PropagatedSlice] = {}

    def put(self, notes: Mapping[ObjectSlice, PropagatedSlice | None]) -> None:
        """Replace notes; None removes one."""
        for object_slice, note in notes.items():
            self._notes.pop(object_slice, None)
            if note is not None:
                self._notes[object_slice] = note

    def note(self, object_slice: ObjectSlice) -> PropagatedSlice | None:
        """Give the note of a spot."""
        return self._notes.get(object_slice)

    def of(self, label: int) -> dict[ObjectSlice, PropagatedSlice]:
        """Give the notes of an object."""
        return {
            object_slice: note
            for object_slice, note in self._notes.items()
            if object_slice.label == label
        }

    def erased(self, object_slice: ObjectSlice, mask: Mask) -> bool:
        """Whether the person has erased what was propagated to a spot."""
        return object_slice in self._notes and not mask.any()

    def made(self, object_slice: ObjectSlice, mask: Mask) -> bool:
        """Whether a spot's present mask is exactly what was propagated there."""
        note = self._notes.get(object_slice)
        return note is not None and note.fingerprint == fingerprint(mask)

    def along(self, stack: ObjectStack) -> dict[int, PropagatedSlice]:
        """Give the notes of a stack by slice number, ascending."""
        found = {
            stack.index(object_slice): note
            for object_slice, note in self._notes.items()
        }
        return {
            index: found[index] for index in sorted(i for i in found if i is not None)
        }
