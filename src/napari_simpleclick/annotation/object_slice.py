"""Where a mask is: an object, and a slice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_simpleclick.volumes.planes import Plane

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Spot:
    """An object on a slice, which is what a click belongs to.

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
class Stack:
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
    def through(cls, spot: Spot, skip: int | None = None) -> Stack | None:
        """Find the stack of a slice; None if there are no other slices.

        With several hidden axes it follows the last one but ``skip``, that of channels.
        """
        plane = spot.plane
        shown = (*plane.axes, skip)
        hidden = [axis for axis in range(len(plane.index)) if axis not in shown]
        if not hidden:
            return None
        return cls(spot.label, _moved(plane, hidden[-1], 0), hidden[-1])

    def spot(self, index: int) -> Spot:
        """Name the object on a slice."""
        return Spot(self.label, _moved(self.plane, self.axis, index))

    def index(self, spot: Spot) -> int | None:
        """Tell the slice number of a spot; None if it is not in the stack."""
        if spot.label != self.label or spot.plane.axes != self.plane.axes:
            return None
        place, own, axis = spot.plane.index, self.plane.index, self.axis
        others = place[:axis] == own[:axis] and place[axis + 1 :] == own[axis + 1 :]
        return place[axis] if others else None


def _moved(plane: Plane, axis: int, index: int) -> Plane:
    place = (*plane.index[:axis], index, *plane.index[axis + 1 :])
    return replace(plane, index=place)


def fingerprint(mask: Mask) -> bytes:
    """Digest of a mask, to notice that someone has painted; empty for no pixels."""
    if not mask.any():
        return b""
    return hashlib.blake2b(np.packbits(mask).tobytes(), digest_size=16).digest()
