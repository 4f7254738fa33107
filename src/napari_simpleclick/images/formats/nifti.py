"""NIfTI files (.nii, .nii.gz), through nibabel."""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
from nibabel.openers import ImageOpener
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import shape_zoom_affine

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.error_text import reason
from napari_simpleclick.images.image_file import ImageFile, is_label_name
from napari_simpleclick.images.lazy_array import LazyArray, Unchanged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.images.source import Source

LABEL_INTENT = 1002
"""NIFTI_INTENT_LABEL of nifti1.h."""

LONGEST = 2**15 - 1
"""Length of an axis that NIfTI-1 can hold."""

LENGTHS = {"meter": "m", "mm": "mm", "micron": "um"}
TIMES = {"sec": "s", "msec": "ms", "usec": "us"}
"""NIfTI's names of units, and ours."""


def read(path: Path) -> ImageFile:
    """Read a NIfTI file; its voxels stay on disk until they are indexed.

    Parameters
    ----------
    path : Path
        A .nii or .nii.gz file.

    Returns
    -------
    ImageFile
        Axes x, y, z and, in 4-D and 5-D files, time or channel. Voxels have the type
        of the file, or float32 or float64 if the file scales them.

    Raises
    ------
    UserError
        If the file is damaged or holds complex numbers.
    """
    image = _load(path)
    header, proxy = image.header, image.dataobj
    stored = proxy.dtype
    colour = stored.names is not None
    if np.issubdtype(stored, np.complexfloating):
        raise UserError("it holds complex numbers; save their magnitude instead")
    dtype = np.dtype(np.uint8) if colour else _value_type(stored, proxy)
    shape = (*image.shape, 3) if colour else tuple(image.shape)
    watch = Unchanged(path)

    def voxels(pieces: tuple[slice, ...]) -> NDArray[Any]:
        watch.check(path)
        try:
            part = proxy[pieces[: len(image.shape)]]
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise UserError(
                f"'{path}' is damaged or incomplete: {reason(error)}."
            ) from error
        if colour:
            part = np.stack([part[name] for name in "RGB"], axis=-1)[..., pieces[-1]]
        return np.asarray(part, dtype)

    array = LazyArray(shape, dtype, voxels)
    if array.size:
        _check_end(path, image)
    affine, spacing, warnings = _placement(path, image)
    units, names = _units(header, len(image.shape))
    return ImageFile(
        array,
        colour,
        spacing,
        affine,
        units,
        names,
        is_label_name(path) or int(header["intent_code"]) == LABEL_INTENT,
        path,
        header=header.copy(),
        warnings=warnings,
    )


def _load(path: Path) -> Any:
    """Open a file; without its qform if nibabel refuses that."""
    try:
        return nibabel.load(path, mmap=False)
    except (ValueError, HeaderDataError):
        kinds = (nibabel.Nifti1Image, nibabel.Nifti2Image)
        kind = next((k for k in kinds if k.path_maybe_image(path)[0]), None)
        if kind is None:
            raise
        with ImageOpener(path) as file:
            header = kind.header_class.from_fileobj(file)
        header["qform_code"] = 0
        return kind(kind.ImageArrayProxy(path, header, mmap=False), None, header)


def _value_type(stored: np.dtype[Any], proxy: Any) -> np.dtype[Any]:
    """Native type that holds the values after the header's slope and intercept."""
    if (proxy.slope, proxy.inter) == (1, 0):
        wide = stored.kind == "f" and stored.itemsize > 8
        return np.dtype(np.float64) if wide else stored.newbyteorder("=")
    return np.dtype(np.float32 if stored.itemsize <= 2 else np.float64)


def _check_end(path: Path, image: Any) -> None:
    """Find out now if the file ends before its voxels do, where that is quick."""
    proxy = image.dataobj
    if path.name.lower().endswith(".gz"):
        proxy[(slice(0, 1),) * len(image.shape)]
        return
    needed = proxy.offset + int(np.prod(image.shape)) * proxy.dtype.itemsize
    if path.stat().st_size < needed:
        raise UserError(
            f"the file ends after {path.stat().st_size} of {needed} bytes; copy it "
            "again"
        )


def _placement(
    path: Path, image: Any
) -> tuple[NDArray[np.float64], tuple[float, ...], tuple[str, ...]]:
    """Affine, spacing and warnings; a header that makes no sense gives pixel sizes."""
    zooms = np.array(image.header.get_zooms(), float)
    bad = ~(np.isfinite(zooms) & (zooms > 0))
    spacing = tuple(map(float, np.where(bad, 1.0, zooms)))
    for affine, code in map(_coded, (image.header.get_sform, image.header.get_qform)):
        if code and np.isfinite(affine).all() and np.linalg.det(affine[:3, :3]) != 0:
            return affine, spacing, ()
    warning = (
        f"'{path}' has no valid orientation in its header; it is shown with its pixel "
        "sizes only, so left and right may be exchanged."
    )
    return shape_zoom_affine(image.shape, spacing), spacing, (warning,)


def _coded(get: Callable[..., tuple[Any, int]]) -> tuple[NDArray[np.float64], int]:
    """Matrix and code of the qform or sform; code 0 if there is none that is valid."""
    with suppress(ValueError, HeaderDataError):
        matrix, code = get(coded=True)
        if matrix is not None:
            return np.array(matrix, float), code
    return np.eye(4), 0


def _units(header: Any, count: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Units and names of the axes; a length without a unit is in mm."""
    length = time = "unknown"
    with suppress(KeyError):  # of codes that NIfTI has not
        length, time = header.get_xyzt_units()
    names = ["x", "y", "z", "time" if time in TIMES or count > 4 else "channel"]
    units = [LENGTHS.get(length, "mm")] * 3 + [TIMES.get(time, "pixel")]
    names += ["channel"] * (count - 4)
    units += ["pixel"] * (count - 4)
    return tuple(units[:count]), tuple(names[:count])


def write(path: Path, labels: NDArray[Any], source: Source) -> None:
    """Write a label map.

    Parameters
    ----------
    path : Path
        A .nii or .nii.gz file.
    labels : ndarray
        Integers in the file's order of axes.
    source : Source
        The image that it is to overlay: qform, sform, their codes and units become
        those of its file; of one that is no NIfTI file, the affine. What is too long
        for NIfTI-1 becomes NIfTI-2.

    Raises
    ------
    UserError
        If ``labels`` have more than seven axes.
    """
    if labels.ndim > 7:
        raise UserError(f"NIfTI cannot hold {labels.ndim} axes; save fewer of them.")
    long = max(labels.shape) > LONGEST
    kind = nibabel.Nifti2Image if long else nibabel.Nifti1Image
    header, affine = None, source.affine
    if source.header is not None:
        header, affine = source.header.copy(), None
        kind = nibabel.Nifti2Image if header.sizeof_hdr == 540 else kind
        header["intent_code"], header["intent_name"] = LABEL_INTENT, b""
        header["cal_min"] = header["cal_max"] = 0
        header.set_slope_inter(1, 0)
        header.set_data_dtype(labels.dtype)
        header["vox_offset"] = 0
        header.extensions.clear()
    image = kind(labels, affine, header, dtype=labels.dtype)
    if header is None:
        image.header.set_xyzt_units("mm")
        image.header["intent_code"] = LABEL_INTENT
    nibabel.save(image, path)
