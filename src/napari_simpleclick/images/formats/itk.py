"""NRRD and MetaImage files (.nrrd, .nhdr, .mha, .mhd), through SimpleITK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.affines import shear_warning
from napari_simpleclick.images.error_text import reason
from napari_simpleclick.images.format import Format
from napari_simpleclick.images.formats.itk_header import (
    extra_kind,
    fields,
    readable,
    unit,
)
from napari_simpleclick.images.formats.slicer_segments import segment_fields
from napari_simpleclick.images.image_file import FLIP, ImageFile, is_label_name
from napari_simpleclick.images.label_names import SLICER, names_of
from napari_simpleclick.images.magnitudes import magnitude, magnitude_warning
from napari_simpleclick.images.optional_packages import require
from napari_simpleclick.images.units import MM, known_unit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    from numpy.typing import NDArray

    from napari_simpleclick.images.label_names import LabelName
    from napari_simpleclick.images.source import Source


def _itk() -> ModuleType:
    return require("SimpleITK", "itk", "read and write NRRD and MetaImage files")


def _format(path: Path) -> str:
    """ITK's name of the format, which it does not know of upper-case extensions."""
    with path.open("rb") as file:
        return "NrrdImageIO" if file.read(4) == b"NRRD" else "MetaImageIO"


def read(path: Path) -> ImageFile:
    """Read an NRRD or MetaImage file.

    Parameters
    ----------
    path : Path
        A .nrrd, .nhdr, .mha or .mhd file.

    Returns
    -------
    ImageFile
        Axes x, y, z and, in 4-D files, time, and then channels, or colour if a voxel
        has three values of 8 bits; sizes in mm. Of complex numbers there is the
        magnitude.

    Raises
    ------
    ImportError
        If SimpleITK is not installed.
    UserError
        If the file is damaged.
    """
    itk, known = _itk(), fields(path)
    try:
        with readable(path, known) as file:
            image = itk.ReadImage(str(file), imageIO=_format(file))
    except (RuntimeError, OSError, EOFError) as error:
        raise UserError(
            f"'{path}' is damaged or incomplete: {reason(error)}."
        ) from error
    factor, told = _millimetres(path, unit(known))
    array, warnings = np.asarray(itk.GetArrayFromImage(image)), list(told)
    if array.dtype.kind == "c":
        array = magnitude(array)
        warnings.append(magnitude_warning(path))
    count, kind = image.GetDimension(), extra_kind(known)
    space = tuple(range(count))[::-1]
    array = array.transpose((*space, *range(count, array.ndim)))
    opaque = kind == "RGBA-color" and array.dtype == np.uint8
    array = array[..., :3] if opaque else array
    rgb = array.ndim > count and array.shape[-1] == 3 and array.dtype == np.uint8
    last = "time" if kind == "time" else "channel"
    names = ["x", "y", "z", "time", "channel"][:count]
    names += [last] * (array.ndim - count - rgb)
    sizes = [factor * size for size in image.GetSpacing()[:3]]
    if count == 2 and len(names) > 2:  # channels come after three axes
        array, names, sizes = (
            array[:, :, np.newaxis],
            ["x", "y", "z", last],
            [*sizes, 1],
        )
    affine = np.diag([factor] * 3 + [1.0]) @ _affine(image)
    return ImageFile(
        array,
        rgb,
        (*sizes, *(1.0,) * (len(names) - len(sizes))),
        affine,
        tuple("mm" if name in "xyz" else "pixel" for name in names),
        tuple(names),
        is_label_name(path),
        path,
        warnings=(*shear_warning(path, affine), *warnings),
    )


def _millimetres(path: Path, text: str) -> tuple[float, tuple[str, ...]]:
    """Factor from a file's unit to mm, and a word if that is not known."""
    name = known_unit(text)
    if name is None:
        told = (
            f"'{path}' has pixel sizes in '{text}', which is no unit known here; its "
            "numbers are taken for mm."
        )
        return 1.0, (told,)
    return MM.get(name, 1.0), ()


def _affine(image: Any) -> NDArray[np.float64]:
    count = image.GetDimension()
    used = min(count, 3)
    direction = np.reshape(image.GetDirection(), (count, count))[:used, :used]
    affine = np.eye(4)
    affine[:used, :used] = direction * image.GetSpacing()[:used]
    affine[:used, 3] = image.GetOrigin()[:used]
    return FLIP @ affine


def write(
    path: Path,
    labels: NDArray[Any],
    source: Source,
    names: Sequence[LabelName] = (),
) -> None:
    """Write a label map, compressed.

    Parameters
    ----------
    path : Path
        A .nrrd or .mha file.
    labels : ndarray
        Integers in the file's order of axes.
    source : Source
        The image that it is to overlay; it has an affine.
    names : sequence of LabelName
        Names and colours; kept in a file that is called .seg.nrrd.

    Raises
    ------
    ImportError
        If SimpleITK is not installed.
    UserError
        If ``labels`` have more than four axes, or for named segments more than three,
        or the file cannot be written.
    """
    itk = _itk()
    if labels.ndim > 4 or source.affine is None:
        raise UserError(f"This format cannot hold {labels.ndim} axes; use .nii.gz.")
    segments = _segments(path, labels, names)
    if segments and labels.ndim > 3:
        raise UserError(
            "A segmentation of 3D Slicer holds one volume, and this mask has several; "
            "save it as .nii.gz."
        )
    affine = FLIP @ source.affine
    if labels.ndim == 2 and (segments or not np.allclose(affine[2, :2], 0)):
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
    for key, value in segment_fields(labels, segments).items():
        image.SetMetaData(key, value)
    lower = path.with_suffix(path.suffix.lower())  # else ITK makes .mhd of .MHA
    try:
        itk.WriteImage(image, str(lower), useCompression=True)
    except RuntimeError as error:
        lower.unlink(missing_ok=True)
        raise UserError(f"The mask cannot be written: {reason(error)}.") from error
    lower.replace(path)


def _segments(
    path: Path, labels: NDArray[Any], names: Sequence[LabelName]
) -> list[LabelName]:
    """Labels that become 3D Slicer's segments: those with a name or with voxels."""
    if not names or not path.name.lower().endswith(SLICER):
        return []
    found = {int(value) for value in np.unique(labels) if value}
    return names_of(sorted(found | {one.label for one in names}), names)


def recognises(head: bytes) -> bool:
    """Whether a file begins as NRRD or MetaImage."""
    return head.startswith((b"NRRD0", b"ObjectType", b"NDims"))


FORMAT = Format(
    name="NRRD, MetaImage",
    rank=3,
    suffixes=(".nrrd", ".nhdr", ".mha", ".mhd"),
    read=lambda path: [read(path)],
    recognises=recognises,
    written=(".nrrd", ".mha"),
    write=write,
)
