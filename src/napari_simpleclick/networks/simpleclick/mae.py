"""Encoders of masked autoencoders, which Vision Transformers start from.

Source: the ``mae_pretrain_vit_{base,large,huge}.pth`` files of He et al., "Masked
Autoencoders Are Scalable Vision Learners", 2022 (CC BY-NC 4.0).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from napari_simpleclick.errors import UserError
from napari_simpleclick.networks.family import EncoderStart
from napari_simpleclick.networks.simpleclick.vit import resize_positions

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

CHOICE = "the MAE checkpoint of the same ViT"


def mae_start(load: Callable[[Any, Any], None]) -> EncoderStart:
    """Give the kind of start that a function loads such a checkpoint for."""
    origin = "He et al., Masked Autoencoders, github.com/facebookresearch/mae"
    return EncoderStart(load, None, origin, "CC BY-NC 4.0")


def mae_state(content: Any, grid: tuple[int, int]) -> dict[str, Tensor]:
    """Give the tensors of an MAE encoder, its positions interpolated to a grid.

    Parameters
    ----------
    content : object
        Of the checkpoint.
    grid : tuple of int
        (rows, columns) of tokens.

    Raises
    ------
    UserError
        A part of a sentence, if it is no MAE encoder.
    """
    state = content.get("model") if isinstance(content, dict) else None
    if not isinstance(state, dict) or "pos_embed" not in state:
        raise UserError("is not an MAE checkpoint: it has no encoder")
    side = math.isqrt(state["pos_embed"].shape[1] - 1)
    positions = resize_positions(state["pos_embed"].float(), (side, side), grid)
    return {**state, "pos_embed": positions}
