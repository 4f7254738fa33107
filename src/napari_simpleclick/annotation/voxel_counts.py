"""How many voxels each object has, and on which slices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

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
            for label, chosen in _grouped(labels):
                if label:
                    where = [at[chosen] for at in places]
                    self._add(label, where, runs.lengths[chosen], sign, change.shape)

    def _add(
        self,
        label: int,
        places: list[NDArray[np.intp]],
        lengths: NDArray[np.int64],
        sign: int,
        shape: tuple[int, ...],
    ) -> None:
        """Add runs along the last axis to an object, or take them away."""
        count = sign * int(lengths.sum())
        self._voxels[label] = self._voxels.get(label, 0) + count
        *across, along = self._of(label, shape)
        for counts, at in zip(across, places, strict=False):
            first = int(at.min())
            row = np.bincount(at - first, lengths).astype(np.int64)
            counts[first : first + len(row)] += sign * row
        first, end = int(places[-1].min()), int((places[-1] + lengths).max())
        begun, ended = (
            np.bincount(at - first, minlength=end - first + 1)
            for at in (places[-1], places[-1] + lengths)
        )
        along[first:end] += sign * np.cumsum(begun - ended)[:-1]

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
                for label, chosen in _grouped(labels):
                    count = sign * int(runs.lengths[chosen].sum())
                    numbers[label] = numbers.get(label, 0) + count
        return {label for label, number in numbers.items() if label and number > 0}

    def voxels(self, label: int) -> int:
        """Count the voxels of an object."""
        return self._voxels.get(label, 0)

    def areas(self, label: int, axis: int) -> NDArray[np.int64]:
        """Count the voxels of an object on every slice of an axis; empty for none."""
        if label not in self._counts:
            return np.zeros(0, np.int64)
        return self._counts[label][axis].copy()


def _grouped(labels: NDArray[Any]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Give each label, and where it is."""
    order = np.argsort(labels, kind="stable")
    found, first = np.unique(labels[order], return_index=True)
    ends = [*first[1:], len(order)]
    for label, start, end in zip(found.tolist(), first, ends, strict=False):
        yield label, order[start:end]
