"""Answers, with what else training looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Selection(NamedTuple):
    """Which tokens of one scale look like what was clicked.

    Parameters
    ----------
    scores : Tensor
        (B,N) in [0, 1]; all 0 where nothing was clicked.
    indices : Tensor
        (B,k) int64 of the selected tokens, best first.
    valid : Tensor
        (B,k) bool, which of them were kept.
    tokens : Tensor
        (B,k,d) the selected tokens; zeros where they were dropped.
    kernel : Tensor
        (B,d) what the tokens were compared with.
    """

    scores: Tensor
    indices: Tensor
    valid: Tensor
    tokens: Tensor
    kernel: Tensor


class Refinement(NamedTuple):
    """What a refiner says about a focus crop.

    Parameters
    ----------
    logits : Tensor
        (B,1,h,w) of the object.
    coarse : Tensor
        (B,1,h,w), the segmentor's logits on the focus crop.
    boundary : Tensor
        (B,1,h,w) logits of lying near the outline, where detail replaces them.
    """

    logits: Tensor
    coarse: Tensor
    boundary: Tensor


class Attempt(NamedTuple):
    """An answer while a network learns.

    Parameters
    ----------
    logits : Tensor
        (B,1,H,W), as :meth:`Network.decode` gives them.
    auxiliary : Tensor or None
        (B,1,H,W) logits of a coarser answer on the way to it.
    maps : Tensor or None
        (B,C,h,w), what :meth:`Network.refine` takes as ``features``.
    selections : tuple of tuple of Selection
        For each block that selects tokens, those of its scales, finest first.
    """

    logits: Tensor
    auxiliary: Tensor | None = None
    maps: Tensor | None = None
    selections: tuple[tuple[Selection, ...], ...] = ()
