"""Which places of a view look like the inside of an object: where to click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_simpleclick.inference.similar.descriptors import STRIDE
from napari_simpleclick.inference.similar.logistic import Logistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_simpleclick.inference.similar.candidates import Place

Map = NDArray[np.float32]

INSIDE, OUTSIDE = 0.6, 0.05
"""Share of a place that objects cover, above which it counts as inside, below which as
outside; what is in between tells nothing."""

MOST_INSIDE, MOST_OUTSIDE = 5_000, 12_000
"""Places that the classifier is fitted to; they are drawn with a fixed seed."""

PER_VIEW = 800
"""Places of each kind that are kept of a view."""

PENALTY = 0.02
"""Of the weights; between 0.01 and 0.03 little changes on neural tissue."""

DOUBTED = 20
"""On a slice that may hold further objects, a place outside is not learned from if it
looks more like an object than so many percent of the places inside, or"""

LEAST_DOUBTED = 0.25
"""is so likely: the objects that nobody has clicked on lie among such places."""

LEAST_LIKELY = 0.1
"""Where no place is likelier, nobody clicks."""

SPREAD, GAP = 0.2, 0.8
"""Smoothing, and the distance of two seeds, in sides of a small object."""


@dataclass(frozen=True, eq=False)
class ViewPlaces:
    """Places of a view to learn from.

    Parameters
    ----------
    rows : ndarray
        (N, D) float32, a description of each.
    inside : ndarray
        (N,) bool, whether an object is there.
    whole : bool
        Whether nothing outside is an object of the kind.
    """

    rows: Map
    inside: NDArray[np.bool_]
    whole: bool

    @classmethod
    def of(cls, rows: Map, share: Map, whole: bool) -> ViewPlaces:
        """Draw places of a view.

        Parameters
        ----------
        rows : ndarray
            (h * w, D) float32, a description of each place.
        share : ndarray
            (h, w) float32, how much of each place objects cover.
        whole : bool
            Whether nothing outside is an object of the kind.
        """
        rng, flat = np.random.default_rng(0), share.ravel()
        inside = _some(rng, flat > INSIDE, PER_VIEW)
        outside = _some(rng, flat < OUTSIDE, PER_VIEW)
        chosen = np.concatenate([inside, outside])
        return cls(rows[chosen], np.arange(chosen.size) < inside.size, whole)


def fit_places(views: Sequence[ViewPlaces]) -> Logistic | None:
    """Learn what the inside of objects looks like; None if there is nothing to learn.

    Parameters
    ----------
    views : sequence of ViewPlaces
        Views with and without objects.
    """
    rows = np.concatenate([view.rows for view in views])
    kind = np.concatenate([view.inside for view in views])
    whole = np.concatenate([np.full(view.inside.size, view.whole) for view in views])
    rng = np.random.default_rng(0)
    inside, outside = _some(rng, kind, MOST_INSIDE), _some(rng, ~kind, MOST_OUTSIDE)
    if not inside.size or not outside.size:
        return None
    line = _fitted(rows, inside, outside)
    usual = float(np.percentile(line.probability(rows[inside]), DOUBTED))
    limit = min(usual, LEAST_DOUBTED)
    certain = whole[outside] | (line.probability(rows[outside]) < limit)
    if not certain.all() and certain.any():
        line = _fitted(rows, inside, outside[certain])
    return line


def _some(
    rng: np.random.Generator, chosen: NDArray[np.bool_], most: int
) -> NDArray[np.intp]:
    return np.sort(rng.permutation(np.flatnonzero(chosen))[:most])


def _fitted(rows: Map, inside: NDArray[np.intp], outside: NDArray[np.intp]) -> Logistic:
    positive = np.arange(inside.size + outside.size) < inside.size
    return Logistic.fitted(
        rows[np.concatenate([inside, outside])], positive, penalty=PENALTY
    )


class Seed(NamedTuple):
    """Where to click.

    Parameters
    ----------
    place : tuple of float
        Row and column, px of the network's input.
    likely : float
        How much it looks like the inside of an object, 0 to 1.
    """

    place: Place
    likely: float


def find_seeds(likely: Map, small: float) -> list[Seed]:
    """Find where to click: the likeliest places, and the middles of likely regions.

    Parameters
    ----------
    likely : ndarray
        (h, w) float32 in [0, 1], how much each place looks like an object.
    small : float
        Side of a small object, px of the network's input.

    Returns
    -------
    list of Seed
        The likeliest first.
    """
    side = small / STRIDE
    smooth = cv2.GaussianBlur(likely, (0, 0), max(0.5, SPREAD * side))
    gap = max(1, round(GAP * side))
    around = np.ones((2 * gap + 1,) * 2, np.uint8)
    top = (smooth >= cv2.dilate(smooth, around)) & (smooth > LEAST_LIKELY)
    depth = cv2.distanceTransform((smooth > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    top |= (depth >= cv2.dilate(depth, around)) & (depth > 1)
    rows, columns = np.nonzero(top)
    order = np.argsort(-smooth[rows, columns], kind="stable")
    chosen: list[tuple[int, int]] = []
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if all(max(abs(row - r), abs(column - c)) >= gap for r, c in chosen):
            chosen.append((row, column))
    return [
        Seed(
            ((row + 0.5) * STRIDE, (column + 0.5) * STRIDE),
            float(smooth[row, column]),
        )
        for row, column in chosen
    ]


def around_of(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Give the surroundings of a mask, as far as ``reach`` px."""
    wide = ndimage.distance_transform_cdt(~mask, "chessboard") <= reach
    return np.asarray(wide & ~mask)
