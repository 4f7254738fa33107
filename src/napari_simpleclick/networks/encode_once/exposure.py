"""Showing scans on a black background as bright as those that were learnt from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

BLACK = 0.1
"""Brightness up to which a pixel counts as background."""

LITTLE, MUCH = 0.1, 0.3
"""Share of background, of a crop, from which on it is darkened, and from which on
wholly so."""

STRONGEST = 3.0
"""Largest exponent of the curve."""


def darken(image: Tensor, brightness: float) -> Tensor:
    """Darken what lies on a black background, by a gamma curve.

    A head is as bright as its contrast limits, or the outliers among its voxels, make
    it. Where much is black, what is not is brought down to one mean brightness; with
    less, the curve is weaker, and none at all acts on images that are seen everywhere.

    Parameters
    ----------
    image : Tensor
        (B,3,H,W) RGB in [0, 1].
    brightness : float
        Mean of all that is not background, in (0, 1); what is darker stays.

    Returns
    -------
    Tensor
        (B,3,H,W) in [0, 1].
    """
    gray = image.float().mean(1, keepdim=True)
    seen = (gray > BLACK).float()
    share = seen.mean((2, 3), keepdim=True)
    mean = (gray * seen).mean((2, 3), keepdim=True) / share.clamp(min=1e-3)
    exponent = math.log(brightness) / mean.clamp(1e-3, 0.95).log()
    strength = ((1 - share - LITTLE) / (MUCH - LITTLE)).clamp(0, 1)
    exponent = 1 + (exponent.clamp(1, STRONGEST) - 1) * strength
    return torch.pow(image, exponent.to(image.dtype))
