"""Which axes of a mask are those of space, and which one is time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TIMES = ("t", "time", "times", "frame", "frames")
"""What an axis of time points is called."""

Box = tuple[slice, ...]
"""A part of space, a slice an axis."""


@dataclass(frozen=True)
class Axes:
    """What the axes of a mask are.

    Parameters
    ----------
    count : int
        Number of axes.
    space : tuple of int
        The two or three that are measured along, ascending.
    spacing : tuple of float or None
        Size of a voxel along each of them, mm; None where it is not known.
    time : int or None
        The axis of time points.
    """

    count: int
    space: tuple[int, ...]
    spacing: tuple[float, ...] | None = None
    time: int | None = None

    def at(self, time: int | None = None, box: Box | None = None) -> tuple[Any, ...]:
        """Give what to index an array with to get a part of it at a time point.

        Parameters
        ----------
        time : int or None
            The time point; any number if there is no axis of time.
        box : tuple of slice, optional
            The part, a slice for every axis of space.
        """
        index: list[Any] = [0] * self.count
        for place, axis in enumerate(self.space):
            index[axis] = slice(None) if box is None else box[place]
        if self.time is not None:
            index[self.time] = time or 0
        return tuple(index)

    def times(self, shape: Sequence[int]) -> tuple[int | None, ...]:
        """List the time points of a mask; one None if it has no axis of time."""
        return (None,) if self.time is None else tuple(range(shape[self.time]))

    def read(self, array: Any, time: int | None = None) -> NDArray[Any]:
        """Read all of space at a time point."""
        return np.asarray(array[self.at(time)])


def find_axes(
    shape: Sequence[int],
    names: Sequence[str] = (),
    sizes: Sequence[float | None] = (),
    *,
    channel: int | None = None,
    time: int | Literal["named"] | None = "named",
) -> Axes:
    """Find out what the axes of a mask are.

    Parameters
    ----------
    shape : sequence of int
        Of the mask.
    names : sequence of str
        Of its axes; empty if they have none.
    sizes : sequence of float or None
        Of a voxel along each axis, mm; None where it is not known, empty for no axis.
    channel : int or None
        Axis of channels, along which the mask has one entry.
    time : int, None or "named"
        Axis of time points; ``"named"`` takes the one that is called so, or else the
        first of four.

    Raises
    ------
    UserError
        If there are more axes than those of space and time.
    """
    rest = [axis for axis in range(len(shape)) if axis != channel]
    if time == "named":
        called = [axis for axis in rest if names and names[axis].lower() in TIMES]
        time = called[0] if called and len(rest) > 2 else None
        long = [axis for axis in rest if shape[axis] > 1 or axis in rest[-3:]]
        if time is None and len(long) == 4:
            time = long[0]
    if time is not None and (time not in rest or len(rest) < 3):
        raise UserError(
            f"Axis {time} cannot be time in a mask of shape {tuple(shape)}; two axes "
            "of space have to be left."
        )
    space = [axis for axis in rest if axis != time]
    space = [axis for axis in space if shape[axis] > 1 or axis in space[-3:]]
    if len(space) > 3:
        raise UserError(
            f"A mask of shape {tuple(shape)} has more axes than space and time; give a "
            "part of it."
        )
    known = [sizes[axis] if sizes else None for axis in space]
    spacing = tuple(float(size) for size in known if size is not None)
    whole = len(spacing) == len(space)
    return Axes(len(shape), tuple(space), spacing if whole else None, time)
