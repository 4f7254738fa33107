"""FocalClick: quick segmentation, then a close look at what has changed (CVPR 2022)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from napari_simpleclick.errors import UserError
from napari_simpleclick.networks.family import EncoderStart, Family
from napari_simpleclick.networks.focalclick.network import (
    SIZE_PX,
    FocalClick,
    FocalClickConfig,
)
from napari_simpleclick.networks.focalclick.segformer import SegFormerSize
from napari_simpleclick.networks.hrnet import HRNetSize, imagenet, size_of
from napari_simpleclick.networks.starting import put_tensors, state_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["FAMILY", "FocalClick", "FocalClickConfig"]

SEGMENTORS: dict[str, HRNetSize | SegFormerSize] = {
    "hrnet18s": HRNetSize(18, 48, small=True),
    "hrnet32": HRNetSize(32, 128),
    "segformer-b0": SegFormerSize((32, 64, 160, 256), (2, 2, 2, 2), 256),
    "segformer-b3": SegFormerSize((64, 128, 320, 512), (3, 4, 18, 3), 512),
}

PUBLISHED = (
    "hrnet18s-s1",
    "hrnet18s-s2",
    "hrnet32-s2",
    "segformer-b0-s1",
    "segformer-b0-s2",
    "segformer-b3-s2",
)
"""Segmentor, and whether it works at half (s1) or all (s2) of the crop's size."""

SIZES = {
    f"focalclick-{name}": FocalClickConfig(
        SEGMENTORS[name[:-3]], name.endswith("s1"), image_size=SIZE_PX
    )
    for name in PUBLISHED
}
"""Configurations by name."""


def recognise(
    state: Mapping[str, Tensor], about: Mapping[str, Any]
) -> FocalClickConfig | None:
    """Find the configuration of a state dict.

    Parameters
    ----------
    state : mapping of str to Tensor
        State dict.
    about : mapping
        Metadata; it alone tells whether the segmentor works at half the size.

    Returns
    -------
    FocalClickConfig or None
        None if it is no checkpoint of FocalClick.

    Raises
    ------
    UserError
        A part of a sentence, if something is missing.
    """
    if "refiner.refine_trimap.weight" not in state:
        return None
    try:
        if "feature_extractor.backbone.patch_embed1.proj.weight" in state:
            size: HRNetSize | SegFormerSize = _segformer_size(state)
        else:
            size = size_of(state)
    except KeyError as error:
        raise UserError(f"it lacks {error}") from error
    told = about.get("pipeline_version") or (about.get("params") or {}).get(
        "pipeline_version"
    )
    version = told.get("value") if isinstance(told, dict) else told
    if version not in ("s1", "s2"):
        raise UserError(
            "it does not say whether its segmentor works at half the size (s1) or the "
            "whole (s2)"
        )
    return FocalClickConfig(size, version == "s1", image_size=SIZE_PX)


def _segformer_size(state: Mapping[str, Tensor]) -> SegFormerSize:
    """Tell the size from tensors."""
    prefix = "feature_extractor.backbone"
    a, b, c, d = (
        state[f"{prefix}.patch_embed{stage}.proj.weight"].shape[0]
        for stage in (1, 2, 3, 4)
    )
    blocks = re.compile(rf"{prefix}\.block(\d)\.\d+\.norm1\.weight")
    found = [match[1] for key in state if (match := blocks.fullmatch(key))]
    e, f, g, h = (found.count(stage) for stage in "1234")
    decoder = state["feature_extractor.decode_head.linear_pred.weight"].shape[1]
    return SegFormerSize((a, b, c, d), (e, f, g, h), decoder)


MIT_BACKBONE = "feature_extractor.backbone."


def load_mit(network: FocalClick, content: Any) -> None:
    """Put a Mix Transformer trained on ImageNet into a SegFormer, in place.

    Raises
    ------
    UserError
        A part of a sentence, if it is another one, or the network is no SegFormer.
    """
    if not isinstance(network.config.size, SegFormerSize):
        raise UserError("is for networks with a SegFormer; choose an HRNet")
    state = {f"{MIT_BACKBONE}{key}": value for key, value in state_in(content).items()}
    needed = [key for key in network.state_dict() if network.is_encoder(key)]
    put_tensors(network, needed, state, "the Mix Transformer of the same size")


MIT_START = EncoderStart(
    load_mit,
    origin="Mix Transformer trained on ImageNet (github.com/NVlabs/SegFormer)",
    licence="NVIDIA Source Code License, not for commercial use",
)

FAMILY = Family(
    "FocalClick",
    SIZES,
    recognise,
    encoders={"hrnet": imagenet.START, "mit": MIT_START},
)
