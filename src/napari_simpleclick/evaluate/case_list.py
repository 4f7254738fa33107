"""Lists of cases for a study, as a table that any spreadsheet can write."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

from napari_simpleclick.evaluate.datasets import Case, Options
from napari_simpleclick.volumes.files import NIFTI, suffix_of

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("image", "mask")
"""Columns that a list of cases must have; label, axis and slice may follow."""


def read_cases(path: Path) -> list[Case]:
    """Read a list of cases.

    Parameters
    ----------
    path : Path
        CSV with the columns ``image`` and ``mask`` (files, relative to the CSV), and
        at will ``label`` (of the object, 1 if empty), and for volumes ``axis`` (2 if
        empty) and ``slice``.

    Returns
    -------
    list of Case
        In the order of the file.

    Raises
    ------
    ValueError
        If there is no such file, a column is missing, or a row cannot be used.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            missing = [c for c in COLUMNS if c not in (table.fieldnames or ())]
            rows = list(table)
    except OSError as error:
        raise ValueError(f"'{path}' cannot be read: {error.strerror}.") from error
    if missing:
        raise ValueError(
            f"'{path}' has no column '{missing[0]}'; expected image,mask and at will "
            "label,axis,slice."
        )
    if not rows:
        raise ValueError(f"'{path}' lists no cases; add a row for each object.")
    return [_case(path, number, row) for number, row in enumerate(rows, start=2)]


def _case(path: Path, line: int, row: dict[str, str | None]) -> Case:
    files = {column: path.parent / (row[column] or "") for column in COLUMNS}
    for column, file in files.items():
        if not file.is_file():
            raise ValueError(
                f"'{path}', line {line}: there is no {column} '{file}'; correct the "
                "path, which is relative to the list."
            )
    numbers: dict[str, int | None] = {}
    for column in ("label", "axis", "slice"):
        text = (row.get(column) or "").strip()
        if text and not re.fullmatch(r"\d+", text):
            raise ValueError(
                f"'{path}', line {line}: {column} '{text}' is not a whole number."
            )
        numbers[column] = int(text) if text else None
    label = 1 if numbers["label"] is None else numbers["label"]
    stem = files["image"].name.split(".")[0]
    if suffix_of(files["image"]) not in NIFTI:
        return Case(stem, label, files["image"], files["mask"], "folder")
    axis = 2 if numbers["axis"] is None else numbers["axis"]
    index = numbers["slice"]
    if index is None:
        raise ValueError(
            f"'{path}', line {line}: a volume needs a slice; fill in that column."
        )
    name = f"{stem} axis {axis} slice {index}"
    options = Options(axis=axis)
    return Case(
        name, label, files["image"], files["mask"], "volume", axis, index, options
    )
