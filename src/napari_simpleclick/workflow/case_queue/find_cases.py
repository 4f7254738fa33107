"""Which images a person means: those of a folder, a pattern or a list."""

from __future__ import annotations

import glob
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.csv_lists import read_list
from napari_simpleclick.images.files import READABLE, stem_of, suffix_of
from napari_simpleclick.images.formats import slice_folder
from napari_simpleclick.images.formats.ngff import stem
from napari_simpleclick.images.image_file import is_label_name
from napari_simpleclick.images.viewer_images import is_image_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

LIST_SUFFIX = ".csv"
COLUMN = "image"
"""Of a list: the paths, relative to it."""

DEEPEST = 4
"""Folders within each other that are looked into."""

PATTERN = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class FoundCases:
    """What there is to work through.

    Parameters
    ----------
    text : str
        What the person asked for.
    home : Path
        The folder that paths are told relative to.
    paths : tuple of Path
        Images and folders that are images, in the order of their numbers.
    """

    text: str
    home: Path
    paths: tuple[Path, ...]


def find_cases(text: str) -> FoundCases:
    """Find cases.

    Parameters
    ----------
    text : str
        A folder: its images and those of the folders in it, where a BraTS case, a
        DICOM series, OME-Zarr and a folder of numbered slices are one each; the
        pictures of the folder itself are single cases. A pattern such as
        ``/data/*/flair.nii.gz``, in which ``**`` is any number of folders. A CSV file
        with a column ``image``. Files that are called like label maps are no cases,
        unless a pattern or a list names them.

    Returns
    -------
    FoundCases
        At least one.

    Raises
    ------
    UserError
        If there is no such thing, or no image in it.
    """
    text = text.strip()
    place = Path(text).expanduser()
    if not text:
        raise UserError("Choose a folder, a list of images (CSV), or a pattern.")
    if place.is_dir():
        found = FoundCases(text, place, tuple(_sorted(_of_folder(place))))
    elif place.suffix.lower() == LIST_SUFFIX:
        found = FoundCases(text, place.parent, tuple(dict.fromkeys(_of_list(place))))
    elif PATTERN.search(text):
        fixed = [part for part in place.parts if not PATTERN.search(part)]
        first = next(n for n, part in enumerate(place.parts) if PATTERN.search(part))
        home = Path(*place.parts[:first]) if fixed and first else Path()
        names = glob.glob(str(place), recursive=True)
        images = (path for path in map(Path, names) if _is_image(path))
        found = FoundCases(text, home, tuple(_sorted(images)))
    else:
        raise UserError(
            f"There is no folder or list '{text}'; check the name, or give a pattern "
            "such as '/data/*/flair.nii.gz'."
        )
    if not found.paths:
        raise UserError(f"There is no image in '{text}'; choose another folder.")
    return found


def _of_folder(folder: Path, depth: int = 0) -> Iterator[Path]:
    if depth == 0 and is_image_folder(folder) and not slice_folder.find(folder):
        raise UserError(
            f"'{folder}' is one case; choose the folder that it lies in, or open it "
            "by itself."
        )
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if not path.is_dir():
            if suffix_of(path) in READABLE and not is_label_name(path):
                yield path
        elif is_image_folder(path):
            yield path
        elif depth < DEEPEST:
            yield from _of_folder(path, depth + 1)


def _is_image(path: Path) -> bool:
    if path.is_dir():
        return is_image_folder(path)
    return suffix_of(path) in READABLE


def _of_list(path: Path) -> Iterator[Path]:
    table = read_list(path, (COLUMN,), "add it, with an image a row")
    for row in table:
        name = (row[COLUMN] or "").strip()
        if name:
            yield path.parent / name


def _sorted(paths: Iterator[Path]) -> list[Path]:
    """Sort by names, in which numbers count as such: 10 comes after 9."""

    def key(path: Path) -> list[tuple[int, int, str]]:
        parts = re.split(r"(\d+)", str(path).lower())
        return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts]

    return sorted(set(paths), key=key)


def case_names(paths: tuple[Path, ...], home: Path) -> list[str]:
    """Name cases, each in another way: as briefly as that goes."""
    short = [_stem(path) for path in paths]
    long = [_below(path, home) for path in paths]
    alike, still_alike = Counter(short), Counter(long)
    names: dict[str, Path] = {}
    for one, other, path in zip(short, long, paths, strict=True):
        name = one if alike[one] == 1 else other
        if still_alike[other] > 1:
            name = f"{other}{suffix_of(path)}"
        number = 2
        while name in names:
            name, number = f"{other} {number}", number + 1
        names[name] = path
    return list(names)


def _stem(path: Path) -> str:
    plain = stem(path.name)
    if plain != path.name or path.is_dir():
        return plain
    return stem_of(path).removesuffix(".ome")


def _below(path: Path, home: Path) -> str:
    folder = path.parent
    inside = folder.relative_to(home) if folder.is_relative_to(home) else folder
    parts = [part for part in inside.parts if part not in ("/", "..")]
    return "_".join([*parts, _stem(path)])
