"""Several slices in one DICOM file, through highdicom: enhanced, and segmentations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from nibabel.affines import voxel_sizes

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.error_text import reason
from napari_simpleclick.images.formats.dicom_slice import number
from napari_simpleclick.images.image_file import FLIP, ImageFile
from napari_simpleclick.images.optional_packages import require

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

OWN_LABEL = re.compile(r"label (\d+)")
"""What the segment of a label is called in the files that are written here."""


def is_segmentation(header: Any) -> bool:
    """Whether a header is that of a DICOM segmentation."""
    return bool(header.get("Modality") == "SEG")


def has_frames(header: Any) -> bool:
    """Whether a header is that of a segmentation, or of an enhanced image."""
    groups = "PerFrameFunctionalGroupsSequence" in header
    return is_segmentation(header) or groups or number(header, "NumberOfFrames", 1) > 1


def read(path: Path, header: Any, name: str) -> ImageFile:
    """Read an enhanced image or a segmentation.

    Parameters
    ----------
    path : Path
        The file.
    header : pydicom.Dataset
        Its header.
    name : str
        What to call the image.

    Returns
    -------
    ImageFile
        Axes are column, row and slice; float32 values of the modality, colours as they
        are, or the labels of a segmentation, whose slices reach from the first to the
        last that it mentions. Segments have their numbers, or the labels that they were
        written from by this package.

    Raises
    ------
    ImportError
        If highdicom is not installed.
    UserError
        If the frames are no stack of slices, or segments overlap.
    """
    if "TotalPixelMatrixRows" in header:
        raise UserError(
            f"'{path}' is a whole slide in tiles, which is not read; export the part "
            "that you need as TIFF."
        )
    highdicom = require("highdicom", "dicom", "read DICOM files of several slices")
    labels = is_segmentation(header)
    try:
        if labels:
            seg = require("highdicom.seg", "dicom", "read DICOM segmentations")
            file = seg.segread(path)
            volume = file.get_volume(combine_segments=True)
            array = _labelled(volume.array, file)
        else:
            volume = highdicom.imread(path).get_volume(
                dtype=np.float32, apply_real_world_transform=False
            )
            array = volume.array
            if array.ndim == 4:
                wide = number(header, "BitsStored", 8) > 8
                array = array.astype(np.uint16 if wide else np.uint8)
    except ImportError:
        raise
    except Exception as error:  # it uses a database inside, with errors of its own
        raise UserError(
            f"'{path}' has slices that cannot be stacked ({reason(error)}); convert it "
            "to NIfTI first, for instance with dcm2niix or 3D Slicer."
        ) from error
    affine = FLIP @ volume.flip_spatial(0).affine[:, [2, 1, 0, 3]]
    sizes = voxel_sizes(affine)
    return ImageFile(
        array[::-1].swapaxes(0, 2),  # as series are, along the normal of the slices
        array.ndim == 4,
        (float(sizes[0]), float(sizes[1]), float(sizes[2])),
        affine,
        ("mm",) * 3,
        ("x", "y", "z"),
        labels=labels,
        path=path,
        name=name,
    )


def _labelled(numbers: NDArray[Any], file: Any) -> NDArray[Any]:
    """Give segments the labels that they were written from."""
    own = {
        one: OWN_LABEL.fullmatch(file.get_segment_description(one).segment_label)
        for one in file.segment_numbers
    }
    labels = {one: int(match[1]) for one, match in own.items() if match}
    if len(set(labels.values())) < len(own):
        return numbers
    table = np.zeros(max(labels) + 1, np.min_scalar_type(max(labels.values())))
    for one, label in labels.items():
        table[one] = label
    return np.asarray(table[numbers])
