"""TIFF files and stacks, through tifffile."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_simpleclick.volumes.image_file import SPELLINGS, ImageFile, is_label_name
from napari_simpleclick.volumes.lazy import Array, LazyArray, Unchanged, fits_memory

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.volumes.source import Source

NAMES = {"T": "time", "C": "channel", "Z": "z", "Y": "y", "X": "x"}

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
        Axes as in the file; colour comes last. Pixel sizes are those that ImageJ or
        OME wrote; without them they are 1. Files over `MEMORY_BYTES` stay on disk and
        are read page by page.

    Raises
    ------
    Exception
        tifffile's own errors if the file is damaged.
    """
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        array = series.asarray() if fits_memory(series.nbytes) else _lazy(path, series)
        axes = series.axes
        sizes, units = _sizes(file, axes)
    if axes.startswith("S") and array.ndim == 3 and array.shape[0] == 3:
        array, axes = np.moveaxis(np.asarray(array), 0, -1), axes[1:] + "S"
        sizes, units = (*sizes[1:], 1.0), (*units[1:], "") if units else ()
    rgb = array.ndim >= 3 and array.shape[-1] == 3
    count = array.ndim - rgb
    return ImageFile(
        array,
        rgb,
        sizes[:count],
        units=units[:count],
        axis_labels=tuple(NAMES.get(name, name.lower()) for name in axes[:count]),
        labels=is_label_name(path),
        path=path,
    )


def shape_of(path: Path) -> tuple[int, ...]:
    """Shape of a TIFF file's image without a colour axis, from its header."""
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        shape = tuple(series.shape)
        return shape[:-1] if len(shape) >= 3 and shape[-1] == 3 else shape


def _lazy(path: Path, series: tifffile.TiffPageSeries) -> Array:
    """Open a series so that pages are read when they are indexed."""
    page_shape = tuple(series.keyframe.shape)
    shape, dtype = tuple(series.shape), np.dtype(series.dtype)
    before = len(shape) - len(page_shape)
    leading = shape[:before]
    paged = shape[before:] == page_shape and math.prod(leading) == len(series.pages)
    offset = series.dataoffset
    stored = dtype.newbyteorder(series.parent.byteorder if series.parent else "=")
    watch = Unchanged(path)

    def page(file: tifffile.TiffFile, number: int) -> NDArray[Any]:
        if not paged:  # ImageJ lists only the first page of more than 4 GB
            size = math.prod(shape[-2:])
            start = (offset or 0) + number * size * dtype.itemsize
            flat = np.fromfile(path, stored, size, offset=start)
            return flat.reshape(shape[-2:]).astype(dtype)
        found = file.series[0].pages[number]
        if found is None:
            return np.zeros(page_shape, dtype)
        return np.asarray(found.asarray())

    if not paged:
        if offset is None:
            raise ValueError("its pages are laid out in a way that cannot be read")
        leading = shape[:-2]

    def read_pages(pieces: tuple[slice, ...]) -> NDArray[Any]:
        watch.check(path)
        outer, inner = pieces[: len(leading)], pieces[len(leading) :]
        numbers = np.arange(math.prod(leading)).reshape(leading)[outer]
        try:
            with tifffile.TiffFile(path) as file:
                parts = [page(file, int(n))[inner] for n in numbers.ravel()]
        except Exception as error:  # tifffile's decoders have their own errors
            raise ValueError(f"'{path}' is damaged or incomplete: {error}.") from error
        return np.asarray(parts, dtype).reshape(*numbers.shape, *_lengths(inner, shape))

    return LazyArray(shape, dtype, read_pages)


def _lengths(pieces: tuple[slice, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of a piece of the last axes."""
    last = shape[len(shape) - len(pieces) :]
    return tuple(len(range(n)[p]) for p, n in zip(pieces, last, strict=True))


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


def write(path: Path, labels: NDArray[Any], source: Source | None) -> None:
    """Write a label map with zlib compression.

    Parameters
    ----------
    path : Path
        Target.
    labels : ndarray
        Integers in the layer's order of axes.
    source : Source or None
        Gives pixel sizes and units of the axes: as ImageJ writes them where it can
        (up to three axes, up to 16 bits), else as OME does. None: no sizes.
    """
    space = min(labels.ndim, 3)
    units = source.units[-space:] if source is not None and labels.ndim <= 5 else ()
    if source is None or not set(units) & set(SPELLINGS):
        tifffile.imwrite(
            path, labels, compression="zlib", photometric="minisblack", metadata=None
        )
        return
    axes, scale = "TCZYX"[-labels.ndim :], source.scale[-space:]
    sized = {  # such as x: 0.5, "um"
        axis: (size, unit)
        for axis, size, unit in zip(axes[-space:], scale, units, strict=True)
        if unit in SPELLINGS
    }
    if labels.ndim <= 3 and labels.dtype in (np.uint8, np.uint16):
        meta: dict[str, object] = {"axes": axes, "unit": units[-1]}
        if "Z" in sized:
            meta["spacing"] = scale[0]
        tifffile.imwrite(
            path,
            labels,
            imagej=True,
            compression="zlib",
            resolution=(1 / scale[-1], 1 / scale[-2]),
            metadata=meta,
        )
        return
    meta = {"axes": axes}
    for axis, (size, unit) in sized.items():
        meta |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": unit}
    tifffile.imwrite(
        path,
        labels,
        ome=True,
        compression="zlib",
        photometric="minisblack",
        metadata=meta,
    )
