"""RT structure sets: the outlines of objects on the slices of a DICOM series.

Built with pydicom as PS3.3, A.19 says. Outlines run along the edges of pixels, so that
whoever fills them has the mask again; holes are cut in from the edge (C.8.8.6.3).
"""

from __future__ import annotations

import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.exports.outlines import keyhole, outlines
from napari_simpleclick.exports.writing import write_whole
from napari_simpleclick.images.formats.dicom_reference import (
    MAY_BE_EMPTY,
    headers_and_slices,
)
from napari_simpleclick.images.formats.dicom_segments import PACKAGE
from napari_simpleclick.images.image_file import FLIP
from napari_simpleclick.images.label_names import names_of
from napari_simpleclick.images.optional_packages import require

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.exports.case import ExportCase
    from napari_simpleclick.images.formats.dicom_slice import Slice
    from napari_simpleclick.images.label_names import LabelName

WHAT = "an RT structure set"
LONGEST_NAME = 64
"""Characters of the name of a structure (value representation LO, PS3.5, 6.2)."""

INSET = 0.02
"""px that outlines run within the edges of pixels: some programs round corners to the
middles of pixels, and would take those beside the object in."""

DECIMALS = 4
"""Of coordinates, mm."""

ON_PLACE = 0.1
"""mm by which a slice may be off the frame that it is on."""

STUDY_COMPONENT = "1.2.840.10008.3.1.2.3.1"
"""Class of the studies that structure sets refer to (PS3.3, C.8.8.5)."""


def write(case: ExportCase, path: Path, replace: bool) -> None:
    """Write a structure for each object.

    Parameters
    ----------
    case : ExportCase
        Of a DICOM series or an enhanced image.
    path : Path
        A .dcm file; :func:`napari_simpleclick.exports.export` sees to an old one.
    replace : bool
        Not looked at.

    Raises
    ------
    ImportError
        If pydicom is not installed.
    UserError
        If the image was no DICOM series, or its files lack what is needed.
    """
    if not case.source.files:
        raise UserError(
            f"'{case.name}' is no DICOM series, to which {WHAT} refers; export it in "
            "another format."
        )
    if case.labels.ndim != 3:
        raise UserError(
            f"{WHAT.capitalize()} holds one volume, and '{case.name}' has several "
            "times; export one time of it."
        )
    labels = case.in_file(case.labels)
    headers, slices = headers_and_slices(case.source, labels.shape[2], WHAT)
    there = [int(one) for one in np.unique(labels) if one > 0]
    names = names_of(there, case.names)
    data = _begin(headers[0], case.name)
    data.ReferencedFrameOfReferenceSequence = [_reference(headers)]
    data.StructureSetROISequence = [_structure(one, headers[0]) for one in names]
    data.ROIContourSequence = [
        _contours(one, labels == one.label, case, slices) for one in names
    ]
    data.RTROIObservationsSequence = [_observation(one) for one in names]
    write_whole(path, lambda there: data.save_as(there, enforce_file_format=True))


def _dataset(**elements: Any) -> Any:
    pydicom: Any = require("pydicom", "dicom", f"write {WHAT}")
    data = pydicom.Dataset()
    for name, value in elements.items():
        setattr(data, name, value)
    return data


def _begin(header: Any, name: str) -> Any:
    """Give what a structure set has of its patient and study, and of itself."""
    uid: Any = require("pydicom.uid", "dicom", f"write {WHAT}")
    now = datetime.datetime.now()
    date, time = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    shared = {key: header.get(key, "") for key in MAY_BE_EMPTY}
    data = _dataset(
        **shared,
        SpecificCharacterSet="ISO_IR 192",
        SOPClassUID=uid.RTStructureSetStorage,
        SOPInstanceUID=uid.generate_uid(),
        InstanceCreationDate=date,
        InstanceCreationTime=time,
        Modality="RTSTRUCT",
        Manufacturer=PACKAGE,
        ManufacturerModelName=PACKAGE,
        SoftwareVersions=version(PACKAGE),
        SeriesDescription=f"{PACKAGE} contours",
        OperatorsName="",
        StudyInstanceUID=header.StudyInstanceUID,
        SeriesInstanceUID=uid.generate_uid(),
        SeriesNumber=901,
        InstanceNumber=1,
        FrameOfReferenceUID=header.FrameOfReferenceUID,
        StructureSetLabel=name[:16],
        StructureSetName=name[:LONGEST_NAME],
        StructureSetDate=date,
        StructureSetTime=time,
        ApprovalStatus="UNAPPROVED",
    )
    data.file_meta = require("pydicom.dataset", "dicom", "x").FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    return data


def _reference(headers: list[Any]) -> Any:
    """Say which study, series and files the contours are of."""
    series = _dataset(
        SeriesInstanceUID=headers[0].SeriesInstanceUID,
        ContourImageSequence=[_image(one) for one in headers],
    )
    study = _dataset(
        ReferencedSOPClassUID=STUDY_COMPONENT,
        ReferencedSOPInstanceUID=headers[0].StudyInstanceUID,
        RTReferencedSeriesSequence=[series],
    )
    return _dataset(
        FrameOfReferenceUID=headers[0].FrameOfReferenceUID,
        RTReferencedStudySequence=[study],
    )


def _image(header: Any, frame: int | None = None) -> Any:
    image = _dataset(
        ReferencedSOPClassUID=header.SOPClassUID,
        ReferencedSOPInstanceUID=header.SOPInstanceUID,
    )
    if frame is not None:
        image.ReferencedFrameNumber = frame + 1
    return image


def _structure(name: LabelName, header: Any) -> Any:
    return _dataset(
        ROINumber=name.label,
        ReferencedFrameOfReferenceUID=header.FrameOfReferenceUID,
        ROIName=name.name.replace("\\", "/")[:LONGEST_NAME],
        ROIDescription=name.category.replace("\\", "/"),
        ROIGenerationAlgorithm="SEMIAUTOMATIC",
    )


def _observation(name: LabelName) -> Any:
    return _dataset(
        ObservationNumber=name.label,
        ReferencedROINumber=name.label,
        RTROIInterpretedType="",
        ROIInterpreter="",
    )


def _contours(
    name: LabelName, mask: NDArray[np.bool_], case: ExportCase, slices: list[Slice]
) -> Any:
    """Outline an object on its slices."""
    contours = []
    for number in np.flatnonzero(mask.any(axis=(0, 1))).tolist():
        one = _slice_at(number, case, slices)
        for part in outlines(mask[:, :, number].T):
            points = list(_points(keyhole(part, INSET), one))
            contours.append(
                _dataset(
                    ContourImageSequence=[_image(one.header, one.frame)],
                    ContourGeometricType="CLOSED_PLANAR",
                    NumberOfContourPoints=len(points) // 3,
                    ContourData=points,
                )
            )
    return _dataset(
        ROIDisplayColor=list(name.rgb),
        ContourSequence=contours,
        ReferencedROINumber=name.label,
    )


def _slice_at(number: int, case: ExportCase, slices: list[Slice]) -> Slice:
    """Find the file, or the first frame, of a slice of the labels.

    Raises
    ------
    UserError
        If there is none, as one is missing.
    """
    if slices[0].frame is None:
        return slices[number]
    assert case.source.affine is not None
    affine = FLIP @ case.source.affine
    across = np.cross(affine[:3, 0], affine[:3, 1])
    across /= np.linalg.norm(across)
    place = affine[:3, :3] @ [0, 0, number] + affine[:3, 3]
    for one in slices:
        if one.position is None or one.pixel is None or one.directions is None:
            continue
        if abs(float((one.position - place) @ across)) <= ON_PLACE:
            return one
    raise UserError(
        f"'{case.source.path}' has no frame where slice {number} of the mask lies, so "
        f"{WHAT} cannot refer to it; save the mask as .nii.gz."
    )


def _points(line: NDArray[np.float64], one: Slice) -> Iterator[str]:
    """Give x, y and z (mm, towards left, posterior and superior) of corners in turn."""
    assert one.pixel is not None
    assert one.directions is not None
    assert one.position is not None
    rows, columns = (line - 0.5).T
    places = (
        one.position
        + np.outer(columns * one.pixel[1], one.directions[0])
        + np.outer(rows * one.pixel[0], one.directions[1])
    )
    yield from (f"{value:.{DECIMALS}f}" for value in places.ravel())
