"""Outlines of masks along the edges of their pixels, so that nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.ndimage import find_objects, label
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))
"""Right, down, left, up: each turns right into the next."""


class Outline(NamedTuple):
    """A connected part of a mask.

    Parameters
    ----------
    exterior : ndarray
        (N, 2) int, row and column of its corners; 0 is the upper or left edge of the
        first pixel. The part lies to the right of the way.
    holes : tuple of ndarray
        The same for what is not in it; they run the other way round.
    """

    exterior: NDArray[np.int64]
    holes: tuple[NDArray[np.int64], ...] = ()


def outlines(mask: NDArray[Any]) -> list[Outline]:
    """Follow the edges of the pixels of a mask.

    Parameters
    ----------
    mask : ndarray
        (H, W); what is not 0 belongs to it.

    Returns
    -------
    list of Outline
        One for each part whose pixels touch along edges.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_simpleclick.exports.outlines import outlines
    >>> outlines(np.array([[0, 1, 1]]))[0].exterior.tolist()
    [[0, 1], [0, 3], [1, 3], [1, 1]]
    """
    parts, _ = label(np.asarray(mask) != 0)
    found = []
    for number, box in enumerate(find_objects(parts), start=1):
        corner = np.array([box[0].start, box[1].start])
        rings = [ring + corner for ring in _rings(parts[box] == number)]
        outer = [ring for ring in rings if _doubled_area(ring) > 0]
        holes = tuple(ring for ring in rings if _doubled_area(ring) < 0)
        found.append(Outline(outer[0], holes))
    return found


def _rings(part: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
    """Follow all edges of a connected part; at a corner of two pixels, turn right."""
    inside = np.pad(part, 1)
    nw, ne = inside[:-1, :-1], inside[:-1, 1:]  # of each corner of pixels
    sw, se = inside[1:, :-1], inside[1:, 1:]
    edges = [se & ~ne, sw & ~se, nw & ~sw, ne & ~nw]
    seen = np.zeros_like(edges[0])
    for row, column in zip(*np.nonzero(edges[0]), strict=True):
        if not seen[row, column]:
            yield _ring(edges, seen, int(row), int(column))


def _ring(
    edges: list[NDArray[np.bool_]], seen: NDArray[np.bool_], row: int, column: int
) -> NDArray[np.int64]:
    """Follow one ring from a corner on, and note its edges that lead to the right."""
    corners, direction, start = [(row, column)], 0, (row, column, 0)
    while True:
        seen[row, column] |= direction == 0
        row, column = row + STEPS[direction][0], column + STEPS[direction][1]
        turns = ((direction + turn) % 4 for turn in (1, 0, 3))
        way = next(one for one in turns if edges[one][row, column])
        if (row, column, way) == start:
            return np.array(corners)
        if way != direction:
            corners.append((row, column))
        direction = way


def _doubled_area(ring: NDArray[np.int64]) -> int:
    rows, columns = ring.T
    return int((columns * (np.roll(rows, -1) - np.roll(rows, 1))).sum())


def keyhole(outline: Outline, inset: float = 0.0) -> NDArray[Any]:
    """Give a part as one closed line; a way of no width leads to each hole and back.

    Parameters
    ----------
    outline : Outline
        The part.
    inset : float
        How far the line is to run within it, px.

    Returns
    -------
    ndarray
        (N, 2) corners. Whoever fills the line, by whichever rule, leaves the holes.
    """
    rings = [outline.exterior, *outline.holes]
    return joined([_within(ring, inset) for ring in rings] if inset else rings)


def _within(ring: NDArray[np.int64], inset: float) -> NDArray[np.float64]:
    """Move the edges of a ring to their right."""
    ahead = np.sign(np.roll(ring, -1, axis=0) - ring)
    both = ahead + np.roll(ahead, 1, axis=0)
    return ring + inset * np.column_stack([both[:, 1], -both[:, 0]])


def joined(rings: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Join rings to one closed line by ways of no width, from near to near."""
    line, rest = rings[0], list(rings[1:])
    while rest:
        tree = cKDTree(line)
        found = [tree.query(ring) for ring in rest]
        nearest = int(np.argmin([distances.min() for distances, _ in found]))
        distances, places = found[nearest]
        ring, start = rest.pop(nearest), int(distances.argmin())
        place = int(places[start])
        there = np.roll(ring, -start, axis=0)
        before, after = line[: place + 1], line[place + 1 :]
        line = np.concatenate([before, there, there[:1], before[-1:], after])
    return line
