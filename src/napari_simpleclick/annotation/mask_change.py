"""Voxels of a mask that got other values: what an undo step is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_simpleclick.annotation.packing import pack, unpack
from napari_simpleclick.errors import UserError
from napari_simpleclick.images.local_map import LocalMap

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_simpleclick.annotation.object_slice import Mask
    from napari_simpleclick.images.planes import Plane


class Voxels(NamedTuple):
    """The voxels of a change.

    Parameters
    ----------
    indices : ndarray
        (N,) int64, unique and ascending, into the mask in C order.
    before, after : ndarray
        (N,) labels.
    """

    indices: NDArray[np.int64]
    before: NDArray[Any]
    after: NDArray[Any]


@dataclass(frozen=True, eq=False)
class MaskChange:
    """A change of a mask, packed.

    Parameters
    ----------
    shape : tuple of int
        Of the mask.
    packed : bytes
        Three arrays, see :func:`pack`: the first index and the distances from each
        index to the next, the labels before, and those after.
    """

    shape: tuple[int, ...]
    packed: bytes

    @classmethod
    def of(
        cls,
        shape: tuple[int, ...],
        indices: tuple[NDArray[np.integer], ...],
        before: ArrayLike,
        after: ArrayLike,
    ) -> MaskChange:
        """Pack a change.

        Parameters
        ----------
        shape : tuple of int
            Of the mask.
        indices : tuple of ndarray
            One (N,) array per axis; a voxel may come twice, and then its first label
            before and its last label after count.
        before, after : array_like
            (N,) labels, or one for all.
        """
        flat = np.ravel_multi_index(indices, shape).astype(np.int64)
        old = np.broadcast_to(np.asarray(before), flat.shape)
        new = np.broadcast_to(np.asarray(after), flat.shape)
        if not (flat[1:] > flat[:-1]).all():
            order = np.argsort(flat, kind="stable")
            differ = np.diff(flat[order]) != 0
            first = order[np.concatenate([[True], differ])]
            last = order[np.concatenate([differ, [True]])]
            flat, old, new = flat[first], old[first], new[last]
        return cls._of_places(shape, Voxels(flat, old, new))

    @classmethod
    def _of_places(cls, shape: tuple[int, ...], voxels: Voxels) -> MaskChange:
        """Pack voxels that are in order."""
        steps = np.diff(voxels.indices, prepend=0)
        if not steps.size or steps.max() < 2**32:
            steps = steps.astype(np.uint32)
        return cls(tuple(shape), pack(steps, voxels.before, voxels.after))

    @classmethod
    def joined(cls, changes: Sequence[MaskChange]) -> MaskChange | None:
        """Take several changes, made one after the other, as one; None for none."""
        if len(changes) < 2:
            return changes[0] if changes else None
        parts = [change.voxels() for change in changes]
        indices, before, after = map(np.concatenate, zip(*parts, strict=True))
        shape = changes[0].shape
        return cls.of(shape, np.unravel_index(indices, shape), before, after)

    @classmethod
    def of_object(
        cls,
        labels: NDArray[Any],
        plane: Plane,
        label: int,
        mask: Mask | LocalMap,
        overwrite: bool = False,
        locked: Collection[int] = (),
        present: LocalMap | None = None,
    ) -> MaskChange | None:
        """Find what an object's new mask on a slice changes.

        Parameters
        ----------
        labels : ndarray
            The mask layer's labels, as they are now.
        plane : Plane
            The slice.
        label : int
            The object.
        mask : ndarray or LocalMap
            (H, W) bool, its new mask.
        overwrite : bool
            Whether it may take pixels of other objects.
        locked : collection of int
            Objects whose pixels stay; if it is one of them, nothing changes.
        present : LocalMap or None
            Its mask there as it is now, if that is known; else it is looked for.

        Returns
        -------
        MaskChange or None
            None if nothing changes.
        """
        if label in locked:
            return None
        whole = plane.read(labels)
        new = mask if isinstance(mask, LocalMap) else LocalMap.whole(mask)
        present = LocalMap.of_label(whole, label) if present is None else present
        box = LocalMap.common_window(new, present)
        if box is None:
            return None
        now, mask = whole[box], new.within(box)
        free = now != label if overwrite else now == 0
        if overwrite and locked:
            free &= ~np.isin(now, list(locked))
        gained, lost = mask & free, ~mask & (now == label)
        changed = gained | lost
        if not changed.any():
            return None
        values = np.where(gained[changed], label, 0).astype(now.dtype)
        indices = list(plane.indices(changed))
        for axis, span in zip(plane.axes, box, strict=True):
            indices[axis] = indices[axis] + span.start
        return cls.of(labels.shape, tuple(indices), now[changed], values)

    def voxels(self) -> Voxels:
        """Unpack.

        Raises
        ------
        UserError
            If the bytes are not those of a change of a mask of this shape.
        """
        steps, before, after = unpack(self.packed, 3)
        indices = np.cumsum(steps, dtype=np.int64)
        if not indices.shape == before.shape == after.shape or (
            indices.size and not 0 <= indices[0] <= indices[-1] < math.prod(self.shape)
        ):
            raise UserError("A recorded change does not fit the mask; it is damaged.")
        return Voxels(indices, before, after)

    def of_any(self, labels: Collection[int]) -> MaskChange | None:
        """Give that part of the change by which some objects lose or gain pixels."""
        indices, before, after = self.voxels()
        found = np.isin(before, list(labels)) | np.isin(after, list(labels))
        if not found.any():
            return None
        chosen = Voxels(indices[found], before[found], after[found])
        return MaskChange._of_places(self.shape, chosen)

    def without(self, labels: Collection[int]) -> MaskChange | None:
        """Give the change but for what :meth:`of_any` gives; None if that is all."""
        indices, before, after = self.voxels()
        kept = ~(np.isin(before, list(labels)) | np.isin(after, list(labels)))
        if not kept.any():
            return None
        chosen = Voxels(indices[kept], before[kept], after[kept])
        return MaskChange._of_places(self.shape, chosen)

    @classmethod
    def between(cls, old: NDArray[Any], new: Any) -> MaskChange | None:
        """Tell in what new labels differ from old ones; None if in nothing.

        Parameters
        ----------
        old : ndarray
            The labels before.
        new : array_like
            Those after, of the same shape; read slice by slice along the first axis.
        """
        flat, before, after = [], [], []
        size = math.prod(old.shape[1:])
        for index in range(old.shape[0]):
            one, other = np.ravel(old[index]), np.ravel(np.asarray(new[index]))
            differ = np.flatnonzero(one != other)
            if differ.size:
                flat.append(differ + index * size)
                before.append(one[differ])
                after.append(other[differ])
        if not flat:
            return None
        parts = map(np.concatenate, (flat, before, after))
        return cls._of_places(old.shape, Voxels(*parts))

    def fits(self, dtype: np.dtype[Any]) -> bool:
        """Whether an integer type can hold all labels after the change."""
        after, limits = self.voxels().after, np.iinfo(dtype)
        return bool((after >= limits.min).all() and (after <= limits.max).all())

    def is_made(self, mask: NDArray[Any]) -> bool:
        """Whether a mask is as it is after the change."""
        indices, _, after = self.voxels()
        return bool((mask[np.unravel_index(indices, self.shape)] == after).all())

    def apply(self, mask: NDArray[Any], undo: bool = False) -> None:
        """Make the change in a mask, or take it back."""
        indices, before, after = self.voxels()
        values = before if undo else after
        if mask.flags.c_contiguous:
            mask.reshape(-1)[indices] = values
        else:
            mask[np.unravel_index(indices, self.shape)] = values
