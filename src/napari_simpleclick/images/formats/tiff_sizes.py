"""Pixel sizes of TIFF files, as OME, ImageJ, we and plain files have them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import tifffile

from napari_simpleclick.images.units import MM, known_unit

if TYPE_CHECKING:
    from pathlib import Path

Sizes = tuple[tuple[float, ...], tuple[str, ...], tuple[str, ...]]
"""Sizes and units by axis, and sentences."""

PRINT = (72, 96, 100, 120, 144, 150, 180, 200, 240, 300, 350, 360, 400, 600, 720, 1200)
"""Resolutions in dots per inch that are of a printer or screen, not of the object."""

PER_INCH = {
    tifffile.RESUNIT.INCH: 1.0,
    tifffile.RESUNIT.CENTIMETER: 2.54,
}
LETTERS = "XYZ"


def find_sizes(path: Path, file: tifffile.TiffFile, axes: str, number: int) -> Sizes:
    """Find the pixel sizes of a series.

    Parameters
    ----------
    path : Path
        Named in sentences.
    file : tifffile.TiffFile
        The open file.
    axes : str
        Letters of the axes, without that of colours.
    number : int
        Of the series.

    Returns
    -------
    sizes : tuple of float
        Per axis, 1 where there is none.
    units : tuple of str
        Per axis; empty if there is no size at all.
    warnings : tuple of str
        What is odd about them.
    """
    stored = _stored(file, number)
    stored = {axis: stored[axis] for axis in LETTERS if axis in axes and axis in stored}
    found: dict[str, tuple[float, str]] = {}
    unknown: dict[str, tuple[float, str]] = {}
    warnings = []
    for axis, (value, text) in stored.items():
        size, unit = _size(value), known_unit(text)
        if size < 0:
            warnings.append(
                f"'{path}' has the pixel size {size:g} along {axis}; its minus sign is "
                "ignored."
            )
        if size and unit is None:
            unknown[axis] = abs(size), text
        elif size:
            found[axis] = abs(size), unit or "pixel"
    if unknown:
        names = ", ".join(sorted({f"'{text}'" for _, text in unknown.values()}))
        same = not found and len({text for _, text in unknown.values()}) == 1
        kept = "the ratio of its axes is kept" if same else "they are ignored"
        warnings.append(
            f"'{path}' has pixel sizes in {names}, which is no unit known here; {kept},"
            " and masks in formats of mm take the numbers as mm."
        )
        if same:
            found = {axis: (size, "pixel") for axis, (size, _) in unknown.items()}
    lengths = [found[axis] for axis in found if found[axis][1] in MM]
    if lengths and set(axes) - set("YX") - set("CTS") and "Z" not in found:
        warnings.append(
            f"'{path}' does not say how far apart its slices are; it is taken to be as "
            "far as pixels are wide. Set the scale of the layer if that is wrong."
        )
    elif lengths and "Z" in found and not _spaced(file):
        warnings.append(
            f"'{path}' does not say how far apart its slices are; as in ImageJ it is "
            f"taken to be 1 {found['Z'][1]}."
        )
    if all(pair == (1, "pixel") for pair in found.values()):
        return (1.0,) * len(axes), (), tuple(warnings)
    return (
        tuple(found[axis][0] if axis in found else 1.0 for axis in axes),
        tuple(found[axis][1] if axis in found else "pixel" for axis in axes),
        tuple(warnings),
    )


def _spaced(file: tifffile.TiffFile) -> bool:
    """Whether the distance of slices is in the file."""
    meta = file.imagej_metadata
    return file.is_ome or meta is None or bool(_size(meta.get("spacing")))


def _size(value: object) -> float:
    """Turn a size from a file into a number; 0 if it makes no sense."""
    try:
        size = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return 0.0
    return size if math.isfinite(size) else 0.0


def _stored(file: tifffile.TiffFile, number: int) -> dict[str, tuple[Any, str]]:
    """Size and spelling of the unit by axis, as the file has them."""
    if file.is_ome and file.ome_metadata:
        return _ome(file.ome_metadata, number)
    if file.imagej_metadata is not None:
        return _imagej(file)
    ours = (file.shaped_metadata or ({},))[0]
    if "PhysicalSizeX" in ours:
        return _physical(ours)
    return _printed(file)


def _ome(text: str, number: int) -> dict[str, tuple[Any, str]]:
    images = tifffile.xml2dict(text).get("OME", {}).get("Image", {})
    images = images if isinstance(images, list) else [images]
    return _physical(images[min(number, len(images) - 1)].get("Pixels", {}))


def _physical(meta: dict[str, Any]) -> dict[str, tuple[Any, str]]:
    return {
        axis: (
            meta.get(f"PhysicalSize{axis}"),
            str(meta.get(f"PhysicalSize{axis}Unit", "um")),
        )
        for axis in LETTERS
    }


def _imagej(file: tifffile.TiffFile) -> dict[str, tuple[Any, str]]:
    """Sizes of ImageJ, in which a stack without a spacing has one of 1 unit."""
    meta = file.imagej_metadata or {}
    tags = file.pages.first.tags
    unit = str(meta.get("unit", "")).strip()
    plain = _printed(file) if not unit else {}
    if plain:
        return plain
    found = {
        axis: (_per_pixel(tags.get(f"{axis}Resolution")), unit) for axis in LETTERS[:2]
    }
    spacing = meta.get("spacing")
    if _size(spacing) or _size(found["X"][0]) not in (0, 1):
        found["Z"] = (_size(spacing) or 1.0, unit)
    for axis in LETTERS[1:]:
        if axis in found:
            found[axis] = found[axis][0], str(meta.get(f"{axis.lower()}unit", unit))
    return found


def _per_pixel(tag: Any) -> float:
    over, under = tag.value if tag is not None else (0, 0)
    return under / over if over else 0.0


def _printed(file: tifffile.TiffFile) -> dict[str, tuple[Any, str]]:
    """Sizes of resolution tags, unless they are those of a printer or screen."""
    tags = file.pages.first.tags
    unit = tags.get("ResolutionUnit")
    factor = PER_INCH.get(unit.value) if unit is not None else None
    found = {axis: _per_pixel(tags.get(f"{axis}Resolution")) for axis in LETTERS[:2]}
    if factor is None or not all(found.values()):
        return {}
    dots = [factor / size for size in found.values()]
    if all(min(abs(dot - usual) for usual in (*PRINT, factor)) < 0.5 for dot in dots):
        return {}
    return {axis: (25.4e3 * size / factor, "um") for axis, size in found.items()}
