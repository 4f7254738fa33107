"""Volumes that a command is to work on: files, folders of them, or a list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.csv_lists import read_list
from napari_simpleclick.images.files import READABLE, stem_of, suffix_of
from napari_simpleclick.images.viewer_images import is_image_folder
from napari_simpleclick.propagation.volume_files import AnnotatedVolume
from napari_simpleclick.workflow.case_queue.find_cases import (
    COLUMN,
    LIST_SUFFIX,
    find_cases,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


def is_list(path: Path) -> bool:
    """Tell whether a path stands for several volumes: a CSV list, or a folder."""
    if path.suffix.lower() == LIST_SUFFIX:
        return True
    return path.is_dir() and not is_image_folder(path)


def find_volumes(paths: Sequence[Path]) -> list[Path]:
    """Find the volumes that paths stand for, each once.

    Parameters
    ----------
    paths : sequence of Path
        Volumes, CSV lists with a column ``image``, and folders of volumes.

    Raises
    ------
    UserError
        If a list cannot be read, or there is no volume in a folder.
    """
    found: list[Path] = []
    for path in paths:
        found += find_cases(str(path)).paths if is_list(path) else (path,)
    return list(dict.fromkeys(found))


def find_annotated(
    paths: Sequence[Path], masks: Path | None, usual: Mapping[str, int | None]
) -> list[AnnotatedVolume]:
    """Find volumes and what is annotated on each of them.

    Parameters
    ----------
    paths : sequence of Path
        As of :func:`find_volumes`. A list may have the columns ``mask``, ``axis``,
        ``slice``, ``label`` and ``range`` besides, of which any may be empty.
    masks : Path or None
        Folder with a mask for each volume, of the same name whatever its kind, for
        those that no list has one for.
    usual : mapping
        Other fields of :class:`AnnotatedVolume`, where a list says nothing else.

    Raises
    ------
    UserError
        If a list cannot be used, or there is no mask for a volume.
    """
    found: list[AnnotatedVolume] = []
    for path in paths:
        if path.suffix.lower() == LIST_SUFFIX:
            found += _of_list(path, masks, usual)
        else:
            for one in find_volumes([path]):
                found.append(_annotated(one, _mask_of(one, masks), usual))
    return found


def _of_list(
    path: Path, masks: Path | None, usual: Mapping[str, int | None]
) -> Iterator[AnnotatedVolume]:
    advice = "expected image and at will mask,axis,slice,label,range"
    rows = 0
    for line, row in enumerate(read_list(path, (COLUMN,), advice), start=2):
        if not (row[COLUMN] or "").strip():
            continue
        rows += 1
        try:
            yield _of_row(path.parent, row, masks, usual)
        except UserError as error:
            raise UserError(f"'{path}', line {line}: {error}") from error
    if not rows:
        raise UserError(f"'{path}' lists no volumes; add a row for each.")


def _of_row(
    home: Path,
    row: dict[str, str | None],
    masks: Path | None,
    usual: Mapping[str, int | None],
) -> AnnotatedVolume:
    cells = {name: (row.get(name) or "").strip() for name in row if name}
    volume = home / cells[COLUMN]
    if not volume.exists():
        raise UserError(
            f"there is no image '{volume}'; correct the path, which is relative to "
            "the list."
        )
    mask = cells.get("mask", "")
    if mask and not (home / mask).exists():
        raise UserError(
            f"there is no mask '{home / mask}'; correct the path, which is relative to "
            "the list."
        )
    own: dict[str, int | None] = {
        field: _number(cells[column], column)
        for column, field in (("axis", "axis"), ("slice", "index"), ("label", "label"))
        if cells.get(column)
    }
    if cells.get("range"):
        own["low"], own["high"] = parse_range(cells["range"])
    place = home / mask if mask else _mask_of(volume, masks)
    return _annotated(volume, place, {**usual, **own})


def _annotated(
    volume: Path, mask: Path, rest: Mapping[str, int | None]
) -> AnnotatedVolume:
    axis = rest["axis"]
    if axis is None:
        raise UserError(
            f"It is not known which axis the slices of '{volume}' follow; give --axis, "
            "or fill in that column."
        )
    others = {name: number for name, number in rest.items() if name != "axis"}
    return AnnotatedVolume(volume, mask, axis, **others)


def _mask_of(volume: Path, masks: Path | None) -> Path:
    """Find the mask of a volume by its name."""
    if masks is None:
        raise UserError(
            f"There is no mask for '{volume}'; give a folder of masks that are called "
            "like their volumes with --mask, or a list with a column 'mask'."
        )
    if not masks.is_dir():
        raise UserError(
            f"'{masks}' is no folder; of several volumes give a folder of masks that "
            "are called like them, or a list with a column 'mask'."
        )
    name = stem_of(volume) if volume.is_file() else volume.name
    found = [
        path
        for path in sorted(masks.iterdir())
        if (path.name == name if path.is_dir() else _is_mask(path, name))
    ]
    if len(found) != 1:
        raise UserError(
            f"'{masks}' has {len(found) or 'no'} masks for '{volume}'; expected one "
            f"file '{name}' of any kind that holds labels."
        )
    return found[0]


def _is_mask(path: Path, name: str) -> bool:
    return suffix_of(path) in READABLE and stem_of(path) == name


def _number(text: str, column: str) -> int:
    if not re.fullmatch(r"\d+", text):
        raise UserError(f"{column} '{text}' is not a whole number.")
    return int(text)


def parse_range(text: str | None) -> tuple[int | None, int | None]:
    """Read ``LO:HI``, of which either may be missing.

    Raises
    ------
    UserError
        If it is something else.
    """
    if text is None:
        return None, None
    try:
        low, high = (int(part) if part else None for part in text.split(":"))
    except ValueError:
        raise UserError(
            f"'{text}' is not a range; write LO:HI such as 10:40."
        ) from None
    return low, high
