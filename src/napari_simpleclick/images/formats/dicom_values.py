"""Stored pixels of DICOM to values of the modality, and to colours."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.error_text import reason
from napari_simpleclick.images.optional_packages import require

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_simpleclick.images.formats.dicom_slice import Slice

WHOLE = (np.int16, np.int32, np.int64, np.uint64)
"""Types of whole values that a slope and an intercept give."""

EXACT = 0.01
"""Part of a step of the scale by which float32 may be off."""

COLOURS = ("Red", "Green", "Blue")

TASK = "read DICOM files"


def modality_values(pixels: NDArray[Any], data: Any, one: Slice) -> NDArray[Any]:
    """Give a slice in the units of its modality, or in colour; more is brighter.

    Parameters
    ----------
    pixels : ndarray
        (rows, columns) stored values, or (rows, columns, 3).
    data : pydicom.Dataset
        The file.
    one : Slice
        The slice, which says what holds for this frame.

    Returns
    -------
    ndarray
        (rows, columns) of a type that holds the values, or (rows, columns, 3).

    Raises
    ------
    ImportError
        If highdicom is not installed, which reads some palettes.
    UserError
        If a look-up table is broken.
    """
    kind = data.get("PhotometricInterpretation")
    try:
        if kind == "PALETTE COLOR":
            return _palette_colours(pixels, data)
        if (data.get("SamplesPerPixel") or 1) > 1:
            return _shown_colours(pixels)
        if data.get("ModalityLUTSequence"):
            values = _looked_up(pixels, data)
            bits = 8 * values.dtype.itemsize
            return _turned(values, bits) if kind == "MONOCHROME1" else values
    except ImportError:
        raise
    except Exception as error:  # of tables that are not as they should be
        raise UserError(
            f"'{one.path}' has a look-up table that cannot be used ({reason(error)}); "
            "convert it to NIfTI first, for instance with dcm2niix."
        ) from error
    if kind == "MONOCHROME1":
        pixels = _turned(pixels, int(data.get("BitsStored") or 0))
    slope = "RescaleSlope" if one.find("DoseGridScaling") is None else "DoseGridScaling"
    return _rescaled(pixels, _scale(one, slope, 1), _scale(one, "RescaleIntercept", 0))


def _scale(one: Slice, name: str, default: int) -> Decimal:
    """Give one of the two numbers of a scale; without it its default.

    A slope of 0 would leave nothing of the image and is taken for a missing one.
    """
    value = one.find(name)
    text = str(getattr(value, "original_string", value)).strip(" \0")
    text = text.replace(",", ".")
    if value is None or not text:
        return Decimal(default)
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("nan")
    if not found.is_finite():
        raise UserError(
            f"'{one.path}' has the {name} '{text}', which is no number, so its values "
            "cannot be known; export it once more."
        )
    return found if found or not default else Decimal(default)


def _shown_colours(pixels: NDArray[Any]) -> NDArray[Any]:
    """Give colours at most 16 bits, which is all that viewers show."""
    extra = 8 * (pixels.dtype.itemsize - 2)
    whole = pixels.dtype.kind == "u" and extra > 0
    return (pixels >> extra).astype(np.uint16) if whole else pixels


def _turned(pixels: NDArray[Any], bits: int) -> NDArray[Any]:
    """Exchange black and white."""
    if pixels.dtype.kind == "f":
        return -pixels
    if pixels.dtype.kind == "i":
        return ~pixels
    top = 2**bits - 1
    if int(pixels.max(initial=0)) > top:
        top = int(np.iinfo(pixels.dtype).max)
    return np.asarray(pixels.dtype.type(top) - pixels)


def _rescaled(pixels: NDArray[Any], slope: Decimal, intercept: Decimal) -> NDArray[Any]:
    """Apply slope and intercept, in whole numbers where both are."""
    if slope == 1 and intercept == 0:
        return pixels
    pydicom = require("pydicom.pixels", "dicom", TASK)
    stored = pixels.dtype
    if stored.kind != "f" and _is_whole(slope) and _is_whole(intercept):
        times, plus = int(slope), int(intercept)
        ends = [int(end) * times + plus for end in (pixels.min(), pixels.max())]
        kind = next((k for k in WHOLE if _holds(k, ends)), None)
        if kind is not None:  # right modulo 2**64, and the result fits
            wide = pixels.astype(np.uint64) * np.uint64(times % 2**64)
            wide += np.uint64(plus % 2**64)
            return (wide if kind is np.uint64 else wide.view(np.int64)).astype(kind)
    scale = require("pydicom", "dicom", TASK).Dataset()
    scale.RescaleSlope, scale.RescaleIntercept = float(slope), float(intercept)
    values = np.asarray(pydicom.apply_rescale(pixels, scale))
    single = values.astype(np.float32)
    if stored.kind == "f":
        return single if stored.itemsize <= 4 else values
    off = np.abs(single - values).max(initial=0)
    return single if off <= EXACT * abs(float(slope)) else values


def _is_whole(value: Decimal) -> bool:
    return value.adjusted() < 20 and value == value.to_integral_value()


def _holds(kind: Any, ends: Iterable[int]) -> bool:
    info = np.iinfo(kind)
    return all(info.min <= end <= info.max for end in ends)


def _looked_up(pixels: NDArray[Any], data: Any) -> NDArray[Any]:
    """Apply the modality look-up table through pydicom."""
    pydicom = require("pydicom.pixels", "dicom", TASK)
    table = data.ModalityLUTSequence[0]
    count, first, depth = table.LUTDescriptor
    packed = table.LUTData
    if isinstance(packed, bytes) and len(packed) in (count, count + count % 2):
        table["LUTData"].value = (
            np.frombuffer(packed, np.uint8)[:count].astype("<u2").tobytes()
        )
    if depth not in (8, 16):  # 12 bits lie in 16
        table.LUTDescriptor = [count, first, 16]
    # pydicom clips in the type of the pixels, which may be smaller than the table
    wide = np.int64 if pixels.dtype.itemsize > 2 else np.int32
    return np.asarray(pydicom.apply_modality_lut(pixels.astype(wide), data))


def _palette_colours(pixels: NDArray[Any], data: Any) -> NDArray[np.uint8]:
    """Apply a palette through pydicom, and keep the upper 8 bits of 16."""
    pydicom = require("pydicom.pixels", "dicom", TASK)
    count, first, depth = data.RedPaletteColorLookupTableDescriptor
    count = count or 2**16
    if "RedPaletteColorLookupTableData" in data:
        for colour in COLOURS:
            _unpack(data, f"{colour}PaletteColorLookupTableData", count)
    elif depth == 8 and count > 256:  # pydicom would take the index for 8 bits
        raise ValueError("a segmented palette of 8 bits with more than 256 entries")
    known = np.clip(pixels.astype(np.int64), first, first + count - 1)
    colours = pydicom.apply_color_lut(known, data)[..., :3]
    table = pydicom.apply_color_lut(np.arange(first, first + count), data)
    # entries of 16 bits, unless they are 8-bit ones in wider words
    wide = int(table[..., :3].max()) > 255
    return np.asarray(colours >> 8 if wide else colours, np.uint8)


def _unpack(data: Any, name: str, count: int) -> None:
    """Give 8-bit entries the form in which pydicom reads as many as there are."""
    packed = bytes(data[name].value)
    if len(packed) not in (count, count + 1):
        return
    entries = np.frombuffer(packed, np.uint8)[:count]
    data[name].value = (entries.astype("<u2") if count > 256 else entries).tobytes()
