"""TIFF files and stacks, through tifffile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import tifffile

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.format import Format
from napari_simpleclick.images.formats.tiff_pages import open_pages
from napari_simpleclick.images.formats.tiff_series import Stack, find_stack
from napari_simpleclick.images.formats.tiff_sizes import find_sizes
from napari_simpleclick.images.formats.tiff_values import (
    JPEG,
    KIND,
    Values,
    find_values,
)
from napari_simpleclick.images.image_file import ImageFile, is_label_name
from napari_simpleclick.images.lazy_array import Array, LazyArray, fits_memory, turn
from napari_simpleclick.images.units import MM

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.images.source import Source

ORDER = "CTZYX"
NAMES = {"S": "channel", "C": "channel", "T": "time", "Z": "z", "Y": "y", "X": "x"}
UPRIGHT = {"inferior": "Z", "posterior": "Y", "left": "X"}
"""Axes of files and of layers that stand upright."""

IMAGEJ_BYTES = 2**31
"""More than that is left to OME; ImageJ's files are no BigTIFF."""

OME_UNITS = {"um": "\N{MICRO SIGN}m", "angstrom": "\N{ANGSTROM SIGN}", "inch": "in"}
"""Units that OME spells in another way."""

Some = TypeVar("Some", str, tuple[int, ...])


def read(path: Path) -> ImageFile:
    """Read a TIFF file: its largest series at full resolution.

    Parameters
    ----------
    path : Path
        TIFF, BigTIFF, ImageJ stack or OME-TIFF.

    Returns
    -------
    ImageFile
        Axes as in the file; colour comes last, without alpha. Pixel sizes are those
        that ImageJ, OME or resolution tags give; without them they are 1. White is the
        largest value, palettes are colours (numbers in label maps), and straight
        calibrations of ImageJ are applied. Files over `MEMORY_BYTES` stay on disk and
        are read page by page.

    Raises
    ------
    Exception
        tifffile's own errors if the file is damaged.
    """
    with tifffile.TiffFile(path) as file:
        stack = find_stack(path, file)
        values = find_values(path, file, stack.first)
        small = fits_memory(stack.nbytes)
        array = stack.read() if small else open_pages(path, stack)
        place = _colour(stack)
        axes = _without(stack.axes, place)
        sizes, units, told = find_sizes(path, file, axes, stack.numbers[0])
        left_out = _unknown_sample(path, stack)
        lossy = stack.first.keyframe.compression in JPEG
    array, indices = values.apply(array), None
    labels = is_label_name(path)
    if place is not None:
        array = _colour_last(array, place)
    elif values.palette is not None and not labels:
        array, indices = values.coloured(array), array
    return ImageFile(
        array,
        array.ndim > len(axes),
        sizes,
        units=units,
        axis_labels=tuple(NAMES.get(name, name.lower()) for name in axes),
        labels=labels,
        path=path,
        warnings=(*stack.warnings, *values.warnings, *told, *left_out),
        indices=indices,
        lossy=lossy,
    )


def header(path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape without a colour axis, and type, without reading the image."""
    with tifffile.TiffFile(path) as file:
        stack = find_stack(path, file)
        values: Values = find_values(path, file, stack.first)
        dtype = values.dtype if values.palette is None else np.dtype(np.uint8)
        return _without(stack.shape, _colour(stack)), dtype


def _colour(stack: Stack) -> int | None:
    """Axis of colours, or of gray and alpha; other samples are channels."""
    place = int(stack.axes.find("S"))
    if place < 0:
        return None
    count, page = stack.shape[place], stack.first.keyframe
    if page.photometric in (KIND.RGB, KIND.YCBCR):
        return place if count in (3, 4) else None
    alpha = count == 2 and tuple(page.extrasamples)[-1:] in ((1,), (2,))
    return place if count == 3 or alpha else None


def _unknown_sample(path: Path, stack: Stack) -> tuple[str, ...]:
    """Say that the fourth of four samples is left out, if it is not opacity."""
    place, page = _colour(stack), stack.first.keyframe
    if place is None or stack.shape[place] != 4 or tuple(page.extrasamples) != (0,):
        return ()
    return (
        f"'{path}' has four samples a pixel; the first three are taken for red, green "
        "and blue, and the fourth is left out.",
    )


def _without(axes: Some, place: int | None) -> Some:
    """Leave out one axis."""
    return axes if place is None else axes[:place] + axes[place + 1 :]


def _colour_last(array: Array, place: int) -> Array:
    """Move the axis of colours to the end; gray and alpha become gray."""
    kept = 3 if array.shape[place] > 2 else 1
    others = tuple(axis for axis in range(array.ndim) if axis != place)
    array = turn(array, (*others, place), (False,) * array.ndim)
    if isinstance(array, np.ndarray):
        array = array[..., :kept]
    else:
        array = LazyArray((*array.shape[:-1], kept), array.dtype, array.read)
    if kept == 3:
        return array
    return turn(array, tuple(range(len(others))), (False,) * len(others))


def write(path: Path, labels: NDArray[Any], source: Source) -> None:
    """Write a label map with zlib compression.

    Parameters
    ----------
    path : Path
        Target.
    labels : ndarray
        Integers in the layer's order of axes; the first of those may be missing.
    source : Source
        Gives the axes, their pixel sizes and one unit for them: as ImageJ writes them
        where it can (up to three axes, up to 16 bits), else as OME does; where rows
        and columns are not the last axes, as tifffile does.

    Raises
    ------
    UserError
        If the shape is not that of the source, or a label has more than 32 bits.
    """
    shape = tuple(source.shape[axis] for axis in source.order)
    if labels.shape != shape[-labels.ndim :]:
        raise UserError(
            f"The labels have the shape {labels.shape}, but the image '{source.path}' "
            f"has {shape}; draw them on a layer of that image."
        )
    if labels.dtype.itemsize > 4:
        raise UserError("TIFF holds labels of up to 32 bits; use .nii.gz.")
    axes = _letters(source.axis_labels[-labels.ndim :], labels.ndim)
    meta: dict[str, object] = {"axes": axes} if axes else {}
    sizes = _one_unit(axes, source)
    units = {unit for _, unit in sizes.values()}
    upright = axes.endswith("YX")
    plain: dict[str, Any] = {"compression": "zlib", "photometric": "minisblack"}
    if not sizes:
        tifffile.imwrite(path, labels, metadata=meta, **plain)
    elif (
        upright
        and {"X", "Y"} <= set(sizes) >= set(axes) & {"Z"}
        and len(units) == 1
        and labels.ndim <= 3
        and labels.dtype in (np.uint8, np.uint16)
        and labels.nbytes < IMAGEJ_BYTES
    ):
        meta["unit"] = units.pop()
        if "Z" in sizes:
            meta["spacing"] = sizes["Z"][0]
        resolution = (1 / sizes["X"][0], 1 / sizes["Y"][0])
        tifffile.imwrite(
            path, labels, imagej=True, resolution=resolution, metadata=meta, **plain
        )
    else:
        for axis, (size, unit) in sizes.items():
            name = OME_UNITS.get(unit, unit)
            meta |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": name}
        tifffile.imwrite(path, labels, ome=upright, metadata=meta, **plain)


def _letters(names: tuple[str, ...], count: int) -> str:
    """Letters of axes, such as ZYX; empty if there are more than TIFF has names for.

    Axes whose names say nothing get the letters that are left, from the last one on.
    """
    if count > len(ORDER):
        return ""
    known = {NAMES[letter]: letter for letter in ORDER} | UPRIGHT
    letters = [known.get(name, "") for name in names] or [""] * count
    left = [letter for letter in ORDER if letter not in letters]
    filled = [letter or left.pop() for letter in reversed(letters)][::-1]
    axes = "".join(filled)
    return axes if len(set(axes)) == count else ORDER[-count:]


def _one_unit(axes: str, source: Source) -> dict[str, tuple[float, str]]:
    """Sizes and units by axis, lengths in the smallest of their units."""
    if not axes:
        return {}
    units = source.units[-len(axes) :] or ("pixel",) * len(axes)
    scale = source.scale[-len(axes) :]
    found = {
        axis: (abs(size), unit if unit in MM else "pixel")
        for axis, size, unit in zip(axes, scale, units, strict=True)
        if axis in "XYZ" and (unit in MM or size != 1)
    }
    lengths = {unit for _, unit in found.values()} & set(MM)
    if len(lengths) < 2:
        return found
    common = min(lengths, key=MM.__getitem__)
    return {
        axis: (float(f"{size * MM[unit] / MM[common]:.12g}"), common)
        if unit in MM
        else (size, unit)
        for axis, (size, unit) in found.items()
    }


def recognises(head: bytes) -> bool:
    """Whether a file begins as TIFF or BigTIFF, of either byte order."""
    return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


FORMAT = Format(
    name="TIFF",
    rank=1,
    suffixes=(".tif", ".tiff"),
    read=lambda path: [read(path)],
    recognises=recognises,
    errors=(Exception,),  # tifffile and its decoders have errors of many kinds
    written=(".tif", ".tiff"),
    write=lambda path, labels, source, _: write(path, labels, source),
    as_shown=True,
)
