"""The door: image files to arrays, and masks to files."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.error_text import reason
from napari_simpleclick.images.formats import (
    dicom,
    dicom_segmentation,
    itk,
    nifti,
    pictures,
    slice_folder,
    tiff,
)
from napari_simpleclick.images.formats.dicom_file import is_dicom
from napari_simpleclick.images.formats.slice_folder import TIFF
from napari_simpleclick.images.image_file import ImageFile
from napari_simpleclick.images.source import Source

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.images.lazy_array import Array


__all__ = [
    "DICOM",
    "ITK",
    "NIFTI",
    "PICTURE",
    "READABLE",
    "TIFF",
    "VOLUMES",
    "WRITABLE",
    "ImageFile",
    "check_writable",
    "read_image",
    "read_images",
    "read_mask",
    "smallest_type",
    "suffix_of",
    "write_labels",
]

NIFTI = (".nii", ".nii.gz")
PICTURE = (".png", ".jpg", ".jpeg", ".bmp")
DICOM = dicom.SUFFIXES
ITK = (".nrrd", ".mha", ".mhd")
READABLE = (*PICTURE, *TIFF, *NIFTI, *ITK, *DICOM)
VOLUMES = (*NIFTI, *TIFF, ".nrrd", ".mha")
"""Kinds of files that hold the labels of any volume."""

WRITABLE = (".png", *VOLUMES, ".dcm")


def suffix_of(path: Path) -> str:
    """File extension in lower case; ``.nii.gz`` counts as one."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()


def read_image(path: Path) -> ImageFile:
    """Read an image file, or a folder that is one image.

    Parameters
    ----------
    path : Path
        PNG, JPEG, TIFF, NIfTI, NRRD, MHA or DICOM file, or a folder with the slices of
        a DICOM series or with numbered pictures. The alpha channel of a PNG is dropped.

    Returns
    -------
    ImageFile
        The image, its axes in file order; large arrays stay on disk until they are
        indexed.

    Raises
    ------
    UserError
        If there is no such file, it is empty or damaged, or of another kind.
    ImportError
        If the format needs a package that is not installed.

    Examples
    --------
    >>> from napari_simpleclick import read_image
    >>> from napari_simpleclick.samples import sample_path
    >>> image = read_image(sample_path("em.tif"))
    >>> image.shape, image.array[2].dtype
    ((5, 250, 250), dtype('uint8'))
    """
    found = read_images(path)
    if len(found) > 1:  # segmentations may lie beside the series
        found = [file for file in found if not file.labels] or found
    if len(found) > 1:
        listed = ", ".join(f"'{file.name}'" for file in found)
        if all(file.labels and file.path == found[0].path for file in found):
            raise UserError(
                f"'{path}' holds {len(found)} segments that overlap ({listed}); open "
                "it in napari, and save the layer of the one that you need as .nii.gz."
            )
        raise UserError(
            f"'{path}' holds {len(found)} series ({listed}); put one of them into a "
            "folder of its own."
        )
    return found[0]


def read_images(path: Path) -> list[ImageFile]:
    """Read a file, or a folder with one or several DICOM series.

    Parameters, errors and what is read are those of `read_image`; of every series there
    is an image.
    """
    suffix = suffix_of(path)
    if path.is_dir():
        if dicom.is_folder_of_dicom(path):  # first: a series may come with previews
            return dicom.read([p for p in path.iterdir() if p.is_file()], path)
        if slice_folder.find(path):
            return [slice_folder.read(path)]
        raise UserError(
            f"'{path}' is a folder without a DICOM series or numbered slices; choose "
            "an image file in it."
        )
    if not path.exists():
        raise UserError(f"There is no file '{path}'; check the name.")
    if suffix not in READABLE and is_dicom(path):  # named by a number or a UID
        return dicom.read([path], path)
    if suffix not in READABLE:
        raise UserError(
            f"'{path}' is not an image that can be read; use {', '.join(READABLE)}."
        )
    if path.stat().st_size == 0:
        raise UserError(f"'{path}' is empty; the file holds no image.")
    if suffix in DICOM:
        return dicom.read([path], path)
    if suffix in ITK:
        return [itk.read(path)]
    kind = nifti if suffix in NIFTI else tiff if suffix in TIFF else pictures
    try:
        return [kind.read(path)]
    except Exception as error:  # each of the three readers has its own errors
        raise UserError(
            f"'{path}' cannot be read as an image: {reason(error)}."
        ) from error


def read_mask(path: Path, image: ImageFile) -> NDArray[np.bool_]:
    """Read a mask, its axes in the order of an image's file.

    Parameters
    ----------
    path : Path
        The mask, in any format; what is greater than 0 belongs to the object. A volume
        is turned as the orientation of both files says, and a stack of fewer slices
        put where they lie; one without orientation (TIFF) is taken to stand as in a
        viewer.
    image : ImageFile
        The image.

    Returns
    -------
    ndarray
        bool; a single slice (H, W) is left as it is.

    Raises
    ------
    UserError
        As for `read_image`, or if a volume has another shape than the image.
    """
    file = read_image(path)
    mask = np.asarray(file.array[..., 0] if file.rgb else file.array[...]) > 0
    if mask.ndim < 3 or len(image.shape) < 3:
        return mask
    placed = _placed(mask, file, image)
    if placed is not None:
        return placed
    turned = np.asarray(Source.of_file(file).to_layer(mask))
    return Source.of_file(image).to_file(turned)


def _placed(
    mask: NDArray[np.bool_], file: ImageFile, image: ImageFile
) -> NDArray[np.bool_] | None:
    """Put a part of an image where it lies; None for what is no part of it."""
    affines = file.affine, image.affine
    if affines[0] is None or affines[1] is None or len(image.shape) != mask.ndim:
        return None
    way = np.linalg.inv(affines[1]) @ affines[0]
    corner = np.rint(way[:3, 3]).astype(int)
    shift = np.eye(4)
    shift[:3, 3] = corner
    within = (corner >= 0).all() and (corner + mask.shape <= image.shape).all()
    if not within or not np.allclose(way, shift, atol=0.01):
        return None
    whole = np.zeros(image.shape, bool)
    box = zip(corner, mask.shape, strict=True)
    whole[tuple(slice(start, start + side) for start, side in box)] = mask
    return whole


def check_writable(path: Path, kinds: tuple[str, ...] = WRITABLE) -> None:
    """Refuse a target that cannot be written, before any work is done.

    Parameters
    ----------
    path : Path
        The target.
    kinds : tuple of str
        Extensions that it may have.

    Raises
    ------
    UserError
        If the kind is not supported or the folder cannot be written to.
    """
    if suffix_of(path) not in kinds:
        raise UserError(f"'{path}' cannot be written; use {', '.join(kinds)}.")
    if path.is_dir():
        raise UserError(f"'{path}' is a folder; give a file name.")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".write-test-"):
            pass
    except OSError as error:
        raise UserError(
            f"'{path}' cannot be written ({error.strerror}); choose another folder."
        ) from error


def write_labels(path: Path, labels: Array, source: Source | None = None) -> None:
    """Write labels; the old file stays whole until the new one is.

    Parameters
    ----------
    path : Path
        Target; one of `WRITABLE`. PNG holds (H, W) only, as 0 and 255 so that masks can
        be seen.
    labels : ndarray
        Integers, their axes in the order of a layer (see `Source.to_layer`); stored as
        the smallest type that holds them.
    source : Source or None
        The image they were drawn on. NIfTI, NRRD, MHA and DICOM overlay its file; TIFF
        is as in the viewer. None: a layer of its own, with pixels of 1 mm.

    Raises
    ------
    UserError
        If the target cannot be written, the shape is not that of the source, or a
        volume is to become a PNG.
    ImportError
        If the format needs a package that is not installed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> import numpy as np
    >>> from napari_simpleclick import read_image, write_labels
    >>> path = Path(mkdtemp()) / "mask.nii.gz"
    >>> write_labels(path, np.ones((3, 20, 30), bool))
    >>> sorted(read_image(path).shape)
    [3, 20, 30]
    """
    check_writable(path)
    labels = np.asarray(labels)
    if source is None:
        count = labels.ndim
        source = Source.of_layer(labels.shape, (1.0,) * count, (0.0,) * count)
    _write(path, labels.astype(smallest_type(labels)), source)


def smallest_type(labels: NDArray[Any]) -> np.dtype[Any]:
    """Smallest integer type of the labels, unsigned if none is negative."""
    low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
    return np.min_scalar_type(min(low, -high - 1) if low < 0 else high)


def _write(path: Path, labels: NDArray[Any], source: Source) -> None:
    suffix = suffix_of(path)
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        if suffix == ".png":
            pictures.write(partial, labels)
        elif suffix in TIFF:
            tiff.write(partial, source.merged(labels), source)
        else:
            oriented = source.with_affine()
            array = oriented.to_file(labels)
            kind = (
                nifti
                if suffix in NIFTI
                else itk
                if suffix in ITK
                else dicom_segmentation
            )
            kind.write(partial, array, oriented)
        partial.replace(path)
    except OSError as error:
        why = error.strerror or reason(error)
        raise UserError(f"'{path}' cannot be written ({why}).") from error
    finally:
        partial.unlink(missing_ok=True)
