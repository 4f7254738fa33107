"""A DICOM file from disk, also where its beginning is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.error_text import reason
from napari_simpleclick.images.optional_packages import require

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DECODERS = "pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"
MAGIC = b"DICM"
LAST_FIRST = 0x18
"""Highest element that a data set without a preamble begins with: its own UID."""

LOSSY = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 81, 91, 203))
"""Transfer syntaxes that may have changed the pixels (PS3.5, section 10)."""


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its first bytes, with or without a preamble."""
    try:
        with path.open("rb") as file:
            return begins_as_dicom(file.read(len(MAGIC) + 128))
    except OSError:
        return False


def begins_as_dicom(start: bytes) -> bool:
    """Whether the first 132 bytes of a file, or more, are those of DICOM."""
    return start[128:132] == MAGIC or _begins_bare(start)


def _begins_bare(start: bytes) -> bool:
    """Whether bytes begin with an element of group 2 or 8, as PS3.5, 7.1 lays it out.

    Old archives and some exports leave out the preamble, and the file meta information
    as well.
    """
    if len(start) < 8:
        return False
    for order in ("little", "big"):
        group = int.from_bytes(start[:2], order)
        element = int.from_bytes(start[2:4], order)
        if group in (2, 8) and element <= LAST_FIRST:
            explicit = start[4:6].isalpha() and start[4:6].isupper()
            length = int.from_bytes(start[4:8], order)
            return explicit or 0 < length <= 64
    return False


def read_header(path: Path) -> Any:
    """Read all of a file but its pixels.

    Returns
    -------
    pydicom.Dataset or None
        None if it is no DICOM file.

    Raises
    ------
    ImportError
        If pydicom is not installed.
    UserError
        If the file is damaged.
    """
    pydicom = require("pydicom", "dicom", "read DICOM files")
    if not is_dicom(path):
        return None
    try:
        return pydicom.dcmread(path, stop_before_pixels=True, force=True)
    except Exception as error:  # a damaged header gives any error
        raise _unreadable(path, error) from error


def read_pixels(path: Path) -> tuple[Any, NDArray[Any]]:
    """Read a file and its stored pixels.

    Returns
    -------
    pydicom.Dataset
        The file.
    ndarray
        (rows, columns), with frames in front and samples behind if it has several;
        YBR has become RGB.

    Raises
    ------
    UserError
        If the file is damaged, or there is no decoder for it.
    """
    pydicom = require("pydicom", "dicom", "read DICOM files")
    try:
        data = pydicom.dcmread(path, force=True)
        if "TransferSyntaxUID" not in data.file_meta:
            data.file_meta.TransferSyntaxUID = _plain_syntax(pydicom, path, data)
        return data, np.asarray(data.pixel_array)
    except UserError:
        raise
    except Exception as error:  # each decoder has its own errors
        syntax = data.file_meta.get("TransferSyntaxUID") if "data" in locals() else None
        if syntax is not None and syntax.is_encapsulated:
            raise _undecoded(path, syntax, error) from error
        raise _unreadable(path, error) from error


def _plain_syntax(pydicom: Any, path: Path, data: Any) -> Any:
    """Transfer syntax of a file that does not say it: how its header was read."""
    if bytes(data.get("PixelData") or b"")[:4] == b"\xfe\xff\x00\xe0":
        raise UserError(
            f"'{path}' does not say how its pixels are compressed, because it lacks "
            "the file meta information; export it once more, uncompressed."
        )
    implicit, little = data.original_encoding
    if not little:
        return pydicom.uid.ExplicitVRBigEndian
    if implicit:
        return pydicom.uid.ImplicitVRLittleEndian
    return pydicom.uid.ExplicitVRLittleEndian


def _undecoded(path: Path, syntax: Any, error: Exception) -> UserError:
    if "MPEG" in syntax.name or "HEVC" in syntax.name:
        return UserError(
            f"'{path}' is a video ({syntax.name}), which is not read; save its frames "
            "as numbered PNG files, and open their folder."
        )
    text = str(error)
    if "missing dependencies" in text or "does not support" in text:
        return UserError(
            f"'{path}' is compressed ({syntax.name}), and nothing here can decode it; "
            f"pip install {DECODERS}"
        )
    if "decod" not in text:
        return _unreadable(path, error)
    return UserError(
        f"'{path}' is compressed ({syntax.name}), and its pixels cannot be decoded "
        f"({reason(error)}); copy the file again, or pip install {DECODERS}"
    )


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(
        f"'{path}' cannot be read: {reason(error)}. Copy it again, or move it out of "
        "its folder to open the others."
    )


def is_lossy(header: Any) -> bool:
    """Whether the pixels of a file may differ from what the scanner gave."""
    syntax = header.file_meta.get("TransferSyntaxUID", "")
    return str(header.get("LossyImageCompression")) == "01" or syntax in LOSSY
