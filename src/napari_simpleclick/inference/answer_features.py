"""What an answer says about whether it was given at the right magnification."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.inference.crops import THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_simpleclick.inference.crops import Crop

    Place = tuple[float, float]

Mask = NDArray[np.bool_]
Map = NDArray[np.float32]

CERTAIN, POSSIBLE = 0.7, 0.3
"""Probabilities between which an answer is undecided."""

NAMES = (
    "stability",
    "log_area",
    "log_area_squared",
    "smaller_agrees",
    "larger_agrees",
)
"""What :func:`describe` tells of an answer, in this order."""

COMPARED_PX = 64
"""Side of the grid on which neighbouring magnifications are compared."""


class CropAnswer(NamedTuple):
    """An answer at one magnification.

    Parameters
    ----------
    crop : Crop
        What the network looked at, px of the image.
    probability : ndarray
        (h, w) float32 at the network's resolution.
    place : tuple of float
        Row and column of the click there, px.
    """

    crop: Crop
    probability: Map
    place: Place


def describe(answers: Sequence[CropAnswer]) -> NDArray[np.float64]:
    """Describe answers at several magnifications to the same click.

    Parameters
    ----------
    answers : sequence of CropAnswer
        The smallest crop first.

    Returns
    -------
    ndarray
        (answers, features): *stability*, the share of the possible pixels (above 0.3)
        that are certain (above 0.7); the natural logarithm of the share of the crop
        that the clicked part takes, and its square; the IoU with the answers at the
        next smaller and larger magnification, 0 where there is none.
    """
    parts = [clicked_part(one) for one in answers]
    rows = [
        [*_alone(one, part), 0.0, 0.0] for one, part in zip(answers, parts, strict=True)
    ]
    for index in range(len(answers) - 1):
        agreement = _agreement(answers, parts, index)
        rows[index][NAMES.index("larger_agrees")] = agreement
        rows[index + 1][NAMES.index("smaller_agrees")] = agreement
    return np.array(rows)


def clicked_part(answer: CropAnswer) -> Mask:
    """Give the connected part that holds the click; all of the mask if none does."""
    mask = answer.probability > THRESHOLD
    _, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    row, column = (
        min(max(int(at), 0), side - 1)
        for at, side in zip(answer.place, mask.shape, strict=True)
    )
    number = parts[row, column]
    return np.asarray(parts == number) if number else mask


def _alone(answer: CropAnswer, part: Mask) -> list[float]:
    """Features of an answer that need no other one."""
    certain, possible, inside = (
        int(np.count_nonzero(mask))
        for mask in (
            answer.probability > CERTAIN,
            answer.probability > POSSIBLE,
            part,
        )
    )
    log_area = float(np.log(max(inside, 1) / part.size))
    return [certain / max(possible, 1), log_area, log_area**2]


def _agreement(
    answers: Sequence[CropAnswer], parts: Sequence[Mask], index: int
) -> float:
    """IoU of an answer and the next larger one, where both have looked."""
    small, large = answers[index].crop, answers[index + 1].crop
    steps = (np.arange(COMPARED_PX) + 0.5) / COMPARED_PX
    rows = small.row_min + steps * small.height
    columns = small.column_min + steps * small.width
    one, other = (
        _sampled(part, crop, rows, columns)
        for part, crop in ((parts[index], small), (parts[index + 1], large))
    )
    union = np.count_nonzero(one | other)
    return float(np.count_nonzero(one & other) / union) if union else 0.0


def _sampled(
    part: Mask, crop: Crop, rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> Mask:
    """Look a part up at places in px of the image."""
    down = (rows - crop.row_min) / crop.height * part.shape[0]
    across = (columns - crop.column_min) / crop.width * part.shape[1]
    at_rows, at_columns = (
        np.clip(at.astype(np.intp), 0, side - 1)
        for at, side in zip((down, across), part.shape, strict=True)
    )
    return np.asarray(part[np.ix_(at_rows, at_columns)])
