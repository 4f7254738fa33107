"""Points on a slice, and lines through them."""

from __future__ import annotations

import math
from collections import Counter
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Point = tuple[float, float]
"""Row and column, px."""


def as_points(points: Iterable[Iterable[float]]) -> tuple[Point, ...]:
    """Give the points of a line, such as those of an (N, 2) array, as they are kept.

    Raises
    ------
    UserError
        If they are something else.
    """
    try:
        return tuple((float(row), float(column)) for row, column in points)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{points!r} is no line; give points such as [(10, 20), (30, 25)], row and "
            "column each."
        ) from error


def is_inside(point: Point, shape: tuple[int, int]) -> bool:
    """Whether a point lies on an image of (height, width) px."""
    return all(-0.5 <= at < side - 0.5 for at, side in zip(point, shape, strict=True))


def lines_inside(
    points: Sequence[Point], shape: tuple[int, int]
) -> Iterator[tuple[Point, ...]]:
    """Cut off what of a line does not lie on an image of (height, width) px.

    Yields
    ------
    tuple of tuple of float
        A part that does: its corners, and where it comes from or goes over the edge.
    """
    part: list[Point] = []
    for one, other in pairwise(points if len(points) != 1 else (*points, *points)):
        ends = _inside(one, other, shape)
        if part and (ends is None or ends[0] != part[-1]):
            yield tuple(part)
            part = []
        if ends is not None:
            part += ends if not part else ends[1:]
    if part:
        yield tuple(part) if len(points) != 1 else (part[0],)


def _inside(
    one: Point, other: Point, shape: tuple[int, int]
) -> tuple[Point, Point] | None:
    """Give the ends of what of a straight line lies on an image; None for nothing."""
    enters, leaves = 0.0, 1.0
    highest = [math.nextafter(side - 0.5, 0) for side in shape]
    for a, b, high in zip(one, other, highest, strict=True):
        if a == b:
            if not -0.5 <= a <= high:
                return None
            continue
        shares = sorted(((-0.5 - a) / (b - a), (high - a) / (b - a)))
        enters, leaves = max(enters, shares[0]), min(leaves, shares[1])
    if enters > leaves:
        return None
    ends = []
    for share in (enters, leaves):
        at = one if share == 0 else other if share == 1 else _between(one, other, share)
        row, column = (
            min(max(a, -0.5), high) for a, high in zip(at, highest, strict=True)
        )
        ends.append((row, column))
    return ends[0], ends[1]


def _between(one: Point, other: Point, share: float) -> Point:
    row, column = (a * (1 - share) + b * share for a, b in zip(one, other, strict=True))
    return row, column


def outline_within(
    points: Sequence[Point], low: float, high: float
) -> tuple[Point, ...]:
    """Cut a closed line off at a square from ``low`` to ``high`` along both axes.

    Returns
    -------
    tuple of tuple of float
        A closed line around the same places of the square; it may go along its edge.
    """
    kept = list(points)
    for axis in (0, 1):
        for limit, way in ((high, 1), (low, -1)):
            found: list[Point] = []
            for one, other in zip([*kept[-1:], *kept[:-1]], kept, strict=True):
                inside = [way * (at[axis] - limit) <= 0 for at in (one, other)]
                if inside[0] != inside[1]:
                    share = (limit - one[axis]) / (other[axis] - one[axis])
                    found.append(_between(one, other, share))
                if inside[1]:
                    found.append(other)
            kept = found
    return tuple(kept)


def encloses(points: Sequence[Point]) -> bool:
    """Whether a closed line goes around anything, be it in parts either way.

    It does not if it runs back the way that it came, or along one straight line.
    """
    edges = Counter(zip(points, (*points[1:], *points[:1]), strict=True))
    left = [(a, b) for a, b in edges if edges[a, b] != edges[b, a]]
    if not left:
        return False
    first = left[0][0]
    far = max((b for _, b in left), key=partial(math.dist, first))
    down, across = far[0] - first[0], far[1] - first[1]
    return any(down * (b[1] - first[1]) != across * (b[0] - first[0]) for _, b in left)


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
