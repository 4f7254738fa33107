"""Lists of cases for a study, as a table that any spreadsheet can write."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError
from napari_simpleclick.evaluation.case_options import CaseOptions
from napari_simpleclick.evaluation.datasets import Case
from napari_simpleclick.images.csv_lists import read_list
from napari_simpleclick.images.files import (
    NIFTI,
    PICTURE,
    read_image,
    suffix_of,
)

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("image", "mask")
"""Columns that a list of cases must have; label, axis and slice may follow."""


def read_cases(path: Path) -> list[Case]:
    """Read a list of cases, and make sure that each of them can be opened.

    Parameters
    ----------
    path : Path
        CSV with the columns ``image`` and ``mask`` (files, relative to the CSV), and
        at will ``label`` (of the object; may be empty where there is one only), and
        for volumes ``axis`` (2 if empty) and ``slice``. Commas, semicolons or tabs
        separate them.

    Returns
    -------
    list of Case
        In the order of the file, each with a name of its own.

    Raises
    ------
    UserError
        If there is no such file, a column is missing, or a row cannot be used.
    """
    advice = "expected image,mask and at will label,axis,slice"
    table = read_list(path, COLUMNS, advice)
    cases = []
    for line, row in enumerate(table, start=2):
        try:
            cases.append(_case(path, row))
        except UserError as error:
            raise UserError(f"'{path}', line {line}: {error}") from error
    if not cases:
        raise UserError(f"'{path}' lists no cases; add a row for each object.")
    counts = Counter((case.name, case.instance) for case in cases)
    twice = [key for key, count in counts.items() if count > 1]
    if twice:
        raise UserError(
            f"'{path}' lists object {twice[0][1]} of '{twice[0][0]}' twice; remove one."
        )
    return cases


def _case(path: Path, row: dict[str, str | None]) -> Case:
    """Find the object of one row; errors do not name the file and line."""
    files = {column: path.parent / (row[column] or "") for column in COLUMNS}
    for column, file in files.items():
        if not file.is_file():
            raise UserError(
                f"there is no {column} '{file}'; correct the path, which is relative "
                "to the list."
            )
    label, axis, index = (_number(row, name) for name in ("label", "axis", "slice"))
    name = (row["image"] or "").removesuffix(suffix_of(files["image"]))
    case = Case(name, label or 0, files["image"], files["mask"], "folder")
    if _is_volume(files["image"]):
        axis = 2 if axis is None else axis
        if index is None:
            raise UserError("a volume needs a slice; fill in that column.")
        case = replace(
            case,
            name=f"{name} axis {axis} slice {index}",
            layout="volume",
            axis=axis,
            index=index,
            options=CaseOptions(axis=axis),
        )
    present = case.labels_there()
    if label is None and len(present) == 1:
        return replace(case, instance=present[0])
    if label not in present:
        asked = "no label is given" if label is None else f"there is no label {label}"
        there = ", ".join(map(str, present)) or "none"
        raise UserError(f"{asked}; the mask's labels there are {there}.")
    return case


def _is_volume(path: Path) -> bool:
    """Whether an image has slices; pictures have none, whatever they hold."""
    kind = suffix_of(path)
    return kind in NIFTI or (
        kind not in PICTURE and len(read_image(path).as_volume().shape) > 2
    )


def _number(row: dict[str, str | None], column: str) -> int | None:
    text = (row.get(column) or "").strip()
    if text and not re.fullmatch(r"\d+", text):
        raise UserError(f"{column} '{text}' is not a whole number.")
    return int(text) if text else None
