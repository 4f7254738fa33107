"""Diffuse brain tumours drawn into heads, for sequences without permissive data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.special import expit

from napari_simpleclick.inference.shapes import signed_distance, smooth_noise
from napari_simpleclick.training.images import LabelledImage
from napari_simpleclick.training.synthetic import ragged_disk

if TYPE_CHECKING:
    from numpy.typing import NDArray

EDGE = 0.8
"""The outline is drawn where a tumour fades, so many times its softness outside."""

CAVITIES = 0.6
"""Share of tumours with a cavity."""

HEAD_LEVEL = 0.06
"""Brightness, of 1, above which a blurred pixel belongs to the head."""


def add_tumour(
    rng: np.random.Generator, base: NDArray[np.uint8], most: int = 320
) -> LabelledImage:
    """Draw a tumour with its oedema into a head; all of it is the only label.

    It lies inside the head, fades softly into the tissue and shows in one of three
    sequences more than in the others, as fluid-attenuated images do. More often than
    not it keeps off what is darkest or brightest there (fluid, vessels). At times it
    has a core, and the core a rim, or a cavity. The image is one sequence, or three as
    the colours.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of every draw.
    base : ndarray
        (H, W) or (H, W, 3) uint8, a head on a dark ground.
    most : int
        Longest side of the result, px; every n-th pixel of a larger image is drawn.

    Returns
    -------
    LabelledImage
        (h, w, 3) uint8; label 1 is the tumour, which is missing where it had no room.
    """
    grey = small_grey(base, most)[0]
    depth = _tumour_depth(rng, grey)
    softness = min(grey.shape) * np.exp(rng.uniform(-5.8, -3.7))
    softness = max(0.7, min(softness, depth.max() / 3))
    image = _sequences(rng, grey)
    main = rng.uniform(0.06, 0.38) * (1 if rng.random() < 0.85 else -1)
    offsets = main * np.array([rng.uniform(-0.4, 0.4), 1, rng.uniform(-0.4, 0.6)])
    if rng.random() < 0.5:
        image, offsets = image[..., [1, 1, 1]], np.full(3, main)
    image = _shade(rng, image, offsets, expit(depth / softness))
    if rng.random() < 0.5:
        waves = smooth_noise(rng, grey.shape, rng.uniform(8, 25))
        core = depth - depth.max() * (rng.uniform(0.15, 0.7) + 0.15 * waves)
        image = _shade(rng, image, rng.uniform(-0.25, 0.25, 3), expit(core / softness))
        if rng.random() < 0.4:
            rim = np.exp(-0.5 * (core / (softness * rng.uniform(1, 4))) ** 2)
            image = _shade(rng, image, rng.uniform(-0.05, 0.35, 3), rim)
    if rng.random() < CAVITIES:
        brightest = float(np.percentile(grey, 90))
        image = add_cavity(rng, image, depth > 0, (0.0, brightest))
    shown = (np.clip(image, 0, 1) * 255).astype(np.uint8)
    return LabelledImage(shown, (depth > -EDGE * softness).astype(np.int32))


def small_grey(image: NDArray[np.uint8], most: int) -> tuple[NDArray[np.float32], int]:
    """Give every n-th pixel of an image as grey, 0 to 1, and n.

    Parameters
    ----------
    image : ndarray
        (H, W) or (H, W, C) uint8.
    most : int
        Longest side of the result, px.
    """
    step = -(-max(image.shape[:2]) // most)
    pixels = image[::step, ::step]
    mean = pixels.reshape(*pixels.shape[:2], -1).mean(2, dtype=np.float32)
    return np.float32(1 / 255) * mean, step


def add_cavity(
    rng: np.random.Generator,
    image: NDArray[np.float32],
    tumour: NDArray[np.bool_],
    levels: tuple[float, float],
) -> NDArray[np.float32]:
    """Show a part of a tumour as the fluid or dead tissue that fills a cavity.

    It belongs to the tumour all the same, however unlike its rim it looks, and lies
    deep inside or to one side.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of every draw.
    image : ndarray
        (H, W, C) float32, brightness.
    tumour : ndarray
        (H, W) bool.
    levels : tuple of float
        Lowest and highest brightness of the cavity; it is dark more often than not.

    Returns
    -------
    ndarray
        (H, W, C) float32.
    """
    if not tumour.any():
        return image
    depth = signed_distance(tumour)
    waves = smooth_noise(rng, tumour.shape, rng.uniform(5, 30))
    places = np.argwhere(tumour)
    row, column = places[rng.integers(len(places))]
    rows, columns = np.indices(tumour.shape)
    away = np.hypot(rows - row, columns - column) / np.sqrt(len(places))
    field = rng.uniform(0, 1) * depth / depth.max() + rng.uniform(0.1, 0.8) * waves
    field -= rng.uniform(0, 1.5) * away
    edge = float(np.quantile(field[tumour], rng.uniform(0.35, 0.9)))
    within = signed_distance((field > edge) & tumour)
    share = expit(within / rng.uniform(0.3, 1.2))[..., None]
    level = levels[0] + (levels[1] - levels[0]) * rng.random() ** 2
    filled = level + 0.1 * level * waves[..., None]
    return np.asarray(image + share * (filled - image), np.float32)


def _tumour_depth(
    rng: np.random.Generator, grey: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Signed depth of a ragged disk on the tissue of a head, px."""
    blurred = ndimage.gaussian_filter(grey, 2)
    parts, _ = ndimage.label(blurred > HEAD_LEVEL)
    largest = int(np.bincount(parts.ravel())[1:].argmax()) + 1 if parts.any() else 0
    deep = signed_distance(ndimage.binary_fill_holes(parts == largest))
    places = np.argwhere(deep > rng.uniform(0.12, 0.6) * deep.max())
    centre = places[rng.integers(len(places))]
    radius = max(4.0, deep.max() * np.exp(rng.uniform(np.log(0.12), np.log(0.75))))
    shape = (grey.shape[0], grey.shape[1])
    inside = ragged_disk(rng, shape, centre, radius, (0.05, 0.5), (-0.4, 1.2))
    inside &= deep > rng.uniform(0.03, 0.2) * deep.max()
    if rng.random() < 0.6 and inside.any():
        low, high = np.percentile(blurred[inside], (rng.uniform(0, 25), 100))
        if rng.random() < 0.5:
            high = np.percentile(blurred[inside], rng.uniform(75, 100))
        inside &= (blurred >= low) & (blurred <= high)
        inside = ndimage.median_filter(inside, int(rng.choice((3, 5, 7))))
    return signed_distance(inside) - np.float32(0.5)


def _sequences(
    rng: np.random.Generator, grey: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Three sequences (H,W,3) of one, each with a contrast of its own."""
    shown = []
    for _ in range(3):
        curve = grey ** np.float32(np.exp(rng.normal(0, 0.5)))
        if rng.random() < 0.25:  # fluid and fat change places
            curve[grey > HEAD_LEVEL] *= -0.8
            curve[grey > HEAD_LEVEL] += grey.max()
        shown.append(curve * rng.uniform(0.35, 1))
    return np.stack(shown, 2).astype(np.float32)


def _shade(
    rng: np.random.Generator,
    image: NDArray[np.float32],
    offsets: NDArray[np.float64],
    share: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Flatten an image (H,W,3) and change its brightness where ``share`` says so."""
    flat = rng.uniform(0.1, 0.7)
    mean = image[share > 0.5].mean(0) if (share > 0.5).any() else 0
    texture = smooth_noise(rng, image.shape[:2], rng.uniform(6, 60))[..., None]
    added = offsets * (1 + rng.uniform(0, 0.25) * texture)
    changed = (1 - flat) * image + flat * mean + added
    return np.asarray(image + share[..., None] * (changed - image), np.float32)
