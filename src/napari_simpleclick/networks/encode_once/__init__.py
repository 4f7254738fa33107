"""Encode once: what an image shows is worked out once, however many clicks follow.

An encoder that has seen ImageNet looks at the image alone; a decoder of a few million
parameters answers the prompt from its maps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_simpleclick.networks.encode_once.decoder import Decoder
from napari_simpleclick.networks.encode_once.encoder import VARIANTS, Encoder
from napari_simpleclick.networks.network import (
    EncodedPrompt,
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


class EncodeOnce(Network):
    """Image and prompt to mask logits, in two steps.

    Parameters
    ----------
    config : EncodeOnceConfig
        Sizes of the network.
    """

    def __init__(self, config: EncodeOnceConfig) -> None:
        super().__init__(config)
        self.encoder = Encoder(config.encoder)
        self.decoder = Decoder(self.encoder.channels)

    def is_encoder(self, name: str) -> bool:
        """Whether a parameter belongs to what a pretrained encoder brings."""
        return name.startswith("encoder.")

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
    """Find the configuration of a state dict; None if it is of another family."""
    if "decoder.prompt.levels.0.0.weight" not in state:
        return None
    blocks = {key.split(".")[2] for key in state if key.startswith("encoder._blocks.")}
    last = state[f"encoder._blocks.{len(blocks) - 1}._project_conv.weight"].shape[0]
    for config in SIZES.values():
        encoder = Encoder(config.encoder)
        if (len(encoder._blocks), encoder.channels[-1]) == (len(blocks), last):
            return config
    return None


FAMILY = Family("Encode once", SIZES, recognise)
