"""An n-D array, its displayed axes and a position: the 2-D slice, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Plane:
    """A 2-D slice of an n-D array.

    Parameters
    ----------
    axes : tuple of int
        The two array axes that are the slice's rows and columns, ascending.
    index : tuple of int
        Position on every axis; the entries of ``axes`` are 0.
    """

    axes: tuple[int, int]
    index: tuple[int, ...]

    @classmethod
    def at(
        cls,
        shape: tuple[int, ...],
        axes: tuple[int, ...],
        position: tuple[float, ...],
    ) -> Plane:
        """Find the plane through a position.

        Parameters
        ----------
        shape : tuple of int
            Shape of the array, without a channel axis.
        axes : tuple of int
            The two axes in view, in any order.
        position : tuple of float
            Coordinate on every axis, in pixels; ignored on the axes in view.

        Raises
        ------
        UserError
            If there are not two axes in view, or the position is not in the array.
        """
        if len(set(axes)) != 2 or not all(0 <= axis < len(shape) for axis in axes):
            raise UserError(
                "This image is not shown as a 2-D slice; show two of its axes."
            )
        first, second = sorted(axes)
        index = []
        for axis, (length, place) in enumerate(zip(shape, position, strict=True)):
            here = 0 if axis in (first, second) else int(np.round(place))
            if not 0 <= here < length:
                raise UserError(
                    f"Slice {here} is out of range: axis {axis} has slices 0 to "
                    f"{length - 1}; go to one of these."
                )
            index.append(here)
        return cls((first, second), tuple(index))

    @property
    def indexer(self) -> tuple[int | slice, ...]:
        """What to index the array with to get the slice."""
        return tuple(
            slice(None) if axis in self.axes else place
            for axis, place in enumerate(self.index)
        )

    def size(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """(height, width) of the slice of an array of this shape."""
        return shape[self.axes[0]], shape[self.axes[1]]

    def read(self, array: Any) -> NDArray[Any]:
        """Read the slice of an array-like; of a lazy array, nothing else is read."""
        return np.asarray(array[self.indexer])

    def spacing(self, sizes: Sequence[float | None]) -> tuple[float, float]:
        """Height and width of a pixel; square where they cannot be compared.

        Parameters
        ----------
        sizes : sequence of float or None
            Of a voxel along each axis, in one unit; None for other units.
        """
        height, width = (sizes[axis] for axis in self.axes)
        return (height, width) if height and width else (1.0, 1.0)

    def holds(self, position: tuple[float, ...]) -> bool:
        """Whether an n-D position lies on the slice."""
        return all(
            axis in self.axes or round(place) == here
            for axis, (place, here) in enumerate(zip(position, self.index, strict=True))
        )

    def point(self, position: tuple[float, ...]) -> tuple[float, float]:
        """Row and column of an n-D position."""
        return position[self.axes[0]], position[self.axes[1]]

    def position(self, row: float, column: float) -> tuple[float, ...]:
        """N-D position of a row and column."""
        place: list[float] = list(self.index)
        place[self.axes[0]], place[self.axes[1]] = row, column
        return tuple(place)

    def indices(self, mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], ...]:
        """N-D indices of the pixels that are set in a mask of the slice."""
        rows, columns = np.nonzero(mask)
        full = [np.full(rows.shape, place) for place in self.index]
        full[self.axes[0]], full[self.axes[1]] = rows, columns
        return tuple(full)
