"""Losses of networks that select tokens which look like what was clicked (MST).

Source: L. Xu et al., "Adaptive Multi-Scale Tokens Guided Interactive Segmentation",
arXiv 2401.04403, as the released code computes them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_simpleclick.networks import Selection

ALPHA = 0.25
"""What tokens of the object weigh in the focal loss of scores; others the rest of 1."""

GAMMA = 2.0
"""Its focusing exponent."""

LEAST = 1e-7
"""Scores are kept this far from 0 and 1."""


def contrast_loss(
    selections: Sequence[Sequence[Selection]],
    target: Tensor,
    over: Literal["channels", "tokens"] = "channels",
) -> Tensor:
    """Ask selected tokens of the object to be nearer to what was clicked than others.

    The soft margin log(1 + exp(d_p - d_n)) of the mean distances d_p of selected tokens
    in the object, and d_n of the other selected ones. Where one of both is missing
    there is no term, nor for the coarser scales of that block and sample.

    Parameters
    ----------
    selections : sequence of sequence of Selection
        For each block, those of its scales, finest first.
    target : Tensor
        (B,1,H,W): above 0.5 object.
    over : {"channels", "tokens"}
        ``tokens`` takes a distance for each token and their mean; ``channels``, as the
        larger published networks were trained, a distance along all tokens for each
        channel, and the mean of these.

    Returns
    -------
    Tensor
        Scalar, the mean over all terms; 0 without any.
    """
    terms = []
    for scales in selections:
        inside = [_at_tokens(target, chosen) for chosen in scales]
        for number in range(len(target)):
            for chosen, where in zip(scales, inside, strict=True):
                kept = chosen.valid[number]
                belongs = where[number][chosen.indices[number]][kept]
                if not belongs.any() or belongs.all():
                    break
                away = chosen.kernel[number] - chosen.tokens[number][kept]
                near, far = (
                    torch.linalg.vector_norm(part, dim=0 if over == "channels" else 1)
                    for part in (away[belongs], away[~belongs])
                )
                terms.append(functional.softplus(near.mean() - far.mean()))
    return torch.stack(terms).mean() if terms else target.new_zeros(())


def score_loss(
    selections: Sequence[Sequence[Selection]],
    target: Tensor,
    kind: Literal["focal", "square"] = "focal",
) -> Tensor:
    """Ask all scores of samples with a click to tell object from background.

    Parameters
    ----------
    selections : sequence of sequence of Selection
        For each block, those of its scales.
    target : Tensor
        (B,1,H,W): above 0.5 object.
    kind : {"focal", "square"}
        Focal loss, or mean squared difference.

    Returns
    -------
    Tensor
        Scalar, the mean over scales and blocks; 0 without any click.
    """
    terms = []
    for scales in selections:
        for chosen in scales:
            clicked = chosen.scores.any(1)
            if clicked.any():
                truth = _at_tokens(target, chosen)[clicked]
                terms.append(_compared(chosen.scores[clicked], truth, kind))
    return torch.stack(terms).mean() if terms else target.new_zeros(())


def _compared(scores: Tensor, truth: Tensor, kind: str) -> Tensor:
    if kind == "square":
        return functional.mse_loss(scores, truth.to(scores))
    chance = scores.clamp(LEAST, 1 - LEAST)
    confidence = torch.where(truth, chance, 1 - chance)
    weight = torch.where(truth, ALPHA, 1 - ALPHA)
    return -(weight * (1 - confidence) ** GAMMA * confidence.log()).mean()


def _at_tokens(target: Tensor, chosen: Selection) -> Tensor:
    """Whether each token of a scale lies in the object, (B,N) bool."""
    height, width = target.shape[2:]
    patch = round(math.sqrt(height * width / chosen.scores.shape[1]))
    small = functional.interpolate(
        target, size=(height // patch, width // patch), mode="nearest"
    )
    return small.flatten(1) > 0.5
