"""What the numbers of a TIFF file mean: white is zero, palettes, calibrations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.lazy_array import converted
from napari_simpleclick.images.magnitudes import (
    magnitude,
    magnitude_type,
    magnitude_warning,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.images.lazy_array import Array

KIND = tifffile.PHOTOMETRIC
JPEG = (tifffile.COMPRESSION.JPEG, tifffile.COMPRESSION.OJPEG)
GRAY = (KIND.MINISBLACK, KIND.MINISWHITE, KIND.MASK, KIND.LINEAR_RAW)
STRAIGHT_LINE = 0
"""ImageJ's number of the calibration c0 + c1 v; those from 20 on are none."""


@dataclass(frozen=True)
class Values:
    """How stored numbers become values.

    Parameters
    ----------
    dtype : numpy.dtype
        Of the values.
    convert : callable or None
        Stored numbers to values; None if they are the same.
    palette : ndarray or None
        (colours, 3) uint8 of a file whose numbers stand for colours.
    warnings : tuple of str
        What is odd about the values.
    """

    dtype: np.dtype[Any]
    convert: Callable[[NDArray[Any]], NDArray[Any]] | None = None
    palette: NDArray[np.uint8] | None = None
    warnings: tuple[str, ...] = ()

    def apply(self, array: Array) -> Array:
        """Convert an array, without its palette."""
        return array if self.convert is None else converted(array, self.convert)

    def coloured(self, array: Array) -> Array:
        """Give the colours of numbers, (…, 3) uint8."""
        palette = self.palette
        assert palette is not None
        return converted(array, lambda part: palette[part], colours=3)


def find_values(
    path: Path, file: tifffile.TiffFile, series: tifffile.TiffPageSeries
) -> Values:
    """Find out what the numbers of a series mean.

    Raises
    ------
    UserError
        If its colours are not red, green and blue.
    """
    page = series.keyframe
    stored = np.dtype(series.dtype)
    kind = page.photometric
    compressed = page.compression in JPEG
    if kind == KIND.SEPARATED:
        raise UserError("its colours are those of print (CMYK); save it as RGB")
    if (kind == KIND.YCBCR and not compressed) or kind not in (
        *GRAY,
        *(KIND.RGB, KIND.PALETTE, KIND.YCBCR),
    ):
        name = getattr(kind, "name", kind)
        raise UserError(f"its colours are stored as {name}; save it as RGB")
    if stored.kind == "c":
        told = magnitude_warning(path)
        return Values(magnitude_type(stored), magnitude, None, (told,))
    if kind == KIND.MINISWHITE:
        return _inverted(path, stored, page.bitspersample)
    if kind == KIND.PALETTE and page.colormap is not None and not file.is_imagej:
        colours = np.asarray(page.colormap).T  # 16 bits, but some write 8
        deep = colours.max(initial=0) > 255
        return Values(stored, None, (colours >> 8 * deep).astype(np.uint8))
    return _calibrated(path, stored, file.imagej_metadata or {})


def _inverted(path: Path, stored: np.dtype[Any], bits: int) -> Values:
    """Turn white-is-zero, so that bright is more."""
    if stored.kind == "b":
        return Values(stored, np.logical_not)
    if stored.kind == "f":
        told = (
            f"'{path}' stores white as 0 and has no largest value; its values have the "
            "other sign here, so that bright is more."
        )
        return Values(stored, np.negative, None, (told,))
    if stored.kind == "i":
        return Values(stored, np.invert)  # the lowest becomes the highest
    most = stored.type(2 ** min(int(bits), 8 * stored.itemsize) - 1)
    return Values(stored, lambda part: most - part)


def _calibrated(path: Path, stored: np.dtype[Any], meta: dict[str, Any]) -> Values:
    """Apply the calibration of ImageJ, which is how it stores signed 16 bits."""
    curve = meta.get("cf")
    if curve is None or stored.kind not in "iu" or curve >= 20:
        return Values(stored)
    if curve != STRAIGHT_LINE:
        told = (
            f"'{path}' has a calibration that is no straight line; its values are "
            "those before it."
        )
        return Values(stored, warnings=(told,))
    offset, slope = float(meta.get("c0", 0)), float(meta.get("c1", 1))
    if not (np.isfinite([offset, slope]).all() and slope):
        return Values(stored)
    if offset == -(2**15) and slope == 1 and stored == np.uint16:
        return Values(
            np.dtype(np.int16), lambda part: (part - np.int32(2**15)).astype(np.int16)
        )
    dtype = np.dtype(np.float32 if stored.itemsize < 4 else np.float64)
    return Values(dtype, lambda part: (part * slope + offset).astype(dtype))
