"""Focus crop: the part of the image that the last click is about.

Source: X. Chen et al., "FocalClick", CVPR 2022, section 3.2, and its released code. It
compares the new answer with a logit, and the one before with a probability.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from napari_simpleclick.inference.crops import Crop

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.prompts import Click

    Mask = NDArray[np.bool_]

ANSWER_ABOVE = 1 / (1 + math.exp(-0.49))
"""Probability above which a pixel of the new answer counts as object."""

PRIOR_ABOVE = 0.49
"""Probability above which a pixel of the answer before counts as object."""

EXPANSION = 1.4
"""Side of the crop over side of what changed."""

FEWEST_PX = 10
"""Masks of fewer pixels say nothing about where the object is."""

REACH = 0.2
"""Where hardly anything changed, the crop is around the click: half its side over the
longer side of the object."""

Span = tuple[float, float]


def focus_crop(answer: Mask, prior: Mask, click: Click, view: Crop) -> Crop | None:
    """Choose the focus crop.

    Parameters
    ----------
    answer, prior : ndarray
        (H, W) bool: the object after and before the click.
    click : Click
        The last click.
    view : Crop
        What the network has looked at.

    Returns
    -------
    Crop or None
        None if nothing of it lies in the view.
    """
    rows, columns = _spans(answer)
    if prior.any():
        changed = (answer ^ prior).astype(np.uint8)
        row = min(max(round(click.row), 0), answer.shape[0] - 1)
        column = min(max(round(click.column), 0), answer.shape[1] - 1)
        _, parts = cv2.connectedComponents(changed, connectivity=8)
        part = _spans(parts == parts[row, column])
        if any(
            _length(small) < _length(large) / 3
            for small, large in zip(part, (rows, columns), strict=True)
        ):
            reach = REACH * max(_length(rows), _length(columns))
            rows, columns = ((place - reach, place + reach) for place in (row, column))
        else:
            rows, columns = part
    top, bottom = _expanded(rows, answer.shape[0])
    left, right = _expanded(columns, answer.shape[1])
    crop = Crop(
        max(top, view.row_min),
        min(bottom - 1, view.row_max),
        max(left, view.column_min),
        min(right - 1, view.column_max),
    )
    return crop if crop.height > 0 and crop.width > 0 else None


def _spans(mask: Mask) -> tuple[Span, Span]:
    """First and last row and column of a mask; of all of it if it is tiny."""
    if np.count_nonzero(mask) < FEWEST_PX:
        return (0, mask.shape[0]), (0, mask.shape[1])
    rows, columns = (np.flatnonzero(mask.any(axis=axis))[[0, -1]] for axis in (1, 0))
    return (int(rows[0]), int(rows[1])), (int(columns[0]), int(columns[1]))


def _length(span: Span) -> float:
    return span[1] - span[0]


def _expanded(span: Span, limit: int) -> tuple[int, int]:
    """Expand a span, cut off its fractions and keep it in the image; half-open."""
    centre, half = 0.5 * (span[0] + span[1]), EXPANSION * (_length(span) + 1) / 2
    return max(0, int(centre - half)), min(limit, int(centre + half))


def box_in(
    crop: Crop, view: Crop, size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Place a crop in a view that is resized to ``size``.

    Returns
    -------
    tuple of float
        Left, top, right and bottom in px of the resized view, half-open, unrounded.
    """
    down, across = size[0] / view.height, size[1] / view.width
    return (
        min(max((crop.column_min - view.column_min) * across, 0), size[1]),
        min(max((crop.row_min - view.row_min) * down, 0), size[0]),
        min(max((crop.column_max + 1 - view.column_min) * across, 0), size[1]),
        min(max((crop.row_max + 1 - view.row_min) * down, 0), size[0]),
    )
