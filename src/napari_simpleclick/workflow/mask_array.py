"""The labels of an image's objects as an array, in memory or in a file."""

from __future__ import annotations

import math
import mmap
import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.lazy_array import fits_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.annotation import Objects

MOST_LABEL = int(np.iinfo(np.uint16).max)
"""Highest number that an object can have in a mask."""

FULL = f"There is no number left for another object; {MOST_LABEL:,} is the highest."


def free_label(objects: Objects) -> int:
    """Give the number of the next object.

    Raises
    ------
    UserError
        If there is none left.
    """
    label = objects.free_label()
    if label > MOST_LABEL:
        raise UserError(FULL)
    return label


def empty_mask(shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """Give an empty mask; a large one is a file without content that grows with it.

    Raises
    ------
    MemoryError
        If there is room for it neither in memory nor on disk.
    """
    bytes_needed = np.dtype(np.uint16).itemsize * math.prod(shape)
    if fits_memory(bytes_needed):
        return np.zeros(shape, np.uint16)
    try:
        with tempfile.TemporaryFile() as file:
            return np.memmap(file, np.uint16, "w+", shape=shape)
    except OSError as error:
        raise MemoryError(str(error)) from error


def release(mask: NDArray[Any]) -> None:
    """Let go of what was read of a mask that lies in a file; nothing is lost.

    The pages of a mapped file count as the memory of the process that has looked at
    them, until the system needs them for others. Windows has no word for it.
    """
    if isinstance(mask.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mask.base.madvise(mmap.MADV_DONTNEED)
