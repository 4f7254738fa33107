"""One file of a DICOM series: what its header says, and its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.error_text import reason

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from numpy.typing import NDArray

DECODERS = "pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"


@dataclass(frozen=True)
class Slice:
    """A slice; what its header lacks, or what makes no sense there, is None.

    Parameters
    ----------
    path : Path
        The file.
    header : pydicom.Dataset
        All of it but the pixels.
    pixel : tuple of float or None
        Distances of rows and of columns, mm.
    directions : ndarray or None
        (2, 3) unit vectors along a row and along a column.
    position : ndarray or None
        Centre of the first pixel, mm.
    number : float
        Its number in the series; 0 without one.
    """

    path: Path
    header: Any
    pixel: tuple[float, float] | None
    directions: NDArray[np.float64] | None
    position: NDArray[np.float64] | None
    number: float

    @classmethod
    def of(cls, path: Path, header: Any) -> Slice:
        """Take from a header what is valid."""
        pixel = numbers(header, "PixelSpacing", 2)
        along = numbers(header, "ImageOrientationPatient", 6)
        if along is not None:
            along = along.reshape(2, 3)
            area = np.linalg.norm(np.cross(*along))
            along = along if 0.9 < area < 1.1 else None
        return cls(
            path,
            header,
            (pixel[0], pixel[1]) if pixel is not None and pixel.min() > 0 else None,
            along,
            numbers(header, "ImagePositionPatient", 3),
            number(header, "InstanceNumber", 0),
        )

    @property
    def place(self) -> float | None:
        """Place along the normal of the slice, mm."""
        if self.directions is None or self.position is None:
            return None
        return float(np.cross(*self.directions) @ self.position)


def numbers(header: Any, name: str, count: int) -> NDArray[np.float64] | None:
    """Give an element's finite numbers; None if it has not ``count`` of them."""
    try:
        values = np.array(np.ravel(header.get(name)), float)
    except (TypeError, ValueError):
        return None
    return values if values.size == count and np.isfinite(values).all() else None


def number(header: Any, name: str, default: float) -> float:
    """Give an element's number, or ``default`` if there is none."""
    found = numbers(header, name, 1)
    return default if found is None else float(found[0])


def read_values(pydicom: ModuleType, path: Path) -> NDArray[Any]:
    """Read a slice in the units of its modality; more is brighter.

    Raises
    ------
    UserError
        If the file is damaged, or there is no decoder for it.
    """
    try:
        data = pydicom.dcmread(path)
        pixels = np.asarray(data.pixel_array)
    except Exception as error:  # each decoder has its own errors
        if "missing dependencies" in str(error):
            raise UserError(
                f"'{path}' is compressed ({data.file_meta.TransferSyntaxUID.name}), "
                f"and nothing here can decode it; pip install {DECODERS}"
            ) from error
        raise UserError(f"'{path}' cannot be read: {reason(error)}.") from error
    if data.get("PhotometricInterpretation") == "MONOCHROME1":
        unsigned = pixels.dtype.kind == "u"
        pixels = (2 ** int(data.BitsStored) - 1 if unsigned else -1) - pixels
    slope = number(data, "RescaleSlope", 1)
    intercept = number(data, "RescaleIntercept", 0)
    if (slope, intercept) == (1, 0):
        return pixels
    values = pixels * slope + intercept
    if slope.is_integer() and intercept.is_integer():
        whole = np.int16 if np.abs(values).max() < 2**15 else np.int32
        return values.astype(whole)
    return values.astype(np.float32)
