"""What a file format can do; each module of `formats` that has one names it FORMAT."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.images.image_file import ImageFile
    from napari_simpleclick.images.label_names import LabelName
    from napari_simpleclick.images.source import Source


@dataclass(frozen=True)
class Format:
    """A file format.

    Parameters
    ----------
    name : str
        What people call it.
    rank : int
        Place in lists of suffixes; of two that know a folder, the lower one reads it.
    read : callable
        A path to its images.
    suffixes : tuple of str
        Of files that are read, in lower case.
    recognises : callable
        Whether a file is of this format, by its first bytes (up to `HEAD_BYTES`).
    is_folder : callable
        Whether a folder is an image of this format.
    errors : tuple of type
        What ``read`` raises beside whole sentences; they become one with the path.
    written : tuple of str
        Suffixes of files that masks are written to.
    write : callable or None
        Takes the path, the labels, their source, and their names where the file has a
        place for them (others are written beside it, see `label_names`).
    as_shown : bool
        Whether ``write`` takes labels as a viewer has them; else they are in the order
        of the file, and the source has an affine.
    of_any_image : bool
        Whether it holds masks of any volume.
    """

    name: str
    rank: int
    read: Callable[[Path], list[ImageFile]]
    suffixes: tuple[str, ...] = ()
    recognises: Callable[[bytes], bool] = lambda head: False
    is_folder: Callable[[Path], bool] = lambda folder: False
    errors: tuple[type[Exception], ...] = ()
    written: tuple[str, ...] = ()
    write: Callable[[Path, NDArray[Any], Source, Sequence[LabelName]], None] | None = (
        None
    )
    as_shown: bool = False
    of_any_image: bool = True


@cache
def all_formats() -> tuple[Format, ...]:
    """Give the formats of all modules of `napari_simpleclick.images.formats`."""
    from napari_simpleclick.images import formats

    names = [module.name for module in pkgutil.iter_modules(formats.__path__)]
    modules = [importlib.import_module(f"{formats.__name__}.{name}") for name in names]
    found = [module.FORMAT for module in modules if hasattr(module, "FORMAT")]
    return tuple(sorted(found, key=lambda one: one.rank))
