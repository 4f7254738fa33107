"""TIFF series that stay on disk and are read page by page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.error_text import reason
from napari_simpleclick.images.lazy_array import LazyArray, Unchanged

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.images.formats.tiff_series import Stack


def open_pages(path: Path, stack: Stack) -> LazyArray:
    """Open a stack so that pages are read when they are indexed.

    Parameters
    ----------
    path : Path
        Its file.
    stack : Stack
        Of the file.

    Returns
    -------
    LazyArray
        As the stack is, axis by axis.

    Raises
    ------
    UserError
        If its pages are neither one after the other nor listed.
    """
    series = stack.first
    page_shape = tuple(series.keyframe.shape)
    shape, dtype = stack.shape, np.dtype(series.dtype)
    before = len(shape) - len(page_shape)
    leading = shape[:before]
    pages = sum(len(one.pages) for one in stack.series)
    paged = shape[before:] == page_shape and math.prod(leading) == pages
    offset = series.dataoffset
    stored = dtype.newbyteorder(series.parent.byteorder if series.parent else "=")
    watch = Unchanged(path)

    def page(file: tifffile.TiffFile, number: int) -> NDArray[Any]:
        if not paged:  # ImageJ lists only the first page of more than 4 GB
            size = math.prod(shape[-2:])
            start = (offset or 0) + number * size * dtype.itemsize
            flat = np.fromfile(path, stored, size, offset=start)
            return flat.reshape(shape[-2:]).astype(dtype)
        many = len(stack.numbers) > 1
        place = stack.numbers[number if many else 0]
        found = file.series[place].pages[0 if many else number]
        if found is None:
            return np.zeros(page_shape, dtype)
        return np.asarray(found.asarray())

    if not paged:
        if offset is None:
            raise UserError("its pages are laid out in a way that cannot be read")
        leading = shape[:-2]

    def read_pages(pieces: tuple[slice, ...]) -> NDArray[Any]:
        watch.check(path)
        outer, inner = pieces[: len(leading)], pieces[len(leading) :]
        numbers = np.arange(math.prod(leading)).reshape(leading)[outer]
        try:
            with tifffile.TiffFile(path) as file:
                parts = [page(file, int(n))[inner] for n in numbers.ravel()]
        except Exception as error:  # tifffile's decoders have their own errors
            raise UserError(
                f"'{path}' is damaged or incomplete: {reason(error)}."
            ) from error
        return np.asarray(parts, dtype).reshape(*numbers.shape, *_lengths(inner, shape))

    return LazyArray(shape, dtype, read_pages)


def _lengths(pieces: tuple[slice, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of a piece of the last axes."""
    last = shape[len(shape) - len(pieces) :]
    return tuple(len(range(n)[p]) for p, n in zip(pieces, last, strict=True))
