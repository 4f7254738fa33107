"""SAM: an image is encoded once, points and boxes are answered in no time.

Source: A. Kirillov et al., "Segment Anything", ICCV 2023, and the behaviour of its
released code; MobileSAM (2023) has another image encoder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_simpleclick.errors import UserError
from napari_simpleclick.networks.network import (
    CropPrompts,
    EncodedPrompt,
    Features,
    Network,
    NetworkConfig,
    NetworkSpec,
    Place,
)
from napari_simpleclick.networks.rgb import NormaliseRGB
from napari_simpleclick.networks.sam.decoder import MaskDecoder
from napari_simpleclick.networks.sam.prompts import (
    FIRST_CORNER,
    LAST_CORNER,
    NEGATIVE,
    NONE,
    POSITIVE,
    PromptEncoder,
)
from napari_simpleclick.networks.sam.tiny_vit import TinyViTEncoder
from napari_simpleclick.networks.sam.vit import PATCH_PX, ViTEncoder

LOGIT_LIMIT = 12.0
"""Of a prior that is certain; what SAM itself gives for plain objects."""

HALF = 0.5
"""A prior that is nowhere above this says no more than the prompts do."""


@dataclass(frozen=True)
class SAMConfig(NetworkConfig):
    """What the weights of every SAM have to agree on.

    Parameters
    ----------
    channels, hidden : int
        Of the decoder's transformer.
    """

    channels: int = 256
    hidden: int = 2048

    @property
    def spec(self) -> NetworkSpec:
        """What a network of this configuration takes."""
        return NetworkSpec(
            self.image_size,
            boxes=True,
            encodes_once=True,
            takes_boxes=True,
            zooms=False,
        )

    @property
    def grid(self) -> int:
        """Side of the map that the image becomes."""
        return self.image_size[0] // PATCH_PX

    def build(self) -> SAM:
        """Build a network with fresh weights, in training mode."""
        return SAM(self, self.build_encoder())

    def build_encoder(self) -> nn.Module:
        """Build the image encoder."""
        raise NotImplementedError


@dataclass(frozen=True)
class ViTConfig(SAMConfig):
    """A SAM whose image encoder is a vision transformer.

    Parameters
    ----------
    width, depth, heads : int
        Of the image encoder.
    looking_at_all : tuple of int
        Its blocks that do not look at windows.
    window : int
        Side of the windows, tokens.
    """

    width: int = 768
    depth: int = 12
    heads: int = 12
    looking_at_all: tuple[int, ...] = (2, 5, 8, 11)
    window: int = 14

    def build_encoder(self) -> ViTEncoder:
        """Build the image encoder."""
        return ViTEncoder(
            self.width,
            self.depth,
            self.heads,
            self.looking_at_all,
            self.window,
            self.grid,
            self.channels,
        )


@dataclass(frozen=True)
class TinyViTConfig(SAMConfig):
    """A SAM with the image encoder of MobileSAM.

    Parameters
    ----------
    widths, depths, heads, windows : tuple of int
        Of the image encoder's stages.
    """

    widths: tuple[int, ...] = (64, 128, 160, 320)
    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (2, 4, 5, 10)
    windows: tuple[int, ...] = (7, 7, 14, 7)

    def build_encoder(self) -> TinyViTEncoder:
        """Build the image encoder."""
        return TinyViTEncoder(
            self.widths, self.depths, self.heads, self.windows, self.channels
        )


class SAM(Network):
    """Image, points, box and prior mask to mask logits.

    Parameters
    ----------
    config : SAMConfig
        Sizes of the network.
    encoder : torch.nn.Module
        Image to map.
    """

    config: SAMConfig

    def __init__(self, config: SAMConfig, encoder: nn.Module) -> None:
        super().__init__(config)
        self.normalise = NormaliseRGB()
        self.image_encoder = encoder
        self.prompt_encoder = PromptEncoder(config.channels, config.grid)
        self.mask_decoder = MaskDecoder(config.channels, config.hidden)

    def is_encoder(self, name: str) -> bool:
        """Whether a parameter belongs to what a pretrained encoder brings."""
        return name.startswith("image_encoder.")

    def in_block(self, name: str) -> bool:
        """Whether a parameter belongs to a transformer block, for Muon."""
        return re.match(r"image_encoder\.(layers\.[123]\.)?blocks\.", name) is not None

    def shapes_features(self, name: str) -> bool:
        """Whether what :meth:`encode` gives depends on a parameter or buffer."""
        return name.startswith("image_encoder.")

    def decays(self, name: str) -> bool:
        """Whether weight decay acts on a parameter; not on positions."""
        return not re.search(r"pos_embed|rel_pos|biases", name) and super().decays(name)

    def encode(self, image: Tensor) -> Features:
        """Give the map of an image (B,3,H,W) in [0, 1], H and W at most the input size.

        A smaller image is filled up at its right and bottom with the mean colour.

        Raises
        ------
        UserError
            If the image is larger.
        """
        side = self.config.image_size[0]
        if max(image.shape[2:]) > side:
            raise UserError(
                f"SAM takes no image of more than {side} x {side} px; leave out the "
                "size, or choose a smaller one."
            )
        beyond = (0, side - image.shape[3], 0, side - image.shape[2])
        return (self.image_encoder(functional.pad(self.normalise(image), beyond)),)

    def decode(self, features: Features, prompt: EncodedPrompt) -> Tensor:
        """Answer points and boxes.

        Parameters
        ----------
        features : tuple of Tensor
            What :meth:`encode` made of the images.
        prompt : tuple of Tensor
            (B,1,H,W) prior probability; (B,N,2) places in px, x before y, the middle of
            the first pixel at 0.5; (B,N) int64, what they are.

        Returns
        -------
        Tensor
            (B,1,H,W) logits. A single click without a prior can mean several things;
            of three answers the one that the network thinks best is given.
        """
        prior, _places, kinds = prompt
        low, quality = self.masks(features, prompt)
        known = _says_something(prior)
        single = (kinds != NONE).sum(1) == 1
        unclear = single & (kinds == POSITIVE).any(1) & ~known
        best = torch.where(unclear, 1 + quality[:, 1:].argmax(1), 0)
        chosen = low[torch.arange(len(low), device=low.device), best][:, None]
        whole = functional.interpolate(
            chosen, self.config.image_size, mode="bilinear", align_corners=False
        )
        return whole[..., : prior.shape[2], : prior.shape[3]]

    def masks(self, features: Features, prompt: EncodedPrompt) -> tuple[Tensor, Tensor]:
        """Give all four masks at a quarter of the input size, and their expected IoU.

        Parameters
        ----------
        features, prompt
            As :meth:`decode` takes them.

        Returns
        -------
        Tensor
            (B,4,h,w) logits: for a clear prompt, and three for an unclear one.
        Tensor
            (B,4) IoU.
        """
        prior, places, kinds = prompt
        side = self.config.image_size[0]
        asked = self.prompt_encoder.points(places / side, kinds)
        mask = self.prompt_encoder.mask(self._low(prior), _says_something(prior))
        out: tuple[Tensor, Tensor] = self.mask_decoder(
            features[0], self.prompt_encoder.places(), asked, mask
        )
        return out

    def _low(self, prior: Tensor) -> Tensor:
        """Logits of a prior as the answer before had them: (B,1,h,w)."""
        logits = prior.logit(1e-6).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
        side = self.config.image_size[0]
        beyond = (0, side - prior.shape[3], 0, side - prior.shape[2])
        filled = functional.pad(logits, beyond, value=-LOGIT_LIMIT)
        return functional.interpolate(
            filled, scale_factor=0.25, mode="bilinear", align_corners=False
        )

    def encode_prompt(
        self, prompts: CropPrompts, memory: Any = None
    ) -> tuple[EncodedPrompt, Any]:
        """Bring prompts into the form that :meth:`decode` takes.

        The logits of the answer before are those of the prior: it is that answer, with
        all that a person has changed in it since. Of several boxes the last one counts.

        Parameters
        ----------
        prompts : CropPrompts
            What is asked.
        memory : object
            Not needed.

        Returns
        -------
        tuple of Tensor
            Prior, places and kinds.
        None
            Nothing has to be remembered.
        """
        del memory
        asked: list[tuple[Place, int]] = [(p, POSITIVE) for p in prompts.positive]
        asked += [(place, NEGATIVE) for place in prompts.negative]
        if prompts.boxes:
            top, left, bottom, right = prompts.boxes[-1]
            asked += [((top, left), FIRST_CORNER), ((bottom, right), LAST_CORNER)]
        else:
            asked.append(((0.0, 0.0), NONE))  # as in training, where there is no box
        device = prompts.prior.device
        places = torch.tensor([[place[::-1] for place, _ in asked]], device=device)
        kinds = torch.tensor([[kind for _, kind in asked]], device=device)
        return (prompts.prior, places.float() + 0.5, kinds), None

    def flip_prompt(self, prompt: EncodedPrompt) -> EncodedPrompt:
        """Mirror a prompt left to right; corners change places."""
        prior, places, kinds = prompt
        mirrored = places.clone()
        mirrored[..., 0] = prior.shape[3] - places[..., 0]
        first, last = kinds == FIRST_CORNER, kinds == LAST_CORNER
        x = mirrored[..., 0]
        if first.any():
            x[first], x[last] = x[last], x[first].clone()
        return prior.flip(3), mirrored, kinds


def _says_something(prior: Tensor) -> Tensor:
    """Whether priors (B,1,H,W) hold an object: (B,) bool."""
    return prior.flatten(1).amax(1) > HALF
