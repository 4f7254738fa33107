"""YOLO for segmentation: pictures, and a text file beside each of them.

The format is that of https://docs.ultralytics.com/datasets/segment/: a line for each
object, its class and the corners of one polygon as shares of width and height.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.exports.outlines import joined, outlines
from napari_simpleclick.exports.writing import add_picture, check_new, write_text

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.exports.case import CaseSlice, ExportCase

INDEX = "data.yaml"
PICTURES, LABELS = "images/train", "labels/train"
CLASS = re.compile(r'^  (\d+): (".*")$', re.MULTILINE)
HEAD = f"path: .\ntrain: {PICTURES}\nval: {PICTURES}\nnames:\n"


def write(case: ExportCase, folder: Path, replace: bool) -> None:
    """Add a case; the parts and the holes of an object become one polygon.

    Parameters
    ----------
    case : ExportCase
        The case; a class is known by its name.
    folder : Path
        The data set; it is made if there is none.
    replace : bool
        Whether a case of this name may be there.

    Raises
    ------
    UserError
        If it is, or if the folder holds another data set.
    """
    numbers = _known(folder / INDEX)
    old = _of_case(folder, case)
    check_new(old, replace, case.name, folder)
    classes, window = case.classes(), case.window()
    for name in classes.values():
        numbers.setdefault(name, len(numbers))
    write_text(folder / INDEX, HEAD + "".join(map(_line, numbers.items())))
    written = set()
    for one in case.slices():
        written.add(one.name)
        picture = case.picture(one.place, window)
        add_picture(folder / PICTURES / f"{one.name}.png", picture, one.name in old)
        lines = _lines(one, classes, numbers)
        write_text(folder / LABELS / f"{one.name}.txt", "".join(lines))
    for name in set(old) - written:
        (folder / LABELS / f"{name}.txt").unlink(missing_ok=True)
        (folder / PICTURES / f"{name}.png").unlink(missing_ok=True)


def _lines(
    one: CaseSlice, classes: dict[int, str], numbers: dict[str, int]
) -> list[str]:
    return [
        f"{numbers[classes[label]]} {_polygon(one.labels == label)}\n"
        for label in np.unique(one.labels[one.labels > 0]).tolist()
    ]


def _polygon(mask: NDArray[np.bool_]) -> str:
    rings = [ring for one in outlines(mask) for ring in (one.exterior, *one.holes)]
    shares = joined(rings)[:, ::-1] / mask.shape[::-1]
    return " ".join(f"{share:.6f}" for share in shares.ravel())


def _line(item: tuple[str, int]) -> str:
    name, number = item
    return f"  {number}: {json.dumps(name, ensure_ascii=False)}\n"


def _known(path: Path) -> dict[str, int]:
    """Read the classes of a data set that is there."""
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    found = {json.loads(name): int(number) for number, name in CLASS.findall(text)}
    if not text.startswith(HEAD) or list(found.values()) != list(range(len(found))):
        raise UserError(
            f"'{path}' is not that of a YOLO data set from here, so nothing can be "
            "added to it; choose another folder."
        )
    return found


def _of_case(folder: Path, case: ExportCase) -> list[str]:
    """Names of the slices of a case that are there; a picture is its only one."""
    own = re.compile(re.escape(case.name) + r"(_\d{4,})" * (case.labels.ndim - 2))
    stems = [path.stem for path in (folder / LABELS).glob("*.txt")]
    return [stem for stem in stems if own.fullmatch(stem)]
