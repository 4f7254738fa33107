"""DICOM segmentations to label maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.formats import dicom_geometry, dicom_stack
from napari_simpleclick.images.formats.dicom_file import read_pixels
from napari_simpleclick.images.image_file import ImageFile
from napari_simpleclick.images.label_names import OWN_LABEL
from napari_simpleclick.images.oblique import upright_sizes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.images.formats.dicom_slice import Slice

PACKAGE = "napari-simpleclick"
"""Manufacturer of the files that are written here."""

STORAGE = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""SOP classes of segmentations and of label maps."""


def is_segmentation(header: Any) -> bool:
    """Whether a header is that of a DICOM segmentation."""
    return header.get("Modality") == "SEG" or header.get("SOPClassUID") in STORAGE


def read(slices: list[Slice], name: str) -> list[ImageFile]:
    """Read a segmentation.

    Parameters
    ----------
    slices : list of Slice
        Its frames.
    name : str
        What to call it.

    Returns
    -------
    list of ImageFile
        Labels (column, row, slice), from the first slice that the file mentions to the
        last. Segments have their numbers, or the labels that they were written from by
        this package. If segments overlap, each is a label map of its own.

    Raises
    ------
    UserError
        If the frames are no stack of slices, or the file is damaged.
    """
    one = slices[0]
    if "TotalPixelMatrixRows" in one.header:
        raise UserError(
            f"'{one.path}' is a whole slide in tiles, which is not read; export the "
            "part that you need as TIFF."
        )
    if any(frame.place is None for frame in slices):
        raise UserError(
            f"'{one.path}' does not say where its slices lie, so its labels cannot be "
            "placed; save it as NIfTI with the program that made it."
        )
    if len(dicom_stack.split(slices)) > 1:
        raise UserError(
            f"'{one.path}' has slices in different directions; save it as NIfTI with "
            "the program that made it, one file for each direction."
        )
    data, pixels = read_pixels(one.path)
    pixels = pixels.reshape(len(slices), *pixels.shape[-2:])
    rows, affine, warnings = _grid(slices)
    labels = _labels(data)
    parts = _parts(slices, data, pixels)
    shape = (max(rows) + 1, *pixels.shape[1:])
    highest = max((labels.get(number, number) for _, number, _ in parts), default=1)
    whole = np.zeros(shape, np.min_scalar_type(highest))
    overlap = False
    for i, number, on in parts:
        label, plane = labels.get(number, number), whole[rows[i]]
        overlap |= bool(((plane != 0) & (plane != label) & on).any())
        plane[on] = label
    if data.get("SegmentationType") == "FRACTIONAL" and _fractions(data, pixels):
        warnings += (
            f"'{one.path}' holds fractions; a label is where they are at least half.",
        )
    arrays = {name: whole}
    if overlap:
        arrays = _one_by_one(data, parts, rows, labels, whole)
    return [
        _file(array, called, one, affine, warnings if not i else ())
        for i, (called, array) in enumerate(arrays.items())
    ]


def _file(
    array: NDArray[Any],
    name: str,
    one: Slice,
    affine: NDArray[np.float64],
    warnings: tuple[str, ...],
) -> ImageFile:
    sizes = upright_sizes(affine)
    return ImageFile(
        array.transpose(2, 1, 0),
        False,
        (float(sizes[0]), float(sizes[1]), float(sizes[2])),
        affine,
        ("mm",) * 3,
        ("x", "y", "z"),
        labels=True,
        path=one.path,
        name=name,
        warnings=warnings,
    )


def _grid(
    slices: list[Slice],
) -> tuple[list[int], NDArray[np.float64], tuple[str, ...]]:
    """Row of every frame in a volume without gaps, and where that lies."""
    which = f"'{slices[0].path}'"
    known = np.array([one.place for one in slices], float)
    order = np.argsort(known, kind="stable")
    starts = np.diff(known[order], prepend=-np.inf) >= dicom_geometry.SAME
    places = known[order][starts]
    if len(places) == 1:
        step = dicom_geometry.thickness(slices[0])[0]
        return [0] * len(slices), dicom_geometry.place_matrix(slices[:1], step), ()
    if _has_every_slice(slices[0].header, len(places)):
        stack = [slices[i] for i in order[starts]]
        step, odd = dicom_geometry.slice_distance(stack, places, which)
        rows = np.empty(len(slices), int)
        rows[order] = np.cumsum(starts) - 1
        return rows.tolist(), dicom_geometry.place_matrix(stack, step), odd
    gaps = np.diff(places)
    step, source = dicom_geometry.thickness(slices[0])
    if source != "SpacingBetweenSlices" or not _fits(gaps, step):
        step = float(gaps.min())
    ends = [slices[order[0]], slices[order[-1]]]
    if _fits(gaps, step):
        step = float(np.ptp(places) / np.rint(np.ptp(places) / step))
        rows = np.rint((known - places[0]) / step).astype(int)
        return rows.tolist(), dicom_geometry.place_matrix(ends, step), ()
    step = float(gaps.mean())
    rows = np.empty(len(slices), int)
    rows[order] = np.cumsum(starts) - 1
    warning = (
        f"{which} has slices at uneven distances, {gaps.min():.4g} to {gaps.max():.4g} "
        "mm; they are shown as if they were even."
    )
    return rows.tolist(), dicom_geometry.place_matrix(ends, step), (warning,)


def _has_every_slice(header: Any, count: int) -> bool:
    """Whether a file of ours has a frame for every slice of its series.

    It then stands as the series does, also where that lacks slices.
    """
    series = header.get("ReferencedSeriesSequence") or []
    slices = sum(len(one.get("ReferencedInstanceSequence") or []) for one in series)
    return header.get("Manufacturer") == PACKAGE and slices == count


def _fits(gaps: NDArray[np.float64], step: float) -> bool:
    """Whether all gaps are multiples of a distance."""
    off = np.abs(gaps - np.rint(gaps / step) * step)
    return bool(
        (off <= dicom_geometry.TOLERANCE * step).all() and gaps.min() > 0.5 * step
    )


def _labels(data: Any) -> dict[int, int]:
    """Give segments the labels that they were written from."""
    own = {
        int(segment.SegmentNumber): OWN_LABEL.fullmatch(str(segment.SegmentLabel))
        for segment in data.get("SegmentSequence") or []
    }
    labels = {one: int(match[1]) for one, match in own.items() if match}
    return labels if len(set(labels.values())) == len(own) else {}


def _parts(
    slices: list[Slice], data: Any, pixels: NDArray[Any]
) -> list[tuple[int, int, NDArray[np.bool_]]]:
    """Frame, number of the segment, and its pixels there."""
    least = 1
    if data.get("SegmentationType") == "FRACTIONAL":
        least = (int(data.get("MaximumFractionalValue") or 255) + 1) // 2
    found = []
    for i, one in enumerate(slices):
        number = one.number("ReferencedSegmentNumber")
        if data.get("SegmentationType") == "LABELMAP" or number is None:
            values = (int(v) for v in np.unique(pixels[i]) if v)
            found += [(i, value, pixels[i] == value) for value in values]
        else:
            found.append((i, int(number), pixels[i] >= least))
    return found


def _fractions(data: Any, pixels: NDArray[Any]) -> bool:
    top = int(data.get("MaximumFractionalValue") or 255)
    return bool(((pixels > 0) & (pixels < top)).any())


def _one_by_one(
    data: Any,
    parts: list[tuple[int, int, NDArray[np.bool_]]],
    rows: list[int],
    labels: dict[int, int],
    like: NDArray[Any],
) -> dict[str, NDArray[Any]]:
    """Give each segment a volume of its own, by what it is called."""
    called = {
        int(segment.SegmentNumber): str(segment.get("SegmentLabel") or "")
        for segment in data.get("SegmentSequence") or []
    }
    arrays: dict[str, NDArray[Any]] = {}
    names: dict[int, str] = {}
    for i, number, on in parts:
        if number not in names:
            name = called.get(number) or f"segment {number}"
            names[number] = name if name not in arrays else f"{name} {number}"
            arrays[names[number]] = np.zeros_like(like)
        arrays[names[number]][rows[i]][on] = labels.get(number, number)
    return arrays
