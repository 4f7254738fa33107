"""MST: SimpleClick with small and large tokens that look like what was clicked.

Source: L. Xu et al., "Adaptive Multi-Scale Tokens Guided Interactive Segmentation",
and the behaviour of its released code, whose branches are configurations of one
network. Module names follow the released checkpoints.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_simpleclick.networks.attempt import Attempt
from napari_simpleclick.networks.mst.backbone import Backbone, ScoreBlock
from napari_simpleclick.networks.mst.tokens import (
    LARGE,
    PATCH,
    SMALL,
    clicked_tokens,
    resized_positions,
)
from napari_simpleclick.networks.network import (
    CropPrompts,
    EncodedPrompt,
    Features,
    Network,
    NetworkConfig,
    NetworkSpec,
)
from napari_simpleclick.networks.rgb import NormaliseRGB
from napari_simpleclick.networks.simpleclick.pyramid import Head, Pyramid
from napari_simpleclick.networks.simpleclick.vit import PatchEmbed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_simpleclick.networks.mst.score import Scoring


SLOTS = 24
"""Of clicks of a sign at least, so that samples of a batch have as many; as published
for training."""


@dataclass(frozen=True)
class MSTConfig(NetworkConfig):
    """Everything that the weights of an MST network have to agree on.

    Parameters
    ----------
    width, depth, heads : int
        Of the transformer.
    pyramid : tuple of int
        Channels of the four pyramid levels, from 4x to 1/2x of the token grid.
    head : int
        Working width of the all-MLP head.
    scoring : Scoring
        How tokens are scored and selected.
    """

    width: int
    depth: int
    heads: int
    pyramid: tuple[int, int, int, int]
    head: int
    scoring: Scoring

    @property
    def spec(self) -> NetworkSpec:
        """What a network of this configuration takes."""
        return NetworkSpec(self.image_size, LARGE)

    @property
    def grid(self) -> tuple[int, int]:
        """Token grid (rows, columns) of the stored position embedding."""
        return self.image_size[0] // PATCH, self.image_size[1] // PATCH

    def build(self) -> MST:
        """Build a network with fresh weights, in training mode."""
        return MST(self)

    def metadata(self) -> dict[str, str]:
        """Tell the attention heads."""
        return {"heads": str(self.heads)}


class MST(Network):
    """Image and prompt to mask logits.

    Parameters
    ----------
    config : MSTConfig
        Sizes of the network.
    """

    config: MSTConfig

    def __init__(self, config: MSTConfig) -> None:
        super().__init__(config)
        self.normalise = NormaliseRGB()
        self.patch_embed_coords = PatchEmbed(PATCH, config.width)
        self.backbone = Backbone(
            config.width, config.depth, config.heads, config.grid, config.scoring
        )
        self.neck = Pyramid(config.width, config.pyramid, single=False)
        self.head = Head(config.pyramid, config.head, upsamplers=False)

    def resize(self, image_size: tuple[int, int]) -> None:
        """Make the position embedding one for another input size, in place."""
        config = replace(self.config, image_size=image_size)
        stored = self.backbone.pos_embed
        with torch.no_grad():
            others = resized_positions(stored, self.config.grid, config.grid)
            positions = torch.cat([stored[:, :1], others], 1)
        self.backbone.pos_embed = nn.Parameter(positions, stored.requires_grad)
        self.config = config

    def depth_of(self, name: str) -> int:
        """Tell how many layers lie between a parameter and the output."""
        blocks = self.config.depth
        if re.match(r"backbone\.(pos_embed|patch_embed\.)", name):
            return blocks + 1
        block = re.match(r"backbone\.blocks\.(\d+)\.", name)
        return blocks - int(block[1]) if block else 0

    def in_block(self, name: str) -> bool:
        """Whether a parameter belongs to a transformer block, for Muon."""
        return name.startswith("backbone.blocks.")

    def decays(self, name: str) -> bool:
        """Whether weight decay acts on a parameter; not on positions."""
        return name != "backbone.pos_embed" and super().decays(name)

    def is_encoder(self, name: str) -> bool:
        """Whether a parameter belongs to what a pretrained encoder brings."""
        ours = r"backbone\.blocks\.\d+\.(gamma|score|norm[3-7])"
        return name.startswith("backbone.") and not re.match(ours, name)

    def forward(
        self, image: Tensor, prompt: EncodedPrompt, points: Tensor | None = None
    ) -> Tensor:
        """Predict logits: :meth:`encode`, then :meth:`decode`.

        Parameters
        ----------
        image : Tensor
            (B,3,H,W) RGB in [0, 1].
        prompt : Tensor or tuple of Tensor
            What :meth:`encode_prompt` makes; or its maps (B,3,H,W) alone.
        points : Tensor or None
            (B,2N,2), where the clicks of these maps are, see :meth:`decode`.

        Returns
        -------
        Tensor
            (B,1,H,W) logits.
        """
        if points is not None:
            assert isinstance(prompt, Tensor)
            prompt = (prompt, points)
        return self.decode(self.encode(image), prompt)

    def encode(self, image: Tensor) -> Features:
        """Embed an image (B,3,H,W) in [0, 1]; sides are multiples of 32 px.

        Returns
        -------
        tuple of Tensor
            (B,N,d) small, base and large tokens, without their positions.
        """
        if any(side % LARGE for side in image.shape[2:]):
            raise ValueError(
                f"An input of {image.shape[2]} x {image.shape[3]} px is not a multiple "
                f"of {LARGE} px; resize it first."
            )
        image = self.normalise(image)
        return tuple(self.backbone.embed(image, side) for side in (SMALL, PATCH, LARGE))

    def decode(self, features: Features, prompt: EncodedPrompt) -> Tensor:
        """Answer a prompt.

        Parameters
        ----------
        features : tuple of Tensor
            What :meth:`encode` made of the images.
        prompt : Tensor or tuple of Tensor
            (B,3,H,W): prior mask probability, positive and negative click disks; and
            (B,2N,2): row, column in px of N positive slots, then N negative ones,
            padding (-1, -1). Without the latter, or where no positive click lies on
            the input, tokens of other scales are not looked at.

        Returns
        -------
        Tensor
            (B,1,H,W) logits; a sigmoid makes them probabilities.
        """
        return self.attempt(features, prompt).logits

    def attempt(self, features: Features, prompt: EncodedPrompt) -> Attempt:
        """Answer, and tell which small and large tokens each score block selected."""
        maps, points = (prompt, None) if isinstance(prompt, Tensor) else prompt
        size = (maps.shape[2], maps.shape[3])
        if points is None:
            points = maps.new_full((len(maps), 2, 2), -1.0)
        indices, clicked = clicked_tokens(points.to(maps.device), size)
        small, base, large = features
        at_small, at_base, at_large = (
            resized_positions(
                self.backbone.pos_embed,
                self.config.grid,
                (size[0] // side, size[1] // side),
            )
            for side in (SMALL, PATCH, LARGE)
        )
        small, large = small + at_small, large + at_large
        base = base + self.patch_embed_coords(maps) + at_base
        grid = (size[0] // PATCH, size[1] // PATCH)
        found = []
        for block in self.backbone.blocks:
            if isinstance(block, ScoreBlock):
                score = block.score
                small = score.update(small, base, grid, "expert_s")
                large = score.update(large, base, grid, "expert_l")
                kernel = score.kernel(base, indices, clicked)
                found.append(
                    (
                        score.select(small, at_small, kernel, clicked),
                        score.select(large, at_large, kernel, clicked),
                    )
                )
                base = block.fuse(base, *found[-1])
            base = block(base)
        feature = base.transpose(1, 2).reshape(len(base), -1, *grid)
        logits = self.head(self.neck([feature] * 4))
        logits = functional.interpolate(
            logits, size=size, mode="bilinear", align_corners=True
        )
        return Attempt(logits, selections=tuple(found))

    def encode_prompt(
        self, prompts: CropPrompts, memory: Any = None
    ) -> tuple[EncodedPrompt, Any]:
        """Draw the prompts, leaving out clicks beside the crop; keep their places.

        Returns
        -------
        tuple of Tensor
            (1,3,H,W) prior and disks, and (1,2N,2) the clicks.
        object
            None: there is nothing to remember.
        """
        size = (prompts.prior.shape[2], prompts.prior.shape[3])
        inside = replace(
            prompts,
            positive=_inside(prompts.positive, size),
            negative=_inside(prompts.negative, size),
        )
        maps, _ = super().encode_prompt(inside)
        assert isinstance(maps, Tensor)
        return (maps, inside.points(SLOTS)), None

    def flip_prompt(self, prompt: EncodedPrompt) -> EncodedPrompt:
        """Mirror disks and places left to right."""
        if isinstance(prompt, Tensor):
            return prompt.flip(3)
        maps, points = prompt
        mirrored = points.clone()
        mirrored[..., 1] = maps.shape[3] - 1 - points[..., 1]
        padding = (points[..., :2] < 0).all(2, keepdim=True)
        return maps.flip(3), torch.where(padding, points, mirrored)


def _inside(
    places: Sequence[tuple[float, float]], size: tuple[int, int]
) -> tuple[tuple[float, float], ...]:
    return tuple(
        (row, column)
        for row, column in places
        if 0 <= row < size[0] and 0 <= column < size[1]
    )
