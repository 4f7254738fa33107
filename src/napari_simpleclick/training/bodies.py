"""Drawn cross-sections of bodies: organs and bones with a rim, in soft tissue and fat.

Large objects with an even inside and a visible border, the kind that one click should
fill. Domain randomisation as in :mod:`napari_simpleclick.training.synthetic`; nothing
is measured on a particular image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_simpleclick.inference.shapes import signed_distance, smooth_noise
from napari_simpleclick.training.images import LabelledImage
from napari_simpleclick.training.synthetic import ragged_disk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def draw_body(rng: np.random.Generator, size: int = 320) -> LabelledImage:
    """Draw a cross-section: a body on a background, fat, muscles, one to six organs.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of every draw.
    size : int
        Side of the image, px.

    Returns
    -------
    LabelledImage
        (size, size) uint8; each organ is a label, as far as later ones leave it seen.
    """
    shape = (size, size)
    middle = (size * rng.uniform(0.35, 0.65), size * rng.uniform(0.35, 0.65))
    body = _depth(rng, shape, middle, size * rng.uniform(0.3, 0.65), (0, 0.15))
    image = np.full(shape, _dark(rng), np.float32)
    fat = rng.uniform(0.3, 1.0)
    _fill(rng, image, body, fat)
    inside = body - rng.uniform(0.0, 0.08) * size
    muscles = smooth_noise(rng, shape, rng.uniform(3, 10))
    for low in np.quantile(muscles, (0.0, *np.sort(rng.uniform(0, 1, 2)))):
        tissue = fat if rng.random() < 0.3 else rng.uniform(0.05, 0.9)
        _fill(rng, image, np.minimum(inside, 12 * (muscles - low)), tissue)
    labels = np.zeros(shape, np.int32)
    places = np.argwhere(body > 0)
    for number in range(1, 1 + int(rng.integers(1, 7))):
        place = places[rng.integers(len(places))]
        _add_organ(rng, image, labels, number, place, fat)
    image = ndimage.gaussian_filter(image, rng.uniform(0.3, 1.5))
    if rng.random() < 0.6:  # the coil sees some parts better
        image *= np.exp(rng.uniform(0.1, 0.5) * smooth_noise(rng, shape, 2))
    image += rng.uniform(0.0, 0.08) * rng.standard_normal(shape, np.float32)
    top = max(float(np.percentile(image, rng.uniform(97, 100))), 1e-6)
    return LabelledImage((np.clip(image / top, 0, 1) * 255).astype(np.uint8), labels)


def _add_organ(
    rng: np.random.Generator,
    image: NDArray[np.float32],
    labels: NDArray[np.int32],
    number: int,
    centre: Sequence[float],
    fat: float,
) -> None:
    """Draw an organ over image and labels, in place, with a rim that may be dark."""
    radius = len(image) * np.exp(rng.uniform(np.log(0.05), np.log(0.32)))
    depth = _depth(rng, image.shape, centre, radius, (0.05, 0.35))
    rim = radius * rng.uniform(0.02, 0.15) if rng.random() < 0.75 else 0.0
    if rim:
        dark = rng.random() < 0.7
        _fill(rng, image, depth, _dark(rng) if dark else rng.uniform(0, 1))
    even = fat + rng.uniform(-0.15, 0.15) if rng.random() < 0.4 else rng.uniform(0.1, 1)
    _fill(rng, image, depth - rim, even)
    outline = rim * rng.choice((0.0, 0.5, 1.0), p=(0.3, 0.4, 0.3))
    labels[depth > outline] = number


def _fill(
    rng: np.random.Generator,
    image: NDArray[np.float32],
    depth: NDArray[np.float32],
    mean: float,
) -> None:
    """Fill where ``depth`` is positive with a mean and a texture, in place."""
    share = np.clip(depth + 0.5, 0, 1)
    cells = np.exp(rng.uniform(np.log(6), np.log(len(image) / 2)))
    texture = smooth_noise(rng, image.shape, cells)
    image += share * (mean * (1 + rng.uniform(0, 0.2) * texture) - image)


def _dark(rng: np.random.Generator) -> float:
    return float(rng.uniform(0, 0.15) if rng.random() < 0.85 else rng.uniform(0, 1))


def _depth(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    centre: Sequence[float],
    radius: float,
    ragged: tuple[float, float],
) -> NDArray[np.float32]:
    """Signed depth, px, of a ragged disk with few, wide waves."""
    disk = ragged_disk(rng, (shape[0], shape[1]), centre, radius, ragged, (-0.7, 0.7))
    return signed_distance(disk) - np.float32(0.5)
