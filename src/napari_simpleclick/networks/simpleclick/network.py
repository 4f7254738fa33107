"""SimpleClick: interactive segmentation with a plain Vision Transformer.

Source: Q. Liu, Z. Xu, G. Bertasius, M. Niethammer, "SimpleClick: Interactive Image
Segmentation with Simple Vision Transformers", ICCV 2023, and the behaviour of the
released code where the paper is silent or differs (number of global blocks). Module
names follow the released checkpoints, so their state dicts load as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_simpleclick.errors import UserError
from napari_simpleclick.networks.network import (
    EncodedPrompt,
    Features,
    Network,
    NetworkConfig,
    NetworkSpec,
)
from napari_simpleclick.networks.rgb import RGB_MEAN, RGB_STD
from napari_simpleclick.networks.simpleclick.pyramid import Head, Pyramid
from napari_simpleclick.networks.simpleclick.vit import (
    Block,
    PatchEmbed,
    join_windows,
    resize_positions,
    split_windows,
    window_count,
)

XTINY_ENLARGED = 1.25
"""Crops around objects need no more with the weights of xTiny; of the other sizes there
were none to measure it with. See "Small crops" in docs/speed.md."""

Levels = Literal["simple", "single", "parallel", "partial"]


@dataclass(frozen=True)
class SimpleClickConfig(NetworkConfig):
    """Everything that the weights of a SimpleClick network have to agree on.

    Parameters
    ----------
    patch : int
        Side of a patch, px.
    width : int
        Token dimension.
    depth : int
        Number of transformer blocks.
    heads : int
        Attention heads per block.
    pyramid : tuple of int
        Channels of the four pyramid levels, from 4x to 1/2x of the token grid.
    head : int
        Working width of the all-MLP head.
    image_size : tuple of int
        (height, width) in px that the stored position embedding belongs to. Other
        input sizes are served by interpolating it.
    levels : {"simple", "single", "parallel", "partial"}
        Where the pyramid comes from: all levels from the last map (published); the
        1x level of the last map alone; each level from the end of another quarter of
        the blocks, the finest from the first; or the two finer levels from the middle
        and the two coarser ones from the end. The paper compares such variants by
        name only; these are this package's reading of them.

    Raises
    ------
    UserError
        If there is no such pyramid.
    """

    patch: int
    width: int
    depth: int
    heads: int
    pyramid: tuple[int, int, int, int]
    head: int
    levels: Levels = "simple"

    def __post_init__(self) -> None:
        """Refuse a pyramid that a run's file or a checkpoint has made up."""
        if self.levels not in SOURCES:
            raise UserError(
                f"There is no pyramid '{self.levels}'; choose one of "
                f"{', '.join(SOURCES)}."
            )

    @property
    def group(self) -> int:
        """Length of a block group; the last block of each group attends globally."""
        return 6 if self.depth == 12 else max(1, self.depth // 4)

    @property
    def spec(self) -> NetworkSpec:
        """What a network of this configuration takes."""
        if (self.patch, self.width) != (16, 160):
            return NetworkSpec(self.image_size, self.patch)
        return NetworkSpec(
            self.image_size, self.patch, most_enlarged=XTINY_ENLARGED, light=True
        )

    def build(self) -> SimpleClick:
        """Build a network with fresh weights, in training mode."""
        return SimpleClick(self)

    def is_variant(self, other: NetworkConfig) -> bool:
        """Whether another configuration differs in input size and pyramid only."""
        if not isinstance(other, SimpleClickConfig):
            return False
        return super().is_variant(replace(other, levels=self.levels))

    def metadata(self) -> dict[str, str]:
        """Tell where the pyramid comes from, and the number of heads."""
        return {"levels": self.levels, "heads": str(self.heads)}

    @property
    def grid(self) -> tuple[int, int]:
        """Token grid (rows, columns) of the stored position embedding."""
        return self.image_size[0] // self.patch, self.image_size[1] // self.patch


SOURCES: dict[Levels, tuple[int, int, int, int]] = {
    "simple": (4, 4, 4, 4),
    "single": (4, 4, 4, 4),
    "parallel": (1, 2, 3, 4),
    "partial": (2, 2, 4, 4),
}
"""After how many quarters of the blocks each pyramid level is taken, finest first."""


class Backbone(nn.Module):
    """Plain Vision Transformer with windowed and global blocks.

    ``cls_token``, ``fc_norm`` and ``head`` take no part in the computation; they are
    here because the published checkpoints hold them.
    """

    def __init__(self, config: SimpleClickConfig) -> None:
        super().__init__()
        self.config = config
        rows, columns = config.grid
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(
            torch.zeros(1, rows * columns + 1, config.width).normal_(std=0.02)
        )
        self.patch_embed = PatchEmbed(config.patch, config.width)
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads) for _ in range(config.depth)
        )
        self.fc_norm = nn.LayerNorm(config.width, eps=1e-6)
        self.head = nn.Linear(config.width, 1000)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> list[Tensor]:
        """Four maps (B,width,rows,columns), finest first, of tokens (B,N,width).

        The tokens are the sum of those of the image and of its prompt.
        """
        windows = tuple(window_count(side, self.config.patch) for side in grid)
        tokens = tokens + self.positions(grid)
        split, maps = False, []
        depth = self.config.depth
        sources = [depth * quarters // 4 for quarters in SOURCES[self.config.levels]]
        for number, block in enumerate(self.blocks, start=1):
            is_global = number % self.config.group == 0
            if split and is_global:
                tokens, split = join_windows(tokens, grid, windows), False
            elif not split and not is_global:
                tokens, split = split_windows(tokens, grid, windows), True
            tokens = block(tokens)
            if number in sources:
                whole = join_windows(tokens, grid, windows) if split else tokens
                feature = whole.transpose(1, 2).reshape(len(whole), -1, *grid)
                maps += [feature] * sources.count(number)
        return maps

    def positions(self, grid: tuple[int, int]) -> Tensor:
        """Position embedding (1,N,width), interpolated to ``grid`` where it differs."""
        return resize_positions(self.pos_embed, self.config.grid, grid)[:, 1:]


class SimpleClick(Network):
    """The published network: image and prompt to mask logits.

    Only the embedding of the patches is the image's alone; nearly all the work is
    done for each prompt.

    Parameters
    ----------
    config : SimpleClickConfig
        Sizes of the network.
    """

    config: SimpleClickConfig
    mean: Tensor
    std: Tensor

    def __init__(self, config: SimpleClickConfig) -> None:
        super().__init__(config)
        self.patch_embed_coords = PatchEmbed(config.patch, config.width)
        self.backbone = Backbone(config)
        self.neck = Pyramid(config.width, config.pyramid, config.levels == "single")
        self.head = Head(config.pyramid, config.head)
        for name, values in (("mean", RGB_MEAN), ("std", RGB_STD)):
            tensor = torch.tensor(values).view(1, 3, 1, 1)
            self.register_buffer(name, tensor, persistent=False)

    def resize(self, image_size: tuple[int, int]) -> None:
        """Make the position embedding one for another input size, in place."""
        config = replace(self.config, image_size=image_size)
        learns = self.backbone.pos_embed.requires_grad
        with torch.no_grad():
            positions = resize_positions(
                self.backbone.pos_embed, self.config.grid, config.grid
            )
        self.backbone.pos_embed = nn.Parameter(positions, learns)
        self.config = self.backbone.config = config

    def depth_of(self, name: str) -> int:
        """Tell how many layers lie between a parameter and the output.

        Source: the released training code: the embeddings of image and position lie
        below the first block. The prompt embedding, which that code forgets, counts as
        new, as pyramid and head do.
        """
        blocks = self.config.depth
        if re.match(r"backbone\.(pos_embed|cls_token|patch_embed\.)", name):
            return blocks + 1
        block = re.match(r"backbone\.blocks\.(\d+)\.", name)
        return blocks - int(block[1]) if block else 0

    def is_encoder(self, name: str) -> bool:
        """Whether a parameter belongs to what a pretrained encoder brings."""
        return name.startswith("backbone.")

    def is_taught(self, name: str) -> bool:
        """Whether a parameter is of the later half of the blocks, pyramid or head."""
        embeds = name.startswith("patch_embed_coords.")
        return not embeds and self.depth_of(name) <= self.config.depth // 2

    def in_block(self, name: str) -> bool:
        """Whether a parameter belongs to a transformer block, for Muon."""
        return name.startswith("backbone.blocks.")

    def decays(self, name: str) -> bool:
        """Whether weight decay acts on a parameter; as published, not on positions."""
        return name != "backbone.pos_embed" and super().decays(name)

    def encode(self, image: Tensor) -> Features:
        """Embed the patches of an image.

        Parameters
        ----------
        image : Tensor
            (B,3,H,W) RGB in [0, 1]. Each side is a multiple of the patch whose
            tokens divide evenly into windows (any multiple of 32 px up to 448 works
            for 16 px patches, so do 672 and 896).

        Returns
        -------
        tuple of Tensor
            (B,N,width) tokens.

        Raises
        ------
        ValueError
            If the size does not fit patch and windows.
        """
        self._check(image, "Image")
        return (self.backbone.patch_embed((image - self.mean) / self.std),)

    def decode(self, features: Features, prompt: EncodedPrompt) -> Tensor:
        """Answer a prompt.

        Parameters
        ----------
        features : tuple of Tensor
            (B,N,width) tokens of the image.
        prompt : Tensor
            (B,3,H,W): prior mask probability, positive and negative click disks.

        Returns
        -------
        Tensor
            (B,1,H,W) logits; a sigmoid makes them probabilities.

        Raises
        ------
        ValueError
            If the prompt is of another size than the image.
        """
        assert isinstance(prompt, Tensor)
        self._check(prompt, "Prompt")
        tokens, size = self.patch_embed_coords(prompt), prompt.shape[2:]
        if tokens.shape != features[0].shape:
            raise ValueError(
                f"Image and prompt must be of one size, not {len(features[0][0])} and "
                f"{tokens.shape[1]} patches in batches of {len(features[0])} and "
                f"{len(prompt)}."
            )
        patch = self.config.patch
        maps = self.backbone(tokens + features[0], (size[0] // patch, size[1] // patch))
        logits = self.head(self.neck(maps))
        return functional.interpolate(
            logits, size=size, mode="bilinear", align_corners=True
        )

    def _check(self, maps: Tensor, what: str) -> None:
        if maps.ndim != 4 or maps.shape[1] != 3:
            raise ValueError(
                f"{what} must have shape (B, 3, H, W), not {tuple(maps.shape)}."
            )
        size, patch = maps.shape[2:], self.config.patch
        if any(side % patch for side in size):
            raise ValueError(
                f"An input of {size[0]} x {size[1]} px is not a multiple of the "
                f"{patch} px patch; resize it first."
            )
