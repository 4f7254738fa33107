"""Masks as DICOM segmentation objects, through highdicom."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.error_text import reason
from napari_simpleclick.images.formats.dicom_geometry import TOLERANCE
from napari_simpleclick.images.formats.dicom_reference import headers_and_slices
from napari_simpleclick.images.formats.dicom_segments import PACKAGE
from napari_simpleclick.images.image_file import FLIP
from napari_simpleclick.images.label_names import names_of
from napari_simpleclick.images.oblique import upright_sizes
from napari_simpleclick.images.optional_packages import require

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.images.formats.dicom_slice import Slice
    from napari_simpleclick.images.label_names import LabelName
    from napari_simpleclick.images.source import Source

SERIES_NUMBER = 900
"""High enough not to be that of a series of the scanner."""

UTF_8 = "ISO_IR 192"

LONGEST_NAME = 64
"""Characters of a segment's label (value representation LO, PS3.5, 6.2)."""

ON_PLACE = 0.1
"""Part of the distance of slices that a frame may be off its slice."""

ALONG = 0.999
"""Cosine between the normals of frames that lie alike."""


def write(
    path: Path,
    labels: NDArray[Any],
    source: Source,
    names: Sequence[LabelName] = (),
) -> None:
    """Write a DICOM segmentation that refers to the slices of a series.

    Parameters
    ----------
    path : Path
        A .dcm file.
    labels : ndarray
        (columns, rows, slices) integers from 0; every label becomes a segment of its
        own, which is called by its number where it has no name.
    source : Source
        The series, or the enhanced image, as it was read.
    names : sequence of LabelName
        Names and recommended colours of the segments.

    Raises
    ------
    ImportError
        If pydicom or highdicom is not installed.
    UserError
        If the image was no DICOM series, its files have been moved or lack what a
        segmentation needs, or the mask is empty or has labels below 0.
    """
    task = "write DICOM segmentations"
    seg = require("highdicom.seg", "dicom", task)
    highdicom = require("highdicom", "dicom", task)
    values = [int(value) for value in np.unique(labels) if value]
    if not source.files:
        raise UserError(
            "A DICOM segmentation needs a DICOM series with a file for every slice, or "
            "an enhanced image; save this mask as .nii.gz."
        )
    if not values:
        raise UserError("The mask is empty; a DICOM segmentation needs an object.")
    if values[0] < 0:
        raise UserError(
            f"A DICOM segmentation cannot hold the label {values[0]}; use labels from "
            "1, or save this mask as .nii.gz."
        )
    if labels.ndim == 4 and labels.shape[3] == 1:  # one mask for all channels
        labels = labels[..., 0]
    if labels.ndim != 3:
        raise UserError(
            "A DICOM segmentation holds one volume, and this mask has several times or "
            "channels; save it as .nii.gz."
        )
    segments = _segments(values, names)
    frames = np.searchsorted([0, *values], labels).astype(np.uint16).T
    try:
        images, slices = headers_and_slices(
            source, labels.shape[2], "a DICOM segmentation"
        )
        if slices[0].frame is not None:
            frames = _in_frames(frames, slices, source)
        dataset = seg.Segmentation(
            source_images=images,
            pixel_array=np.ascontiguousarray(frames),
            segmentation_type=seg.SegmentationTypeValues.BINARY,
            segment_descriptions=segments,
            series_instance_uid=highdicom.UID(),
            series_number=SERIES_NUMBER,
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer=PACKAGE,
            manufacturer_model_name=PACKAGE,
            software_versions=version(PACKAGE),
            device_serial_number="0",
            series_description=f"{PACKAGE} mask",
            omit_empty_frames=_is_even(slices),
        )
    except UserError:
        raise
    except (OSError, AttributeError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"The DICOM series of '{source.path}' cannot carry a segmentation "
            f"({reason(error)}); save the mask as .nii.gz."
        ) from error
    if not all(one.SegmentLabel.isascii() for one in segments):
        dataset.decode()
        dataset.SpecificCharacterSet = UTF_8
    dataset.save_as(path)


def _segments(values: Sequence[int], names: Sequence[LabelName]) -> list[Any]:
    """Describe the segments of labels, in their order."""
    task = "write DICOM segmentations"
    seg = require("highdicom.seg", "dicom", task)
    highdicom = require("highdicom", "dicom", task)
    codes = require("pydicom.sr.codedict", "dicom", task).codes
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=PACKAGE, version=version(PACKAGE), family=codes.DCM.ArtificialIntelligence
    )
    coloured = {one.label for one in names}
    return [
        seg.SegmentDescription(
            segment_number=number,
            segment_label=one.name.replace("\\", "/")[:LONGEST_NAME],
            segmented_property_category=codes.SCT.Tissue,
            segmented_property_type=codes.SCT.Tissue,
            algorithm_type=seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
            algorithm_identification=algorithm,
            display_color=highdicom.color.CIELabColor.from_rgb(*one.rgb)
            if one.label in coloured
            else None,
        )
        for number, one in enumerate(names_of(values, names), start=1)
    ]


def _in_frames(
    labels: NDArray[np.uint16], slices: list[Slice], source: Source
) -> NDArray[np.uint16]:
    """Put the slices of labels into the order of the frames of an enhanced image.

    Of several frames at a place, as those of times, the first one gets the labels.

    Raises
    ------
    UserError
        If there is no frame where a slice with labels lies, because one is missing.
    """
    assert source.affine is not None
    affine = FLIP @ source.affine
    across = np.cross(affine[:3, 0], affine[:3, 1])
    across *= np.sign(across @ affine[:3, 2]) / np.linalg.norm(across)
    alike = {
        number: float(one.position @ across)
        for number, one in enumerate(slices)
        if one.position is not None
        and one.directions is not None
        and abs(np.cross(*one.directions) @ across) > ALONG
    }
    near = ON_PLACE * float(upright_sizes(source.affine)[2])
    out = np.zeros((len(slices), *labels.shape[1:]), labels.dtype)
    for number, drawn in enumerate(labels):
        place = (affine @ [0, 0, number, 1])[:3] @ across
        there = [one for one in alike if abs(alike[one] - place) <= near]
        if not there and drawn.any():
            raise UserError(
                f"The slices of '{source.path}' are not evenly spaced, so a DICOM "
                "segmentation cannot lie on them; save the mask as .nii.gz."
            )
        out[there[:1]] = drawn
    return out


def _is_even(slices: list[Slice]) -> bool:
    """Whether no slice is missing, so that empty ones can be told from their places.

    Else the file has to say which slices there are, to lie on the series again.
    """
    gaps = np.diff(np.unique([one.place or 0.0 for one in slices]))
    even = np.abs(gaps - gaps.mean()) if len(gaps) else gaps
    return bool((even <= TOLERANCE * gaps.min(initial=np.inf)).all())
