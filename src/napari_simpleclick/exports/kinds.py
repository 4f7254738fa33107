"""All formats that masks are exported to, in one list for whoever offers them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError
from napari_simpleclick.exports import coco, imagej, nnunet, rtstruct, yolo, zarr_labels
from napari_simpleclick.exports.writing import AlreadyThereError
from napari_simpleclick.images.error_text import reason
from napari_simpleclick.images.files import write_labels
from napari_simpleclick.images.whole_files import check_not_read, made_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_simpleclick.exports.case import ExportCase


@dataclass(frozen=True)
class ExportKind:
    """A format that masks are exported to.

    Parameters
    ----------
    name : str
        For the command line.
    title : str
        What people call it.
    write : callable
        Takes the case, the target, and whether something there may be replaced.
    suffix : str
        Of the file of a case; empty for a folder that cases are added to.
    only_classes : bool
        Whether labels are always classes.
    of_dicom : bool
        Whether it refers to DICOM files, which the image has to be read from.
    """

    name: str
    title: str
    write: Callable[[ExportCase, Path, bool], None]
    suffix: str = ""
    only_classes: bool = False
    of_dicom: bool = False

    @property
    def is_data_set(self) -> bool:
        """Whether it is a folder that cases are added to."""
        return not self.suffix

    def target(self, case: str, folder: Path) -> Path:
        """Say where a case goes whose exports are all in one folder."""
        return folder if self.is_data_set else folder / f"{case}{self.suffix}"


def _write_mask(case: ExportCase, path: Path, replace: bool) -> None:
    write_labels(path, case.labels, case.source, case.names)


KINDS = (
    ExportKind("nifti", "NIfTI", _write_mask, ".nii.gz"),
    ExportKind("slicer", "3D Slicer segmentation", _write_mask, ".seg.nrrd"),
    ExportKind("tiff", "TIFF with pixel sizes", _write_mask, ".tif"),
    ExportKind("dicom-seg", "DICOM segmentation", _write_mask, ".dcm", of_dicom=True),
    ExportKind(
        "rtstruct", "DICOM RT structure set", rtstruct.write, ".dcm", of_dicom=True
    ),
    ExportKind("ome-zarr", "OME-Zarr labels", zarr_labels.write, ".ome.zarr"),
    ExportKind("imagej", "ImageJ regions", imagej.write, ".zip"),
    ExportKind("coco", "COCO, polygons", coco.write_polygons),
    ExportKind("coco-rle", "COCO, run lengths", coco.write_rle),
    ExportKind("yolo", "YOLO segmentation", yolo.write),
    ExportKind("nnunet", "nnU-Net v2", nnunet.write, only_classes=True),
)
"""Files first, then folders that cases are added to."""


def kind_of(name: str) -> ExportKind:
    """Find a format by its name.

    Raises
    ------
    UserError
        If there is none of this name.
    """
    for kind in KINDS:
        if kind.name == name:
            return kind
    names = ", ".join(kind.name for kind in KINDS)
    raise UserError(f"There is no format '{name}'; use {names}.")


def export(
    case: ExportCase,
    kind: ExportKind,
    target: Path,
    *,
    as_classes: bool = False,
    replace: bool = False,
) -> None:
    """Export a case.

    Parameters
    ----------
    case : ExportCase
        The case.
    kind : ExportKind
        The format.
    target : Path
        A file, or the folder of a data set, to which the case is added; folders that
        are not there are made.
    as_classes : bool
        Whether objects of one class become one, with its name; in some formats they
        always do.
    replace : bool
        Whether what is there of this case may be replaced.

    Raises
    ------
    UserError
        If the mask is empty, the format has no place for it, something is there
        already, the target is the image itself, or it cannot be written; what was
        there is as it was, but for pictures of a data set.
    ImportError
        If the format needs a package that is not installed.
    """
    if not (case.labels > 0).any():
        raise UserError(f"The mask of '{case.name}' is empty; there is nothing in it.")
    if kind.is_data_set and target.exists() and not target.is_dir():
        raise UserError(f"'{target}' is a file; a data set needs a folder.")
    if target.is_file():
        check_not_read(target, case.source.image_files)
    if target.is_file() and not replace:
        raise AlreadyThereError(
            f"'{target}' is there already; have it replaced, or give another name."
        )
    if as_classes or kind.only_classes:
        case = case.as_classes()
    try:
        with made_folder(target.parent):
            kind.write(case, target, replace)
    except OSError as error:
        raise UserError(
            f"'{target}' cannot be written ({error.strerror or reason(error)}); choose "
            "another place, or make room there."
        ) from error
