"""Colours of photographs, varied as published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_simpleclick.training.parts import Photographs

Picture = NDArray[np.uint8]

CHANCE = 0.75
"""Of a change of brightness and contrast, and of a shift of the channels."""

BRIGHTNESS = 32
CONTRAST = SATURATION = (0.5, 1.5)
HUE_DEG = 36
"""Of distorted colours: largest shift in grey levels, factors, largest turn of hues."""


def vary_colour(image: Picture, rng: np.random.Generator, how: Photographs) -> Picture:
    """Draw changes of brightness and contrast, and shifts of the channels.

    Parameters
    ----------
    image : ndarray
        (H, W, 3) uint8.
    rng : numpy.random.Generator
        Source of every draw.
    how : Photographs
        How large they are.

    Returns
    -------
    ndarray
        (H, W, 3) uint8.
    """
    if how.distorted:
        return distort(image, rng)
    if rng.random() < CHANCE:
        contrast = 1 + rng.uniform(*how.contrast)
        shift = rng.uniform(-how.brightness, how.brightness)
        curve = np.clip(np.arange(256) * contrast + 255 * shift, 0, 255)
        image = curve.astype(np.uint8)[image]
    if rng.random() < CHANCE:
        shifts = rng.uniform(-how.shift, how.shift, 3)
        image = np.clip(image + shifts, 0, 255).astype(np.uint8)
    return image


def distort(image: Picture, rng: np.random.Generator) -> Picture:
    """Draw changes of brightness, contrast, saturation and hue, each at even chances.

    Contrast changes before saturation and hue or after them. Source: W. Liu et al.,
    "SSD: Single Shot MultiBox Detector", ECCV 2016, section 3.

    Parameters
    ----------
    image : ndarray
        (H, W, 3) uint8 RGB.
    rng : numpy.random.Generator
        Source of every draw.

    Returns
    -------
    ndarray
        (H, W, 3) uint8.
    """
    steps: list[Callable[[Picture, np.random.Generator], Picture]]
    steps = [_brighter, _contrast, _saturation, _hue]
    if rng.random() < 0.5:
        steps = [_brighter, _saturation, _hue, _contrast]
    for step in steps:
        if rng.random() < 0.5:
            image = step(image, rng)
    return image


def _curve(image: Picture, factor: float, shift: float = 0.0) -> Picture:
    levels = np.clip(np.arange(256) * factor + shift, 0, 255).astype(np.uint8)
    return np.asarray(levels[image], np.uint8)


def _brighter(image: Picture, rng: np.random.Generator) -> Picture:
    return _curve(image, 1, rng.uniform(-BRIGHTNESS, BRIGHTNESS))


def _contrast(image: Picture, rng: np.random.Generator) -> Picture:
    return _curve(image, rng.uniform(*CONTRAST))


def _saturation(image: Picture, rng: np.random.Generator) -> Picture:
    hsv = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), np.uint8)
    hsv[..., 1] = _curve(hsv[..., 1], rng.uniform(*SATURATION))
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)


def _hue(image: Picture, rng: np.random.Generator) -> Picture:
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)  # hues in steps of two degrees
    turn = int(rng.integers(-HUE_DEG // 2, HUE_DEG // 2 + 1))
    hsv[..., 0] = (hsv[..., 0].astype(int) + turn) % 180
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)
