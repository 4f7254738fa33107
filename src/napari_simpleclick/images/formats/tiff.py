"""TIFF files and stacks, through tifffile."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import tifffile

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.formats.tiff_pages import open_pages
from napari_simpleclick.images.image_file import (
    MM,
    SPELLINGS,
    ImageFile,
    is_label_name,
)
from napari_simpleclick.images.lazy_array import Array, LazyArray, fits_memory, turn

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

Some = TypeVar("Some", str, tuple[int, ...])

PLAIN = {**SPELLINGS, "": "pixel", "pixel": "pixel", "pixels": "pixel"}
"""Units that files have, and ours; sizes in others (inch) say nothing."""


def read(path: Path) -> ImageFile:
    """Read a TIFF file: its first series at full resolution.

    Parameters
    ----------
    path : Path
        TIFF, BigTIFF, ImageJ stack or OME-TIFF.

    Returns
    -------
    ImageFile
        Axes as in the file; colour comes last, without alpha. Pixel sizes are those
        that ImageJ or OME wrote; without them they are 1. Files over `MEMORY_BYTES`
        stay on disk and are read page by page.

    Raises
    ------
    Exception
        tifffile's own errors if the file is damaged.
    """
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        if series.keyframe.photometric == tifffile.PHOTOMETRIC.SEPARATED:
            raise UserError("its colours are those of print (CMYK); save it as RGB")
        array = (
            series.asarray() if fits_memory(series.nbytes) else open_pages(path, series)
        )
        place = _colour(series)
        axes = _without(series.axes, place)
        sizes, units = _sizes(file, axes)
    if place is not None:
        array = _colour_last(array, place)
    return ImageFile(
        array,
        array.ndim > len(axes),
        sizes,
        units=units,
        axis_labels=tuple(NAMES.get(name, name.lower()) for name in axes),
        labels=is_label_name(path),
        path=path,
    )


def header(path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape without a colour axis, and type, without reading the image."""
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        return _without(tuple(series.shape), _colour(series)), np.dtype(series.dtype)


def _colour(series: tifffile.TiffPageSeries) -> int | None:
    """Axis of colours, or of gray and alpha; more samples are channels."""
    place = int(series.axes.find("S"))
    return place if place >= 0 and series.shape[place] <= 4 else None


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


def _sizes(
    file: tifffile.TiffFile, axes: str
) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Pixel sizes and units per axis; 1 and no units if the file has none."""
    found: dict[str, float] = {}
    unit: dict[str, str] = {}
    if file.is_ome and file.ome_metadata:
        image = tifffile.xml2dict(file.ome_metadata).get("OME", {}).get("Image", {})
        pixels = (image[0] if isinstance(image, list) else image).get("Pixels", {})
        for axis in "XYZ":
            found[axis] = _positive(pixels.get(f"PhysicalSize{axis}"))
            unit[axis] = pixels.get(f"PhysicalSize{axis}Unit", "um")
    elif file.imagej_metadata is not None:
        meta, tags = file.imagej_metadata, file.pages.first.tags
        for axis in "XY":
            tag = tags.get(f"{axis}Resolution")
            over, under = tag.value if tag is not None else (0, 0)
            found[axis] = _positive(under / over if over else 0)
        found["Z"] = _positive(meta.get("spacing"))
        unit = dict.fromkeys("XYZ", str(meta.get("unit", "")))
    known = {
        axis: PLAIN[unit[axis].lower()]
        for axis, size in found.items()
        if size and unit[axis].lower() in PLAIN
    }
    if all(found[axis] == 1 and name == "pixel" for axis, name in known.items()):
        return (1.0,) * len(axes), ()
    sizes = tuple(found[axis] if axis in known else 1.0 for axis in axes)
    return sizes, tuple(known.get(axis, "pixel") for axis in axes)


def _positive(value: object) -> float:
    """Turn a size from a file into a number; 0 if it makes no sense."""
    try:
        size = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0.0
    return size if math.isfinite(size) and size > 0 else 0.0


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
        where it can (up to three axes, up to 16 bits), else as OME does.

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
    plain: dict[str, Any] = {"compression": "zlib", "photometric": "minisblack"}
    if not sizes:
        tifffile.imwrite(path, labels, metadata=meta, **plain)
    elif (
        {"X", "Y"} <= set(sizes)
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
            meta |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": unit}
        tifffile.imwrite(path, labels, ome=True, metadata=meta, **plain)


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
    valid = axes.endswith("YX") and len(set(axes)) == count
    return axes if valid else ORDER[-count:]


def _one_unit(axes: str, source: Source) -> dict[str, tuple[float, str]]:
    """Sizes and units by axis, lengths in the smallest of their units."""
    if not axes:
        return {}
    units = source.units[-len(axes) :] or ("pixel",) * len(axes)
    scale = source.scale[-len(axes) :]
    found = {
        axis: (abs(size), SPELLINGS.get(unit, "pixel"))
        for axis, size, unit in zip(axes, scale, units, strict=True)
        if axis in "XYZ" and (unit in SPELLINGS or size != 1)
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
