"""Networks: image and prompt to mask logits. Tensors in, tensors out."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import torch
from torch import nn

from napari_simpleclick.errors import UserError
from napari_simpleclick.networks.disks import draw_disks
from napari_simpleclick.networks.simpleclick.network import (
    SimpleClick,
    SimpleClickConfig,
)
from napari_simpleclick.networks.simpleclick.vit import resize_positions

__all__ = [
    "NETWORKS",
    "SimpleClick",
    "SimpleClickConfig",
    "build",
    "channels_last",
    "draw_disks",
    "resize_positions",
]

T = TypeVar("T", bound=nn.Module)

NETWORKS = {
    "simpleclick-xtiny": SimpleClickConfig(16, 160, 8, 4, (96, 192, 288, 384), 128),
    "simpleclick-base": SimpleClickConfig(16, 768, 12, 12, (128, 256, 512, 1024), 256),
    "simpleclick-large": SimpleClickConfig(
        16, 1024, 24, 16, (192, 384, 768, 1536), 256
    ),
    "simpleclick-huge": SimpleClickConfig(14, 1280, 32, 16, (240, 480, 960, 1920), 256),
}
"""The published configurations by name."""


def channels_last(network: T) -> T:
    """Lay out a network's weights so that convolutions run fastest, in place."""
    moved: T = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def build(name: str, image_size: int | tuple[int, int] = 448) -> SimpleClick:
    """Build a network with fresh weights.

    Parameters
    ----------
    name : str
        One of :data:`NETWORKS`.
    image_size : int or tuple of int
        Side, or (height, width), in px that the position embedding is made for.

    Returns
    -------
    SimpleClick
        A ``torch.nn.Module`` in training mode.

    Raises
    ------
    UserError
        If no network has this name.
    """
    if name not in NETWORKS:
        raise UserError(
            f"There is no network '{name}'; choose one of {', '.join(NETWORKS)}."
        )
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    return SimpleClick(replace(NETWORKS[name], image_size=size))
