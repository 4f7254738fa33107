"""InterFormer: encode once, then answer a click map (Huang et al., ICCV 2023)."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import torch

from napari_simpleclick.errors import UserError
from napari_simpleclick.networks.family import Family
from napari_simpleclick.networks.interformer.backbone import PATCH, relative_positions
from napari_simpleclick.networks.interformer.network import (
    InterFormer,
    InterFormerConfig,
)
from napari_simpleclick.networks.simpleclick.mae import CHOICE, mae_start, mae_state
from napari_simpleclick.networks.starting import put_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["FAMILY", "InterFormer", "InterFormerConfig"]

SIZE_PX = (512, 512)
"""Of the images that the published networks were trained on."""

SIZES = {
    "interformer-light": InterFormerConfig(768, 12, 12, image_size=SIZE_PX),
    "interformer-tiny": InterFormerConfig(
        1024, 24, 16, (1, 1, 4, 2), image_size=SIZE_PX
    ),
}
"""Configurations by name."""

PREFIX = "module."
"""Of all keys, where a network was saved as it was trained on several GPUs."""

UNUSED = re.compile(r"backbone\.layers\.\d+\.attn\.relative_position_index")
"""Tensors that follow from the size; files may lack them."""


def recognise(
    state: Mapping[str, Tensor], about: Mapping[str, Any]
) -> InterFormerConfig | None:
    """Find the configuration of a state dict.

    Parameters
    ----------
    state : mapping of str to Tensor
        State dict, as it was published or ours.
    about : mapping
        Not looked at; the tensors tell everything.

    Returns
    -------
    InterFormerConfig or None
        None if it is no checkpoint of InterFormer.

    Raises
    ------
    UserError
        A part of a sentence, if something is missing or odd.
    """
    del about
    state = rename(state)
    if "neck.patch_embed" not in state:
        return None
    layers = re.compile(r"backbone\.layers\.(\d+)\.gamma_1")
    refining = re.compile(r"neck\.refine_stages\.(\d)\.blocks\.\d+\.norm2\.weight")
    table = "backbone.layers.0.attn.relative_position_bias_table"
    try:
        positions = state["backbone.pos_embed"]
        heads = state[table].shape[1]
    except (KeyError, IndexError) as error:
        raise UserError(f"it lacks {error}") from error
    side = math.isqrt(positions.shape[1] - 1)
    for key, tensor in state.items():
        if tensor.is_meta or not UNUSED.match(key):
            continue
        if not _same(tensor, relative_positions(side)):
            raise UserError(f"'{key}' is not that of a grid of {side} x {side} tokens")
    fine = [match[1] for key in state if (match := refining.fullmatch(key))]
    a, b, c, d = (fine.count(stage) for stage in "0123")
    return InterFormerConfig(
        positions.shape[2],
        sum(layers.fullmatch(key) is not None for key in state),
        heads,
        (a, b, c, d),
        image_size=(side * PATCH, side * PATCH),
    )


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool(torch.all(one == other))


def rename(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Strip what training on several GPUs puts before each key."""
    return {key.removeprefix(PREFIX): tensor for key, tensor in state.items()}


INERT = (
    "addict.addict.Dict",
    "mmcv.utils.config.Config",
    "mmcv.utils.config.ConfigDict",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "numpy.ndarray",
)
"""What the trainer may have put beside the tensors: its settings and numbers."""

MAE_NAMES = (
    ("blocks.", "layers."),
    (".norm", ".ln"),
    ("mlp.fc1", "ffn.layers.0.0"),
    ("mlp.fc2", "ffn.layers.1"),
    ("patch_embed.proj.", "patch_embed.projection."),
)
"""What is called otherwise in MAE's checkpoints, and here."""


def load_mae(network: InterFormer, content: Any) -> None:
    """Put an MAE encoder into a network's backbone, in place.

    Positions are interpolated, bicubic; biases of relative positions and scales of
    channels, which it lacks, stay as they are.
    """
    side = network.config.image_size[0] // PATCH
    found = {}
    for key, tensor in mae_state(content, (side, side)).items():
        for name, own in MAE_NAMES:
            key = key.replace(name, own)
        found[key] = tensor
    backbone = network.backbone
    fresh = re.compile(r"fpn\.|.*(relative_position|gamma_)")
    needed = [key for key in backbone.state_dict() if not fresh.match(key)]
    put_tensors(backbone, needed, found, CHOICE)


FAMILY = Family(
    "InterFormer",
    SIZES,
    recognise,
    rename=rename,
    unused=UNUSED,
    encoders={"mae": mae_start(load_mae)},
    inert=INERT,
)
