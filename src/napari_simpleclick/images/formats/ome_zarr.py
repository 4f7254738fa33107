"""OME-Zarr images and their labels, through zarr."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.error_text import reason
from napari_simpleclick.images.format import Format
from napari_simpleclick.images.formats.ngff import (
    Multiscale,
    about_group,
    label_groups,
    stem,
)
from napari_simpleclick.images.image_file import ImageFile
from napari_simpleclick.images.lazy_array import LazyArray, fits_memory
from napari_simpleclick.images.optional_packages import require

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SERIES = "bioformats2raw.layout"
"""Says that a group holds images that are called 0, 1, 2 ..."""


def is_store(folder: Path) -> bool:
    """Whether a folder is an OME-Zarr image, several of them, or a plate."""
    return any(key in about_group(folder) for key in ("multiscales", SERIES, "plate"))


def read(folder: Path) -> list[ImageFile]:
    """Read an image and its labels, or all images of a store.

    Parameters
    ----------
    folder : Path
        A group with ``multiscales``, an image or a label map, or one that
        bioformats2raw has written.

    Returns
    -------
    list of ImageFile
        Arrays stay on disk; smaller sizes of an image are its ``levels``. Labels come
        after their image; those that do not fit into memory are left out, with a
        warning.

    Raises
    ------
    UserError
        If the store is damaged, a plate, or of a newer version.
    ImportError
        If zarr is not installed.
    """
    about = about_group(folder)
    if "plate" in about:
        raise UserError(
            f"'{folder}' is a plate; open one of its fields, such as "
            f"'{folder / 'A' / '1' / '0'}'."
        )
    if "multiscales" not in about:
        numbered = [one for one in folder.iterdir() if one.name.isdecimal()]
        images = sorted(numbered, key=lambda one: int(one.name))
        return [
            found
            for one in images
            if "multiscales" in about_group(one)
            for found in read(one)
        ]
    image = _read_group(folder, about)
    if "image-label" in about:
        return [image]
    found, told = [], []
    for place in label_groups(folder):
        one = about_group(place)
        if "multiscales" not in one:
            told.append(f"'{folder}' lists the labels '{place.name}', which are gone.")
            continue
        labels = _read_group(place, one, labels=True)
        if fits_memory(labels.array.nbytes):
            found.append(labels)
        else:
            told.append(
                f"The labels '{place}' do not fit into memory and are left out."
            )
    return [replace(image, warnings=tuple(told)), *found]


def _read_group(folder: Path, about: dict[str, Any], labels: bool = False) -> ImageFile:
    """Read one image in several sizes."""
    labels = labels or "image-label" in about
    scales = Multiscale.of(about, folder)
    arrays = [_open(folder, path) for path in scales.paths]
    first = arrays[0]
    if first.ndim != len(scales.axes):
        raise UserError(
            f"'{folder}' has {len(scales.axes)} axes and an array of {first.ndim}; "
            "have it written anew."
        )
    name = folder.name if labels else stem(folder.name)
    if name.isdecimal() and not labels:
        name = f"{stem(folder.parent.name)} {name}"
    return ImageFile(
        first,
        spacing=scales.scales[0] if scales.scales else (1.0,) * first.ndim,
        units=scales.units,
        axis_labels=scales.axis_labels,
        labels=labels,
        path=folder,
        name=name,
        origin=scales.origin,
        levels=() if labels else tuple(arrays[1:]),
    )


def _open(folder: Path, path: str) -> LazyArray:
    """Open an array without reading it."""
    zarr: Any = require("zarr", "zarr", "read OME-Zarr")
    place = folder / path
    try:
        array = zarr.open_array(str(place), mode="r")
        dtype = np.dtype(array.dtype)
    except Exception as error:  # zarr has errors of many kinds
        raise UserError(f"'{place}' cannot be read: {reason(error)}.") from error
    if dtype.kind not in "biuf":
        raise UserError(f"'{place}' holds {dtype}, and no gray values.")

    def piece(pieces: tuple[slice, ...]) -> NDArray[Any]:
        try:
            return np.asarray(array[pieces])
        except Exception as error:
            raise UserError(
                f"A part of '{place}' cannot be read: {reason(error)}."
            ) from error

    return LazyArray(tuple(map(int, array.shape)), dtype, piece)


FORMAT = Format(
    name="OME-Zarr",
    rank=-1,  # its folder may look like one of numbered slices
    read=read,
    is_folder=is_store,
)
