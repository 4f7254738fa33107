"""Numbers and points as they are written on the command line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from napari_simpleclick.prompts.lines import Point


def split_sign(text: str) -> tuple[bool, str]:
    """Tell whether a text begins with a minus, and give the rest."""
    place = text.strip()
    return place.startswith("-"), place.removeprefix("-")


def read_points(text: str) -> tuple[Point, ...]:
    """Read points between semicolons; raises ValueError if one is none."""
    rows = [read_numbers(part) for part in text.split(";")]
    return tuple((row, column) for row, column in rows)


def read_line(text: str, kind: str) -> tuple[Point, ...]:
    """Read points between semicolons; raises UserError if one is none."""
    try:
        return read_points(text)
    except ValueError:
        raise UserError(
            f"'{text}' is not a {kind}; write ROW,COLUMN;ROW,COLUMN;... such as "
            "10,20;30,25;40,50."
        ) from None


def read_numbers(text: str) -> list[float]:
    """Read numbers between commas; raises ValueError if one is none, or not finite."""
    numbers = [float(part) for part in text.split(",")]
    if not all(map(math.isfinite, numbers)):
        raise ValueError(text)
    return numbers
