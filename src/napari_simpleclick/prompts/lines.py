"""Points on a slice, and lines through them."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Point = tuple[float, float]
"""Row and column, px."""


def is_inside(point: Point, shape: tuple[int, int]) -> bool:
    """Whether a point lies on an image of (height, width) px."""
    return all(-0.5 <= at < side - 0.5 for at, side in zip(point, shape, strict=True))


def walk_along(points: tuple[Point, ...], step: float, count: int) -> Iterable[Point]:
    """Walk along a line; yields its beginning and every step, but not its end."""
    walked, wanted = 0.0, 0
    for one, other in pairwise(points):
        length = math.dist(one, other)
        while length and wanted < count and wanted * step <= walked + length:
            part = (wanted * step - walked) / length
            row, column = (a + part * (b - a) for a, b in zip(one, other, strict=True))
            yield row, column
            wanted += 1
        walked += length
