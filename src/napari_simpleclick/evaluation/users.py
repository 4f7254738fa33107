"""Robots that draw: a box or a lasso around the object, a scribble on a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import find_contours
from skimage.morphology import convex_hull_image, skeletonize

from napari_simpleclick.prompts import Box, Lasso, Scribble

if TYPE_CHECKING:
    from napari_simpleclick.prompts import Click, Point

Mask = NDArray[np.bool_]

User = Literal["clicks", "box", "lasso", "scribble"]
"""What a robot makes: clicks alone, as published; a box or a lasso, then clicks;
scribbles."""

BOX_JITTER = 0.05
"""Standard deviation of a box's sides, as a share of its extent."""

LASSO_GAP = 0.05
"""Distance of a lasso from an object, as a share of the square root of its area, and
standard deviation of its corners before the line is smoothed."""

LASSO_CORNERS = 32
"""Corners of a lasso, roughly."""

TRIMMED = 0.15
"""Share of a medial axis that is left out at either end: no one draws into the tips."""

CORNER_EVERY = 3
"""Pixels of a medial axis between two corners of a scribble."""


def box_around(mask: Mask, rng: np.random.Generator) -> Box:
    """Draw a box around an object as a person would: not quite along its edge.

    Parameters
    ----------
    mask : ndarray
        (H, W) bool, not empty.
    rng : numpy.random.Generator
        Of the jitter.
    """
    sides: list[tuple[float, float]] = []
    for axis in (0, 1):
        filled = np.flatnonzero(mask.any(axis=1 - axis))
        low, high, last = int(filled[0]), int(filled[-1]), mask.shape[axis] - 1
        shift = np.rint(rng.normal(0, BOX_JITTER, 2) * (high - low + 1))
        low = int(min(max(0, low + shift[0]), last - 1))
        sides.append((low, float(min(max(low + 1, high + shift[1]), last))))
    return Box(sides[0][0], sides[1][0], sides[0][1], sides[1][1])


def lasso_around(mask: Mask, rng: np.random.Generator) -> Lasso:
    """Draw around an object as a person would: loosely, and not quite steadily.

    Parameters
    ----------
    mask : ndarray
        (H, W) bool, not empty; an object in several parts is surrounded as a whole.
    rng : numpy.random.Generator
        Of the unsteadiness.
    """
    gap = 1 + LASSO_GAP * float(np.sqrt(mask.sum()))
    margin = int(gap) + 2
    parts = ndimage.label(mask, np.ones((3, 3)))[1]
    inside = np.pad(convex_hull_image(mask) if parts > 1 else mask, margin)
    away = ndimage.distance_transform_edt(~inside)
    line = max(find_contours(away, gap), key=len)[:-1] - margin
    corners = line[:: max(1, len(line) // LASSO_CORNERS)]
    shake = ndimage.gaussian_filter1d(
        rng.normal(0, gap, corners.shape), 1, axis=0, mode="wrap"
    )
    return Lasso(tuple((float(r), float(c)) for r, c in corners + shake))


def scribble_along(mistake: Mask, click: Click) -> Scribble:
    """Draw along the medial axis of the mistake that a click lies on.

    Parameters
    ----------
    mistake : ndarray
        (H, W) bool, what is missing or too much.
    click : Click
        The robot's click on it.

    Returns
    -------
    Scribble
        Along the longest way through the part's skeleton, of the click's sign; the
        place of the click alone if the part is tiny.
    """
    row, column = int(click.row), int(click.column)
    parts, _ = ndimage.label(mistake, np.ones((3, 3)))
    place = ndimage.find_objects(parts)[parts[row, column] - 1]
    part = np.pad(parts[place] == parts[row, column], 1)
    corner = place[0].start - 1, place[1].start - 1
    axis = _longest_way(skeletonize(part))
    end = int(TRIMMED * len(axis))
    kept = axis[end : len(axis) - end : CORNER_EVERY]
    if len(kept) < 2:
        return Scribble(((float(row), float(column)),), click.positive)
    points = tuple((float(r + corner[0]), float(c + corner[1])) for r, c in kept)
    return Scribble(points, click.positive)


def _longest_way(skeleton: Mask) -> list[Point]:
    """Walk between the two ends of a skeleton that are farthest apart along it."""
    left = {(int(r), int(c)) for r, c in np.argwhere(skeleton)}
    if not left:
        return []
    (row, column) = _way_from(left, min(left))[-1]
    return _way_from(left, (int(row), int(column)))


def _way_from(places: set[tuple[int, int]], start: tuple[int, int]) -> list[Point]:
    """Walk from a place to the one that is farthest along the others."""
    before: dict[tuple[int, int], tuple[int, int] | None] = {start: None}
    edge, last = [start], start
    while edge:
        last, reached = edge[-1], []
        for row, column in edge:
            for near in ((row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)):
                if near in places and near not in before:
                    before[near] = row, column
                    reached.append(near)
        edge = reached
    way: list[Point] = []
    here: tuple[int, int] | None = last
    while here is not None:
        way.append(here)
        here = before[here]
    return way[::-1]
