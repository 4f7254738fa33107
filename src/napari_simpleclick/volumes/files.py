"""Image files to arrays, and masks to files."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
import tifffile
from PIL import Image
from skimage.io import imread, imsave

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NIFTI = (".nii", ".nii.gz")
TIFF = (".tif", ".tiff")
PICTURE = (".png", ".jpg", ".jpeg", ".bmp")
READABLE = (*PICTURE, *TIFF, *NIFTI)
WRITABLE = (".png", *TIFF, *NIFTI)


@dataclass(frozen=True)
class ImageFile:
    """An image as it is in its file.

    Parameters
    ----------
    array : array_like
        (H, W), (H, W, 3) if ``rgb``, or a volume with its axes in file order.
    rgb : bool
        Whether the last axis is colour.
    spacing : tuple of float
        Pixel size per axis, without the colour axis; mm for NIfTI, else 1.
    affine : ndarray or None
        (4, 4) voxel to world matrix of a NIfTI file.
    """

    array: Any
    rgb: bool = False
    spacing: tuple[float, ...] = ()
    affine: NDArray[np.float64] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape without the colour axis."""
        shape: tuple[int, ...] = tuple(self.array.shape)
        return shape[:-1] if self.rgb else shape


def suffix_of(path: Path) -> str:
    """File extension in lower case; ``.nii.gz`` counts as one."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()


def read_image(path: Path) -> ImageFile:
    """Read a PNG, JPEG, TIFF or NIfTI file.

    Parameters
    ----------
    path : Path
        The file. The alpha channel of a PNG is dropped.

    Returns
    -------
    ImageFile
        The image; NIfTI data stay on disk until they are indexed.

    Raises
    ------
    ValueError
        If there is no such file, it is empty or damaged, or of another kind.
    """
    suffix = suffix_of(path)
    if path.is_dir():
        raise ValueError(f"'{path}' is a folder; choose an image file in it.")
    if not path.exists():
        raise ValueError(f"There is no file '{path}'; check the name.")
    if suffix not in READABLE:
        raise ValueError(
            f"'{path}' is not an image that can be read; use {', '.join(READABLE)}."
        )
    if path.stat().st_size == 0:
        raise ValueError(f"'{path}' is empty; the file holds no image.")
    try:
        if suffix in NIFTI:
            return _read_nifti(path)
        array = tifffile.imread(path) if suffix in TIFF else _read_picture(path)
    except Exception as error:  # each of the three readers has its own errors
        raise ValueError(f"'{path}' cannot be read as an image: {error}.") from error
    if suffix in PICTURE and array.ndim == 3:
        array = array[..., 0] if array.shape[-1] == 2 else array[..., :3]
    rgb = array.ndim >= 3 and array.shape[-1] == 3
    return ImageFile(array, rgb, (1.0,) * (array.ndim - rgb))


def _read_picture(path: Path) -> NDArray[Any]:
    """Read a picture of any size; Pillow's limit is meant for untrusted uploads."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        return np.asarray(imread(path))
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _read_nifti(path: Path) -> ImageFile:
    image = nibabel.load(path)
    image.dataobj[(slice(0, 1),) * len(image.shape)]
    spacing = tuple(float(size) for size in image.header.get_zooms())
    return ImageFile(image.dataobj, False, spacing, image.affine)


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
    ValueError
        If the kind is not supported or the folder cannot be written to.
    """
    if suffix_of(path) not in kinds:
        raise ValueError(f"'{path}' cannot be written; use {', '.join(kinds)}.")
    if path.is_dir():
        raise ValueError(f"'{path}' is a folder; give a file name.")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".write-test-"):
            pass
    except OSError as error:
        raise ValueError(
            f"'{path}' cannot be written ({error.strerror}); choose another folder."
        ) from error


def write_mask(
    path: Path, mask: NDArray[np.uint8], affine: NDArray[np.float64] | None = None
) -> None:
    """Write a label mask; the old file stays whole until the new one is.

    Parameters
    ----------
    path : Path
        Target; PNG for (H, W) only. PNG masks are stored as 0 and 255 so that they
        can be seen.
    mask : ndarray
        uint8 labels.
    affine : ndarray or None
        (4, 4) matrix for NIfTI; identity if None.

    Raises
    ------
    ValueError
        If the target cannot be written, or a volume is to become a PNG.
    """
    check_writable(path)
    suffix = suffix_of(path)
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        if suffix in NIFTI:
            nibabel.save(nibabel.Nifti1Image(mask, affine), partial)
        elif suffix in TIFF:
            tifffile.imwrite(partial, mask, compression="zlib")
        elif mask.ndim == 2:
            imsave(partial, mask * np.uint8(255), check_contrast=False)
        else:
            raise ValueError(f"'{path}' cannot hold a volume; use .tif or .nii.gz.")
        partial.replace(path)
    except OSError as error:
        raise ValueError(f"'{path}' cannot be written ({error.strerror}).") from error
    finally:
        partial.unlink(missing_ok=True)
