"""Reading checkpoints without executing anything in them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from napari_simpleclick.networks import (
    NETWORKS,
    SimpleClick,
    SimpleClickConfig,
    resize_positions,
)
from napari_simpleclick.networks.simpleclick.network import SOURCES
from napari_simpleclick.weights.errors import WeightsError, enough_memory

if TYPE_CHECKING:
    from pathlib import Path

    from napari_simpleclick.weights.catalogue import Card

UNUSED = re.compile(r"backbone\.(cls_token|fc_norm\.|head\.)|head\.up_conv[12]\.")
"""Tensors that take no part in the computation; files may lack them."""

State = dict[str, Tensor]


class _Inert:
    """Stand-in for objects pickled into official checkpoints; never used."""


_LOSS = "isegm.model.modeling.transformer_helper.cross_entropy_loss"
_STAND_INS: list[Any] = [
    (_Inert, f"{_LOSS}.{name}") for name in ("CrossEntropyLoss", "cross_entropy")
]


def read_checkpoint(path: Path) -> tuple[State, dict[str, Any]]:
    """Read the tensors of a checkpoint and what it says about itself.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file of ours, or a ``.pth`` as the official trainer writes
        it.

    Returns
    -------
    dict
        State dict on the CPU.
    dict
        Metadata of a safetensors file, or the ``config`` of an official one.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, not a checkpoint, or wants to run code.
    """
    if not path.exists():
        raise WeightsError(f"There is no file '{path}'; check the name.")
    if path.is_dir():
        raise WeightsError(f"'{path}' is a folder; choose the weights file in it.")
    if path.stat().st_size == 0:
        raise WeightsError(f"'{path}' is empty; fetch it again.")
    with enough_memory(f"the weights in '{path.name}'"):
        if path.suffix == ".safetensors":
            return _read_safetensors(path)
        content = read_pickle(path)
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    if not isinstance(content, dict) or not isinstance(
        content.get("state_dict"), Mapping
    ):
        raise WeightsError(
            f"'{path}' is not a SimpleClick checkpoint: it has no 'state_dict'."
        )
    return dict(content["state_dict"]), dict(content.get("config") or {})


def _read_safetensors(path: Path) -> tuple[State, dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            state = {name: file.get_tensor(name).float() for name in names}
            return state, dict(file.metadata() or {})
    except SafetensorError as error:
        raise WeightsError(
            f"'{path}' is damaged or not a safetensors file; fetch it again."
        ) from error


def read_pickle(path: Path) -> Any:
    """Read a torch pickle of tensors and plain containers, and nothing else.

    Raises
    ------
    WeightsError
        If the file is damaged, or names anything that is not on the allow-list.
    """
    try:
        with torch.serialization.safe_globals(_STAND_INS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        if found:
            raise WeightsError(
                f"'{path}' was refused: it wants to run '{found[1]}' when opened, "
                "which weights never need; do not trust this file."
            ) from None
        raise WeightsError(
            f"'{path}' was refused: it holds something other than weights, or is "
            "damaged; fetch it again from where its authors put it."
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        if "allocate memory" in str(error):
            raise
        raise WeightsError(
            f"'{path}' is damaged or incomplete; fetch it again."
        ) from error


def network_from(
    state: State, about: Mapping[str, Any], path: Path
) -> tuple[SimpleClick, str]:
    """Build the network that a state dict belongs to.

    Parameters
    ----------
    state : dict
        State dict with the official keys.
    about : mapping
        Metadata; only the number of heads and the image size of unusual networks
        are taken from it.
    path : Path
        Named in errors.

    Returns
    -------
    SimpleClick
        In evaluation mode.
    str
        Name of the network, ``custom`` if it is none of the published ones.

    Raises
    ------
    WeightsError
        If tensors are missing, unknown or of the wrong shape.
    MemoryError
        If the network does not fit into memory.
    """
    config = _infer_config(state, about, path)
    with enough_memory(f"the network in '{path.name}'"):
        network = SimpleClick(config)
    own = network.state_dict()
    missing = [key for key in own if key not in state and not UNUSED.match(key)]
    extra = [key for key in state if key not in own and not UNUSED.match(key)]
    wrong = [key for key in own if key in state and own[key].shape != state[key].shape]
    for keys, problem in (
        (missing, "lacks"),
        (extra, "has an unknown"),
        (wrong, "has a wrong shape for"),
    ):
        if keys:
            raise WeightsError(
                f"'{path}' is not a checkpoint of SimpleClick: it {problem} "
                f"'{keys[0]}'."
            )
    network.load_state_dict(state, strict=False)
    names = [
        name
        for name, known in NETWORKS.items()
        if replace(known, image_size=config.image_size, levels=config.levels) == config
    ]
    return network.eval(), names[0] if names else "custom"


def _infer_config(
    state: State, about: Mapping[str, Any], path: Path
) -> SimpleClickConfig:
    try:
        width = state["backbone.pos_embed"].shape[2]
        patch = state["backbone.patch_embed.proj.weight"].shape[2]
        a, b, c, d = (state[f"neck.{key}.weight"].shape[0] for key in _LEVEL_KEYS)
        head = state["head.convs.0.conv.weight"].shape[0]
        tokens = state["backbone.pos_embed"].shape[1] - 1
    except (KeyError, IndexError, AttributeError) as error:
        raise WeightsError(
            f"'{path}' is not a checkpoint of SimpleClick: it lacks {error}."
        ) from error
    depth = len({key.split(".")[2] for key in state if key.startswith("backbone.bl")})
    params = about.get("params", {})
    backbone = params.get("backbone_params", {}).get("value", {}) if params else {}
    heads = backbone.get("num_heads") or _HEADS.get(width)
    if not heads or width % heads:
        raise WeightsError(
            f"'{path}' does not say how many attention heads its {width}-wide network "
            "has, so it cannot be used."
        )
    side = math.isqrt(tokens) * patch
    size = tuple(backbone.get("img_size") or (side, side))
    levels = about.get("levels", "simple")
    if levels not in SOURCES:
        raise WeightsError(
            f"'{path}' needs a pyramid '{levels}', which this version does not know; "
            "update napari-simpleclick."
        )
    return SimpleClickConfig(
        patch, width, depth, heads, (a, b, c, d), head, (size[0], size[1]), levels
    )


_LEVEL_KEYS = ("down_4.5", "down_8.2", "down_16.0", "down_32.2")
_HEADS = {config.width: config.heads for config in NETWORKS.values()}


def save_weights(network: SimpleClick, path: Path, card: Card) -> None:
    """Write float16 safetensors with a card, without the tensors nothing uses.

    Parameters
    ----------
    network : SimpleClick
        The network.
    path : Path
        Target, ``.safetensors``.
    card : Card
        Written into the file's metadata.
    """
    state = {
        key: tensor.half().contiguous()
        for key, tensor in network.state_dict().items()
        if not UNUSED.match(key)
    }
    about = {"card": json.dumps(asdict(card)), "levels": network.config.levels}
    save_file(state, path, about)


def load_mae(network: SimpleClick, path: Path) -> None:
    """Initialise a network's backbone from an MAE encoder, in place.

    Source: the ``mae_pretrain_vit_{base,large,huge}.pth`` files of He et al., "Masked
    Autoencoders Are Scalable Vision Learners", 2022 (CC BY-NC 4.0). The position
    embedding is interpolated to the network's grid.

    Parameters
    ----------
    network : SimpleClick
        Network of the same width, depth and patch.
    path : Path
        The checkpoint, a dict with the one key ``model``.

    Raises
    ------
    WeightsError
        If the file is not an MAE encoder of this size.
    """
    content = read_pickle(path)
    state = content.get("model") if isinstance(content, dict) else None
    if not isinstance(state, Mapping) or "pos_embed" not in state:
        raise WeightsError(f"'{path}' is not an MAE checkpoint: it has no encoder.")
    own = network.backbone.state_dict()
    side = math.isqrt(state["pos_embed"].shape[1] - 1)
    positions = resize_positions(
        state["pos_embed"].float(), (side, side), network.config.grid
    )
    found = {**state, "pos_embed": positions}
    needed = [key for key in own if not UNUSED.match(f"backbone.{key}")]
    for key in needed:
        if key not in found or found[key].shape != own[key].shape:
            raise WeightsError(
                f"'{path}' does not fit this network: '{key}' is missing or of another "
                "size; choose the MAE checkpoint of the same ViT."
            )
    network.backbone.load_state_dict({key: found[key] for key in needed}, strict=False)
