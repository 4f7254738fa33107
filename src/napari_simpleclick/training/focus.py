"""Focus crops to learn refinement from.

Source: X. Chen et al., "FocalClick", CVPR 2022, and the behaviour of its released code,
whose sizes are of crops of 256 px; they are scaled to others.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from napari_simpleclick.networks import CropPrompts, Network
from napari_simpleclick.training.simulated_clicks import prompts_on

Mask = NDArray[np.bool_]

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in px, half-open."""

SIDE_PX = 256
"""Of the published crops, to which the sizes below belong."""

SMALL_PX = 3600
"""Area below which all of an object is looked at."""

WHOLE = 0.6
"""Probability that all of a larger one is."""

EXPANSION = (1.1, 1.6)
"""Side of the crop over that of the object."""

SHIFT = 0.3
"""Largest distance between their middles, as a share of the crop."""

LEAST_PX = 32
"""Shortest side of a crop."""

PARTS = (1.5, 4.0)
"""Side of the image over that of a crop of a part of the outline."""

COARSE = 8
"""What is lost of a mask that is made so many times smaller is near its outline."""


class Focus(NamedTuple):
    """What a refiner learns from.

    Parameters
    ----------
    image : Tensor
        (B,3,H,W) focus crops, resized to the size of the whole ones.
    prompt : Tensor
        What :meth:`Network.encode_focus` made.
    target, near : Tensor
        (B,1,H,W) truth on them, and bool, what is near its outline.
    boxes : Tensor
        (B,4) left, top, right and bottom of the crops, px.
    """

    image: Tensor
    prompt: Tensor
    target: Tensor
    near: Tensor
    boxes: Tensor


def draw_focus(
    network: Network,
    image: Tensor,
    target: Tensor,
    points: Tensor,
    rng: np.random.Generator,
) -> Focus:
    """Draw a focus crop for each sample of a batch.

    Parameters
    ----------
    network : Network
        Brings clicks into its own form.
    image : Tensor
        (B,3,H,W).
    target : Tensor
        (B,1,H,W): 1 object, 0 background, -1 ignored.
    points : Tensor
        (B,48,2) clicks, on the CPU.
    rng : numpy.random.Generator
        Source of every draw.
    """
    height, width = target.shape[2], target.shape[3]
    masks = target[:, 0].cpu().numpy() > 0.5
    parts: list[list[Tensor]] = [[], [], [], []]
    boxes = [draw_box(mask, rng) for mask in masks]
    for number, (left, top, right, bottom) in enumerate(boxes):
        rows, columns = slice(top, bottom), slice(left, right)
        window = (slice(number, number + 1), ..., rows, columns)
        closely = functional.interpolate(
            image[window], (height, width), mode="bilinear", align_corners=True
        )
        truth = functional.interpolate(target[window], (height, width), mode="nearest")
        near = near_outline(truth[0, 0].cpu().numpy() > 0.5)
        zoom = height / (bottom - top), width / (right - left)
        positive, negative = (
            tuple(((r - top) * zoom[0], (c - left) * zoom[1]) for r, c in places)
            for places in prompts_on(points[number].numpy())
        )
        asked = CropPrompts(torch.zeros_like(truth), positive, negative)
        found = torch.from_numpy(near)[None, None].to(truth.device)
        for group, part in zip(
            parts, (closely, network.encode_focus(asked), truth, found), strict=True
        ):
            group.append(part)
    closely, prompt, truth, found = map(torch.cat, parts)
    return Focus(closely, prompt, truth, found, torch.tensor(boxes))


def draw_box(mask: Mask, rng: np.random.Generator) -> Box:
    """Draw a focus crop: around an object, or on a part of its outline.

    Parameters
    ----------
    mask : ndarray
        (H, W) bool; all of an empty one is looked at.
    rng : numpy.random.Generator
        Source of every draw.
    """
    height, width = mask.shape
    if not mask.any():
        return 0, 0, width, height
    scale = np.sqrt(height * width) / SIDE_PX
    if mask.sum() < SMALL_PX * scale**2 or rng.random() < WHOLE:
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
        x, y, w, h, _ = stats[1 + stats[1:, cv2.CC_STAT_AREA].argmax()]
        factor = rng.uniform(*EXPANSION)
        sides = np.maximum((h * factor, w * factor), LEAST_PX * scale)
        middle = (y + h / 2, x + w / 2) + rng.uniform(-SHIFT, SHIFT, 2) * sides
    else:
        square = np.ones((5, 5), np.uint8)
        edge = cv2.dilate(_edge(mask.view(np.uint8)), square)
        places = np.argwhere(edge > 0)
        sides = np.array((height, width)) / rng.uniform(*PARTS)
        middle = places[rng.integers(len(places))] + 0.5
    (top, bottom), (left, right) = (
        _span(centre, side, length)
        for centre, side, length in zip(middle, sides, mask.shape, strict=True)
    )
    return left, top, right, bottom


def near_outline(mask: Mask) -> Mask:
    """Tell which pixels are near the outline: what a coarser mask would lose.

    Parameters
    ----------
    mask : ndarray
        (H, W) bool.
    """
    grey = mask.astype(np.uint8) * 255
    height, width = mask.shape
    size = max(1, width // COARSE), max(1, height // COARSE)
    small = cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR)
    again = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    lost = ((again > 128) != mask).astype(np.uint8)
    return np.asarray(cv2.dilate(lost, np.ones((3, 3), np.uint8), iterations=2) > 0)


def _edge(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    square = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, square), np.uint8)


def _span(centre: float, side: float, length: int) -> tuple[int, int]:
    """Half-open span around a centre, on the image and not empty."""
    low = int(np.clip(centre - side / 2, 0, length - 1))
    return low, int(np.clip(centre + side / 2, low + 1, length))
