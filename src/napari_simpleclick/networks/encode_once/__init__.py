"""Encode once: what an image shows is worked out once, however many clicks follow.

An encoder that has seen ImageNet looks at the image alone; a decoder of a few million
parameters answers the prompt from its maps.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from napari_simpleclick.networks.encode_once.decoder import Decoder
from napari_simpleclick.networks.encode_once.encoder import Encoder

__all__ = ["EncodeOnce", "EncodeOnceConfig"]

Features = tuple[Tensor, ...]


@dataclass(frozen=True)
class EncodeOnceConfig:
    """Everything that the weights of an encode-once network have to agree on.

    Parameters
    ----------
    encoder : {"lite0", "lite1", "lite2"}
        Size of the encoder.
    image_size : tuple of int
        (height, width) in px that it was trained at.
    """

    encoder: str = "lite0"
    image_size: tuple[int, int] = (448, 448)


class EncodeOnce(nn.Module):
    """Image and prompt to mask logits, in two steps.

    Parameters
    ----------
    config : EncodeOnceConfig
        Sizes of the network.
    """

    def __init__(self, config: EncodeOnceConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.encoder)
        self.decoder = Decoder(self.encoder.channels)

    def encode(self, image: Tensor) -> Features:
        """Give maps at 1/2 to 1/32 of an image (B,3,H,W) in [0, 1]."""
        return tuple(self.encoder(image))

    def decode(self, features: Features, prompt: Tensor) -> Tensor:
        """Logits (B,1,H,W) of such maps and a prompt (B,3,H,W)."""
        logits: Tensor = self.decoder(features, prompt)
        return logits

    def forward(self, image: Tensor, prompt: Tensor) -> Tensor:
        """Logits (B,1,H,W) of an image (B,3,H,W) and a prompt (B,3,H,W)."""
        return self.decode(self.encode(image), prompt)
