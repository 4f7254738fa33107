"""Diameters of masks, as radiologists draw them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist, squareform
from skimage.measure import find_contours, label

if TYPE_CHECKING:
    from numpy.typing import NDArray

Segment = tuple[tuple[float, float], tuple[float, float]]
"""Row and column, px, of the two ends of a line."""


@dataclass(frozen=True)
class Diameters:
    """The longest diameter of a mask in a slice, and the longest one across it.

    Parameters
    ----------
    longest, across : float
        Lengths, in the unit of the spacing. Their product is the bidimensional
        measure of the WHO criteria (Miller et al., 1981); the longest one alone is
        that of RECIST (Eisenhauer et al., 2009).
    longest_line, across_line : tuple
        Row and column, px, of their ends; (0, 0) is the centre of the first pixel.
    """

    longest: float
    across: float
    longest_line: Segment
    across_line: Segment

    @property
    def product(self) -> float:
        """Product of the two lengths, in the square of their unit."""
        return self.longest * self.across

    def moved(self, rows: float, columns: float) -> Diameters:
        """Give the same diameters of a mask that lies farther down and right, px."""

        def line(segment: Segment) -> Segment:
            (a, b), (c, d) = segment
            return (a + rows, b + columns), (c + rows, d + columns)

        lines = line(self.longest_line), line(self.across_line)
        return Diameters(self.longest, self.across, *lines)


def slice_diameters(
    mask: NDArray[np.bool_], spacing: tuple[float, float] = (1.0, 1.0)
) -> Diameters | None:
    """Measure a mask in a slice.

    Parameters
    ----------
    mask : ndarray
        (H, W) bool. Of several 8-connected parts, the one with the longest diameter
        counts.
    spacing : tuple of float
        Height and width of a pixel.

    Returns
    -------
    Diameters or None
        From outer edge to outer edge of the pixels, on the convex hull of the part;
        None for an empty mask.
    """
    parts, count = label(mask, connectivity=2, return_num=True)
    found = [_diameters(parts == number, spacing) for number in range(1, count + 1)]
    return max(found, key=lambda one: one.longest, default=None)


def _diameters(part: NDArray[np.bool_], spacing: tuple[float, float]) -> Diameters:
    """Measure one part."""
    outline = np.concatenate(find_contours(np.pad(part, 1), 0.5)) - 1
    hull = outline[ConvexHull(outline).vertices] * spacing
    distances = squareform(pdist(hull))
    first, second = np.unravel_index(distances.argmax(), distances.shape)
    ends = hull[[first, second]]
    along = (ends[1] - ends[0]) / distances[first, second]
    low, high = _widest_chord(hull, along)

    def line(one: NDArray[np.float64], other: NDArray[np.float64]) -> Segment:
        (a, b), (c, d) = (tuple(map(float, end / spacing)) for end in (one, other))
        return (a, b), (c, d)

    return Diameters(
        float(distances[first, second]),
        float(np.linalg.norm(high - low)),
        line(*ends),
        line(low, high),
    )


def _widest_chord(
    hull: NDArray[np.float64], along: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the longest line inside a convex polygon that is normal to a direction.

    The length is a concave, piecewise linear function of the place along the
    direction, so that it is greatest at one of the corners.
    """
    normal = np.array([-along[1], along[0]])
    place, height = hull @ along, hull @ normal
    start, stop = int(place.argmin()), int(place.argmax())
    around = np.roll(np.arange(len(hull)), -start)
    cut = int(np.flatnonzero(around == stop)[0])
    sides = around[: cut + 1], np.append(around[cut:], start)[::-1]
    low, high = (np.interp(place, place[side], height[side]) for side in sides)
    best = int(abs(high - low).argmax())
    base = place[best] * along
    return base + low[best] * normal, base + high[best] * normal


def feret_diameter(mask: NDArray[np.bool_], spacing: tuple[float, ...]) -> float:
    """Measure the greatest distance between two points of a mask.

    Parameters
    ----------
    mask : ndarray
        (D, H, W) or (H, W) bool.
    spacing : tuple of float
        Size of a voxel along each axis.

    Returns
    -------
    float
        In the unit of the spacing, between the centres of the farthest faces of voxels
        that lie on the border; 0 for an empty mask.
    """
    points = _face_centres(mask) * spacing
    if len(points) == 0:
        return 0.0
    with suppress(QhullError):  # as a hull has no inside where all lie in one plane
        points = points[ConvexHull(points).vertices]
    return float(pdist(points).max())


def _face_centres(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Centres of the faces between a mask and what is outside, px (N, ndim)."""
    padded, found = np.pad(mask, 1), []
    for axis in range(mask.ndim):
        step = np.diff(padded.astype(np.int8), axis=axis)
        faces = np.argwhere(step).astype(np.float64) - 1
        faces[:, axis] += 0.5
        found.append(faces)
    return np.concatenate(found)
