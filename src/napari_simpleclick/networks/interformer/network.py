"""InterFormer: encode once, answer a map of what is known of each pixel.

Source: Y. Huang et al., "InterFormer: Real-time Interactive Image Segmentation", ICCV
2023, and the behaviour of its released code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_simpleclick.networks.attempt import Attempt
from napari_simpleclick.networks.disks import draw_disks
from napari_simpleclick.networks.interformer.backbone import PATCH, Backbone
from napari_simpleclick.networks.interformer.click_map import (
    NO,
    STRIDE_PX,
    UNKNOWN,
    YES,
    ClickMap,
    after_answer,
    box_around,
    snapped,
)
from napari_simpleclick.networks.interformer.head import AuxiliaryHead, UPerHead
from napari_simpleclick.networks.interformer.neck import Neck
from napari_simpleclick.networks.network import (
    CropPrompts,
    EncodedPrompt,
    Features,
    Network,
    NetworkConfig,
    NetworkSpec,
)
from napari_simpleclick.networks.rgb import NormaliseRGB


@dataclass(frozen=True)
class InterFormerConfig(NetworkConfig):
    """Everything that the weights of an InterFormer have to agree on.

    Parameters
    ----------
    width, depth, heads : int
        Of the image encoder.
    refining : tuple of int
        Blocks of the decoder's stages that look at a part of the image; with none,
        there is no zoom-in.
    """

    width: int
    depth: int
    heads: int
    refining: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def spec(self) -> NetworkSpec:
        """What a network of this configuration takes."""
        return NetworkSpec(self.image_size, encodes_once=True)

    def build(self) -> InterFormer:
        """Build a network with fresh weights, in training mode."""
        return InterFormer(self)


class InterFormer(Network):
    """Image and click map to mask logits, in two steps.

    Parameters
    ----------
    config : InterFormerConfig
        Sizes of the network.
    """

    config: InterFormerConfig

    def __init__(self, config: InterFormerConfig) -> None:
        super().__init__(config)
        self.normalise = NormaliseRGB()
        side = config.image_size[0] // PATCH
        self.backbone = Backbone(config.width, config.depth, config.heads, side)
        self.neck = Neck(config.refining)
        self.decode_head = UPerHead()
        self.auxiliary_head = AuxiliaryHead()

    def depth_of(self, name: str) -> int:
        """Tell how many layers lie between a parameter and the output."""
        blocks = self.config.depth
        if re.match(r"backbone\.(pos_embed|cls_token|patch_embed\.)", name):
            return blocks + 1
        layer = re.match(r"backbone\.layers\.(\d+)\.", name)
        return blocks - int(layer[1]) if layer else 0

    def in_block(self, name: str) -> bool:
        """Whether a parameter belongs to a transformer block, for Muon."""
        return name.startswith("backbone.layers.")

    def decays(self, name: str) -> bool:
        """Whether weight decay acts on a parameter; not on positions."""
        return name != "backbone.pos_embed" and super().decays(name)

    def is_encoder(self, name: str) -> bool:
        """Whether a parameter belongs to what a pretrained encoder brings."""
        return name.startswith("backbone.") and not name.startswith("backbone.fpn.")

    def encode(self, image: Tensor) -> Features:
        """Give maps at 1/4 to 1/32 of an image (B,3,H,W) in [0, 1].

        Sides that are no multiple of 32 px are padded with the mean colour.
        """
        return tuple(self.backbone(_padded(self.normalise(image), 0)))

    def decode(self, features: Features, prompt: EncodedPrompt) -> Tensor:
        """Answer a click map.

        Parameters
        ----------
        features : tuple of Tensor
            What :meth:`encode` made of the images.
        prompt : Tensor or tuple of Tensor
            (B,H,W) codes 0 to 4; or these and (B,4) int64: left, top, right and
            bottom of what the refining blocks look at, in multiples of 32 px.

        Returns
        -------
        Tensor
            (B,1,H,W) logits; a sigmoid makes them probabilities.
        """
        scores = self.scores(features, prompt)
        return scores[:, 1:] - scores[:, :1]

    def scores(self, features: Features, prompt: EncodedPrompt) -> Tensor:
        """Give one logit for background and one for object, (B,2,H,W)."""
        return self._scores(self.decode_head, self._levels(features, prompt), prompt)

    def attempt(self, features: Features, prompt: EncodedPrompt) -> Attempt:
        """Answer, also with the head that is there for training alone."""
        levels = self._levels(features, prompt)
        heads = (self.decode_head, self.auxiliary_head)
        scores = [self._scores(head, levels, prompt) for head in heads]
        logits, coarse = (each[:, 1:] - each[:, :1] for each in scores)
        return Attempt(logits, coarse)

    def _levels(self, features: Features, prompt: EncodedPrompt) -> list[Tensor]:
        """Bring image maps and a prompt together."""
        codes, boxes = (prompt, None) if isinstance(prompt, Tensor) else prompt
        parts = boxes.tolist() if boxes is not None else None
        levels: list[Tensor] = self.neck(
            features, _padded(codes.long(), UNKNOWN), parts
        )
        return levels

    @staticmethod
    def _scores(head: nn.Module, levels: list[Tensor], prompt: EncodedPrompt) -> Tensor:
        """Decode maps to two logits, (B,2,H,W), of what is not padding."""
        codes = prompt if isinstance(prompt, Tensor) else prompt[0]
        logits = functional.interpolate(
            head(levels),
            size=_padded(codes, UNKNOWN).shape[1:],
            mode="bilinear",
            align_corners=False,
        )
        return logits[..., : codes.shape[1], : codes.shape[2]]

    def encode_prompt(
        self, prompts: CropPrompts, memory: Any = None
    ) -> tuple[EncodedPrompt, Any]:
        """Draw new clicks into the click map of the prompt before.

        Without one that these clicks go on from, a new map begins with the prior.

        Parameters
        ----------
        prompts : CropPrompts
            What is asked about one crop; its prior is the answer before.
        memory : ClickMap or None
            Of the prompt before.

        Returns
        -------
        tuple of Tensor
            (1,H,W) uint8 codes, and (1,4) int64: what the refining blocks look at.
        ClickMap
            To be remembered.
        """
        answer = (prompts.prior[0, 0] > 0.5).cpu().numpy()
        positive, negative = prompts.positive, prompts.negative
        goes_on = (
            isinstance(memory, ClickMap)
            and memory.shape == answer.shape
            and memory.precedes(positive, negative, prompts.region)
        )
        codes = memory.codes() if goes_on else np.full(answer.shape, UNKNOWN, np.uint8)
        if goes_on or answer.any():
            codes = after_answer(codes, answer)
        drawn = (len(memory.positive), len(memory.negative)) if goes_on else (0, 0)
        for code, places, start in (
            (YES, positive, drawn[0]),
            (NO, negative, drawn[1]),
        ):
            new = CropPrompts(prompts.prior.cpu(), places[start:])
            codes[draw_disks(new.points(), answer.shape)[0, 0].numpy() > 0] = code
        box = (0, 0, answer.shape[1], answer.shape[0])
        if goes_on or answer.any():
            box = box_around(answer | (codes == YES) | (codes == NO))
        device = prompts.prior.device
        encoded = (
            torch.from_numpy(codes)[None].to(device),
            torch.tensor([snapped(box)]),
        )
        return encoded, ClickMap.of(codes, positive, negative, prompts.region)

    def flip_prompt(self, prompt: EncodedPrompt) -> EncodedPrompt:
        """Mirror a click map, and what the refining blocks look at."""
        if isinstance(prompt, Tensor):
            return prompt.flip(2)
        codes, boxes = prompt
        width = codes.shape[2]
        mirrored = [
            snapped((max(0, width - right), top, width - left, bottom))
            for left, top, right, bottom in boxes.tolist()
        ]
        return codes.flip(2), torch.tensor(mirrored)


def _padded(maps: Tensor, value: int) -> Tensor:
    """Pad the last two axes at their ends to multiples of the coarsest stride."""
    high, wide = (-side % STRIDE_PX for side in maps.shape[-2:])
    return functional.pad(maps, (0, wide, 0, high), value=value)
