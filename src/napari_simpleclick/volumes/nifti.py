"""NIfTI files (.nii, .nii.gz), through nibabel."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np

from napari_simpleclick.volumes.image_file import ImageFile, is_label_name
from napari_simpleclick.volumes.lazy import LazyArray, Unchanged

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.volumes.source import Source

LABEL_INTENT = 1002
"""NIFTI_INTENT_LABEL of nifti1.h."""

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
    ValueError
        If the file is damaged or holds complex numbers.
    """
    image = nibabel.load(path, mmap=False)
    header, proxy = image.header, image.dataobj
    stored = proxy.dtype
    colour = stored.names is not None
    if np.issubdtype(stored, np.complexfloating):
        raise ValueError(
            f"'{path}' holds complex numbers; save their magnitude as another file."
        )
    dtype = np.dtype(np.uint8) if colour else _value_type(stored, proxy)
    shape = (*image.shape, 3) if colour else tuple(image.shape)
    watch = Unchanged(path)

    def voxels(pieces: tuple[slice, ...]) -> NDArray[Any]:
        watch.check(path)
        try:
            part = proxy[pieces[: len(image.shape)]]
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise ValueError(f"'{path}' is damaged or incomplete: {error}.") from error
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
        raise ValueError(
            f"the file ends after {path.stat().st_size} of {needed} bytes; copy it "
            "again"
        )


def _placement(
    path: Path, image: Any
) -> tuple[NDArray[np.float64], tuple[float, ...], tuple[str, ...]]:
    """Affine, spacing and warnings; a header that makes no sense gives pixel sizes."""
    zooms = np.array(image.header.get_zooms(), float)
    bad = ~(np.isfinite(zooms) & (zooms > 0))
    spacing = np.where(bad, 1.0, zooms)
    affine = np.array(image.affine, float)
    if np.isfinite(affine).all() and abs(np.linalg.det(affine[:3, :3])) > 0:
        return affine, tuple(map(float, spacing)), ()
    sizes = np.ones(3)
    sizes[: min(3, len(spacing))] = spacing[:3]
    warning = (
        f"'{path}' has no valid orientation in its header; it is shown with its pixel "
        "sizes only, so left and right may be exchanged."
    )
    return np.diag([*sizes, 1.0]), tuple(map(float, spacing)), (warning,)


def _units(header: Any, count: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Units and names of the axes; a length without a unit is in mm."""
    length, time = header.get_xyzt_units()
    names = ["x", "y", "z", "time" if time in TIMES or count > 4 else "channel"]
    units = [LENGTHS.get(length, "mm")] * 3 + [TIMES.get(time, "pixel")]
    names += ["channel"] * (count - 4)
    units += ["pixel"] * (count - 4)
    return tuple(units[:count]), tuple(names[:count])


def write(path: Path, labels: NDArray[Any], source: Source | None) -> None:
    """Write a label map.

    Parameters
    ----------
    path : Path
        A .nii or .nii.gz file.
    labels : ndarray
        Integers in the file's order of axes.
    source : Source or None
        The image that it is to overlay: qform, sform, their codes and units become
        those of its file; of one that is no NIfTI file, the affine. None: no
        orientation.
    """
    kind = nibabel.Nifti1Image
    header = None
    affine = None if source is None else source.affine
    if source is not None and source.header is not None:
        header, affine = source.header.copy(), None
        kind = nibabel.Nifti2Image if header.sizeof_hdr == 540 else kind
        header["intent_code"], header["intent_name"] = LABEL_INTENT, b""
        header["cal_min"] = header["cal_max"] = 0
        header.set_slope_inter(1, 0)
        header.set_data_dtype(labels.dtype)
        header["vox_offset"] = 0
        header.extensions.clear()
    image = kind(labels, affine, header, dtype=labels.dtype)
    if header is None and affine is not None:
        image.header.set_xyzt_units("mm")
        image.header["intent_code"] = LABEL_INTENT
    nibabel.save(image, path)
