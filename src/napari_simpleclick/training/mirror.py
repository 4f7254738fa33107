"""Learning to answer the same about an image and its mirror image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def with_mirror_image(maps: Tensor) -> Tensor:
    """Append the mirror image of each map: (B,C,H,W) to (2B,C,H,W)."""
    return torch.cat([maps, maps.flip(3)])


def mirror_loss(logits: Tensor) -> Tensor:
    """How far answers about images and their mirror images are from their mean.

    One minus the ratio of the sums of the pointwise minima and maxima (the IoU of soft
    masks, 0 where both are the same), of each answer and the mean of both, which is
    constant for the gradient: each look learns what two looks would say.

    Parameters
    ----------
    logits : Tensor
        (2B,1,H,W) as :func:`with_mirror_image` orders them.

    Returns
    -------
    Tensor
        Scalar, 0 to 1.
    """
    answers = logits.sigmoid()
    plain, mirrored = answers.chunk(2)
    mean = with_mirror_image((plain + mirrored.flip(3)).detach() / 2)
    axes = (1, 2, 3)
    common = torch.minimum(answers, mean).sum(axes)
    every = torch.maximum(answers, mean).sum(axes)
    return (1 - common / every.clamp(min=1)).mean()
