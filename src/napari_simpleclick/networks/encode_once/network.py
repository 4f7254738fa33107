"""Encode once: what an image shows is worked out once, however many clicks follow.

An encoder that has seen ImageNet looks at the image alone; a decoder of a few million
parameters answers the prompt from its maps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_simpleclick.networks.encode_once.decoder import Decoder
from napari_simpleclick.networks.encode_once.encoder import Encoder
from napari_simpleclick.networks.encode_once.exposure import darken
from napari_simpleclick.networks.folding import with_folded_norms
from napari_simpleclick.networks.network import (
    EncodedPrompt,
    Features,
    Network,
    NetworkConfig,
    NetworkSpec,
)

if TYPE_CHECKING:
    from torch import Tensor

UNUSED = re.compile(r".*\.num_batches_tracked$")
"""Counters of batch norms whose statistics are fixed; files may lack them."""

BLOCKS = re.compile(r"decoder\.(middle|coarse|middle_again)\.blocks\.")
"""Parameters of the decoder's transformer blocks."""

ENLARGED = 1.25
"""Crops around objects need no more; see "Small crops" in docs/speed.md."""


@dataclass(frozen=True)
class EncodeOnceConfig(NetworkConfig):
    """Everything that the weights of an encode-once network have to agree on.

    Parameters
    ----------
    encoder : {"lite0", "lite1", "lite2"}
        Size of the encoder.
    brightness : float or None
        Mean brightness, in (0, 1), that what lies on a black background is darkened to;
        None leaves every image as it is.
    """

    encoder: str = "lite0"
    brightness: float | None = 0.33

    @property
    def spec(self) -> NetworkSpec:
        """What a network of this configuration takes."""
        return NetworkSpec(
            self.image_size,
            32,
            boxes=True,
            encodes_once=True,
            most_enlarged=ENLARGED,
            light=True,
        )

    def build(self) -> EncodeOnce:
        """Build a network with fresh weights, in training mode."""
        return EncodeOnce(self)

    def is_variant(self, other: NetworkConfig) -> bool:
        """Whether another configuration differs in input size and brightness only."""
        if not isinstance(other, EncodeOnceConfig):
            return False
        return super().is_variant(replace(other, brightness=self.brightness))

    def metadata(self) -> dict[str, str]:
        """Tell the input size and the brightness, which no tensor does."""
        size = {"image_size": "x".join(map(str, self.image_size))}
        if self.brightness is None:
            return size
        return {**size, "brightness": str(self.brightness)}


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

    def shapes_features(self, name: str) -> bool:
        """Whether features depend on a parameter; the decoder's may learn on."""
        return self.is_encoder(name)

    def for_inference(self) -> EncodeOnce:
        """Give a copy whose batch norms are merged into the convolutions before them.

        Its state dict is another one and is not to be saved.
        """
        return with_folded_norms(self)

    def encode(self, image: Tensor) -> Features:
        """Give maps at 1/2 to 1/32 of an image (B,3,H,W) in [0, 1]."""
        if self.config.brightness is not None:
            image = darken(image, self.config.brightness)
        return tuple(self.encoder(image))

    def decode(self, features: Features, prompt: EncodedPrompt) -> Tensor:
        """Give logits (B,1,H,W) of such maps and a prompt (B,3,H,W)."""
        logits: Tensor = self.decoder(features, prompt)
        return logits
