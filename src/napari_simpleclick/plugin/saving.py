"""Which file a mask is saved to: kinds of files, a name for it, and its extension."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from napari.utils.history import get_save_history

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.files import NIFTI, READABLE, suffix_of
from napari_simpleclick.images.formats import ngff
from napari_simpleclick.images.source import SOURCE_KEY, Source
from napari_simpleclick.samples import sample_path

if TYPE_CHECKING:
    from napari.layers import Image


class MaskKind(NamedTuple):
    """A kind of file that a mask is saved as.

    Parameters
    ----------
    title : str
        What people call it.
    suffixes : tuple of str
        Its extensions; a name without one gets the first.
    """

    title: str
    suffixes: tuple[str, ...]

    @property
    def filter(self) -> str:
        """What a file dialog lists."""
        return f"{self.title} ({' '.join('*' + one for one in self.suffixes)})"


NIFTI_KIND = MaskKind("NIfTI", (".nii.gz", ".nii"))
SLICER_KIND = MaskKind("3D Slicer segmentation", (".seg.nrrd",))
NRRD_KIND = MaskKind("NRRD", (".nrrd",))
META_KIND = MaskKind("MetaImage", (".mha",))
DICOM_KIND = MaskKind("DICOM segmentation", (".dcm",))
TIFF_KIND = MaskKind("TIFF with pixel sizes", (".tif", ".tiff"))
KINDS = (NIFTI_KIND, SLICER_KIND, NRRD_KIND, META_KIND, DICOM_KIND, TIFF_KIND)
SUFFIXES = tuple(suffix for kind in KINDS for suffix in kind.suffixes)
LONGEST_FIRST = sorted({*SUFFIXES, *READABLE}, key=len, reverse=True)

OF_SCANS = dict.fromkeys(NIFTI, NIFTI_KIND) | {
    ".nrrd": SLICER_KIND,
    ".nhdr": SLICER_KIND,
    ".mha": META_KIND,
    ".mhd": META_KIND,
}
"""Kind of the mask of a scan that has an orientation; NIfTI if it is not here."""


def suggested(image: Image) -> tuple[Path, MaskKind]:
    """Suggest where the mask of an image is saved, and as what.

    Parameters
    ----------
    image : napari.layers.Image
        The image.

    Returns
    -------
    path : Path
        Beside the file or the folder of the image, ``scan_mask.nii.gz`` for
        ``scan.nii.gz``; in the folder that was last saved to if the image is in no
        file, or in a place where nothing can be written.
    kind : MaskKind
        A kind that holds all that is known of the image's place.
    """
    source = image.metadata.get(SOURCE_KEY)
    of_file = isinstance(source, Source) and source.path is not None
    found = source.path if of_file else image.source.path
    last = Path(get_save_history()[0])
    if not found:
        return last / f"mask{NIFTI_KIND.suffixes[0]}", NIFTI_KIND
    place = Path(found)
    if of_file and source.files and place.is_file() and source.files != (place,):
        place = place.parent
    kind = _kind(source if of_file else None, place)
    folder = place.parent
    ours = folder == sample_path("").parent or folder == sample_path("")
    usable = folder.is_dir() and os.access(folder, os.W_OK) and not ours
    name = ngff.stem(place.name) if place.is_dir() else _stem(place)
    return (folder if usable else last) / f"{name}_mask{kind.suffixes[0]}", kind


def _kind(source: Source | None, place: Path) -> MaskKind:
    if source is None or source.affine is None:
        return TIFF_KIND
    if source.files and len(source.order) == 3:
        return DICOM_KIND
    return OF_SCANS.get(suffix_of(place), NIFTI_KIND)


def _stem(path: Path) -> str:
    """Name of a file without the extension that says its format."""
    ending = _ending(path) or path.suffix
    return path.name[: len(path.name) - len(ending)].removesuffix(".ome")


def _ending(path: Path) -> str:
    name = path.name.lower()
    return next((one for one in LONGEST_FIRST if name.endswith(one)), "")


def completed(path: Path, kind: MaskKind, before: Path | None = None) -> Path:
    """Give a name the extension of a kind, if it has none that masks have.

    Parameters
    ----------
    path : Path
        The name that was chosen.
    kind : MaskKind
        The kind that was chosen with it.
    before : Path, optional
        The name that was suggested. A name that still has its extension gets that of
        the kind.

    Raises
    ------
    UserError
        If its extension is one of images that masks are not saved as.
    """
    ending = _ending(path)
    left_over = before is not None and ending == _ending(before)
    if ending in kind.suffixes or (ending in SUFFIXES and not left_over):
        return path
    if ending and not left_over:
        raise UserError(
            f"'{path}' cannot be written as a mask; use {', '.join(SUFFIXES)}."
        )
    stem = _stem(path) if left_over else path.name.rstrip(".")
    return path.with_name(stem + kind.suffixes[0])
