"""DICOM series: one file for each slice of a volume, through pydicom."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.error_text import reason
from napari_simpleclick.images.formats import dicom_frames
from napari_simpleclick.images.formats.dicom_slice import Slice, number, read_values
from napari_simpleclick.images.image_file import FLIP, ImageFile
from napari_simpleclick.images.optional_packages import require

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    from numpy.typing import NDArray

SUFFIXES = (".dcm", ".dicom", ".ima")
LOOKED_AT = 20
"""Files of every extension that are looked at to find out whether they are DICOM."""

DISC, NAMED = 20_000, 5
"""Files and folders of a disc that are looked at, and folders that are named."""

TOLERANCE = 0.1
"""Part of the slice distance by which positions may be off."""


def is_folder_of_dicom(folder: Path) -> bool:
    """Whether a folder has DICOM files, by their names or by their first bytes."""
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        return False
    if any(path.suffix.lower() in SUFFIXES and path.is_file() for path in paths):
        return True
    looked: Counter[str] = Counter()
    for path in paths:
        kind = re.sub(r"\d+", "#", path.suffix)  # UIDs as names end in .1, .2, …
        looked[kind] += 1
        if looked[kind] <= LOOKED_AT and _is_dicom(path):
            return True
    return False


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
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
        One for each series, in the order of series numbers, and then one for each file
        of several slices (see `dicom_frames`). Axes are column, row and slice; values
        are those of the modality (Hounsfield units in CT). Slices that are missing are
        a warning, and so is what cannot be read beside something that can.

    Raises
    ------
    ImportError
        If pydicom is not installed, or highdicom where it is needed.
    UserError
        If there is no image, a file is damaged, or no series can be stacked.
    """
    pydicom = require("pydicom", "dicom", "read DICOM files")
    found: list[ImageFile] = []
    troubles: list[Exception] = []
    scans: list[Exception] = []
    for slices in _by_series(pydicom, paths, origin):
        path, header = slices[0].path, slices[0].header
        try:
            if dicom_frames.has_frames(header):
                found.append(dicom_frames.read(path, header, _name(header)))
            else:
                found.append(_volume(pydicom, slices, origin))
        except (ValueError, ImportError) as error:
            troubles.append(error)
            scans += [] if dicom_frames.is_segmentation(header) else [error]
    if scans and all(file.labels for file in found):
        raise scans[0]  # a mask alone would be taken for the image
    if not found:
        raise troubles[0]
    if troubles:
        told = (str(error) for error in troubles)
        found[0] = replace(found[0], warnings=(*found[0].warnings, *told))
    return found


def _by_series(
    pydicom: ModuleType, paths: Sequence[Path], origin: Path
) -> list[list[Slice]]:
    """Headers of the images, grouped by series; at least one."""
    groups: dict[str, list[Slice]] = {}
    order: dict[str, tuple[bool, float]] = {}
    for path in sorted(paths):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True)
        except pydicom.errors.InvalidDicomError:
            continue
        except Exception as error:  # a damaged header gives any error
            raise UserError(f"'{path}' cannot be read: {reason(error)}.") from error
        if header.get("Rows") and header.get("Columns"):
            frames = dicom_frames.has_frames(header)
            uid = str(path if frames else header.get("SeriesInstanceUID", ""))
            groups.setdefault(uid, []).append(Slice.of(path, header))
            order[uid] = frames, number(header, "SeriesNumber", 0)
    if not groups:
        below = _folders_below(origin)
        instead = (
            f"one of its folders: {', '.join(below)}" if below else "another folder"
        )
        raise UserError(f"'{origin}' holds no DICOM images; choose {instead}.")
    return [groups[uid] for uid in sorted(groups, key=lambda uid: order[uid])]


def _folders_below(origin: Path) -> list[str]:
    """Name some folders that hold DICOM files, as those of a disc with a DICOMDIR."""
    if not origin.is_dir():
        return []
    paths = islice(origin.rglob("*"), DISC)
    found = sorted(p for p in paths if p.is_dir() and is_folder_of_dicom(p))
    names = [f"'{path.relative_to(origin)}'" for path in found[:NAMED]]
    return [*names, "…"] if len(found) > NAMED else names


def _volume(pydicom: ModuleType, slices: list[Slice], origin: Path) -> ImageFile:
    """Stack a series."""
    name = _name(slices[0].header)
    which = f"'{name}' in '{origin}'"
    warnings: tuple[str, ...] = ()
    _check(slices, which)
    pixel = slices[0].pixel or (1.0, 1.0)
    if slices[0].pixel is None:
        warnings += (f"{which} has no valid pixel size; it is shown with 1 mm.",)
    places = [s.place for s in slices if s.place is not None]
    if len(places) == len(slices):
        order = np.argsort(places, kind="stable")
        slices = [slices[i] for i in order]
        step, odd = _step(slices, np.array(places)[order], which)
        affine = _affine(slices, pixel, step)
        warnings += odd
    else:
        slices = sorted(slices, key=lambda s: s.number)
        step, affine = 1.0, np.diag([-pixel[1], -pixel[0], -1.0, 1.0])
        if len(slices) > 1 or slices[0].header.get("ImageOrientationPatient"):
            warnings += (
                f"{which} does not say where all its slices lie; they are in the order "
                "of their numbers, 1 mm apart.",
            )
    array = _stack(pydicom, slices)
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


def _check(slices: list[Slice], which: str) -> None:
    """Refuse what cannot be one volume."""
    headers = [s.header for s in slices]
    sizes = sorted({(int(h.Columns), int(h.Rows)) for h in headers})
    if len(sizes) > 1:
        listed = " and ".join(f"{w} x {h}" for w, h in sizes)
        raise UserError(
            f"{which} has slices of different sizes ({listed} pixels); put those of "
            "one size into a folder of their own."
        )
    pixels = np.array([s.pixel or (1.0, 1.0) for s in slices])
    odd = np.abs(pixels - pixels[0]).max(axis=1) > 1e-3 * pixels[0].min()
    if odd.any():
        one, other = (f"{p[0]:g} x {p[1]:g}" for p in (pixels[0], pixels[odd][0]))
        raise UserError(
            f"{which} has slices of different pixel sizes ({one} and {other} mm); put "
            "those of one size into a folder of their own."
        )
    directions = [s.directions for s in slices if s.place is not None]
    if directions and np.abs(np.array(directions) - directions[0]).max() > 1e-3:
        raise UserError(
            f"{which} has slices in different directions, as a localizer has; they "
            "make no volume."
        )


def _step(
    slices: list[Slice], places: NDArray[np.float64], which: str
) -> tuple[float, tuple[str, ...]]:
    """Distance of the slices in mm, and warnings where it is not the same."""
    if len(places) == 1:
        thickness = number(slices[0].header, "SliceThickness", 1)
        return thickness if thickness > 0 else 1.0, ()
    gaps = np.diff(places)
    usual = np.quantile(gaps, 0.75, method="lower")  # pairs are half of the gaps
    if gaps.min() < max(1e-3, TOLERANCE * usual):
        raise UserError(
            f"{which} has several slices at the same position, or nearly so (times, "
            "echoes or copies), which cannot be stacked; put those of one time into a "
            "folder of their own."
        )
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


def _affine(
    slices: list[Slice], pixel: tuple[float, float], step: float
) -> NDArray[np.float64]:
    """(4, 4) from column, row, slice to mm; sheared if the gantry was tilted."""
    along_row, along_column = np.array(slices[0].directions)
    first, last = (np.array(s.position) for s in (slices[0], slices[-1]))
    normal = np.cross(along_row, along_column)
    across = normal if len(slices) == 1 else (last - first) / (normal @ (last - first))
    affine = np.eye(4)
    affine[:3, 0] = along_row * pixel[1]
    affine[:3, 1] = along_column * pixel[0]
    affine[:3, 2] = across * step
    affine[:3, 3] = first
    return FLIP @ affine


def _stack(pydicom: ModuleType, slices: list[Slice]) -> NDArray[Any]:
    """(columns, rows, slices) values of a series, with a colour axis if it has one."""
    first = read_values(pydicom, slices[0].path)
    array = np.empty((len(slices), *first.shape), first.dtype)
    for i, one in enumerate(slices):
        plane = read_values(pydicom, one.path) if i else first
        if plane.shape != first.shape:
            raise UserError(
                f"'{one.path}' is not as '{slices[0].path.name}': one is in colour."
            )
        array = array.astype(np.result_type(array, plane), copy=False)
        array[i] = plane
    return array.transpose(2, 1, 0, *range(3, array.ndim))
