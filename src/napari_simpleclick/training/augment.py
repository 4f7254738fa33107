"""Changes of intensity that scanners, stains and contrast settings make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from napari_simpleclick.inference.shapes import smooth_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray


def vary_intensity(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Draw gamma, contrast, bias field, inversion, noise, blur and colour changes.

    Parameters
    ----------
    image : Tensor
        (3, S, S) float32 in [0, 1].
    rng : numpy.random.Generator
        Source of every draw.

    Returns
    -------
    Tensor
        (3, S, S) float32 in [0, 1].
    """
    size = image.shape[-1]
    if rng.random() < 0.1:
        image = image[torch.from_numpy(rng.permutation(3))]
    if rng.random() < 0.2:
        image = image.mean(0, keepdim=True).expand(3, -1, -1)
    if rng.random() < 0.15:
        image = _false_colours(image, rng)
    if rng.random() < 0.15:
        image = 1 - image
    if rng.random() < 0.5:
        image = image.clamp(min=1e-4) ** float(np.exp(rng.normal(0, 0.35)))
    if rng.random() < 0.75:
        contrast, shift = 1 + rng.uniform(-0.3, 0.5), rng.uniform(-0.25, 0.25)
        image = (image - 0.5) * contrast + 0.5 + shift
    if rng.random() < 0.3:
        image = image + _column(rng.uniform(-0.06, 0.06, 3))
    if rng.random() < 0.25:
        bias = smooth_noise(rng, (size, size), rng.uniform(2, 4))
        image = image * torch.from_numpy(np.exp(0.25 * bias))
    if rng.random() < 0.2:
        image = _soften(image, rng.uniform(1.3, 3.0))
    if rng.random() < 0.3:
        noise = torch.from_numpy(rng.standard_normal((1, size, size), np.float32))
        image = image + float(rng.uniform(0.01, 0.1)) * noise
    return image.clamp(0, 1)


def _false_colours(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Give each channel its own curve, as if they were three sequences of one scan."""
    curves = []
    for channel in image:
        changed = channel.clamp(min=1e-4) ** float(np.exp(rng.normal(0, 0.5)))
        if rng.random() < 0.25:
            changed = torch.where(channel > 0.03, 1 - changed, changed)
        curves.append(changed * float(rng.uniform(0.4, 1.0)))
    return torch.stack(curves)


def _column(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).view(3, 1, 1)


def _soften(image: Tensor, factor: float) -> Tensor:
    """Lose detail by scaling down and up again."""
    size = image.shape[-1]
    small = functional.interpolate(
        image[None], scale_factor=1 / factor, mode="bilinear", antialias=True
    )
    return functional.interpolate(small, size=(size, size), mode="bilinear")[0]
