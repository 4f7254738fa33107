"""SAM, MobileSAM and what was trained from them: points and boxes, encoded once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from napari_simpleclick.errors import UserError
from napari_simpleclick.networks.family import Family
from napari_simpleclick.networks.sam.network import (
    SAM,
    SAMConfig,
    TinyViTConfig,
    ViTConfig,
)
from napari_simpleclick.networks.sam.vit import PATCH_PX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["FAMILY", "SAM", "SAMConfig", "TinyViTConfig", "ViTConfig"]

SIZE_PX = (1024, 1024)
"""Of the images that the published networks were trained on."""

SIZES: dict[str, SAMConfig] = {
    "sam-vit-b": ViTConfig(image_size=SIZE_PX),
    "sam-vit-l": ViTConfig(
        width=1024,
        depth=24,
        heads=16,
        looking_at_all=(5, 11, 17, 23),
        image_size=SIZE_PX,
    ),
    "sam-vit-h": ViTConfig(
        width=1280,
        depth=32,
        heads=16,
        looking_at_all=(7, 15, 23, 31),
        image_size=SIZE_PX,
    ),
    "mobile-sam": TinyViTConfig(image_size=SIZE_PX),
}
"""Configurations by name."""

PREFIX = "sam."
"""Of all keys in the checkpoints that micro-sam's training writes."""

FIRST_LAYER = "mask_decoder.transformer.layers.0.mlp.lin1.weight"

UNUSED = re.compile(r"image_encoder\.(norm_head|head)\.|pixel_(mean|std)$")
"""Tensors that take no part in the computation; files may hold them or not."""


def recognise(
    state: Mapping[str, Tensor], about: Mapping[str, Any]
) -> SAMConfig | None:
    """Find the configuration of a state dict.

    Parameters
    ----------
    state : mapping of str to Tensor
        State dict with the official keys, also below ``sam.``.
    about : mapping
        Not looked at; the tensors tell everything.

    Returns
    -------
    SAMConfig or None
        None if it is no checkpoint of SAM.

    Raises
    ------
    UserError
        A part of a sentence, if something is missing or odd.
    """
    del about
    state = rename(state)
    if "prompt_encoder.not_a_point_embed.weight" not in state:
        return None
    try:
        hidden, channels = state[FIRST_LAYER].shape
        if "image_encoder.pos_embed" in state:
            return _vit(state, channels, hidden)
        return _tiny_vit(state, channels, hidden)
    except (KeyError, IndexError, ZeroDivisionError) as error:
        raise UserError(f"it lacks {error}") from error


def _vit(state: Mapping[str, Tensor], channels: int, hidden: int) -> ViTConfig:
    positions = state["image_encoder.pos_embed"]
    grid, width = positions.shape[1], positions.shape[3]
    pattern = re.compile(r"image_encoder\.blocks\.(\d+)\.attn\.rel_pos_h")
    tables = {
        int(match[1]): tensor.shape
        for key, tensor in state.items()
        if (match := pattern.fullmatch(key))
    }
    if not tables:
        raise UserError("it lacks 'image_encoder.blocks.0.attn.rel_pos_h'")
    whole = tuple(n for n, (rows, _) in sorted(tables.items()) if rows == 2 * grid - 1)
    windows = [(rows + 1) // 2 for rows, _ in tables.values() if rows != 2 * grid - 1]
    return ViTConfig(
        channels,
        hidden,
        width,
        len(tables),
        width // next(iter(tables.values()))[1],
        whole,
        windows[0] if windows else grid,
        image_size=(grid * PATCH_PX, grid * PATCH_PX),
    )


def _tiny_vit(state: Mapping[str, Tensor], channels: int, hidden: int) -> TinyViTConfig:
    layer = r"image_encoder\.layers\.(\d)\.blocks\.\d+\.(conv1\.c|mlp\.fc1)\.weight"
    block = re.compile(layer)
    found = [int(match[1]) for key in state if (match := block.fullmatch(key))]
    stages = sorted(set(found))
    widths = [state["image_encoder.patch_embed.seq.2.c.weight"].shape[0]]
    biases = [
        state[f"image_encoder.layers.{n}.blocks.0.attn.attention_biases"].shape
        for n in stages[1:]
    ]
    widths += [
        state[f"image_encoder.layers.{n}.blocks.0.mlp.fc2.weight"].shape[0]
        for n in stages[1:]
    ]
    sides = [round(count**0.5) for _, count in biases]
    return TinyViTConfig(
        channels,
        hidden,
        tuple(widths),
        tuple(found.count(n) for n in stages),
        (widths[0] // 32, *(heads for heads, _ in biases)),
        (7, *sides),
        image_size=SIZE_PX,
    )


def rename(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Strip what micro-sam's training puts before each key."""
    return {key.removeprefix(PREFIX): tensor for key, tensor in state.items()}


FAMILY = Family("SAM", SIZES, recognise, rename=rename, unused=UNUSED)
