"""Between two annotated slices: both directions combined, or shapes alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.inference.crops import Crop
from napari_simpleclick.inference.shapes import signed_distance
from napari_simpleclick.propagation.walk import Map, ReachedSlice

Mask = NDArray[np.bool_]

LOUDEST = 4.0
"""Nats that the odds of one direction count at most."""


def combine(first: ReachedSlice, second: ReachedSlice, share: float) -> ReachedSlice:
    """Combine what two walks say about a slice.

    Parameters
    ----------
    first, second : ReachedSlice
        The slice, walked to from two annotated slices.
    share : float
        How far the slice lies on the way from the first one to the second, 0 to 1.

    Returns
    -------
    Step
        Log-odds and confidence averaged by distance.
    """
    box = Crop(
        min(first.box.row_min, second.box.row_min),
        max(first.box.row_max, second.box.row_max),
        min(first.box.column_min, second.box.column_min),
        max(first.box.column_max, second.box.column_max),
    )
    odds = (1 - share) * _spread(first, box) + share * _spread(second, box)
    confidence = (1 - share) * first.confidence + share * second.confidence
    return ReachedSlice(first.index, box, odds, confidence, first.shape)


def _spread(step: ReachedSlice, box: Crop) -> Map:
    """Odds in a larger box."""
    odds = np.full((box.height, box.width), -LOUDEST, np.float32)
    top, left = step.box.row_min - box.row_min, step.box.column_min - box.column_min
    inner = slice(top, top + step.box.height), slice(left, left + step.box.width)
    odds[inner] = np.clip(step.odds, -LOUDEST, LOUDEST)
    return odds


def interpolate_shape(first: Mask, second: Mask, share: float) -> Mask:
    """Interpolate two outlines, without looking at the image.

    Parameters
    ----------
    first, second : ndarray
        (H, W) bool, neither empty.
    share : float
        How far on the way from the first to the second, 0 to 1.

    Returns
    -------
    ndarray
        (H, W) bool.

    Notes
    -----
    The signed distances are averaged (Raya and Udupa, "Shape-based interpolation of
    multidimensional objects", IEEE Transactions on Medical Imaging 1990).
    """
    mixed = (1 - share) * signed_distance(first) + share * signed_distance(second)
    return np.asarray(mixed > 0)
