"""How many voxels each object has, and on which slices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.annotation.mask_change import MaskChange


class VoxelCounts:
    """Counts that follow the changes of a mask, so that the mask is never searched."""

    def __init__(self) -> None:
        self._counts: dict[int, list[NDArray[np.int64]]] = {}

    def follow(self, change: MaskChange, undo: bool = False) -> None:
        """Count a change, or count it back."""
        indices, before, after = change.voxels()
        places = np.unravel_index(indices, change.shape)
        for labels, sign in ((before, -1), (after, 1)):
            for label in np.unique(labels):
                if label == 0:
                    continue
                counts = self._counts.setdefault(
                    int(label), [np.zeros(side, np.int64) for side in change.shape]
                )
                chosen = labels == label
                for axis, side in enumerate(change.shape):
                    found = np.bincount(places[axis][chosen], minlength=side)
                    counts[axis] += -sign * found if undo else sign * found

    def labels(self) -> set[int]:
        """Objects that have voxels."""
        return {label for label in self._counts if self.voxels(label) > 0}

    def voxels(self, label: int) -> int:
        """Count the voxels of an object."""
        return int(self._counts[label][0].sum()) if label in self._counts else 0

    def areas(self, label: int, axis: int) -> NDArray[np.int64]:
        """Count the voxels of an object on every slice of an axis; empty for none."""
        if label not in self._counts:
            return np.zeros(0, np.int64)
        return self._counts[label][axis].copy()
