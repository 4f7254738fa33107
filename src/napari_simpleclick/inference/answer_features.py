"""What an answer says about whether it was given at the right magnification."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_simpleclick.inference.crops import Crop

    Place = tuple[float, float]

Mask = NDArray[np.bool_]
Map = NDArray[np.float32]

OBJECT_ABOVE = 0.49
"""Probability above which a pixel belongs to the object; the published threshold."""

CERTAIN, POSSIBLE = 0.7, 0.3
"""Probabilities between which an answer is undecided."""

NAMES = (
    "stability",
    "confidence",
    "log_area",
    "log_area_squared",
    "at_edge",
    "one_piece",
    "smaller_agrees",
    "larger_agrees",
    "clicked",
    "whole",
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


def describe(
    answers: Sequence[CropAnswer], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Describe answers at several magnifications to the same click.

    Parameters
    ----------
    answers : sequence of CropAnswer
        The smallest crop first.
    shape : tuple of int
        (H, W) of the image.

    Returns
    -------
    ndarray
        (answers, features): *stability*, the share of the possible pixels (above 0.3)
        that are certain (above 0.7); *confidence*, the mean probability inside; the
        logarithm of the share of the crop that the clicked part takes, and its square;
        how much of that part's bounding box lies *at an edge* of the crop that is none
        of the image; the share of the mask that is the clicked part (*one piece*); the
        IoU with the answers at the next smaller and larger magnification, 0 where
        there is none; the probability at the click; whether it is the whole image.
    """
    parts = [clicked_part(one) for one in answers]
    rows = [
        [*_alone(one, part, shape), 0.0, 0.0, _at(one), float(_is_whole(one, shape))]
        for one, part in zip(answers, parts, strict=True)
    ]
    for index in range(len(answers) - 1):
        agreement = _agreement(answers, parts, index)
        rows[index][NAMES.index("larger_agrees")] = agreement
        rows[index + 1][NAMES.index("smaller_agrees")] = agreement
    return np.array(rows)


def clicked_part(answer: CropAnswer) -> Mask:
    """Give the connected part that holds the click; all of the mask if none does."""
    mask = answer.probability > OBJECT_ABOVE
    _, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    number = parts[_pixel(answer)]
    return np.asarray(parts == number) if number else mask


def _pixel(answer: CropAnswer) -> tuple[int, int]:
    row, column = (
        min(max(int(at), 0), side - 1)
        for at, side in zip(answer.place, answer.probability.shape, strict=True)
    )
    return row, column


def _at(answer: CropAnswer) -> float:
    return float(answer.probability[_pixel(answer)])


def _is_whole(answer: CropAnswer, shape: tuple[int, int]) -> bool:
    return (answer.crop.height, answer.crop.width) == shape


def _alone(answer: CropAnswer, part: Mask, shape: tuple[int, int]) -> list[float]:
    """Features of an answer that need no other one."""
    probability = answer.probability
    possible = np.count_nonzero(probability > POSSIBLE)
    stability = np.count_nonzero(probability > CERTAIN) / max(possible, 1)
    area = np.count_nonzero(part)
    inside = float(probability[part].mean()) if area else 0.0
    log_area = float(np.log(max(area, 1) / part.size))
    mask_area = np.count_nonzero(probability > OBJECT_ABOVE)
    edge = _at_edge(answer, part, shape)
    return [stability, inside, log_area, log_area**2, edge, area / max(mask_area, 1)]


def _at_edge(answer: CropAnswer, part: Mask, shape: tuple[int, int]) -> float:
    """Share of the four sides' pixels that the part covers, of its own extent.

    Sides of the crop where the image ends do not count.
    """
    crop = answer.crop
    sides = (
        (crop.row_min > 0, part[0]),
        (crop.row_max < shape[0] - 1, part[-1]),
        (crop.column_min > 0, part[:, 0]),
        (crop.column_max < shape[1] - 1, part[:, -1]),
    )
    touching = sum(np.count_nonzero(line) for inner, line in sides if inner)
    extent = np.count_nonzero(part.any(axis=0)) + np.count_nonzero(part.any(axis=1))
    return float(touching / max(extent, 1))


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
