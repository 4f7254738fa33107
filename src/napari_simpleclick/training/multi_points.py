"""The multi-point sampler of RITM (Sofiiuk et al., 2021): a target and many clicks.

It shares private functions with :mod:`napari_simpleclick.training.simulated_clicks`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.training.simulated_clicks import (
    DEPTH,
    SLOTS,
    _eroded,
    _pick,
    draw_count,
    inner_distance,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MERGED = 0.15
"""Probability that the target is two objects, where there are several."""

ERODED = 0.9
"""Probability that positive clicks keep away from the border of an object."""

STRATEGIES = (0.1, 0.4, 0.5)
"""Probabilities of negative clicks in the background, on others, and at the border."""

Mask = NDArray[np.bool_]


def select(masks: Sequence[Mask], rng: np.random.Generator) -> list[Mask]:
    """Draw one object or, at times, two; none if there is none."""
    count = 2 if len(masks) > 1 and rng.random() < MERGED else min(1, len(masks))
    return [masks[index] for index in rng.permutation(len(masks))[:count]]


def draw_points(
    selected: Sequence[Mask],
    target: Mask,
    objects: Mask,
    alone: bool,
    rng: np.random.Generator,
    first: str = "anywhere",
) -> NDArray[np.float32]:
    """Draw the clicks that a sample starts with.

    Parameters
    ----------
    selected : sequence of ndarray
        (S, S) bool each; none to two objects, not empty.
    target : ndarray
        (S, S) bool, their union.
    objects : ndarray
        (S, S) bool, the union of all objects, even of those too small for a target.
    alone : bool
        Whether no other object is left; negative clicks on others are then drawn from
        the background.
    rng : numpy.random.Generator
        Source of every draw.
    first : {"anywhere", "central", "alone"}
        Where the first click of each object lies: as the others; well inside, as
        published for FocalClick; in the very middle of the target, without any other,
        as published for InterFormer.

    Returns
    -------
    ndarray
        (48, 2) float32: row and column of up to 24 positive, then 24 negative clicks;
        empty slots are -1.
    """
    points = np.full((2 * SLOTS, 2), -1, np.float32)
    if first == "alone":
        if target.any():
            points[0] = _pick(_deeper(target, 1 + 1e-6), rng)
        return points
    for slot, place in enumerate(_positives(selected, rng, first == "central")):
        points[slot] = place
    background = ~target
    others = background if alone else objects & background
    masks = (background, others, _border(target))
    if not selected:
        masks = (~objects,) * 3
    clicks = _draw(masks, STRATEGIES, draw_count(rng, SLOTS), rng)
    for slot, place in enumerate(clicks, start=SLOTS):
        points[slot] = place
    return points


def _deeper(mask: Mask, depth: float) -> Mask:
    """Give the pixels whose distance to the border exceeds its maximum over depth."""
    distance = inner_distance(mask)
    return np.asarray(distance > distance.max() / depth)


def _positives(
    selected: Sequence[Mask], rng: np.random.Generator, central: bool
) -> list[tuple[int, int]]:
    inner = [_eroded(mask) if rng.random() < ERODED else mask for mask in selected]
    begin = [_deeper(mask, DEPTH) for mask in selected] if central else inner
    if len(inner) < 2:
        return [
            _pick(mask if number else start, rng)
            for mask, start in zip(inner, begin, strict=True)
            for number in range(1 + draw_count(rng, SLOTS - 1))
        ]
    more = _draw(inner, (0.5, 0.5), draw_count(rng, SLOTS), rng)
    # the published code keeps a random subset; the clicks are in random order anyway
    return [*(_pick(mask, rng) for mask in begin), *more][:SLOTS]


def _border(target: Mask) -> Mask:
    """Surround the target, as far as a tenth of the square root of its area."""
    margin = math.ceil(0.1 * math.sqrt(target.sum()))
    square = np.ones((3, 3), np.uint8)
    wide = cv2.dilate(target.view(np.uint8), square, iterations=margin)
    return np.asarray(wide > target)


def _draw(
    masks: Sequence[Mask],
    shares: Sequence[float],
    count: int,
    rng: np.random.Generator,
) -> list[tuple[int, int]]:
    """Draw a mask and one of its pixels, as often as told; empty masks give none."""
    drawn = (masks[rng.choice(len(masks), p=shares)] for _ in range(count))
    return [_pick(mask, rng) for mask in drawn if mask.any()]
