"""Headers of NIfTI files: read even if they are odd, and what they say."""

from __future__ import annotations

import gzip
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import nibabel
import numpy as np
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import shape_zoom_affine

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.affines import distance, shear_warning
from napari_simpleclick.images.units import MM

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

KINDS = {348: nibabel.Nifti1Image, 540: nibabel.Nifti2Image}
"""By the size that a header begins with."""

FIRST_VOXEL = {348: 352, 540: 544}
"""Earliest place of the voxels in a file with a header of that size."""

PAIRS = (b"ni1", b"ni2")
"""Magic of a header whose voxels are in another file."""

ONE_BIT = 1
"""DT_BINARY of nifti1.h."""

LENGTHS = {"meter": "m", "mm": "mm", "micron": "um"}
TIMES = {"sec": "s", "msec": "ms", "usec": "us"}
"""NIfTI's names of units, and ours."""

APART = 0.5
"""Voxels between two places of one scan that are worth a word."""


class Placement(NamedTuple):
    """Where a volume stands: affine in mm, pixel sizes, and what is odd."""

    affine: NDArray[np.float64]
    spacing: tuple[float, ...]
    warnings: tuple[str, ...]


def is_compressed(path: Path) -> bool:
    """Whether a file is gzip, whatever it is called."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def read_header(path: Path) -> Any:
    """Read a header, mended where its meaning is clear.

    Raises
    ------
    UserError
        If it is none of NIfTI, an axis has a negative length, the voxels are in another
        file, or have one bit.
    """
    opened = gzip.open if is_compressed(path) else open
    with opened(path, "rb") as file:
        start = file.read(4)
        sizes = {int.from_bytes(start, order): order for order in ("little", "big")}
        size = next((size for size in KINDS if size in sizes), None)
        if size is None:
            raise UserError("it has no header of NIfTI")
        block = start + file.read(size - len(start))
    if len(block) < size:
        raise UserError("the file ends within its header; copy it again")
    header = KINDS[size].header_class(block, sizes[size], check=False)
    if bytes(header["magic"]).rstrip(b"\0") in PAIRS:
        raise UserError(
            "its voxels are in a second file (.img); convert both to one, in Python "
            "with nibabel.save(nibabel.load('NAME.hdr'), 'NAME.nii')"
        )
    if int(header["datatype"]) == ONE_BIT:
        raise UserError(
            "it stores one bit a voxel, which no library here reads; save it with "
            "8 bits"
        )
    header["vox_offset"] = max(int(header["vox_offset"]), FIRST_VOXEL[size])
    lengths = [int(length) for length in header["dim"]]
    count = lengths[0] if 1 <= lengths[0] <= 7 else 7
    shape = lengths[1 : count + 1]
    if min(shape) < 0:
        raise UserError("its header has an axis of negative length; copy it again")
    while len(shape) > 2 and shape[-1] == 0:  # some write 0 for an axis they have not
        shape.pop()
    header.set_data_shape([max(length, 1) for length in shape])
    try:
        header.get_qform(coded=True)
    except ValueError:  # a quaternion that is no rotation
        header["qform_code"] = 0
    return header


def find_placement(path: Path, header: Any) -> Placement:
    """Affine, pixel sizes and warnings; nonsense in a header gives pixel sizes only."""
    shape = header.get_data_shape()
    zooms = np.abs(np.array(header["pixdim"][1 : len(shape) + 1], float))
    bad = ~(np.isfinite(zooms) & (zooms > 0))
    spacing = tuple(map(float, np.where(bad, 1.0, zooms)))
    found = [
        affine
        for affine, code in map(_coded, (header.get_sform, header.get_qform))
        if code and np.isfinite(affine).all() and np.linalg.det(affine[:3, :3]) != 0
    ]
    scale = np.diag([MM[axis_units(header)[0][0]]] * 3 + [1.0])
    if not found:
        warning = (
            f"'{path}' has no valid orientation in its header; it is shown with its "
            "pixel sizes only, so left and right may be exchanged."
        )
        affine = shape_zoom_affine(shape, spacing)
        return Placement(scale @ affine, spacing, (warning,))
    warnings = shear_warning(path, found[0])
    apart = distance(found[1], found[0], shape) if len(found) > 1 else 0.0
    if apart > APART:
        warnings += (
            f"'{path}' says in two ways where it lies, and they are {apart:.1f} voxels "
            "apart; its sform is used, not its qform.",
        )
    return Placement(scale @ found[0], spacing, warnings)


def _coded(get: Callable[..., tuple[Any, int]]) -> tuple[NDArray[np.float64], int]:
    """Matrix and code of the qform or sform; code 0 if there is none that is valid."""
    with suppress(ValueError, HeaderDataError):
        matrix, code = get(coded=True)
        if matrix is not None:
            return np.array(matrix, float), code
    return np.eye(4), 0


def axis_units(header: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Units and names of the axes; a length without a unit is in mm."""
    count = len(header.get_data_shape())
    length = time = "unknown"
    with suppress(KeyError):  # of codes that NIfTI has not
        length, time = header.get_xyzt_units()
    names = ["x", "y", "z", "time" if time in TIMES or count > 4 else "channel"]
    units = [LENGTHS.get(length, "mm")] * 3 + [TIMES.get(time, "pixel")]
    names += ["channel"] * (count - 4)
    units += ["pixel"] * (count - 4)
    return tuple(units[:count]), tuple(names[:count])


class Scaling(NamedTuple):
    """How stored numbers become values: times slope, plus intercept."""

    slope: float
    intercept: float
    warnings: tuple[str, ...] = ()


NO_SCALING = Scaling(1.0, 0.0)


def find_scaling(path: Path, header: Any) -> Scaling:
    """Slope and intercept; by the standard there is none if the slope is 0 or missing.

    An intercept that is missing is 0.
    """
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    intercept = intercept if np.isfinite(intercept) else 0.0
    if slope and np.isfinite(slope):
        return Scaling(slope, intercept)
    if not intercept:
        return NO_SCALING
    told = (
        f"'{path}' has an intercept ({intercept:g}) without a slope; as the standard "
        "of NIfTI has it, its values are those stored."
    )
    return NO_SCALING._replace(warnings=(told,))
