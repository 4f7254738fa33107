"""MST: tokens of three scales, chosen by what was clicked (arXiv 2401.04403)."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_simpleclick.errors import UserError
from napari_simpleclick.networks.family import EncoderStart, Family
from napari_simpleclick.networks.mst.network import MST, MSTConfig
from napari_simpleclick.networks.mst.score import Scoring
from napari_simpleclick.networks.mst.tokens import PATCH
from napari_simpleclick.networks.simpleclick.checkpoint import INERT
from napari_simpleclick.networks.simpleclick.mae import CHOICE, mae_start, mae_state
from napari_simpleclick.networks.starting import put_tensors, state_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["FAMILY", "MST", "MSTConfig", "Scoring"]

MAIN = Scoring(
    blocks=(3, 7, 11),
    share=16,
    drops=True,
    attended=True,
    heads=4,
    pooling=4,
    expert=1,
    hidden=1,
    fuse_heads=4,
    fuse_mlp=False,
    gamma=1.0,
    weighs=True,
)
LARGER = replace(
    MAIN,
    share=8,
    heads=6,
    expert=4,
    hidden=4,
    fuse_heads=8,
    fuse_mlp=True,
    gamma=0.0,
    weighs=False,
)
SMALLER = replace(
    LARGER,
    blocks=(0, 4, 8),
    drops=False,
    attended=False,
    heads=8,
    pooling=1,
    hidden=1,
)

PYRAMID = (128, 256, 512, 1024)
SIZES = {
    "mst-main": MSTConfig(768, 12, 12, PYRAMID, 256, MAIN),
    "mst-448": MSTConfig(768, 12, 12, PYRAMID, 256, LARGER),
    "mst-224": MSTConfig(
        768, 12, 12, (256, 256, 256, 256), 256, SMALLER, image_size=(224, 224)
    ),
}
"""Configurations by name, after the branches of the released code."""

UNUSED = re.compile(r"backbone\.(cls_token|fc_norm\.|head\.)|head\.up_conv[12]\.")
"""Tensors that take no part in the computation; files may hold them."""

LEVELS = ("down_4.5", "down_8.2", "down_16.0", "down_32.2")
"""Last convolutions of the pyramid's levels."""

HEADS = {768: 12, 1024: 16}
"""Attention heads by width, which no tensor tells."""


def recognise(
    state: Mapping[str, Tensor], about: Mapping[str, Any]
) -> MSTConfig | None:
    """Find the configuration of a state dict with the official keys.

    Parameters
    ----------
    state : mapping of str to Tensor
        State dict.
    about : mapping
        Metadata; only the number of heads of unusual widths is taken from it.

    Returns
    -------
    MSTConfig or None
        None if it is no checkpoint of MST.

    Raises
    ------
    UserError
        A part of a sentence, if something is missing or of no known variant.
    """
    scoring = re.compile(r"backbone\.blocks\.(\d+)\.score\.norm1\.weight")
    found = [int(match[1]) for key in state if (match := scoring.fullmatch(key))]
    if not found:
        return None
    blocks = re.compile(r"backbone\.blocks\.(\d+)\.norm1\.weight")
    try:
        positions = state["backbone.pos_embed"]
        a, b, c, d = (state[f"neck.{key}.weight"].shape[0] for key in LEVELS)
        head = state["head.convs.0.conv.weight"].shape[0]
        variant = _variant(state, f"backbone.blocks.{found[0]}")
    except (KeyError, IndexError) as error:
        raise UserError(f"it lacks {error}") from error
    width = positions.shape[2]
    params = about.get("params") or {}
    backbone = (params.get("backbone_params") or {}).get("value") or {}
    heads = int(about.get("heads") or backbone.get("num_heads") or HEADS.get(width, 0))
    if not heads or width % heads:
        raise UserError(
            f"it does not say how many attention heads its {width}-wide network has"
        )
    side = math.isqrt(positions.shape[1] - 1) * PATCH
    return MSTConfig(
        width,
        sum(blocks.fullmatch(key) is not None for key in state),
        heads,
        (a, b, c, d),
        head,
        replace(variant, blocks=tuple(sorted(found))),
        image_size=(side, side),
    )


def _variant(state: Mapping[str, Tensor], block: str) -> Scoring:
    """Tell the variant by the tensors of one of its score blocks."""
    pools = f"{block}.score.cross_attn.sr.weight" in state
    weighs = f"{block}.gamma2" in state
    fuses = f"{block}.score_mlp.fc1.weight" in state
    for known in (MAIN, LARGER, SMALLER):
        if (known.pooling > 1, known.weighs, known.fuse_mlp) == (pools, weighs, fuses):
            return known
    raise UserError("its score blocks are those of no known variant")


def load_mae(network: MST, content: Any) -> None:
    """Put an MAE encoder into a network's backbone, in place."""
    backbone = network.backbone
    needed = [k for k in backbone.state_dict() if network.is_encoder(f"backbone.{k}")]
    put_tensors(backbone, needed, mae_state(content, network.config.grid), CHOICE)


def load_simpleclick(network: MST, content: Any) -> None:
    """Put all that SimpleClick's weights have in common with a network into it."""
    needed = [
        key
        for key in network.state_dict()
        if not key.startswith("backbone.") or network.is_encoder(key)
    ]
    put_tensors(network, needed, state_in(content), "SimpleClick's of the same ViT")


FAMILY = Family(
    "MST",
    SIZES,
    recognise,
    unused=UNUSED,
    encoders={
        "mae": mae_start(load_mae),
        "simpleclick": EncoderStart(
            load_simpleclick,
            origin="SimpleClick (github.com/uncbiag/SimpleClick)",
            licence="MIT; begun with MAE's, CC BY-NC 4.0",
        ),
    },
    inert=INERT,
)
