"""Networks: image and prompt to mask logits. Tensors in, tensors out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from typing import Any, TypeVar

import torch
from torch import nn

from napari_simpleclick._old_paths import old_name
from napari_simpleclick.errors import UserError
from napari_simpleclick.networks import (
    encode_once,
    focalclick,
    interformer,
    mst,
    ritm,
    sam,
    simpleclick,
)
from napari_simpleclick.networks.attempt import Attempt, Refinement, Selection
from napari_simpleclick.networks.disks import draw_disks
from napari_simpleclick.networks.family import EncoderStart, Family
from napari_simpleclick.networks.network import (
    CropPrompts,
    EncodedPrompt,
    Features,
    Network,
    NetworkConfig,
    NetworkSpec,
    join_prompts,
)

__all__ = [
    "FAMILIES",
    "NETWORKS",
    "Attempt",
    "CropPrompts",
    "EncodedPrompt",
    "EncoderStart",
    "Family",
    "Features",
    "Network",
    "NetworkConfig",
    "NetworkSpec",
    "Refinement",
    "Selection",
    "build",
    "channels_last",
    "draw_disks",
    "join_prompts",
    "register",
]

T = TypeVar("T", bound=nn.Module)
C = TypeVar("C")

FAMILIES: list[Family] = []
"""The published systems, and this package's own."""

NETWORKS: dict[str, NetworkConfig] = {}
"""Configurations by name."""


def register(family: Family) -> None:
    """Make the networks of a family known by name, and its checkpoints readable.

    Parameters
    ----------
    family : Family
        One whose networks have names that are not taken.

    Raises
    ------
    ValueError
        If a name is taken.
    """
    taken = NETWORKS.keys() & family.networks
    if taken:
        raise ValueError(f"There is a network '{min(taken)}' already.")
    FAMILIES.append(family)
    NETWORKS.update(family.networks)


for _family in (
    simpleclick.FAMILY,
    encode_once.FAMILY,
    focalclick.FAMILY,
    ritm.FAMILY,
    interformer.FAMILY,
    mst.FAMILY,
    sam.FAMILY,
):
    register(_family)


def channels_last(network: T) -> T:
    """Lay out a network's weights so that convolutions run fastest, in place."""
    moved: T = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def build(
    name: str, image_size: int | tuple[int, int] | None = None, **changes: Any
) -> Network:
    """Build a network with fresh weights.

    Parameters
    ----------
    name : str
        One of :data:`NETWORKS`.
    image_size : int, tuple of int or None
        Side, or (height, width), in px that it is to be trained at; None for the
        published one.
    **changes
        Other fields of the network's configuration, such as a smaller width; a mapping
        changes fields of a field.

    Returns
    -------
    Network
        A ``torch.nn.Module`` in training mode.

    Raises
    ------
    UserError
        If no network has this name.

    Examples
    --------
    >>> import torch
    >>> network = build("simpleclick-xtiny", 64).eval()
    >>> image, prompt = torch.rand(1, 3, 64, 64), torch.zeros(1, 3, 64, 64)
    >>> network(image, prompt).shape
    torch.Size([1, 1, 64, 64])
    """
    if name not in NETWORKS:
        raise UserError(
            f"There is no network '{name}'; choose one of {', '.join(NETWORKS)}."
        )
    if isinstance(image_size, int):
        image_size = (image_size, image_size)
    if image_size is not None:
        changes["image_size"] = image_size
    return _changed(NETWORKS[name], changes).build()


def _changed(config: C, changes: Mapping[str, Any]) -> C:
    """Replace fields of a configuration, and fields of these."""
    values = {
        key: _changed(getattr(config, key), value)
        if isinstance(value, Mapping) and is_dataclass(getattr(config, key, None))
        else value
        for key, value in changes.items()
    }
    return replace(config, **values)  # type: ignore[type-var]


def __getattr__(name: str) -> Any:
    return old_name("networks", name)
