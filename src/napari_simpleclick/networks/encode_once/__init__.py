"""Encode once: what an image shows is worked out once, however many clicks follow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_simpleclick.errors import UserError
from napari_simpleclick.networks.encode_once import imagenet
from napari_simpleclick.networks.encode_once.encoder import VARIANTS
from napari_simpleclick.networks.encode_once.network import (
    UNUSED,
    EncodeOnce,
    EncodeOnceConfig,
)
from napari_simpleclick.networks.family import EncoderStart, Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["FAMILY", "EncodeOnce", "EncodeOnceConfig"]

SIZES = {f"encode-once-{variant}": EncodeOnceConfig(variant) for variant in VARIANTS}
"""Configurations by name."""


def recognise(
    state: Mapping[str, Tensor], about: Mapping[str, Any]
) -> EncodeOnceConfig | None:
    """Find the configuration of a state dict.

    Parameters
    ----------
    state : mapping of str to Tensor
        State dict.
    about : mapping
        Metadata; the input size and the brightness are taken from it.

    Returns
    -------
    EncodeOnceConfig or None
        None if it is of another family.

    Raises
    ------
    UserError
        A part of a sentence, if its encoder is none of those known, or the metadata
        are not to be understood.
    """
    if "decoder.prompt.levels.0.0.weight" not in state:
        return None
    blocks = {key.split(".")[2] for key in state if key.startswith("encoder._blocks.")}
    last = state.get(f"encoder._blocks.{len(blocks) - 1}._project_conv.weight")
    for config in SIZES.values():
        scaling = VARIANTS[config.encoder]
        found = (len(blocks), 0 if last is None else last.shape[0])
        if found == (scaling.blocks, scaling.last):
            size = _size(about.get("image_size", "448x448"))
            brightness = _brightness(about.get("brightness"))
            return replace(config, image_size=size, brightness=brightness)
    raise UserError(f"its encoder is none of {', '.join(VARIANTS)}")


def _size(told: str) -> tuple[int, int]:
    """Read an input size, such as 448x448."""
    try:
        height, width = (int(side) for side in told.split("x"))
    except ValueError:
        raise UserError(f"it says '{told}' where its input size should be") from None
    return height, width


def _brightness(told: str | None) -> float | None:
    """Read a brightness, such as 0.33; files without one show images as they are."""
    if told is None:
        return None
    try:
        brightness = float(told)
    except ValueError:
        brightness = 0.0
    if not 0 < brightness < 1:
        raise UserError(f"it says '{told}' where a brightness in (0, 1) should be")
    return brightness


FAMILY = Family(
    "Encode once",
    SIZES,
    recognise,
    unused=UNUSED,
    encoders={
        "imagenet": EncoderStart(
            imagenet.load, imagenet.locate, imagenet.ORIGIN, imagenet.LICENCE
        )
    },
)
