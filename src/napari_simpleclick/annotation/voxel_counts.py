"""How many voxels each object has, and on which slices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.annotation.mask_change import MaskChange


class VoxelCounts:
    """Counts that follow the changes of a mask, so that the mask is never searched."""

    def __init__(self) -> None:
        self._counts: dict[int, list[NDArray[np.int64]]] = {}
        self._voxels: dict[int, int] = {}

    def follow(self, change: MaskChange, undo: bool = False) -> None:
        """Count a change, or count it back."""
        runs = change.runs().lines(change.shape[-1])
        places = np.unravel_index(runs.starts, change.shape)
        way = -1 if undo else 1
        for labels, sign in ((runs.before, -way), (runs.after, way)):
            found, numbers, counts = _numbered(labels, runs.lengths)
            for label, count in zip(found.tolist(), counts.tolist(), strict=True):
                if label:
                    self._voxels[label] = self._voxels.get(label, 0) + sign * count
            for axis, side in enumerate(change.shape):
                size = (len(found), side)
                if axis < len(change.shape) - 1:
                    rows = _rows(numbers, places[axis], runs.lengths, size)
                else:
                    rows = _lines(numbers, places[axis], runs.lengths, size)
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
            runs = change.runs()
            for labels, sign in ((runs.before, -1), (runs.after, 1)):
                found, _, counts = _numbered(labels, runs.lengths)
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
    labels: NDArray[Any], lengths: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.int64]]:
    """Find the labels, each run's number among them, and how many voxels each has."""
    found, numbers = np.unique(labels, return_inverse=True)
    counts = np.bincount(numbers, lengths, len(found))
    return found, numbers, counts.astype(np.int64)


def _rows(
    numbers: NDArray[np.intp],
    places: NDArray[np.intp],
    counts: NDArray[np.int64],
    size: tuple[int, int],
) -> NDArray[np.int64]:
    """Add up counts by number and place."""
    flat = np.bincount(numbers * size[1] + places, counts, math.prod(size))
    return flat.astype(np.int64).reshape(size)


def _lines(
    numbers: NDArray[np.intp],
    starts: NDArray[np.intp],
    lengths: NDArray[np.int64],
    size: tuple[int, int],
) -> NDArray[np.int64]:
    """Count by number and place, for runs along a line."""
    ones, longer = np.ones_like(lengths), (size[0], size[1] + 1)
    begun = _rows(numbers, starts, ones, longer)
    ended = _rows(numbers, starts + lengths, ones, longer)
    return np.cumsum(begun - ended, axis=1)[:, :-1]
