"""Voxels of a mask that got other values: what an undo step is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.annotation.packing import pack, unpack
from napari_simpleclick.annotation.runs import Runs, Voxels
from napari_simpleclick.errors import UserError
from napari_simpleclick.images.local_map import LocalMap

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_simpleclick.annotation.object_slice import Mask
    from napari_simpleclick.images.planes import Plane

AT_ONCE = 1 << 19
"""Voxels that are compared at a time."""

LONG = 16
"""Voxels of a usual run, from which on runs are written one by one."""


@dataclass(frozen=True, eq=False)
class MaskChange:
    """A change of a mask.

    Parameters
    ----------
    shape : tuple of int
        Of the mask.
    content : bytes or Runs
        What changed; the bytes are those of :attr:`packed`.
    """

    shape: tuple[int, ...]
    content: bytes | Runs

    @classmethod
    def of(
        cls,
        shape: tuple[int, ...],
        indices: tuple[NDArray[np.integer], ...],
        before: ArrayLike,
        after: ArrayLike,
    ) -> MaskChange:
        """Note a change.

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
        return cls(tuple(shape), Runs.of(Voxels(flat, old, new)))

    @classmethod
    def joined(cls, changes: Sequence[MaskChange]) -> MaskChange | None:
        """Take several changes, made one after the other, as one; None for none."""
        if len(changes) < 2:
            return changes[0] if changes else None
        shape = changes[0].shape
        runs = Runs.joined([change.runs() for change in changes])
        if runs is not None:
            return cls(shape, runs)
        parts = [change.voxels() for change in changes]
        indices, before, after = map(np.concatenate, zip(*parts, strict=True))
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

    @classmethod
    def in_box(
        cls, shape: tuple[int, ...], corner: Sequence[int], old: NDArray[Any], new: Any
    ) -> MaskChange | None:
        """Tell in what new labels differ from old ones; None if in nothing.

        Parameters
        ----------
        shape : tuple of int
            Of the mask.
        corner : sequence of int
            First index of the box in it, on each axis.
        old : ndarray
            The labels in the box before.
        new : array_like
            Those after, of the same shape; read in pieces along the first axis.
        """
        found = []
        step = max(1, AT_ONCE // max(1, math.prod(old.shape[1:])))
        for first in range(0, old.shape[0], step):
            piece = old[first : first + step]
            runs = Runs.between(piece, np.asarray(new[first : first + step]))
            if runs.starts.size:
                inside = np.unravel_index(runs.starts, piece.shape)
                origin = (corner[0] + first, *corner[1:])
                places = tuple(k + c for k, c in zip(inside, origin, strict=True))
                starts = np.ravel_multi_index(places, shape).astype(np.int64)
                found.append(runs._replace(starts=starts))
        joined = Runs.joined(found) if found else None
        return None if joined is None else cls(tuple(shape), joined)

    @classmethod
    def between(cls, old: NDArray[Any], new: Any) -> MaskChange | None:
        """Tell in what all labels differ from old ones, as :meth:`in_box` does."""
        return cls.in_box(old.shape, (0,) * old.ndim, old, new)

    @property
    def packed(self) -> bytes:
        """Three arrays, see :func:`pack`.

        They are the first index and the distances from each index to the next, the
        labels before, and those after.
        """
        if isinstance(self.content, bytes):
            return self.content
        indices, before, after = self.voxels()
        steps = np.diff(indices, prepend=0)
        if not steps.size or steps.max() < 2**32:
            steps = steps.astype(np.uint32)
        return pack(steps, before, after)

    def runs(self) -> Runs:
        """Give the voxels in runs.

        Raises
        ------
        UserError
            If the bytes are not those of a change of a mask of this shape.
        """
        if isinstance(self.content, Runs):
            return self.content
        steps, before, after = unpack(self.content, 3)
        indices = np.cumsum(steps, dtype=np.int64)
        if not indices.shape == before.shape == after.shape or (
            indices.size and not 0 <= indices[0] <= indices[-1] < math.prod(self.shape)
        ):
            raise UserError("A recorded change does not fit the mask; it is damaged.")
        return Runs.of(Voxels(indices, before, after))

    def voxels(self) -> Voxels:
        """Give the voxels one by one; raises what :meth:`runs` raises."""
        return self.runs().voxels()

    def of_any(self, labels: Collection[int]) -> MaskChange | None:
        """Give that part of the change by which some objects lose or gain pixels."""
        runs = self.runs()
        return self._part(_is_of(labels, runs), runs)

    def without(self, labels: Collection[int]) -> MaskChange | None:
        """Give the change but for what :meth:`of_any` gives; None if that is all."""
        runs = self.runs()
        return self._part(~_is_of(labels, runs), runs)

    def _part(self, chosen: NDArray[np.bool_], runs: Runs) -> MaskChange | None:
        return MaskChange(self.shape, runs.where(chosen)) if chosen.any() else None

    def fits(self, dtype: np.dtype[Any]) -> bool:
        """Whether an integer type can hold all labels after the change."""
        after, limits = self.runs().after, np.iinfo(dtype)
        return bool((after >= limits.min).all() and (after <= limits.max).all())

    def is_made(self, mask: NDArray[Any]) -> bool:
        """Whether a mask is as it is after the change."""
        indices, _, after = self.voxels()
        return bool((mask[np.unravel_index(indices, self.shape)] == after).all())

    def apply(self, mask: NDArray[Any], undo: bool = False) -> None:
        """Make the change in a mask, or take it back."""
        runs = self.runs()
        labels = runs.before if undo else runs.after
        if not mask.flags.c_contiguous:
            places = np.unravel_index(runs.voxels().indices, self.shape)
            mask[places] = np.repeat(labels, runs.lengths)
            return
        flat = mask.reshape(-1)
        if len(labels) * LONG > runs.lengths.sum():
            flat[runs.voxels().indices] = np.repeat(labels, runs.lengths)
            return
        ends = runs.starts + runs.lengths
        for start, end, label in zip(runs.starts, ends, labels, strict=True):
            flat[start:end] = label


def _is_of(labels: Collection[int], runs: Runs) -> NDArray[np.bool_]:
    wanted = list(labels)
    return np.isin(runs.before, wanted) | np.isin(runs.after, wanted)
