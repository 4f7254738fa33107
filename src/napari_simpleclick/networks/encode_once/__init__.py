"""Encode once: what an image shows is worked out once, however many clicks follow.

An encoder that has seen ImageNet looks at the image alone; a decoder of a few million
parameters answers the prompt from its maps.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_simpleclick.errors import UserError
from napari_simpleclick.networks.encode_once import imagenet
from napari_simpleclick.networks.encode_once.decoder import Decoder
from napari_simpleclick.networks.encode_once.encoder import VARIANTS, Encoder
from napari_simpleclick.networks.network import (
    EncodedPrompt,
    EncoderStart,
    Family,
    Features,
    Network,
    NetworkConfig,
    NetworkSpec,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["FAMILY", "EncodeOnce", "EncodeOnceConfig"]

UNUSED = re.compile(r".*\.num_batches_tracked$")
"""Counters of batch norms whose statistics are fixed; files may lack them."""

BLOCKS = re.compile(r"decoder\.(middle|coarse|middle_again)\.blocks\.")
"""Parameters of the decoder's transformer blocks."""


@dataclass(frozen=True)
class EncodeOnceConfig(NetworkConfig):
    """Everything that the weights of an encode-once network have to agree on.

    Parameters
    ----------
    encoder : {"lite0", "lite1", "lite2"}
        Size of the encoder.
    """

    encoder: str = "lite0"

    @property
    def spec(self) -> NetworkSpec:
        """What a network of this configuration takes."""
        return NetworkSpec(self.image_size, 32, boxes=True, encodes_once=True)

    def build(self) -> EncodeOnce:
        """Build a network with fresh weights, in training mode."""
        return EncodeOnce(self)

    def metadata(self) -> dict[str, str]:
        """Tell the input size, which no tensor does."""
        return {"image_size": "x".join(map(str, self.image_size))}


class EncodeOnce(Network):
    """Image and prompt to mask logits, in two steps.

    Parameters
    ----------
    config : EncodeOnceConfig
        Sizes of the network.
    """

    config: EncodeOnceConfig

    def __init__(self, config: EncodeOnceConfig) -> None:
        super().__init__(config)
        self.encoder = Encoder(config.encoder)
        self.decoder = Decoder(self.encoder.channels)

    def is_encoder(self, name: str) -> bool:
        """Whether a parameter belongs to what a pretrained encoder brings."""
        return name.startswith("encoder.")

    def in_block(self, name: str) -> bool:
        """Whether a parameter belongs to a transformer block, for Muon."""
        return BLOCKS.match(name) is not None

    def for_inference(self) -> EncodeOnce:
        """Give a copy whose batch norms are merged into the convolutions before them.

        Its state dict is another one and is not to be saved.
        """
        folded = deepcopy(self).eval()
        folded.encoder.fold_norms()
        return folded

    def encode(self, image: Tensor) -> Features:
        """Give maps at 1/2 to 1/32 of an image (B,3,H,W) in [0, 1]."""
        return tuple(self.encoder(image))

    def decode(self, features: Features, prompt: EncodedPrompt) -> Tensor:
        """Give logits (B,1,H,W) of such maps and a prompt (B,3,H,W)."""
        logits: Tensor = self.decoder(features, prompt)
        return logits


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
        Metadata; only the input size is taken from it.

    Returns
    -------
    EncodeOnceConfig or None
        None if it is of another family.

    Raises
    ------
    UserError
        A part of a sentence, if its encoder is none of those known.
    """
    if "decoder.prompt.levels.0.0.weight" not in state:
        return None
    blocks = {key.split(".")[2] for key in state if key.startswith("encoder._blocks.")}
    last = state.get(f"encoder._blocks.{len(blocks) - 1}._project_conv.weight")
    for config in SIZES.values():
        scaling = VARIANTS[config.encoder]
        found = (len(blocks), 0 if last is None else last.shape[0])
        if found == (scaling.blocks, scaling.last):
            return replace(config, image_size=_size(about.get("image_size", "448x448")))
    raise UserError(f"its encoder is none of {', '.join(VARIANTS)}")


def _size(told: str) -> tuple[int, int]:
    """Read an input size, such as 448x448."""
    try:
        height, width = (int(side) for side in told.split("x"))
    except ValueError:
        raise UserError(f"it says '{told}' where its input size should be") from None
    return height, width


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
