"""DICOM series: one file for each slice of a volume, through pydicom."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.volumes.image_file import FLIP, ImageFile
from napari_simpleclick.volumes.optional import require

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    from numpy.typing import NDArray

SUFFIXES = (".dcm", ".dicom", ".ima")
LOOKED_AT = 20
"""Files of a folder that are looked at to find out whether it is one of DICOM."""

TOLERANCE = 0.1
"""Part of the slice distance by which positions may be off."""


@dataclass(frozen=True)
class _Slice:
    """A file of a series: its header, and its place along the normal in mm."""

    path: Path
    header: Any
    place: float


def is_folder_of_dicom(folder: Path) -> bool:
    """Whether one of the first files of a folder is a DICOM file."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file())
    for path, _ in zip(files, range(LOOKED_AT), strict=False):
        if path.suffix.lower() in SUFFIXES:
            return True
        with suppress(OSError), path.open("rb") as file:
            if file.read(132)[128:] == b"DICM":
                return True
    return False


def read(paths: Sequence[Path], origin: Path) -> list[ImageFile]:
    """Read the series that a number of files belong to.

    Parameters
    ----------
    paths : sequence of Path
        Files in any order; those that are no DICOM images are left out.
    origin : Path
        The folder or file that was opened, for messages.

    Returns
    -------
    list of ImageFile
        One for each series, in the order of series numbers. Axes are column, row and
        slice; values are those of the modality (Hounsfield units in CT). Slices that
        are missing are a warning, and so is a series that cannot be stacked beside
        one that can.

    Raises
    ------
    ImportError
        If pydicom is not installed.
    ValueError
        If there is no image, a file is damaged, or no series can be stacked.
    """
    pydicom = require("pydicom", "dicom", "read DICOM files")
    series = _by_series(pydicom, paths)
    if not series:
        raise ValueError(f"'{origin}' holds no DICOM images; choose another folder.")
    found, troubles = [], []
    for slices in series:
        try:
            found.append(_volume(pydicom, slices, origin))
        except ValueError as error:
            troubles.append(str(error))
    if not found:
        raise ValueError(troubles[0])
    if troubles:
        found[0] = replace(found[0], warnings=(*found[0].warnings, *troubles))
    return found


def _by_series(pydicom: ModuleType, paths: Sequence[Path]) -> list[list[_Slice]]:
    """Headers of the images, grouped by series."""
    groups: dict[str, list[_Slice]] = {}
    numbers: dict[str, int] = {}
    for path in sorted(paths):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True)
        except pydicom.errors.InvalidDicomError:
            continue
        if "Rows" not in header:
            continue
        uid = str(header.get("SeriesInstanceUID", ""))
        groups.setdefault(uid, []).append(_Slice(path, header, _place(header)))
        numbers[uid] = int(header.get("SeriesNumber") or 0)
    return [groups[uid] for uid in sorted(groups, key=lambda uid: numbers[uid])]


def _place(header: Any) -> float:
    """Place of a slice along its normal, mm; its number if it has no position."""
    if not _is_placed(header):
        return float(header.get("InstanceNumber") or 0)
    normal = np.cross(*_directions(header))
    return float(normal @ np.array(header.ImagePositionPatient, float))


def _is_placed(header: Any) -> bool:
    return bool(
        header.get("ImagePositionPatient") and header.get("ImageOrientationPatient")
    )


def _directions(header: Any) -> NDArray[np.float64]:
    """(2, 3) unit vectors along a row and along a column."""
    return np.reshape(np.array(header.ImageOrientationPatient, float), (2, 3))


def _volume(pydicom: ModuleType, slices: list[_Slice], origin: Path) -> ImageFile:
    """Stack a series."""
    slices = sorted(slices, key=lambda s: s.place)
    headers = [s.header for s in slices]
    name = _name(headers[0])
    _check(slices, f"'{name}' in '{origin}'")
    pixel = [float(x) for x in headers[0].get("PixelSpacing") or (1, 1)]
    if all(map(_is_placed, headers)):
        step, warnings = _step(slices, f"'{name}' in '{origin}'")
        affine = _affine(headers, pixel, step)
    else:
        step = 1.0
        affine = np.diag([-pixel[1], -pixel[0], -step, 1.0])
        warnings = (
            f"'{name}' in '{origin}' does not say where its slices lie; they are in "
            "the order of their numbers, 1 mm apart.",
        ) * (len(headers) > 1)
    pixels = [_values(pydicom, s.path) for s in slices]
    array = np.stack([plane.swapaxes(0, 1) for plane in pixels], axis=2)
    return ImageFile(
        array,
        array.ndim == 4,
        (pixel[1], pixel[0], step),
        affine,
        ("mm",) * 3,
        ("x", "y", "z"),
        path=origin,
        name=name,
        files=tuple(s.path for s in slices),
        warnings=warnings,
    )


def _name(header: Any) -> str:
    text = str(header.get("SeriesDescription") or "").replace("/", " ").strip()
    return text or f"series {header.get('SeriesNumber') or 1}"


def _check(slices: list[_Slice], which: str) -> None:
    """Refuse what cannot be one volume."""
    headers = [s.header for s in slices]
    if any(int(h.get("NumberOfFrames") or 1) > 1 for h in headers):
        raise ValueError(
            f"{which} has several slices in one file (enhanced DICOM), which cannot be "
            "read; convert it to NIfTI first, for instance with dcm2niix."
        )
    sizes = sorted({(int(h.Columns), int(h.Rows)) for h in headers})
    if len(sizes) > 1:
        listed = " and ".join(f"{w} x {h}" for w, h in sizes)
        raise ValueError(
            f"{which} has slices of different sizes ({listed} pixels); put those of "
            "one size into a folder of their own."
        )
    if not all(map(_is_placed, headers)):
        return
    directions = np.array([_directions(h) for h in headers])
    if np.abs(directions - directions[0]).max() > 1e-3:
        raise ValueError(
            f"{which} has slices in different directions, as a localizer has; they "
            "make no volume."
        )
    places = np.array([s.place for s in slices])
    if len(places) > 1 and np.diff(places).min() < 1e-3:
        raise ValueError(
            f"{which} has several slices at the same position (times, echoes or "
            "copies), which cannot be stacked; put those of one time into a folder of "
            "their own."
        )


def _step(slices: list[_Slice], which: str) -> tuple[float, tuple[str, ...]]:
    """Distance of the slices in mm, and warnings where it is not the same."""
    places = np.array([s.place for s in slices])
    if len(places) == 1:
        return float(slices[0].header.get("SliceThickness") or 1), ()
    gaps = np.diff(places)
    step = float(np.median(gaps))
    if 0.4 * step < gaps.min() < (1 - TOLERANCE) * step:  # most gaps lack a slice
        step = float(gaps.min())
    steps = np.rint(gaps / step)
    if np.abs(gaps - steps * step).max() > TOLERANCE * step:
        return float(gaps.mean()), (
            f"{which} has slices at uneven distances, {gaps.min():.4g} to "
            f"{gaps.max():.4g} mm; they are shown as if they were even.",
        )
    missing = [
        f"{place + step * number:.4g}"
        for place, count in zip(places, steps, strict=False)
        for number in range(1, int(count))
    ]
    if not missing:
        return float(gaps.mean()), ()
    listed = ", ".join(missing[:10]) + (", …" if len(missing) > 10 else "")
    return step, (
        f"{which} lacks {len(missing)} slices, at {listed} mm along the series; the "
        "others are stacked without a gap, so lengths across it are too short.",
    )


def _affine(headers: list[Any], pixel: list[float], step: float) -> NDArray[np.float64]:
    """(4, 4) from column, row, slice to mm; sheared if the gantry was tilted."""
    along_row, along_column = _directions(headers[0])
    first, last = (
        np.array(h.ImagePositionPatient, float) for h in (headers[0], headers[-1])
    )
    normal = np.cross(along_row, along_column)
    across = normal if len(headers) == 1 else (last - first) / (normal @ (last - first))
    affine = np.eye(4)
    affine[:3, 0] = along_row * pixel[1]
    affine[:3, 1] = along_column * pixel[0]
    affine[:3, 2] = across * step
    affine[:3, 3] = first
    return FLIP @ affine


def _values(pydicom: ModuleType, path: Path) -> NDArray[Any]:
    """Pixels of a slice in the units of its modality."""
    try:
        data = pydicom.dcmread(path)
        pixels = np.asarray(data.pixel_array)
    except Exception as error:  # each decoder has its own errors
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"'{path}' cannot be read: {reason}") from error
    slope = float(data.get("RescaleSlope", 1))
    intercept = float(data.get("RescaleIntercept", 0))
    if (slope, intercept) == (1, 0):
        return pixels
    values = pixels * slope + intercept
    if slope.is_integer() and intercept.is_integer():
        whole = np.int16 if np.abs(values).max() < 2**15 else np.int32
        return values.astype(whole)
    return values.astype(np.float32)
