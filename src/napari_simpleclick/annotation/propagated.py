"""Which masks nobody made: what propagation wrote, and how sure it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_simpleclick.annotate.spot import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_simpleclick.annotate.spot import Mask, Spot, Stack


@dataclass(frozen=True)
class Note:
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
        self._notes: dict[Spot, Note] = {}

    def put(self, notes: Mapping[Spot, Note | None]) -> None:
        """Replace notes; None removes one."""
        for spot, note in notes.items():
            self._notes.pop(spot, None)
            if note is not None:
                self._notes[spot] = note

    def note(self, spot: Spot) -> Note | None:
        """Give the note of a spot."""
        return self._notes.get(spot)

    def of(self, label: int) -> dict[Spot, Note]:
        """Give the notes of an object."""
        return {spot: note for spot, note in self._notes.items() if spot.label == label}

    def erased(self, spot: Spot, mask: Mask) -> bool:
        """Whether the person has erased what was propagated to a spot."""
        return spot in self._notes and not mask.any()

    def made(self, spot: Spot, mask: Mask) -> bool:
        """Whether a spot's present mask is exactly what was propagated there."""
        note = self._notes.get(spot)
        return note is not None and note.fingerprint == fingerprint(mask)

    def along(self, stack: Stack) -> dict[int, Note]:
        """Give the notes of a stack by slice number, ascending."""
        found = {stack.index(spot): note for spot, note in self._notes.items()}
        return {
            index: found[index] for index in sorted(i for i in found if i is not None)
        }
