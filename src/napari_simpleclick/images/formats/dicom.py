"""DICOM series: one file for each slice of a volume, or all in one, through pydicom."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.format import Format
from napari_simpleclick.images.formats import (
    dicom_segmentation,
    dicom_segments,
    dicom_stack,
    dicom_volume,
)
from napari_simpleclick.images.formats.dicom_file import (
    begins_as_dicom,
    is_dicom,
    read_header,
)
from napari_simpleclick.images.formats.dicom_slice import Slice, frames_of, number
from napari_simpleclick.images.optional_packages import require

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_simpleclick.images.image_file import ImageFile

SUFFIXES = (".dcm", ".dicom", ".ima")
LOOKED_AT = 20
"""Files of every extension that are looked at to find out whether they are DICOM."""

DISC, NAMED = 20_000, 5
"""Files and folders of a disc that are looked at, and those that are named."""

CALLED = ("SeriesNumber", "SeriesDescription", "Modality", "StudyDate")
"""What slices of one series have in common, apart from its UID."""

DIRECTORY = "1.2.840.10008.1.3.10"
"""SOP class of a DICOMDIR, the table of contents of a disc."""


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
        if looked[kind] <= LOOKED_AT and is_dicom(path):
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
        One for each series, in the order of series numbers, and then one for each file
        of several slices. Axes are column, row and slice; values are those of the
        modality (Hounsfield units in CT, grays of a dose). What is left out is a
        warning: copies, scouts and reports in a series, slices that are missing, and
        what cannot be read beside something that can.

    Raises
    ------
    ImportError
        If pydicom is not installed, or highdicom where it is needed.
    UserError
        If there is no image, a file is damaged, or no series can be stacked.
    """
    require("pydicom", "dicom", "read DICOM files")
    series, others = _by_series(paths)
    if not series:
        raise UserError(_no_images(origin, others))
    found: list[ImageFile] = []
    troubles: list[Exception] = []
    scans: list[Exception] = []
    apart: list[list[Slice]] = []
    for slices in series:
        try:
            if dicom_segments.is_segmentation(slices[0].header):
                found += dicom_segments.read(slices, name_of(slices[0].header))
            else:
                found += dicom_volume.read(slices, name_of(slices[0].header), origin)
        except dicom_volume.NoVolume as error:
            apart.append(slices)
            troubles.append(error)
        except (ValueError, ImportError) as error:
            troubles.append(error)
            if not dicom_segments.is_segmentation(slices[0].header):
                scans.append(error)
    if apart and all(file.labels for file in found):
        for slices in apart:
            name = name_of(slices[0].header)
            found += dicom_volume.read(slices, name, origin, apart=True)
        troubles = scans
    if scans and all(file.labels for file in found):
        raise scans[0]  # a mask alone would be taken for the image
    if not found:
        raise troubles[0]
    told = [str(error) for error in troubles]
    if others:
        told.append(_left_out(others))
    found[0] = replace(found[0], warnings=(*found[0].warnings, *told))
    return found


def name_of(header: Any) -> str:
    """Give what to call a series."""
    text = str(header.get("SeriesDescription") or "").replace("/", " ").strip()
    return text or f"series {header.get('SeriesNumber') or 1}"


def _by_series(paths: Sequence[Path]) -> tuple[list[list[Slice]], dict[str, str]]:
    """Slices by series, and names and kinds of the objects that are no images."""
    groups: dict[tuple[str, ...], list[Slice]] = {}
    order: dict[tuple[str, ...], tuple[bool, float]] = {}
    others: dict[str, str] = {}
    for path in sorted(paths):
        header = read_header(path)
        if header is None:
            continue
        if not (header.get("Rows") and header.get("Columns")):
            if _kind(header):
                others[path.name] = _kind(header)
            continue
        framed = _has_frames(header)
        slices = frames_of(path, header) if framed else [Slice.of(path, header)]
        whole = len(slices) > 1 or dicom_segments.is_segmentation(header)
        names = ("SeriesInstanceUID", "SeriesNumber")
        uid = (str(path),) if whole else tuple(str(header.get(n) or "") for n in names)
        groups.setdefault(uid, []).extend(slices)
        order[uid] = whole, number(header, "SeriesNumber", 0)
    series = [groups[uid] for uid in sorted(groups, key=lambda uid: order[uid])]
    return _rejoined(series), others


def _rejoined(series: list[list[Slice]]) -> list[list[Slice]]:
    """Join files to a series that have each been given a UID of their own.

    Some programs that take names out of files do so. Joined are single slices with the
    same number and description, at places of their own.
    """
    alone: dict[tuple[str, ...], list[list[Slice]]] = {}
    for slices in series:
        one = slices[0]
        if len(slices) == 1 and one.frame is None and one.place is not None:
            key = tuple(str(one.header.get(name) or "") for name in CALLED)
            alone.setdefault(key, []).append(slices)
    for parts in alone.values():
        joined = [one for slices in parts for one in slices]
        places = {one.place for one in joined}
        if len(parts) < dicom_stack.FEW or len(places) < len(parts):
            continue
        if len(dicom_stack.split(joined)) == 1:
            series = [slices for slices in series if slices not in parts] + [joined]
    return series


def _has_frames(header: Any) -> bool:
    """Whether a header is that of a segmentation, or of several slices."""
    groups = "PerFrameFunctionalGroupsSequence" in header
    several = number(header, "NumberOfFrames", 1) > 1
    return dicom_segments.is_segmentation(header) or groups or several


def _kind(header: Any) -> str:
    """Say what an object without pixels is; nothing of a disc's table of contents."""
    meta = getattr(header, "file_meta", {})
    uid = header.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID") or ""
    if uid in ("", DIRECTORY):
        return ""
    name = require("pydicom.uid", "dicom", "read DICOM files").UID(uid).name
    return str(name).removesuffix(" Storage")


def _left_out(others: dict[str, str]) -> str:
    listed = [f"'{name}' ({kind})" for name, kind in others.items()]
    more = ", …" if len(listed) > NAMED else ""
    verb = "was" if len(listed) == 1 else "were"
    return f"{', '.join(listed[:NAMED])}{more} {verb} left out: no picture in it."


def _no_images(origin: Path, others: dict[str, str]) -> str:
    """Say that there is nothing to see, and where there may be."""
    kinds = ", ".join(sorted(set(others.values())))
    only = f", only {kinds} without pixels" if kinds else ""
    disc = origin.name.upper() == "DICOMDIR"
    below = _folders_below(origin.parent if disc else origin)
    instead = "another folder" if origin.is_dir() else "another file"
    if below:
        instead = f"one of its folders: {', '.join(below)}"
    return f"'{origin}' holds no DICOM images{only}; choose {instead}."


def _folders_below(origin: Path) -> list[str]:
    """Name some folders that hold DICOM files, as those of a disc with a DICOMDIR."""
    paths = islice(origin.rglob("*"), DISC)
    found = sorted(p for p in paths if p.is_dir() and is_folder_of_dicom(p))
    names = [f"'{path.relative_to(origin)}'" for path in found[:NAMED]]
    return [*names, "…"] if len(found) > NAMED else names


def _read_any(path: Path) -> list[ImageFile]:
    """Read a file, or all of a folder."""
    files = [p for p in path.iterdir() if p.is_file()] if path.is_dir() else [path]
    return read(files, path)


FORMAT = Format(
    name="DICOM",
    rank=4,
    suffixes=SUFFIXES,
    read=_read_any,
    recognises=begins_as_dicom,
    is_folder=is_folder_of_dicom,
    written=(".dcm",),
    write=dicom_segmentation.write,
    of_any_image=False,
)
