"""An array that stays in its file and is read piece by piece."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from types import EllipsisType
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray

MEMORY_BYTES = 2**30
"""Arrays up to this size are read as a whole when they become a layer."""

Index = int | slice | EllipsisType


@dataclass(frozen=True, eq=False)
class LazyArray:
    """An array in a file; indexing it with integers and slices reads that piece.

    Parameters
    ----------
    shape : tuple of int
        Length of every axis.
    dtype : numpy.dtype
        Of the values that are read.
    read : callable
        Takes one slice with a positive step for each axis and gives that piece.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[tuple[slice, ...]], NDArray[Any]]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Size in memory if it were read as a whole."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        """Length of the first axis."""
        return self.shape[0]

    def __getitem__(self, key: Index | tuple[Index, ...]) -> NDArray[Any]:
        """Read a piece."""
        pieces: list[slice] = []
        rest: list[int | slice] = []
        for entry, length in zip(self._full(key), self.shape, strict=True):
            if isinstance(entry, slice):
                chosen = range(length)[entry]
                forward = chosen if chosen.step > 0 else chosen[::-1]
                pieces.append(slice(forward.start, forward.stop, forward.step))
                rest.append(slice(None, None, 1 if chosen.step > 0 else -1))
            else:
                place = range(length)[operator.index(entry)]
                pieces.append(slice(place, place + 1, 1))
                rest.append(0)
        return self.read(tuple(pieces))[tuple(rest)]

    def _full(self, key: Index | tuple[Index, ...]) -> tuple[int | slice, ...]:
        keys = key if isinstance(key, tuple) else (key,)
        place = next((i for i, k in enumerate(keys) if k is Ellipsis), len(keys))
        given = [key for key in keys if not isinstance(key, EllipsisType)]
        missing = self.ndim - len(given)
        if missing < 0:
            raise IndexError(f"{len(keys)} indices are too many for {self.ndim} axes.")
        return (*given[:place], *(slice(None),) * missing, *given[place:])

    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        """Read everything."""
        return np.asarray(self[...], dtype)


Array = LazyArray | np.ndarray[Any, np.dtype[Any]]


def fits_memory(nbytes: int) -> bool:
    """Whether an array of this size is to be read as a whole."""
    return nbytes <= MEMORY_BYTES


def turn(array: Array, order: tuple[int, ...], flipped: tuple[bool, ...]) -> Array:
    """Reorder and reverse axes; what is lazy stays so.

    Parameters
    ----------
    array : LazyArray or ndarray
        Any shape; axes that are not in ``order`` have length 1 and are dropped,
        except for a colour axis, which must be in it.
    order : tuple of int
        Axis of ``array`` for each axis of the result.
    flipped : tuple of bool
        Whether that axis is reversed, for each axis of the result.

    Returns
    -------
    LazyArray or ndarray
        A view, or another lazy array.
    """
    dropped = tuple(axis for axis in range(array.ndim) if axis not in order)
    back: tuple[int | slice, ...] = (
        *(slice(None, None, -1 if flip else 1) for flip in flipped),
        *(0,) * len(dropped),
    )
    if isinstance(array, np.ndarray):
        return np.transpose(array, (*order, *dropped))[back]
    source = array

    def read(pieces: tuple[slice, ...]) -> NDArray[Any]:
        there = [slice(0, 1, 1)] * source.ndim
        for piece, axis, flip in zip(pieces, order, flipped, strict=True):
            there[axis] = _mirror(piece, source.shape[axis]) if flip else piece
        return np.transpose(source.read(tuple(there)), (*order, *dropped))[back]

    return LazyArray(tuple(array.shape[a] for a in order), array.dtype, read)


def _mirror(piece: slice, length: int) -> slice:
    """Slice of a reversed axis, in the axis's own direction and ascending."""
    chosen = range(length)[piece]
    if not chosen:
        return slice(0, 0, 1)
    return slice(length - 1 - chosen[-1], length - chosen[0], chosen.step)


def converted(
    array: Array,
    convert: Callable[[NDArray[Any]], NDArray[Any]],
    colours: int = 0,
) -> Array:
    """Change the values of an array; what is lazy stays so.

    Parameters
    ----------
    array : LazyArray or ndarray
        Any shape.
    convert : callable
        Takes an array of the same type and gives one of the same shape.
    colours : int
        Entries of one more axis at the end that ``convert`` adds; 0 if it adds none.

    Returns
    -------
    LazyArray or ndarray
        The converted values, or another lazy array.
    """
    if isinstance(array, np.ndarray):
        return convert(array)
    source = array
    dtype = convert(np.zeros(1, array.dtype)).dtype
    if not colours:
        return LazyArray(
            array.shape, dtype, lambda pieces: convert(source.read(pieces))
        )

    def read(pieces: tuple[slice, ...]) -> NDArray[Any]:
        return convert(source.read(pieces[:-1]))[..., pieces[-1]]

    return LazyArray((*array.shape, colours), dtype, read)


class Unchanged:
    """Watches that files stay as they were when they were opened.

    Parameters
    ----------
    paths : Path
        The files.
    """

    def __init__(self, *paths: Path) -> None:
        self._seen = {path: self._look(path) for path in paths}

    @staticmethod
    def _look(path: Path) -> tuple[int, int]:
        state = path.stat()
        return state.st_mtime_ns, state.st_size

    def seen(self, path: Path) -> tuple[int, int]:
        """Give when a file was last written, in ns, and how long it was, in bytes."""
        return self._seen[path]

    def check(self, *paths: Path) -> None:
        """Refuse to read on when one of the files is another one by now.

        Parameters
        ----------
        paths : Path
            The files that are about to be read.

        Raises
        ------
        UserError
            If a file was written, replaced or removed.
        """
        for path in paths:
            try:
                same = self._look(path) == self._seen[path]
            except OSError:
                same = False
            if not same:
                raise UserError(
                    f"'{path}' has changed on disk since it was opened; open it again."
                )
