"""Losses of an answer: normalised focal, soft Jaccard, and those of a refined one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from napari_simpleclick.networks import Refinement


EPSILON = 1e-12
"""Keeps divisors from 0 and logarithms finite."""


def normalized_focal_loss(
    logits: Tensor, target: Tensor, alpha: float = 0.5, gamma: float = 2.0
) -> Tensor:
    """Focal loss whose weights are scaled to average one per sample.

    Source: K. Sofiiuk, I. Petrov, A. Konushin, "Reviving Iterative Training with Mask
    Guidance for Interactive Segmentation" (RITM), 2021, as the released code computes
    it, with epsilon 1e-12. The scale is treated as a constant of the gradient.

    Parameters
    ----------
    logits : Tensor
        (B, 1, H, W).
    target : Tensor
        (B, 1, H, W): 1 object, 0 background, -1 ignored.
    alpha : float
        Weight of the object; the background has 1 - alpha.
    gamma : float
        Focusing exponent.

    Returns
    -------
    Tensor
        (B,) loss per sample.
    """
    loss, valid = _focal_map(logits, target, alpha, gamma)
    axes = (1, 2, 3)
    return loss.sum(axes) / (valid.sum(axes) + EPSILON)


def _focal_map(
    logits: Tensor, target: Tensor, alpha: float = 0.5, gamma: float = 2.0
) -> tuple[Tensor, Tensor]:
    """Normalised focal loss of each pixel (B,1,H,W), and which of them count."""
    valid = target != -1
    weight = torch.where(target > 0.5, alpha, 1 - alpha) * valid
    confidence = 1 - (logits.sigmoid() - target).abs()
    confidence = torch.where(valid, confidence, torch.ones_like(confidence))
    focus = (1 - confidence) ** gamma
    axes = (1, 2, 3)
    with torch.no_grad():
        scale = valid.sum(axes) / (focus.sum(axes) + EPSILON)
    surprise = -(confidence + EPSILON).clamp(max=1).log()
    return weight * focus * scale.view(-1, 1, 1, 1) * surprise, valid


def cross_entropy_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy (B,), summed over pixels that count, over all pixels.

    That of the coarse answer in RITM; takes what :func:`normalized_focal_loss` takes.
    """
    valid = (target != -1).to(logits)
    loss = functional.binary_cross_entropy_with_logits(
        logits, (target > 0.5).to(logits), reduction="none"
    )
    return (loss * valid).mean((1, 2, 3))


def refinement_losses(
    refinement: Refinement, target: Tensor, near: Tensor, outline: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Losses of a refined answer, and of where it takes the outline to be.

    Source: X. Chen et al., "FocalClick", CVPR 2022, as its released code computes them.

    Parameters
    ----------
    refinement : Refinement
        On focus crops.
    target : Tensor
        (B,1,h,w) on them: 1 object, 0 background, -1 ignored.
    near : Tensor
        (B,1,h,w) bool, near the outline.
    outline : float
        How much more a pixel counts there than elsewhere, where it counts 1.

    Returns
    -------
    tuple of Tensor
        Scalars: the weighted mean of the normalised focal loss of the batch, and the
        cross-entropy of ``near``.
    """
    loss, valid = _focal_map(refinement.logits, target)
    weight = (1 + outline * near) * valid
    boundary = functional.binary_cross_entropy_with_logits(
        refinement.boundary, near.to(refinement.boundary)
    )
    return (loss * weight).sum() / (weight.sum() + EPSILON), boundary


def soft_jaccard_loss(logits: Tensor, target: Tensor, steepness: float = 4.0) -> Tensor:
    """One minus the IoU of object and probabilities, with sums in place of counts.

    Where a click may mean a smaller or a larger object, the focal loss is content with
    probabilities near a half; this one gains by deciding for a whole. Source: M. A.
    Rahman, Y. Wang, "Optimizing Intersection-Over-Union in Deep Neural Networks for
    Image Segmentation", 2016.

    Parameters
    ----------
    logits : Tensor
        (B, 1, H, W).
    target : Tensor
        (B, 1, H, W): 1 object, 0 background, -1 ignored.
    steepness : float
        Factor of the logits: the focal loss keeps them small, and many pixels of
        background with a probability of 0.2 would outweigh an object.

    Returns
    -------
    Tensor
        (B,) loss per sample, 0 to 1.
    """
    axes = (1, 2, 3)
    inside = target > 0.5
    probability = (steepness * logits).sigmoid() * (target != -1)
    shared = (probability * inside).sum(axes)
    union = probability.sum(axes) + inside.sum(axes) - shared
    return 1 - (shared + 1) / (union + 1)
