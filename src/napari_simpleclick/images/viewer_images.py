"""Files to what a viewer is to show."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_simpleclick.images import files
from napari_simpleclick.images.files import (
    read_image,
    read_images,
    stem_of,
)
from napari_simpleclick.images.formats import brats
from napari_simpleclick.images.label_maps import whole_numbers
from napari_simpleclick.images.lazy_array import fits_memory
from napari_simpleclick.images.source import Source

if TYPE_CHECKING:
    from pathlib import Path

    from napari_simpleclick.images.image_file import ImageFile
    from napari_simpleclick.images.lazy_array import Array


@dataclass(frozen=True)
class Opened:
    """An image that is ready to become a layer.

    Parameters
    ----------
    name : str
        What to call the layer.
    array : LazyArray or ndarray
        Axes in the layer's order, colour last if ``rgb``. One more axis than ``source``
        has: the modalities of a case.
    source : Source
        Where the array stands, and what a mask of it needs to know.
    rgb : bool
        Whether the last axis is colour.
    labels : bool
        Whether it is a label map.
    warnings : tuple of str
        What the person should know.
    channels : tuple of str
        Names of the entries of the first axis, where they are channels.
    levels : tuple of array_like
        The same image in smaller sizes; then the array stays in its file.
    """

    name: str
    array: Array
    source: Source
    rgb: bool = False
    labels: bool = False
    warnings: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    levels: tuple[Array, ...] = ()


def is_image_folder(folder: Path) -> bool:
    """Whether a folder looks like an image, or several that belong together."""
    return bool(brats.find(folder)) or files.is_image_folder(folder)


def open_layers(path: Path, in_memory: bool = True) -> list[Opened]:
    """Read a file or folder as what a viewer is to show.

    Parameters
    ----------
    path : Path
        As for `read_image`, or the folder of a BraTS case, or one with several series.
    in_memory : bool
        Whether images that are small enough are read as a whole.

    Returns
    -------
    list of Opened
        Arrays up to `MEMORY_BYTES`, and all label maps, are in memory.

    Raises
    ------
    ValueError, ImportError
        As for `read_image`.
    """
    case = brats.find(path) if path.is_dir() else None
    if case is None:
        return [_opened(file, in_memory) for file in read_images(path)]
    array, source, warnings = brats.read_modalities(case)
    names = tuple(case.modalities)
    found = [Opened(path.name, array, source, warnings=warnings, channels=names)]
    if case.labels is not None:
        found.append(_opened(replace(read_image(case.labels), labels=True)))
    return found


def _opened(file: ImageFile, in_memory: bool = True) -> Opened:
    source = Source.of_file(file)
    array = source.to_layer(file.array)
    drawn_on = file.labels and not file.rgb
    small = in_memory and not file.levels and fits_memory(array.nbytes)
    if drawn_on or small:
        array = np.asarray(array)
    labels = whole_numbers(np.asarray(array)) if drawn_on else None
    name = file.name or (_name(file.path) if file.path else "")
    if labels is None:
        levels = tuple(source.to_layer(one) for one in file.levels)
        return Opened(
            name, array, source, file.rgb, False, file.warnings, levels=levels
        )
    return Opened(name, labels, source, False, True, file.warnings)


def _name(path: Path) -> str:
    """Name of a file without its extension; all of a folder's."""
    return stem_of(path) if path.is_file() else path.name
