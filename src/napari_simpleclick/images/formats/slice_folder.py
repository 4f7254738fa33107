"""A folder of numbered slices: one TIFF, PNG or JPEG file for each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.error_text import reason
from napari_simpleclick.images.formats import pictures, tiff
from napari_simpleclick.images.image_file import ImageFile
from napari_simpleclick.images.lazy_array import LazyArray, Unchanged, fits_memory

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

TIFF = (".tif", ".tiff")
SLICES = (".png", ".jpg", ".jpeg", ".bmp", *TIFF)
NUMBER = re.compile(r"\d+")


def find(folder: Path) -> list[Path]:
    """Find the slices of a folder in the order of their numbers.

    Returns
    -------
    list of Path
        At least two images of one kind whose names differ in one number only; empty if
        the images of the folder are anything else.
    """
    files = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SLICES and not path.name.startswith(".")
    ]
    kinds = {NUMBER.sub("#", path.name.lower()) for path in files}
    if len(files) < 2 or len(kinds) != 1:
        return []
    numbers = np.array([list(map(int, NUMBER.findall(p.name))) for p in files])
    if (numbers != numbers[0]).any(axis=0).sum() != 1:
        return []
    return [files[i] for i in np.lexsort(numbers.T[::-1])]


def read(folder: Path) -> ImageFile:
    """Read a folder of numbered slices.

    Parameters
    ----------
    folder : Path
        A folder in which `find` finds slices.

    Returns
    -------
    ImageFile
        (slices, H, W), with a colour axis if the slices are colour, of a type that
        holds the values of all; over `MEMORY_BYTES` they stay on disk. Missing numbers
        are a warning.

    Raises
    ------
    UserError
        If a slice is damaged, of another size, or a stack itself.
    """
    files = find(folder)
    headers = [_header(path) for path in files]
    shapes = [shape for shape, _ in headers]
    odd = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    if odd is not None:
        raise UserError(
            f"The slices of '{folder}' differ in size: '{files[0].name}' is "
            f"{_times(shapes[0])}, '{files[odd].name}' is {_times(shapes[odd])} pixels;"
            " put those of one size into a folder of their own."
        )
    if len(shapes[0]) != 2:
        raise UserError(
            f"'{files[0]}' is a stack itself; open the files of '{folder}' one by one."
        )
    first = _slice(files[0])
    shape = (len(files), *first.array.shape)
    dtype = np.result_type(*{kind for _, kind in headers})
    watch = Unchanged(*files)

    def read_slices(pieces: tuple[slice, ...]) -> NDArray[Any]:
        lengths = [len(range(n)[p]) for n, p in zip(shape, pieces, strict=True)]
        out = np.empty(lengths, dtype)
        for place, number in enumerate(range(shape[0])[pieces[0]]):
            watch.check(files[number])
            array = _slice(files[number]).array
            if array.shape != shape[1:]:
                raise UserError(
                    f"'{files[number]}' is not as '{files[0].name}': one is in colour."
                )
            if (
                array.dtype.kind == "b" and dtype.kind != "b"
            ):  # white, as in the other slices
                array = array * np.uint8(255)
            out[place] = array[pieces[1:]]
        return out

    array = LazyArray(shape, dtype, read_slices)
    return ImageFile(
        array[...] if fits_memory(array.nbytes) else array,
        first.rgb,
        (1.0, *first.spacing),
        units=("pixel", *first.units) if first.units else (),
        axis_labels=("z", "y", "x"),
        path=folder,
        warnings=_missing(folder, files),
    )


def _header(path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape without colour, and type."""
    try:
        is_tiff = path.suffix.lower() in TIFF
        return tiff.header(path) if is_tiff else pictures.header(path)
    except Exception as error:  # each reader has its own errors
        raise _unreadable(path, error) from error


def _slice(path: Path) -> ImageFile:
    try:
        return tiff.read(path) if path.suffix.lower() in TIFF else pictures.read(path)
    except Exception as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ValueError:
    return ValueError(f"'{path}' cannot be read as an image: {reason(error)}.")


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _missing(folder: Path, files: list[Path]) -> tuple[str, ...]:
    """Warn of the numbers that are missing, if the others are evenly spaced."""
    table = np.array([list(map(int, NUMBER.findall(path.name))) for path in files])
    column = int(np.argmax((table != table[0]).any(axis=0)))
    numbers = table[:, column]
    step = int(np.diff(numbers).min())
    if step == 0 or (np.diff(numbers) % step).any():
        return ()
    missing = sorted({*range(numbers[0], numbers[-1], step)} - {*map(int, numbers)})
    if not missing or len(missing) > len(numbers):
        return ()
    listed = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
    return (
        f"'{folder}' has no slices with the numbers {listed}; the others are stacked "
        "without a gap.",
    )
