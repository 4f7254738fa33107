"""Which masks nobody made: what propagation wrote, and how sure it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_simpleclick.annotation.object_slice import ObjectSlice, fingerprint

if TYPE_CHECKING:
    from napari_simpleclick.annotation.object_slice import Mask, ObjectStack


@dataclass(frozen=True)
class PropagatedSlice:
    """What was propagated to a slice of an object.

    Parameters
    ----------
    fingerprint : bytes
        Of the mask that was written.
    confidence : float or None
        0 to 1; None where the image was not looked at.
    """

    fingerprint: bytes
    confidence: float | None


PropagatedSlices = dict[ObjectSlice, PropagatedSlice | None]
"""Object on a slice to what was propagated there; None for nothing."""


class Propagated:
    """Every mask that was propagated and not taken back."""

    def __init__(self) -> None:
        self._slices: dict[ObjectSlice, PropagatedSlice] = {}

    def put(self, slices: PropagatedSlices) -> None:
        """Replace what is known of slices; None removes one."""
        for object_slice, propagated in slices.items():
            self._slices.pop(object_slice, None)
            if propagated is not None:
                self._slices[object_slice] = propagated

    def find(self, object_slice: ObjectSlice) -> PropagatedSlice | None:
        """Tell what was propagated to a slice."""
        return self._slices.get(object_slice)

    def of(self, label: int) -> dict[ObjectSlice, PropagatedSlice]:
        """Tell all that was propagated of an object."""
        return {
            object_slice: propagated
            for object_slice, propagated in self._slices.items()
            if object_slice.label == label
        }

    def by_label(self) -> dict[int, dict[ObjectSlice, PropagatedSlice]]:
        """Tell all that was propagated, object by object."""
        found: dict[int, dict[ObjectSlice, PropagatedSlice]] = {}
        for object_slice, propagated in self._slices.items():
            found.setdefault(object_slice.label, {})[object_slice] = propagated
        return found

    def is_erased(self, object_slice: ObjectSlice, mask: Mask) -> bool:
        """Whether the person has erased what was propagated to a slice."""
        return object_slice in self._slices and not mask.any()

    def is_unchanged(self, object_slice: ObjectSlice, mask: Mask) -> bool:
        """Whether a slice's present mask is exactly what was propagated there."""
        propagated = self._slices.get(object_slice)
        return propagated is not None and propagated.fingerprint == fingerprint(mask)

    def along(self, stack: ObjectStack) -> dict[int, PropagatedSlice]:
        """Tell what was propagated in a stack by slice number, ascending."""
        found = {
            stack.index(object_slice): propagated
            for object_slice, propagated in self._slices.items()
        }
        return {
            index: found[index] for index in sorted(i for i in found if i is not None)
        }
