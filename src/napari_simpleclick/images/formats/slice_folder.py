"""A folder of numbered slices: one TIFF, PNG, JPEG or BMP file for each."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.error_text import reason
from napari_simpleclick.images.format import Format
from napari_simpleclick.images.formats import pictures, tiff
from napari_simpleclick.images.image_file import ImageFile
from napari_simpleclick.images.lazy_array import LazyArray, Unchanged, fits_memory
from napari_simpleclick.images.units import MM

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

TIFF = tiff.FORMAT.suffixes
SLICES = (*pictures.FORMAT.suffixes, *TIFF)
NUMBER = re.compile(r"\d+")
STRAYS = 4
"""Slices that there must be for each picture of another kind."""


def find(folder: Path) -> list[Path]:
    """Find the slices of a folder in the order of their numbers.

    Returns
    -------
    list of Path
        At least two images of one kind whose names differ in one number, or in several
        that rise together; empty if the images of the folder are anything else. A few
        others, each of a kind of its own, do not count.
    """
    kinds: dict[str, list[Path]] = defaultdict(list)
    for path in _pictures(folder):
        kinds[NUMBER.sub("#", path.name.lower())].append(path)
    series = [files for files in kinds.values() if len(files) > 1]
    if len(series) != 1 or len(kinds) > len(series[0]) // STRAYS + 1:
        return []
    files = series[0]
    numbers = _numbers(files)
    column = _counter(numbers)
    return [] if column is None else [files[i] for i in np.argsort(numbers[:, column])]


def are_slices(files: list[Path]) -> bool:
    """Whether there are files, and the first is no volume itself."""
    if not files:
        return False
    if files[0].suffix.lower() not in TIFF:
        return True
    try:
        return len(tiff.header(files[0])[0]) == 2
    except Exception:  # a damaged slice, as it will be told when it is read
        return True


def _pictures(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SLICES and not path.name.startswith(".")
    ]


def _numbers(files: list[Path]) -> NDArray[np.int64]:
    """Numbers in the names of files of one kind, (files, numbers)."""
    return np.array([list(map(int, NUMBER.findall(path.name))) for path in files])


def _counter(numbers: NDArray[np.int64]) -> int | None:
    """Find the number that counts slices; the others must rise with it, or not vary."""
    varying = np.flatnonzero((numbers != numbers[0]).any(axis=0))
    for column in varying:
        order = np.argsort(numbers[:, column])
        steps = np.diff(numbers[order], axis=0)
        if (steps[:, column] > 0).all() and (steps[:, varying] >= 0).all():
            return int(column)
    return None


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
        and pictures that are left out are warnings.

    Raises
    ------
    UserError
        If a slice is damaged, or of another size.
    """
    files = find(folder)
    headers = [_header(path) for path in files]
    _check_sizes(folder, files, [shape for shape, _ in headers])
    first = _slice(files[0])
    dtype = np.result_type(*{kind for _, kind in headers})
    array = _stack(files, first.array.shape, dtype, lambda file: file.array)
    indices = None
    if first.indices is not None:
        shape = first.indices.shape
        indices = _stack(files, shape, first.indices.dtype, lambda file: file.indices)
    distance: tuple[str, ...] = ()
    if set(first.units) & set(MM):
        distance = (
            f"'{folder}' does not say how far apart its slices are; it is taken to be "
            "as far as pixels are wide. Set the scale of the layer if that is wrong.",
        )
    return ImageFile(
        array[...] if fits_memory(array.nbytes) else array,
        first.rgb,
        (1.0, *first.spacing),
        units=("pixel", *first.units) if first.units else (),
        axis_labels=("z", "y", "x"),
        path=folder,
        warnings=(
            *_missing(folder, files),
            *_strays(folder, files),
            *first.warnings,
            *distance,
        ),
        indices=indices,
        lossy=first.lossy,
    )


def _check_sizes(
    folder: Path, files: list[Path], shapes: list[tuple[int, ...]]
) -> None:
    odd = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    if odd is not None:
        raise UserError(
            f"The slices of '{folder}' differ in size: '{files[0].name}' is "
            f"{_times(shapes[0])}, '{files[odd].name}' is {_times(shapes[odd])} pixels;"
            " put those of one size into a folder of their own."
        )


def _stack(
    files: list[Path],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    part: Callable[[ImageFile], Any],
) -> LazyArray:
    """Give a part of all slices, which is read when it is indexed."""
    whole = (len(files), *shape)
    watch = Unchanged(*files)

    def read_slices(pieces: tuple[slice, ...]) -> NDArray[Any]:
        lengths = [len(range(n)[p]) for n, p in zip(whole, pieces, strict=True)]
        out = np.empty(lengths, dtype)
        for place, number in enumerate(range(whole[0])[pieces[0]]):
            watch.check(files[number])
            array = part(_slice(files[number]))
            if array is None or array.shape != shape:
                raise UserError(
                    f"'{files[number]}' is not as '{files[0].name}': one is in colour."
                )
            if array.dtype.kind == "b" and dtype.kind != "b":
                array = array * np.uint8(255)  # white, as in the other slices
            out[place] = array[pieces[1:]]
        return out

    return LazyArray(whole, dtype, read_slices)


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
    table = _numbers(files)
    column = _counter(table)
    numbers = table[:, 0 if column is None else column]
    step = int(np.diff(numbers).min())
    if (np.diff(numbers) % step).any():
        return ()
    missing = sorted({*range(numbers[0], numbers[-1], step)} - {*map(int, numbers)})
    if not missing or len(missing) > len(numbers):
        return ()
    listed = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
    return (
        f"'{folder}' has no slices with the numbers {listed}; the others are stacked "
        "without a gap.",
    )


def _strays(folder: Path, files: list[Path]) -> tuple[str, ...]:
    """Name the pictures that are no slices."""
    names = sorted(path.name for path in {*_pictures(folder)} - {*files})
    if not names:
        return ()
    listed = ", ".join(f"'{name}'" for name in names)
    return (f"{listed} in '{folder}' was left out; open it by itself.",)


FORMAT = Format(
    name="folder of slices",
    rank=5,
    read=lambda folder: [read(folder)],
    is_folder=lambda folder: are_slices(find(folder)),
)
