"""How many voxels each object has, and on which slices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.annotation.mask_change import MaskChange

TABLE = 1 << 20
"""Labels below this are counted in a table; larger ones are sorted."""


class VoxelCounts:
    """Counts that follow the changes of a mask, so that the mask is never searched."""

    def __init__(self) -> None:
        self._counts: dict[int, list[NDArray[np.int64]]] = {}
        self._voxels: dict[int, int] = {}

    def follow(self, change: MaskChange, undo: bool = False) -> None:
        """Count a change, or count it back."""
        indices, before, after = change.voxels()
        places = np.unravel_index(indices, change.shape)
        way = -1 if undo else 1
        for labels, sign in ((before, -way), (after, way)):
            found, numbers, counts = _numbered(labels)
            if not found.any():
                continue
            for label, number in zip(found.tolist(), counts.tolist(), strict=True):
                if label:
                    self._voxels[label] = self._voxels.get(label, 0) + sign * number
            for axis, side in enumerate(change.shape):
                flat = np.bincount(
                    numbers * side + places[axis], minlength=len(found) * side
                )
                rows = flat.reshape(len(found), side)
                for label, row in zip(found.tolist(), rows, strict=True):
                    if label:
                        self._of(label, change.shape)[axis] += sign * row

    def _of(self, label: int, shape: tuple[int, ...]) -> list[NDArray[np.int64]]:
        empty = [np.zeros(side, np.int64) for side in shape]
        return self._counts.setdefault(label, empty)

    def labels(self) -> set[int]:
        """Objects that have voxels."""
        return {label for label, number in self._voxels.items() if number > 0}

    def labels_after(self, change: MaskChange | None) -> set[int]:
        """Objects that will have voxels after a change that was not counted yet."""
        numbers = self._voxels.copy()
        if change is not None:
            _, before, after = change.voxels()
            for labels, sign in ((before, -1), (after, 1)):
                found, _, counts = _numbered(labels)
                for label, number in zip(found, counts, strict=True):
                    old = numbers.get(int(label), 0)
                    numbers[int(label)] = old + sign * int(number)
        return {label for label, number in numbers.items() if label and number > 0}

    def voxels(self, label: int) -> int:
        """Count the voxels of an object."""
        return self._voxels.get(label, 0)

    def areas(self, label: int, axis: int) -> NDArray[np.int64]:
        """Count the voxels of an object on every slice of an axis; empty for none."""
        if label not in self._counts:
            return np.zeros(0, np.int64)
        return self._counts[label][axis].copy()


def _numbered(
    labels: NDArray[Any],
) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.intp]]:
    """Find the labels, the number of each voxel's among them, and how often each is.

    That is what NumPy's ``unique`` tells, which sorts all voxels for it.
    """
    if not labels.size or labels.min() < 0 or labels.max() >= TABLE:
        return np.unique(labels, return_inverse=True, return_counts=True)
    labels = labels.astype(np.intp, copy=False)
    counts = np.bincount(labels)
    found = np.flatnonzero(counts)
    table = np.zeros(len(counts), np.intp)
    table[found] = np.arange(len(found))
    return found, table[labels], counts[found]
