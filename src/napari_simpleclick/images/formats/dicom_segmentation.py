"""Masks as DICOM segmentation objects, through highdicom."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.error_text import reason
from napari_simpleclick.images.optional_packages import require

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.images.source import Source

PACKAGE = "napari-simpleclick"
SERIES_NUMBER = 900
"""High enough not to be that of a series of the scanner."""


def write(path: Path, labels: NDArray[Any], source: Source) -> None:
    """Write a DICOM segmentation that refers to the slices of a series.

    Parameters
    ----------
    path : Path
        A .dcm file.
    labels : ndarray
        (columns, rows, slices) integers from 0; every label becomes a segment of its
        own, which is called by its number.
    source : Source
        The series, as it was read.

    Raises
    ------
    ImportError
        If pydicom or highdicom is not installed.
    UserError
        If the image was no DICOM series, its files have been moved or lack what a
        segmentation needs, or the mask is empty or has labels below 0.
    """
    task = "write DICOM segmentations"
    pydicom, seg = (require(p, "dicom", task) for p in ("pydicom", "highdicom.seg"))
    highdicom = require("highdicom", "dicom", task)
    values = [int(value) for value in np.unique(labels) if value]
    if not source.files:
        raise UserError(
            "A DICOM segmentation needs a DICOM series with a file for every slice; "
            "save this mask as .nii.gz."
        )
    if not values:
        raise UserError("The mask is empty; a DICOM segmentation needs an object.")
    if values[0] < 0:
        raise UserError(
            f"A DICOM segmentation cannot hold the label {values[0]}; use labels from "
            "1, or save this mask as .nii.gz."
        )
    codes = require("pydicom.sr.codedict", "dicom", task).codes
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=PACKAGE, version=version(PACKAGE), family=codes.DCM.ArtificialIntelligence
    )
    segments = [
        seg.SegmentDescription(
            segment_number=number,
            segment_label=f"label {value}",
            segmented_property_category=codes.SCT.Tissue,
            segmented_property_type=codes.SCT.Tissue,
            algorithm_type=seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
            algorithm_identification=algorithm,
        )
        for number, value in enumerate(values, start=1)
    ]
    frames = np.searchsorted([0, *values], labels).astype(np.uint16).T
    try:
        images = [
            pydicom.dcmread(file, stop_before_pixels=True) for file in source.files
        ]
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
        )
    except (OSError, AttributeError, ValueError, TypeError) as error:
        raise UserError(
            f"The DICOM series of '{source.path}' cannot carry a segmentation "
            f"({reason(error)}); save the mask as .nii.gz."
        ) from error
    dataset.save_as(path)
