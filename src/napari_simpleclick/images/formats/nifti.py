"""NIfTI files (.nii, .nii.gz), through nibabel."""

from __future__ import annotations

import gzip
import math
import zlib
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
from nibabel.arrayproxy import ArrayProxy

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.affines import (
    ITK_TOLERANCE,
    at_right_angles,
    distance,
    shear,
)
from napari_simpleclick.images.error_text import reason
from napari_simpleclick.images.format import Format
from napari_simpleclick.images.formats.nifti_header import (
    KINDS,
    NO_SCALING,
    TIMES,
    Scaling,
    axis_units,
    find_placement,
    find_scaling,
    is_compressed,
    read_header,
)
from napari_simpleclick.images.image_file import ImageFile, is_label_name
from napari_simpleclick.images.lazy_array import LazyArray, Unchanged
from napari_simpleclick.images.magnitudes import (
    magnitude,
    magnitude_type,
    magnitude_warning,
)
from napari_simpleclick.images.units import MM

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.images.source import Source

CHUNK = 2**20
"""Bytes that are unpacked at once."""

TIGHTEST = 1032
"""Times that deflate makes anything smaller, at most."""

REMEMBERED = 64
"""Files whose checksums need not be compared again."""

LABEL_INTENT = 1002
"""NIFTI_INTENT_LABEL of nifti1.h."""

GZIP = b"\x1f\x8b"

LONGEST = 2**15 - 1
"""Length of an axis that NIfTI-1 can hold."""

CLOSE = 0.1
"""Voxels by which a mask may be off its scan, to be without shear."""


def read(path: Path) -> ImageFile:
    """Read a NIfTI file; its voxels stay on disk until they are indexed.

    Parameters
    ----------
    path : Path
        A .nii or .nii.gz file, compressed or not whatever its name says.

    Returns
    -------
    ImageFile
        Axes x, y, z and, in 4-D and 5-D files, time or channel. Voxels have the type
        of the file, or float32 or float64 if the file scales them (64-bit integers
        that are only shifted stay integers); of complex numbers there is the magnitude.

    Raises
    ------
    UserError
        If the file is damaged.
    """
    header = read_header(path)
    stored, shape = header.get_data_dtype(), tuple(header.get_data_shape())
    colour = stored.names is not None
    scaling = NO_SCALING if colour else find_scaling(path, header)
    dtype = np.dtype(np.uint8) if colour else _value_type(stored, scaling)
    proxy = _unscaled(path, header)
    watch = Unchanged(path)

    def voxels(pieces: tuple[slice, ...]) -> NDArray[Any]:
        watch.check(path)
        try:
            wanted = pieces[: len(shape)]
            whole = all(
                range(length)[piece] == range(length)
                for piece, length in zip(wanted, shape, strict=True)
            )
            packed = is_compressed(path)
            if packed and not whole:
                _compare(path, watch.seen(path), _end(proxy))
            part = _unpacked(path, proxy) if packed and whole else proxy[wanted]
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise UserError(
                f"'{path}' is damaged or incomplete: {reason(error)}."
            ) from error
        if colour:
            return np.stack([part[name] for name in "RGB"], axis=-1)[..., pieces[-1]]
        return _scaled(part, scaling, dtype)

    array = LazyArray((*shape, 3) if colour else shape, dtype, voxels)
    _check_end(path, proxy)
    placement = find_placement(path, header)
    units, names = axis_units(header)
    told = (magnitude_warning(path),) if stored.kind == "c" else ()
    return ImageFile(
        array,
        colour,
        placement.spacing,
        placement.affine,
        units,
        names,
        is_label_name(path) or int(header["intent_code"]) == LABEL_INTENT,
        path,
        header=header,
        warnings=(*placement.warnings, *scaling.warnings, *told),
    )


def _unpacked(path: Path, proxy: ArrayProxy) -> NDArray[Any]:
    """Read all voxels, and compare the file with its checksum, which is at its end.

    Raises
    ------
    OSError, EOFError
        If something in it has changed, or it ends too early.
    """
    stored = bytearray(_end(proxy) - proxy.offset)
    with gzip.open(path) as file:
        file.seek(proxy.offset)
        if file.readinto(stored) < len(stored):
            raise EOFError("the file ends before its voxels do")
        while file.read(CHUNK):
            pass
    return np.frombuffer(stored, proxy.dtype).reshape(proxy.shape, order="F")


@lru_cache(REMEMBERED)
def _compare(path: Path, seen: tuple[int, int], end: int) -> None:
    """Compare a file with its checksum, before the first slice of it is read.

    It is unpacked once for that, piece by piece, and then not again as long as it is
    the same: about 2 s for 200 MB.

    Raises
    ------
    OSError, EOFError
        As :func:`_unpacked` does.
    """
    with gzip.open(path) as file:
        while file.read(CHUNK):
            pass
        if file.tell() < end:
            raise EOFError("the file ends before its voxels do")


def _end(proxy: ArrayProxy) -> int:
    """Bytes up to the end of the voxels, as the header has it."""
    return int(proxy.offset + math.prod(proxy.shape) * proxy.dtype.itemsize)


def _unscaled(path: Path, header: Any) -> ArrayProxy:
    """Voxels as they are stored; a file that is not what its name says is kept open."""
    named = path.name.lower().endswith(".gz")
    compressed = is_compressed(path)
    file: Any = path
    if compressed != named:
        file = gzip.open(path) if compressed else path.open("rb")  # noqa: SIM115
    offset = int(header["vox_offset"])
    spec = (header.get_data_shape(), header.get_data_dtype(), offset, 1.0, 0.0)
    return ArrayProxy(file, spec, mmap=False)


def _value_type(stored: np.dtype[Any], scaling: Scaling) -> np.dtype[Any]:
    """Native type that holds the values after slope and intercept."""
    if stored.kind == "c":
        return magnitude_type(stored)
    if scaling[:2] == NO_SCALING[:2]:
        wide = stored.kind == "f" and stored.itemsize > 8
        return np.dtype(np.float64) if wide else stored.newbyteorder("=")
    if _only_shifted(stored, scaling):
        return stored.newbyteorder("=")
    return np.dtype(np.float32 if stored.itemsize <= 2 else np.float64)


def _only_shifted(stored: np.dtype[Any], scaling: Scaling) -> bool:
    """Whether 64-bit integers, which float64 cannot hold, get an integer added."""
    wide = stored.kind in "iu" and stored.itemsize > 4
    return wide and scaling.slope == 1 and scaling.intercept.is_integer()


def _scaled(part: NDArray[Any], scaling: Scaling, dtype: np.dtype[Any]) -> NDArray[Any]:
    if scaling[:2] == NO_SCALING[:2]:
        values = part
    elif _only_shifted(part.dtype, scaling):
        limits, shift = np.iinfo(dtype), int(scaling.intercept)
        ends = [int(part.min(initial=0)) + shift, int(part.max(initial=0)) + shift]
        if part.size and not limits.min <= min(ends) <= max(ends) <= limits.max:
            raise UserError(f"Its values of {dtype} do not fit that type once shifted.")
        values = part.astype(dtype) + dtype.type(abs(shift)) * (1 if shift > 0 else -1)
    else:
        values = part * np.float64(scaling.slope) + scaling.intercept
    return np.asarray(magnitude(values) if values.dtype.kind == "c" else values, dtype)


def _check_end(path: Path, proxy: ArrayProxy) -> None:
    """Find out now if the file ends before its voxels do, where that is quick."""
    needed, there = _end(proxy), path.stat().st_size
    if is_compressed(path):
        if there * TIGHTEST < needed:
            raise UserError(
                f"its header tells of {needed} bytes, more than its {there} can unpack "
                "to; copy it again"
            )
        try:
            proxy[(slice(0, 1),) * len(proxy.shape)]
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise UserError(f"it is damaged or incomplete: {reason(error)}") from error
        return
    if there < needed:
        raise UserError(f"the file ends after {there} of {needed} bytes; copy it again")


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
        If ``labels`` have more than seven axes, or the image is sheared, so that most
        programs could not read the file.
    """
    if labels.ndim > 7:
        raise UserError(f"NIfTI cannot hold {labels.ndim} axes; save fewer of them.")
    long = max(labels.shape) > LONGEST
    kind = nibabel.Nifti2Image if long else nibabel.Nifti1Image
    if source.header is None:
        image = kind(labels, _readable(source), dtype=labels.dtype)
        _set_units(image.header, labels.ndim, source)
    else:
        header = source.header.copy()
        kind = nibabel.Nifti2Image if header.sizeof_hdr == 540 else kind
        if not _has_qform(header):
            affine = _readable(source)
            if affine is not source.affine:
                header.set_qform(_in_units(affine, header), int(header["sform_code"]))
        header["intent_name"] = b""
        header["cal_min"] = header["cal_max"] = 0
        header.set_slope_inter(1, 0)
        header.set_data_dtype(labels.dtype)
        header["vox_offset"] = 0
        header.extensions.clear()
        image = kind(labels, None, header, dtype=labels.dtype)
    image.header["intent_code"] = LABEL_INTENT
    nibabel.save(image, path)


def _readable(source: Source) -> NDArray[np.float64]:
    """Give the affine of a source, as near to it as ITK reads."""
    affine = source.affine
    assert affine is not None
    if shear(affine) < ITK_TOLERANCE:
        return affine
    straight = at_right_angles(affine)
    if distance(straight, affine, source.shape) > CLOSE:
        raise UserError(
            "The axes of this scan are not at right angles, and most programs (ITK, "
            "ITK-SNAP, 3D Slicer) cannot read such a NIfTI file; save the mask as "
            ".nrrd or .mha."
        )
    return straight


def _has_qform(header: Any) -> bool:
    """Whether ITK finds another place in the header than a sheared sform."""
    try:
        matrix, code = header.get_qform(coded=True)
    except ValueError:
        return False
    return bool(code) and matrix is not None


def _in_units(affine: NDArray[np.float64], header: Any) -> NDArray[np.float64]:
    """Turn an affine in mm into the units of a header."""
    return np.diag([1 / MM[axis_units(header)[0][0]]] * 3 + [1.0]) @ affine


def _set_units(header: Any, count: int, source: Source) -> None:
    """Say that lengths are in mm, if they are, and how long times are."""
    layer_axis = {axis: place for place, axis in enumerate(source.order)}
    times = {unit: name for name, unit in TIMES.items()}
    zooms = list(header.get_zooms())
    time = None
    for axis in range(3, count):
        place = layer_axis.get(axis)
        unit = source.units[place] if source.units and place is not None else ""
        if unit in times and place is not None:
            time, zooms[axis] = times[unit], abs(source.scale[place])
    header.set_zooms(zooms)
    known = not source.units or bool(set(source.units) & set(MM))
    header.set_xyzt_units("mm" if known else "unknown", time)


def recognises(head: bytes) -> bool:
    """Whether a file, compressed or not, begins as NIfTI."""
    if head[:2] == GZIP:
        with suppress(zlib.error):
            head = zlib.decompressobj(wbits=31).decompress(head)
    sizes = {int.from_bytes(head[:4], order) for order in ("little", "big")}
    return bool(sizes & set(KINDS))


FORMAT = Format(
    name="NIfTI",
    rank=2,
    suffixes=(".nii", ".nii.gz"),
    read=lambda path: [read(path)],
    recognises=recognises,
    errors=(Exception,),  # nibabel has errors of many kinds
    written=(".nii", ".nii.gz"),
    write=lambda path, labels, source, _: write(path, labels, source),
)
