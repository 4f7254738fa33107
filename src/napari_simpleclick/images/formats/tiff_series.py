"""Which pages of a TIFF file are the image, and what of it is left out."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    import tifffile
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Stack:
    """The series of a file that are its image.

    Parameters
    ----------
    series : tuple of tifffile.TiffPageSeries
        One, or several of the same shape and type, which are slices of a stack.
    numbers : tuple of int
        Their places among the series of the file.
    warnings : tuple of str
        What of the file is left out.
    """

    series: tuple[tifffile.TiffPageSeries, ...]
    numbers: tuple[int, ...]
    warnings: tuple[str, ...] = ()

    @property
    def first(self) -> tifffile.TiffPageSeries:
        """The only series, or the first slice."""
        return self.series[0]

    @property
    def axes(self) -> str:
        """Letters of the axes; Q are slices without a name."""
        return ("Q" if len(self.series) > 1 else "") + str(self.first.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        count = len(self.series)
        return ((count,) if count > 1 else ()) + tuple(self.first.shape)

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return len(self.series) * int(self.first.nbytes)

    def read(self) -> NDArray[np.generic]:
        """Read everything."""
        if len(self.series) == 1:
            return np.asarray(self.first.asarray())
        return np.stack([series.asarray() for series in self.series])


def find_stack(path: Path, file: tifffile.TiffFile) -> Stack:
    """Find the image of a file.

    Pages that were written one by one are a stack, if they are alike. Otherwise the
    largest series is the image (thumbnails, labels of slides and smaller copies are
    not), and of several that are as large the first.

    Parameters
    ----------
    path : Path
        Named in warnings.
    file : tifffile.TiffFile
        The open file.

    Raises
    ------
    UserError
        If it has no page.
    """
    if not len(file.pages):
        raise UserError("it has no page; copy it again")
    found = list(file.series)
    damage = _incomplete(path, file, found)
    flat = [one for one in found if one.kind != "ome" and len(one) == 1]
    if len(flat) == len(found) > 1 and len({_look(one) for one in found}) == 1:
        return Stack(tuple(found), tuple(range(len(found))), damage)
    number = max(range(len(found)), key=lambda index: found[index].size)
    chosen, rest = found[number], found[:number] + found[number + 1 :]
    return Stack((chosen,), (number,), damage + _left_out(path, chosen, rest))


def _look(series: tifffile.TiffPageSeries) -> tuple[object, ...]:
    """Give what pages must have in common to be slices of a stack."""
    page = series.keyframe
    return series.shape, series.dtype, series.axes, page.photometric, page.bitspersample


def _left_out(
    path: Path,
    chosen: tifffile.TiffPageSeries,
    rest: list[tifffile.TiffPageSeries],
) -> tuple[str, ...]:
    if not rest:
        return ()
    listed = ", ".join(_described(one) for one in rest[:5])
    more = f" and {len(rest) - 5} more" if len(rest) > 5 else ""
    return (
        f"'{path}' holds {len(rest) + 1} images; the one of {_described(chosen)} is "
        f"open, and left out are {listed}{more}. Save those to files of their own to "
        "open them.",
    )


def _described(series: tifffile.TiffPageSeries) -> str:
    size = " x ".join(map(str, series.shape))
    return f"{size} '{series.name}'" if series.name else size


def _incomplete(
    path: Path, file: tifffile.TiffFile, found: list[tifffile.TiffPageSeries]
) -> tuple[str, ...]:
    """Say if pages are missing that the file promises."""
    absent = sum(page is None for series in found for page in series.pages)
    if absent:
        return (
            f"{absent} of the pages of '{path}' are in other files that are not there; "
            "they are shown as 0. Put all files of the image into one folder.",
        )
    promised = int((file.imagej_metadata or {}).get("images", 1))
    shown = sum(int(np.prod(series.shape[:-2])) or 1 for series in found)
    if _next_page(file) or promised > shown:
        return (
            f"'{path}' is incomplete: pages after the first {shown} cannot be read. "
            "Copy the file again.",
        )
    return ()


def _next_page(file: tifffile.TiffFile) -> int:
    """Offset of the page after the last one that can be read; 0 if there is none."""
    tiff, handle = file.tiff, file.filehandle
    handle.seek(file.pages[-1].offset)
    count = struct.unpack(tiff.tagnoformat, handle.read(tiff.tagnosize))[0]
    handle.seek(count * tiff.tagsize, 1)
    raw = handle.read(tiff.offsetsize)
    whole = len(raw) == tiff.offsetsize
    return int(struct.unpack(tiff.offsetformat, raw)[0]) if whole else 0
