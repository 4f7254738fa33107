"""Random label maps with random looks, for modalities without permissive data.

In the spirit of domain randomisation (Billot et al., "SynthSeg", 2023): shapes,
intensities, textures, membranes, bias and blur are drawn anew for each image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional

from napari_simpleclick.train.images import LabelledImage

if TYPE_CHECKING:
    from numpy.typing import NDArray


def smooth_noise(
    rng: np.random.Generator, size: int, cells: float, channels: int = 1
) -> NDArray[np.float32]:
    """Gaussian noise (channels, size, size) with about ``cells`` bumps per side."""
    side = max(2, round(cells))
    coarse = rng.standard_normal((1, channels, side, side), dtype=np.float32)
    fine = functional.interpolate(
        torch.from_numpy(coarse), size=(size, size), mode="bicubic", align_corners=True
    )
    return fine[0].numpy()


def draw_image(rng: np.random.Generator, size: int = 256) -> LabelledImage:
    """Draw one synthetic image of ``size`` x ``size`` px with its label map."""
    regions = _regions(rng, size)
    labels = _number(regions)
    count = int(labels.max()) + 1
    means = rng.uniform(0, 1, int(regions.max()) + 1)[regions]
    if rng.random() < 0.5:
        means = means + rng.normal(0, 0.15, count)[labels]
    grain = smooth_noise(rng, size, rng.uniform(0.1, 0.9) * size)[0]
    coarse = smooth_noise(rng, size, rng.uniform(8, 40))[0]
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
    fields = smooth_noise(rng, size, np.exp(rng.uniform(1.2, 2.8)), classes)
    fields += 0.15 * smooth_noise(rng, size, rng.uniform(15, 60), classes)
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
