"""Which SimpleClick a checkpoint belongs to."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from napari_simpleclick.errors import UserError
from napari_simpleclick.networks.simpleclick.mae import CHOICE, mae_state
from napari_simpleclick.networks.simpleclick.network import SOURCES, SimpleClickConfig
from napari_simpleclick.networks.simpleclick.sizes import SIZES
from napari_simpleclick.networks.starting import put_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from napari_simpleclick.networks.simpleclick.network import SimpleClick

UNUSED = re.compile(r"backbone\.(cls_token|fc_norm\.|head\.)|head\.up_conv[12]\.")
"""Tensors that take no part in the computation; files may lack them."""

PYRAMID = ("down_4.5", "down_8.2", "down_16.0", "down_32.2")
"""Last convolutions of the pyramid's levels."""

LOSS = "isegm.model.modeling.transformer_helper.cross_entropy_loss"
INERT = (f"{LOSS}.CrossEntropyLoss", f"{LOSS}.cross_entropy")
"""Objects pickled into official checkpoints beside the tensors."""

HEADS = {config.width: config.heads for config in SIZES.values()}
"""Attention heads by width, which no tensor tells."""


def recognise(
    state: Mapping[str, Tensor], about: Mapping[str, Any]
) -> SimpleClickConfig | None:
    """Find the configuration of a state dict with the official keys.

    Parameters
    ----------
    state : mapping of str to Tensor
        State dict.
    about : mapping
        Metadata; only the number of heads, the image size and the pyramid of unusual
        networks are taken from it.

    Returns
    -------
    SimpleClickConfig or None
        None if it is no checkpoint of SimpleClick.

    Raises
    ------
    UserError
        A part of a sentence, if something is missing.
    """
    if (
        "backbone.pos_embed" not in state
        or "patch_embed_coords.proj.weight" not in state
        or any(".score." in key for key in state)
    ):
        return None
    try:
        width = state["backbone.pos_embed"].shape[2]
        patch = state["backbone.patch_embed.proj.weight"].shape[2]
        a, b, c, d = (state[f"neck.{key}.weight"].shape[0] for key in PYRAMID)
        head = state["head.convs.0.conv.weight"].shape[0]
        tokens = state["backbone.pos_embed"].shape[1] - 1
    except (KeyError, IndexError, AttributeError) as error:
        raise UserError(f"it lacks {error}") from error
    depth = len({key.split(".")[2] for key in state if key.startswith("backbone.bl")})
    params = about.get("params", {})
    backbone = params.get("backbone_params", {}).get("value", {}) if params else {}
    told = about.get("heads")
    heads = int(told) if told else backbone.get("num_heads") or HEADS.get(width)
    if not heads or width % heads:
        raise UserError(
            f"it does not say how many attention heads its {width}-wide network has"
        )
    side = math.isqrt(tokens) * patch
    size = tuple(backbone.get("img_size") or (side, side))
    levels = about.get("levels", "simple")
    if levels not in SOURCES:
        raise UserError(
            f"it needs a pyramid '{levels}', which this version does not know; update "
            "napari-simpleclick"
        )
    return SimpleClickConfig(
        *(patch, width, depth, heads, (a, b, c, d), head, levels),
        image_size=(size[0], size[1]),
    )


def load_mae(network: SimpleClick, content: Any) -> None:
    """Initialise a network's backbone from an MAE encoder, in place.

    Source: the ``mae_pretrain_vit_{base,large,huge}.pth`` files of He et al., "Masked
    Autoencoders Are Scalable Vision Learners", 2022 (CC BY-NC 4.0). The position
    embedding is interpolated to the network's grid.

    Parameters
    ----------
    network : SimpleClick
        Network of the same width, depth and patch.
    content : dict
        Of the checkpoint, with the one key ``model``.

    Raises
    ------
    UserError
        A part of a sentence, if it is not an MAE encoder of this size.
    """
    needed = [
        key
        for key in network.backbone.state_dict()
        if not UNUSED.match(f"backbone.{key}")
    ]
    found = mae_state(content, network.config.grid)
    put_tensors(network.backbone, needed, found, CHOICE)
