"""A DICOM series, or a file of many slices, to images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.formats import dicom_geometry, dicom_stack
from napari_simpleclick.images.formats.dicom_file import is_lossy, read_pixels
from napari_simpleclick.images.formats.dicom_values import modality_values
from napari_simpleclick.images.image_file import ImageFile
from napari_simpleclick.images.oblique import shear_degrees, upright_sizes

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.images.formats.dicom_slice import Slice

LEAN = 0.5
"""Degrees from which slices that do not lie over each other are a warning."""

TIMES = ("FrameTime", "FrameTimeVector", "CineRate", "RecommendedDisplayFrameRate")
"""Elements of films."""

TELLING = (
    "InstanceNumber",
    "EchoTime",
    "AcquisitionNumber",
    "TemporalPositionIdentifier",
)
"""What copies of a slice have in common, apart from their pixels."""


class NoVolume(UserError):
    """The slices of a series are too different to be one volume."""


def read(
    slices: list[Slice], name: str, origin: Path, apart: bool = False
) -> list[ImageFile]:
    """Read the slices of a series or of a file.

    Parameters
    ----------
    slices : list of Slice
        In any order.
    name : str
        What to call the image.
    origin : Path
        The folder or file that was opened.
    apart : bool
        Whether slices that make no volume, as those of a localizer, become images of
        their own.

    Returns
    -------
    list of ImageFile
        Mostly one: column, row, slice and, if there are several at every place, time or
        channel; of a film without places frame, row and column. Values are of a type
        that holds them.

    Raises
    ------
    NoVolume
        If no slices belong together and ``apart`` is False.
    UserError
        If the slices cannot be stacked or a file is damaged.
    """
    header = slices[0].header
    which = f"'{name}' in '{origin}'"
    if "TotalPixelMatrixRows" in header:
        raise UserError(
            f"'{slices[0].path}' is a whole slide in tiles, which is not read; export "
            "the part that you need as TIFF."
        )
    if slices[0].frame is not None and all(one.place is None for one in slices):
        return [_film(slices, name)]
    groups = dicom_stack.split(slices)
    volumes, rest = _volumes(groups, which, apart)
    warnings: list[str] = []
    if rest:
        why = dicom_stack.difference(volumes[0][0], rest[0])
        warnings.append(
            f"{which} has {why}; {_names(rest)} left out; put what was left out into a "
            "folder of its own to open it."
        )
    found = []
    for count, group in enumerate(volumes, start=1):
        own = name if len(volumes) == 1 else f"{name} {count}"
        found.append(_volume(group, own, which, origin, tuple(warnings)))
        warnings = []
    return found


def _volumes(
    groups: list[list[Slice]], which: str, apart: bool
) -> tuple[list[list[Slice]], list[Slice]]:
    """Give the groups that are volumes, and the slices that are not."""
    if len(groups) == 1 or apart:
        return groups, []
    least = max(dicom_stack.FEW, len(groups[0]) / 10)
    volumes = [group for group in groups if len(group) >= least]
    if not volumes and len(groups[0]) > len(groups[1]):
        volumes = groups[:1]
    if not volumes:
        why = dicom_stack.difference(groups[0][0], groups[1][0])
        raise NoVolume(
            f"{which} has {why}; they make no volume and were left out; put them into "
            "a folder of their own to open them."
        )
    return volumes, [one for group in groups if group not in volumes for one in group]


def _names(slices: list[Slice]) -> str:
    names = sorted({one.path.name for one in slices})
    listed = ", ".join(f"'{name}'" for name in names[: dicom_stack.NAMED])
    if len(names) > dicom_stack.NAMED:
        return f"{listed} and {len(names) - dicom_stack.NAMED} more were"
    return f"{listed} {'was' if len(names) == 1 else 'were'}"


def _volume(
    slices: list[Slice], name: str, which: str, origin: Path, warnings: tuple[str, ...]
) -> ImageFile:
    slices, copies = _without_copies(slices)
    if copies:
        warnings += (f"{which} has copies of slices; {_names(copies)} left out.",)
    if slices[0].pixel is None:
        warnings += (f"{which} has no valid pixel size; it is shown with 1 mm.",)
    layout = dicom_stack.arrange(slices, which)
    lean = shear_degrees(layout.affine)
    if lean > LEAN:
        warnings += (
            f"The slices of {which} lean by {lean:.1f} degrees (a tilted gantry); they "
            "are shown straight over each other, and masks are saved as they lie.",
        )
    planes = _stack(layout.slices)
    colour = planes.ndim == 4
    array = planes.transpose(2, 1, 0, *range(3, planes.ndim))
    sizes = upright_sizes(layout.affine)
    spacing = tuple(float(size) for size in sizes)
    units: tuple[str, ...] = ("mm",) * 3
    labels: tuple[str, ...] = ("x", "y", "z")
    if layout.repeats > 1:
        shape = (*array.shape[:2], layout.repeats, -1, *array.shape[3:])
        array = array.reshape(shape).swapaxes(2, 3)
        spacing, units = (*spacing, 1.0), (*units, "pixel")
        labels = (*labels, layout.axis)
    files = tuple(one.path for one in layout.slices if one.frame is None)
    if not files and "PerFrameFunctionalGroupsSequence" in slices[0].header:
        files = (slices[0].path,)
    return ImageFile(
        array,
        colour,
        spacing,
        layout.affine,
        units,
        labels,
        path=origin,
        name=name,
        files=files,
        warnings=warnings + layout.warnings,
    )


def _film(slices: list[Slice], name: str) -> ImageFile:
    """Frames that lie nowhere: (frame, row, column), as they were filmed."""
    array = _stack(tuple(slices))
    one = slices[0]
    filmed = any(one.header.get(element) for element in TIMES)
    milliseconds = one.number("FrameTime")
    rate = one.number("CineRate")
    if not milliseconds and rate:
        milliseconds = 1000 / rate
    timed = milliseconds is not None and milliseconds > 0
    warnings = () if filmed else (f"'{one.path}' does not say where its frames lie.",)
    return ImageFile(
        array,
        array.ndim == 4,
        (milliseconds if timed and milliseconds else 1.0, *(one.pixel or (1.0, 1.0))),
        None,
        ("ms" if timed else "pixel", *(("mm",) * 2 if one.pixel else ("pixel",) * 2)),
        ("time" if filmed else "frame", "y", "x"),
        path=one.path,
        name=name,
        warnings=warnings,
    )


def _without_copies(slices: list[Slice]) -> tuple[list[Slice], list[Slice]]:
    """Leave out what is there twice: the same pixels at the same place."""
    if slices[0].frame is not None:
        return slices, []
    kept: dict[object, list[Slice]] = {}
    copies = []
    for one in sorted(slices, key=_preference):
        uid = one.find("SOPInstanceUID")
        place = None if one.place is None else round(one.place / dicom_geometry.SAME)
        same = kept.setdefault(uid if place is None else place, [])
        if any(_is_copy(one, other) for other in same):
            copies.append(one)
        else:
            same.append(one)
    left = {one.path for one in copies}
    return [one for one in slices if one.path not in left], copies


def _preference(one: Slice) -> tuple[bool, bool, Path]:
    """Sort first what is as the scanner gave it, and what needs no decoder."""
    syntax = one.header.file_meta.get("TransferSyntaxUID")
    compressed = syntax is not None and syntax.is_encapsulated
    return is_lossy(one.header), compressed, one.path


def _is_copy(one: Slice, other: Slice) -> bool:
    uids = [s.find("SOPInstanceUID") for s in (one, other)]
    same = uids[0] == uids[1] and uids[0]
    told = [tuple(str(s.find(name)) for name in TELLING) for s in (one, other)]
    if not same and told[0] != told[1]:
        return False
    if is_lossy(one.header) != is_lossy(other.header):
        return True
    try:
        return np.array_equal(_values(one), _values(other))
    except UserError:  # one cannot be decoded, and the other is taken
        return bool(same)


def _values(one: Slice) -> NDArray[Any]:
    data, pixels = read_pixels(one.path)
    return modality_values(pixels, data, one)


def _stack(slices: tuple[Slice, ...]) -> NDArray[Any]:
    """(slices, rows, columns) values, with a colour axis if they have one."""
    array: NDArray[Any] | None = None
    path: Path | None = None
    for i, one in enumerate(slices):
        if one.path != path:
            path = one.path
            data, pixels = read_pixels(path)
            count = 1 if one.frame is None else int(one.number("NumberOfFrames") or 1)
            if one.frame is None or count == 1:
                pixels = pixels[np.newaxis]
        plane = modality_values(pixels[one.frame or 0], data, one)
        if array is None:
            array = np.empty((len(slices), *plane.shape), plane.dtype)
        if plane.shape != array.shape[1:]:
            raise UserError(
                f"'{one.path}' is not as '{slices[0].path.name}': one has other pixels "
                "than its header says; move it out of the folder."
            )
        array = array.astype(_common(array[:i], plane), copy=False)
        array[i] = plane
    assert array is not None
    return array


def _common(before: NDArray[Any], plane: NDArray[Any]) -> np.dtype[Any]:
    """Type that holds the values of both, and whole ones as whole ones if it can."""
    kind = np.result_type(before, plane)
    whole = before.dtype.kind in "iu" and plane.dtype.kind in "iu"
    if kind.kind != "f" or not whole:
        return kind
    top = max(int(before.max(initial=0)), int(plane.max(initial=0)))
    low = min(int(before.min(initial=0)), int(plane.min(initial=0)))
    if low >= 0:
        return np.dtype(np.uint64)
    return np.dtype(np.int64) if top < 2**63 else kind
