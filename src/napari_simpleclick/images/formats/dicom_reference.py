"""What a DICOM object that refers to a series takes over from its slices."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.formats.dicom_file import read_header
from napari_simpleclick.images.formats.dicom_slice import Slice, frames_of
from napari_simpleclick.images.oblique import upright_sizes
from napari_simpleclick.images.optional_packages import require

if TYPE_CHECKING:
    from napari_simpleclick.images.source import Source

TASK = "write DICOM files"

MAY_BE_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "PositionReferenceIndicator",
)
"""What is taken from a series, and what may be empty (type 2)."""

KINDS = (("Date", "DA"), ("Time", "TM"))
SEXES = ("M", "F", "O", "")
"""What these elements may hold (PS3.5, 6.2, and PS3.3, C.7.1.1)."""

PLACE = (
    "PixelSpacing",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "SOPInstanceUID",
)
"""What every slice must say, for a mask to lie on it and refer to it."""


def _valid(name: str, value: Any) -> Any:
    """Give an element as the standard has it: without separators, or else empty."""
    valuerep = require("pydicom.valuerep", "dicom", TASK)
    if name == "PatientSex":
        return value if value in SEXES else ""
    kind = next((k for end, k in KINDS if name.endswith(end)), None)
    if kind is None:
        return value
    digits = re.sub(r"\D", "", str(value))
    for text in (digits,) if kind == "DA" else (str(value), digits):
        with suppress(ValueError):
            getattr(valuerep, kind)(text)
            return text
    return ""


def headers_and_slices(
    source: Source, count: int, what: str
) -> tuple[list[Any], list[Slice]]:
    """Give headers, completed by what may be empty or can be made anew, and slices.

    Parameters
    ----------
    source : Source
        The series, or the enhanced image, as it was read.
    count : int
        Slices that there are in it.
    what : str
        What is to be written, for sentences.

    Returns
    -------
    headers : list of pydicom.Dataset
        One a file.
    slices : list of Slice
        One a file, or one a frame of an enhanced image.

    Raises
    ------
    UserError
        If a file is gone, or does not say where its slice lies.
    """
    pydicom = require("pydicom", "dicom", TASK)
    files = source.files[:count]
    headers = [read_header(file) for file in files]
    if len(headers) == 1 and "PerFrameFunctionalGroupsSequence" in (headers[0] or ()):
        slices = frames_of(files[0], headers[0])
        needed: tuple[str, ...] = PLACE[-1:]
    else:
        slices = [
            Slice.of(*pair) for pair in zip(files, headers, strict=True) if pair[1]
        ]
        needed = PLACE
    affine = np.eye(4) if source.affine is None else source.affine
    thickness = float(upright_sizes(affine)[2])
    for header in headers:
        missing = [name for name in needed if header is None or not header.get(name)]
        if missing:
            raise UserError(
                f"The slices of '{source.path}' lack {', '.join(missing)}, without "
                f"which {what} cannot lie on them; save the mask as .nii.gz."
            )
        for name in MAY_BE_EMPTY:
            setattr(header, name, _valid(name, header.get(name, "")))
        if not header.get("SliceThickness"):
            header.SliceThickness = thickness
        series = str(headers[0].get("SeriesInstanceUID") or headers[0].SOPInstanceUID)
        for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
            if not header.get(name):  # the same for every mask of the series
                uid = pydicom.uid.generate_uid(entropy_srcs=[name, series])
                setattr(header, name, uid)
    return headers, slices
