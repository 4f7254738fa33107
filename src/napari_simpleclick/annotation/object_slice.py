"""Where a mask is: an object, and a slice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_simpleclick.images.planes import Plane

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ObjectSlice:
    """An object on a slice, which is what a prompt belongs to.

    Parameters
    ----------
    label : int
        Value of the object in the mask.
    plane : Plane
        The slice.
    """

    label: int
    plane: Plane


@dataclass(frozen=True)
class ObjectStack:
    """An object on all slices of one axis.

    Parameters
    ----------
    label : int
        Value of the object in the mask.
    plane : Plane
        Slice 0.
    axis : int
        The axis that slices follow.
    """

    label: int
    plane: Plane
    axis: int

    @classmethod
    def containing(
        cls, object_slice: ObjectSlice, skip: int | None = None
    ) -> ObjectStack | None:
        """Find the stack of a slice; None if there are no other slices.

        With several hidden axes it follows the last one but ``skip``, that of channels.
        """
        hidden = hidden_axes(object_slice.plane, skip)
        return cls.along(object_slice, hidden[-1]) if hidden else None

    @classmethod
    def along(cls, object_slice: ObjectSlice, axis: int) -> ObjectStack:
        """Find the stack of a slice that follows an axis."""
        return cls(object_slice.label, _moved(object_slice.plane, axis, 0), axis)

    def object_slice(self, index: int) -> ObjectSlice:
        """Name the object on a slice."""
        return ObjectSlice(self.label, _moved(self.plane, self.axis, index))

    def index(self, object_slice: ObjectSlice) -> int | None:
        """Tell the slice number of an object; None if it is not in the stack."""
        if (
            object_slice.label != self.label
            or object_slice.plane.axes != self.plane.axes
        ):
            return None
        place, own, axis = object_slice.plane.index, self.plane.index, self.axis
        others = place[:axis] == own[:axis] and place[axis + 1 :] == own[axis + 1 :]
        return place[axis] if others else None


def hidden_axes(plane: Plane, skip: int | None = None) -> list[int]:
    """List the axes that slices can follow, but ``skip``, that of channels."""
    shown = (*plane.axes, skip)
    return [axis for axis in range(len(plane.index)) if axis not in shown]


def _moved(plane: Plane, axis: int, index: int) -> Plane:
    place = (*plane.index[:axis], index, *plane.index[axis + 1 :])
    return replace(plane, index=place)


def fingerprint(mask: Mask) -> bytes:
    """Digest of a mask, to notice that someone has painted; empty for no pixels."""
    if not mask.any():
        return b""
    return hashlib.blake2b(np.packbits(mask).tobytes(), digest_size=16).digest()
