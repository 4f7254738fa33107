"""Where a mask is: an object, and a slice."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.images.local_map import LocalMap, Span

if TYPE_CHECKING:
    from napari_simpleclick.images.planes import Plane

Mask = NDArray[np.bool_]

REMEMBERED_BYTES = 2**18
"""The digests of masks of so many bytes at most, packed, are remembered: of eight."""


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


def whole(mask: Mask | LocalMap) -> Mask:
    """Give all of a mask."""
    return np.asarray(mask.full() if isinstance(mask, LocalMap) else mask)


def fingerprint(mask: Mask | LocalMap) -> bytes:
    """Digest of a mask, to notice that someone has painted; empty for no pixels.

    It is that of all its pixels, eight a byte, row by row.
    """
    part = mask if isinstance(mask, LocalMap) else LocalMap.whole(mask)
    box = part.box()
    if box is None:
        return b""
    part = part.cut()
    packed = np.packbits(part.inside).tobytes()
    digest = _digest if len(packed) <= REMEMBERED_BYTES else _digest.__wrapped__
    return digest(part.shape, *box, packed)


@lru_cache(maxsize=8)
def _digest(shape: tuple[int, int], rows: Span, columns: Span, packed: bytes) -> bytes:
    """Digest of a mask of which a box is packed; of large ones that takes its time."""
    height, width = shape
    sides = [last + 1 - first for first, last in (rows, columns)]
    inside = np.unpackbits(np.frombuffer(packed, np.uint8), count=math.prod(sides))
    before, shift = divmod(rows[0] * width, 8)
    band = np.zeros(shift + sides[0] * width, np.uint8)
    lines = band[shift:].reshape(sides[0], width)
    lines[:, columns[0] : columns[1] + 1] = inside.reshape(sides)
    bits = np.packbits(band)
    after = -(-height * width // 8) - before - len(bits)
    found = hashlib.blake2b(bytes(before), digest_size=16)
    found.update(bits.tobytes())
    found.update(bytes(after))
    return found.digest()
