"""Simulated clicks: those a sample starts with, and those that answer a mistake."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_simpleclick.inference.crops import THRESHOLD
from napari_simpleclick.inference.prompt_pixels import CERTAINTY

SLOTS = 24
"""Slots per sign, the published maximum."""

DEPTH = 1.7
"""A single first click lies at least so deep in the object: its depth over this."""

OFF_CENTRE_DEPTH = 1 / 0.15
"""The same where it is off centre, as people's clicks are."""

BOX_JITTER = 0.05
"""Standard deviation of a box's sides, as a share of its extent."""

GAMMA = 0.8
"""P(i + 1 clicks) / P(i clicks) in the published multi-point sampler."""

Mask = NDArray[np.bool_]
Places = tuple[tuple[float, float], ...]


def inner_distance(mask: Mask, kernel: int = cv2.DIST_MASK_PRECISE) -> NDArray[Any]:
    """Distance to the border of ``mask`` in px, the image border included."""
    padded = np.pad(mask, 1).astype(np.uint8)
    return cv2.distanceTransform(padded, cv2.DIST_L2, kernel)[1:-1, 1:-1]


def draw_count(rng: np.random.Generator, most: int) -> int:
    """Draw 0..most with P(i) proportional to 0.8**i."""
    weights = GAMMA ** np.arange(most + 1)
    return int(rng.choice(most + 1, p=weights / weights.sum()))


def first_points(
    target: Mask,
    others: Mask,
    rng: np.random.Generator,
    single: float,
    off_centre: float = 0.0,
) -> NDArray[np.float32]:
    """Draw the clicks that a training sample starts with.

    With probability ``single`` one positive click well inside the target, as the
    robot annotator and most people begin; else the published multi-point draw.

    Parameters
    ----------
    target : ndarray
        (S, S) bool, not empty.
    others : ndarray
        (S, S) bool, the other objects of the image.
    rng : numpy.random.Generator
        Source of every draw.
    single : float
        Probability of a single first click, 0 to 1.
    off_centre : float
        Probability that such a click lies nearly anywhere in the target.

    Returns
    -------
    ndarray
        (48, 2) float32: row and column of 24 positive, then 24 negative slots;
        empty slots are -1.
    """
    points = np.full((2 * SLOTS, 2), -1, np.float32)
    if rng.random() < single:
        distance, depth = inner_distance(target), DEPTH
        if off_centre and rng.random() < off_centre:  # no draw where it is off
            depth = OFF_CENTRE_DEPTH
        points[0] = _pick(distance > distance.max() / depth, rng)
        return points
    candidates = _eroded(target) if rng.random() < 0.9 else target
    for slot in range(1 + draw_count(rng, SLOTS - 1)):
        points[slot] = _pick(candidates, rng)
    background = ~target
    margin = math.ceil(0.1 * math.sqrt(target.sum()))
    border = ndimage.binary_dilation(target, np.ones((3, 3)), margin) & background
    others = others & background
    strategies = (background, others if others.any() else background, border)
    for slot in range(draw_count(rng, SLOTS)):
        where = strategies[rng.choice(3, p=(0.1, 0.4, 0.5))]
        if where.any():
            points[SLOTS + slot] = _pick(where, rng)
    return points


def correcting_point(
    target: Mask, prior: Mask, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw the first click on a given mask: on its worst mistake, or on the object.

    Returns
    -------
    ndarray
        (48, 2) float32 as :func:`first_points`, with one click.
    """
    points = np.full((2 * SLOTS, 2), -1, np.float32)
    missed, extra = inner_distance(target & ~prior), inner_distance(~target & prior)
    distance, slot = (missed, 0) if missed.max() > extra.max() else (extra, SLOTS)
    if distance.max() == 0 or rng.random() < 0.4:
        distance, slot = inner_distance(target), 0
    points[slot] = _pick(distance > distance.max() / 2, rng)
    return points


def draw_box(
    target: Mask, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw a box around the target, as a person would, and what a network sees of it.

    Parameters
    ----------
    target : ndarray
        (S, S) bool, not empty.
    rng : numpy.random.Generator
        Source of every draw.

    Returns
    -------
    ndarray
        (S, S) float32 prior: half certain inside the box, 0 outside.
    ndarray
        (48, 2) float32 as :func:`first_points`: one click in its middle.
    """
    sides = []
    for axis in (0, 1):
        place = np.flatnonzero(target.any(axis=1 - axis))
        low, high = int(place[0]), int(place[-1]) + 1
        shift = np.rint(rng.normal(0, BOX_JITTER, 2) * (high - low)).astype(int)
        low = min(max(0, low + shift[0]), target.shape[axis] - 1)
        sides.append(slice(low, max(low + 1, min(target.shape[axis], high + shift[1]))))
    prior = np.zeros(target.shape, np.float32)
    prior[sides[0], sides[1]] = CERTAINTY
    points = np.full((2 * SLOTS, 2), -1, np.float32)
    points[0] = [(side.start + side.stop - 1) / 2 for side in sides]
    return prior, points


def prompts_on(points: NDArray[np.float32]) -> tuple[Places, Places]:
    """Give the clicks of one sample, oldest first.

    Parameters
    ----------
    points : ndarray
        (48, 2) as :func:`first_points` makes and :func:`add_next_points` fills them.

    Returns
    -------
    tuple of tuple
        Row and column of the positive clicks, and of the negative ones.
    """
    signs = []
    for slots in (points[:SLOTS], points[SLOTS:]):
        taken = [i for i in range(SLOTS) if (slots[i] >= 0).all()]
        gap = next((i for i in range(SLOTS) if i not in taken), SLOTS)
        order = [i for i in taken if i < gap] + [i for i in taken if i > gap][::-1]
        signs.append(tuple((float(slots[i, 0]), float(slots[i, 1])) for i in order))
    return signs[0], signs[1]


def _eroded(mask: Mask) -> Mask:
    inner = ndimage.binary_erosion(mask, np.ones((3, 3)), 3, border_value=1)
    return inner if inner.sum() > 10 else mask


def _pick(mask: Mask, rng: np.random.Generator) -> tuple[int, int]:
    """Draw one pixel of ``mask`` uniformly."""
    flat = np.flatnonzero(mask)
    row, column = divmod(int(flat[rng.integers(flat.size)]), mask.shape[1])
    return row, column


def add_next_points(
    points: Tensor,
    probability: Tensor,
    target: Tensor,
    turn: int,
    rng: np.random.Generator,
    depth: float = 2.0,
    exact: bool = False,
) -> None:
    """Add one click per sample inside its largest mistake, in place.

    The click is drawn from the pixels whose distance to the border of the mistake
    exceeds half the maximum, and written from the end of its block of slots, as
    published. Large crops are searched on every second pixel. (InterFormer's robot,
    Huang et al. 2023, has another depth, and is exact.)

    Parameters
    ----------
    points : Tensor
        (B, 48, 2) as :func:`first_points` makes them, on the CPU.
    probability, target : Tensor
        (B, 1, S, S); prediction in [0, 1], and truth as 0 or 1, on any device.
    turn : int
        1 for the first correction.
    rng : numpy.random.Generator
        Source of every draw.
    depth : float
        The maximum over the least distance.
    exact : bool
        Measure distances exactly, on every pixel, after pixels with clicks have been
        taken out of the mistakes.
    """
    step = 2 if target.shape[-1] > 160 and not exact else 1
    kernel = cv2.DIST_MASK_PRECISE if exact else cv2.DIST_MASK_5
    guess = probability[:, 0, ::step, ::step].float().cpu().numpy()
    truth = target[:, 0, ::step, ::step].cpu().numpy() > 0.5
    for index in range(len(points)):
        fresh = np.ones(truth[index].shape, bool)
        if exact:
            for row, column in points[index].long().tolist():
                if row >= 0 and column >= 0:
                    fresh[row, column] = False
        missed = truth[index] & (guess[index] < THRESHOLD) & fresh
        extra = ~truth[index] & (guess[index] > THRESHOLD) & fresh
        missed, extra = inner_distance(missed, kernel), inner_distance(extra, kernel)
        positive = missed.max() > extra.max()
        distance = missed if positive else extra
        if distance.max() > 0:
            row, column = _pick(distance > distance.max() / depth, rng)
            slot = (SLOTS if positive else 2 * SLOTS) - turn
            points[index, slot] = torch.tensor((row * step, column * step))
