"""NRRD and MetaImage files (.nrrd, .mha, .mhd), through SimpleITK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.error_text import reason
from napari_simpleclick.images.image_file import FLIP, ImageFile, is_label_name
from napari_simpleclick.images.optional_packages import require

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from numpy.typing import NDArray

    from napari_simpleclick.images.source import Source


def _itk() -> ModuleType:
    return require("SimpleITK", "itk", "read and write NRRD and MetaImage files")


def _format(path: Path) -> str:
    """ITK's name of the format, which it does not know of upper-case extensions."""
    return "NrrdImageIO" if path.suffix.lower() == ".nrrd" else "MetaImageIO"


def read(path: Path) -> ImageFile:
    """Read an NRRD or MetaImage file.

    Parameters
    ----------
    path : Path
        A .nrrd, .mha or .mhd file.

    Returns
    -------
    ImageFile
        Axes x, y, z and, in 4-D files, time, and then channels, or colour if a voxel
        has three values of 8 bits.

    Raises
    ------
    ImportError
        If SimpleITK is not installed.
    UserError
        If the file is damaged.
    """
    itk = _itk()
    try:
        image = itk.ReadImage(str(path), imageIO=_format(path))
    except RuntimeError as error:
        raise UserError(
            f"'{path}' is damaged or incomplete: {reason(error)}."
        ) from error
    count, channels = image.GetDimension(), image.GetNumberOfComponentsPerPixel()
    array = np.asarray(itk.GetArrayFromImage(image))
    space = tuple(range(count))[::-1]
    array = array.transpose((*space, *range(count, array.ndim)))
    rgb = channels == 3 and array.dtype == np.uint8
    names = ["x", "y", "z", "time"][:count] + ["channel"] * (array.ndim - count - rgb)
    spacing = (*image.GetSpacing(), *(1.0,) * (len(names) - count))
    if count == 2 and not rgb and channels > 1:  # channels come after three axes
        array, names = array[:, :, np.newaxis], ["x", "y", "z", "channel"]
        spacing = (*image.GetSpacing(), 1.0, 1.0)
    units = tuple("mm" if name in "xyz" else "pixel" for name in names)
    return ImageFile(
        array,
        rgb,
        spacing,
        _affine(image),
        units,
        tuple(names),
        is_label_name(path),
        path,
    )


def _affine(image: Any) -> NDArray[np.float64]:
    count = image.GetDimension()
    used = min(count, 3)
    direction = np.reshape(image.GetDirection(), (count, count))[:used, :used]
    affine = np.eye(4)
    affine[:used, :used] = direction * image.GetSpacing()[:used]
    affine[:used, 3] = image.GetOrigin()[:used]
    return FLIP @ affine


def write(path: Path, labels: NDArray[Any], source: Source) -> None:
    """Write a label map, compressed.

    Parameters
    ----------
    path : Path
        A .nrrd or .mha file.
    labels : ndarray
        Integers in the file's order of axes.
    source : Source
        The image that it is to overlay; it has an affine.

    Raises
    ------
    ImportError
        If SimpleITK is not installed.
    UserError
        If ``labels`` have more than four axes, or the file cannot be written.
    """
    itk = _itk()
    if labels.ndim > 4 or source.affine is None:
        raise UserError(f"This format cannot hold {labels.ndim} axes; use .nii.gz.")
    affine = FLIP @ source.affine
    if labels.ndim == 2 and not np.allclose(affine[2, :2], 0):
        labels = labels[..., np.newaxis]  # in two axes only an axial slice can stand
    image = itk.GetImageFromArray(np.ascontiguousarray(labels.T), isVector=False)
    count, used = labels.ndim, min(labels.ndim, 3)
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    direction, spacing, origin = np.eye(count), np.ones(count), np.zeros(count)
    direction[:used, :used] = (affine[:3, :3] / sizes)[:used, :used]
    spacing[:used], origin[:used] = sizes[:used], affine[:used, 3]
    image.SetDirection(direction.ravel().tolist())
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(origin.tolist())
    lower = path.with_suffix(path.suffix.lower())  # else ITK makes .mhd of .MHA
    try:
        itk.WriteImage(image, str(lower), useCompression=True)
    except RuntimeError as error:
        lower.unlink(missing_ok=True)
        raise UserError(f"The mask cannot be written: {reason(error)}.") from error
    lower.replace(path)
