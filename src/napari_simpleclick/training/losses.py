"""Losses: normalised focal and soft Jaccard."""

from __future__ import annotations

import torch
from torch import Tensor


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
    epsilon = 1e-12
    valid = target != -1
    weight = torch.where(target > 0.5, alpha, 1 - alpha) * valid
    confidence = 1 - (logits.sigmoid() - target).abs()
    confidence = torch.where(valid, confidence, torch.ones_like(confidence))
    focus = (1 - confidence) ** gamma
    axes = (1, 2, 3)
    with torch.no_grad():
        scale = valid.sum(axes) / (focus.sum(axes) + epsilon)
    surprise = -(confidence + epsilon).clamp(max=1).log()
    loss = weight * focus * scale.view(-1, 1, 1, 1) * surprise
    return loss.sum(axes) / (valid.sum(axes) + epsilon)


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
