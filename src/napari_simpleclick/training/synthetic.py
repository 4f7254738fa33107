"""Random label maps with random looks, for modalities without permissive data.

In the spirit of domain randomisation (Billot et al., "SynthSeg", 2023): shapes,
intensities, textures, membranes, bias and blur are drawn anew for each image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from scipy.special import expit

from napari_simpleclick.inference.shapes import signed_distance, smooth_noise
from napari_simpleclick.training.images import LabelledImage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def draw_image(rng: np.random.Generator, size: int = 256) -> LabelledImage:
    """Draw one synthetic image of ``size`` x ``size`` px with its label map."""
    regions = _regions(rng, size)
    labels = _number(regions)
    count = int(labels.max()) + 1
    means = rng.uniform(0, 1, int(regions.max()) + 1)[regions]
    if rng.random() < 0.5:
        means = means + rng.normal(0, 0.15, count)[labels]
    shape = (size, size)
    grain = smooth_noise(rng, shape, rng.uniform(0.1, 0.9) * size)
    coarse = smooth_noise(rng, shape, rng.uniform(8, 40))
    strength = rng.uniform(0, 0.4, int(regions.max()) + 1)[regions]
    image = means + strength * coarse + rng.uniform(0, 0.15) * grain
    if rng.random() < 0.5:
        image = image + rng.uniform(-0.8, 0.8) * _membranes(rng, labels)
    image = ndimage.gaussian_filter(image, rng.uniform(0.3, 2.0))
    low, high = np.percentile(image, [1, 99])
    image = np.clip((image - low) / max(high - low, 1e-6), 0, 1)
    return LabelledImage((image * 255).astype(np.uint8), labels)


def _regions(rng: np.random.Generator, size: int) -> NDArray[np.int64]:
    """Region class per pixel: competing noise fields, some with blobs on top."""
    classes = int(rng.integers(2, 6))
    shape, cells, details = (
        (size, size),
        np.exp(rng.uniform(0.7, 2.8)),
        rng.uniform(15, 60),
    )
    fields = np.stack(
        [
            smooth_noise(rng, shape, cells) + 0.15 * smooth_noise(rng, shape, details)
            for _ in range(classes)
        ]
    )
    regions = fields.argmax(0)
    if rng.random() < 0.6:
        rows, columns = np.mgrid[:size, :size]
        for _ in range(int(rng.integers(1, 25))):
            row, column = rng.uniform(0, size, 2)
            axes = np.exp(rng.uniform(1.6, 4.0, 2))
            angle = rng.uniform(0, np.pi)
            down, right = rows - row, columns - column
            along = down * np.cos(angle) + right * np.sin(angle)
            across = right * np.cos(angle) - down * np.sin(angle)
            wobble = 0.3 * fields[0]
            inside = (along / axes[0]) ** 2 + (across / axes[1]) ** 2 + wobble < 1
            regions[inside] = classes + int(rng.integers(0, 3))
    return np.asarray(regions)


def _number(regions: NDArray[np.int64]) -> NDArray[np.int32]:
    """Give each connected part of each class a number, from 1."""
    labels = np.zeros(regions.shape, np.int32)
    for region in np.unique(regions):
        parts, _ = ndimage.label(regions == region)
        labels[parts > 0] = parts[parts > 0] + labels.max()
    return labels


def _membranes(
    rng: np.random.Generator, labels: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Lines of random width along the borders between objects, 0 to 1."""
    edge = ndimage.grey_dilation(labels, 3) != labels
    blurred = ndimage.gaussian_filter(edge.astype(np.float32), rng.uniform(0.5, 2))
    return np.asarray(blurred / max(float(blurred.max()), 1e-6), np.float32)


def add_lesion(
    rng: np.random.Generator, base: NDArray[np.uint8], most: int = 400
) -> LabelledImage:
    """Put a lesion with a soft, ragged border into an image; it is the only label.

    An outer part (oedema) and, at times, a core and a bright rim differ from the
    tissue by a factor and an offset per channel, with texture of their own.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of every draw.
    base : ndarray
        (H, W) or (H, W, 3) uint8.
    most : int
        Longest side of the result, px; a part of a larger image is drawn.

    Returns
    -------
    LabelledImage
        (h, w, 3) uint8; label 1 is the lesion.
    """
    tops = [int(rng.integers(max(1, side - most + 1))) for side in base.shape[:2]]
    part = base[tuple(slice(top, top + most) for top in tops)]
    pixels = part if part.ndim == 3 else part[..., None].repeat(3, 2)
    image = pixels.astype(np.float32) / np.float32(255)
    shape = image.shape[:2]
    depth = _lesion_depth(rng, image)
    softness = max(0.5, min(shape) * np.exp(rng.uniform(-6.0, -4.2)))
    image = _shade(rng, image, expit(depth / softness))
    if rng.random() < 0.5:
        core = depth - rng.uniform(0.2, 0.7) * depth.max()
        core += 0.1 * depth.max() * smooth_noise(rng, shape, rng.uniform(8, 30))
        image = _shade(rng, image, expit(core / softness))
        if rng.random() < 0.4:
            width = softness * rng.uniform(1, 4)
            image = _shade(rng, image, np.exp(-0.5 * (core / width) ** 2))
    labels = (depth > 0).astype(np.int32)
    return LabelledImage((np.clip(image, 0, 1) * 255).astype(np.uint8), labels)


def _lesion_depth(
    rng: np.random.Generator, image: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Signed depth of a ragged ellipse or lobed blob on tissue, px."""
    shape = (image.shape[0], image.shape[1])
    tissue = np.argwhere(image.mean(2)[::4, ::4] > 0.08) * 4
    row, column = tissue[rng.integers(len(tissue))] if len(tissue) else (0, 0)
    radius = min(shape) * np.exp(rng.uniform(np.log(0.04), np.log(0.25)))
    inside = ragged_disk(rng, shape, (row, column), radius, (0.1, 0.6), (-0.2, 1.4))
    if rng.random() < 0.7:
        inside &= ndimage.uniform_filter(image.mean(2), 5) > 0.06
    return signed_distance(inside) - 0.5


def ragged_disk(
    rng: np.random.Generator,
    shape: tuple[int, int],
    centre: Sequence[float],
    radius: float,
    ragged: tuple[float, float],
    waves: tuple[float, float],
) -> NDArray[np.bool_]:
    """Draw a stretched disk whose border is moved by smooth noise.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of every draw.
    shape : tuple of int
        (H, W) of the result.
    centre : sequence of float
        Row and column, px.
    radius : float
        Of the disk before it is stretched, px.
    ragged : tuple of float
        Least and largest strength of the noise, as a share of the radius.
    waves : tuple of float
        Least and largest logarithm of its bumps per radius.

    Returns
    -------
    ndarray
        (H, W) bool.
    """
    stretch = np.exp(rng.normal(0, 0.3))
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    angle = rng.uniform(0, np.pi)
    down, right = rows - centre[0], columns - centre[1]
    along = down * np.cos(angle) + right * np.sin(angle)
    across = right * np.cos(angle) - down * np.sin(angle)
    away = np.sqrt((along * stretch) ** 2 + (across / stretch) ** 2)
    cells = min(shape) / radius * np.exp(rng.uniform(*waves))
    noise = rng.uniform(*ragged) * smooth_noise(rng, shape, min(cells, 60))
    return np.asarray(radius * (1 + noise) > away)


def _shade(
    rng: np.random.Generator,
    image: NDArray[np.float32],
    share: NDArray[np.floating[Any]],
) -> NDArray[np.float32]:
    """Blend a change of brightness into the image where ``share`` says so."""
    offset = rng.uniform(0.12, 0.5) * rng.choice((-1.0, 1.0), p=(0.35, 0.65))
    offsets = offset * (rng.uniform(-0.5, 1.2, 3) if rng.random() < 0.5 else np.ones(3))
    flat = rng.uniform(0.1, 0.8)
    texture = smooth_noise(rng, image.shape[:2], rng.uniform(10, 80))
    changed = (1 - flat) * image + flat * image[share > 0.5].mean() + offsets
    changed += rng.uniform(0, 0.08) * texture[..., None]
    weight = share[..., None]
    return np.asarray(image + weight * (changed - image), np.float32)
