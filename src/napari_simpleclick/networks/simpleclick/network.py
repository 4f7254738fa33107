"""SimpleClick: interactive segmentation with a plain Vision Transformer.

Source: Q. Liu, Z. Xu, G. Bertasius, M. Niethammer, "SimpleClick: Interactive Image
Segmentation with Simple Vision Transformers", ICCV 2023, and the behaviour of the
released code where the paper is silent or differs (number of global blocks, the
two-layer head, GroupNorm in the pyramid). Module names follow the released
checkpoints, so their state dicts load as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_simpleclick.networks.simpleclick.vit import (
    Block,
    PatchEmbed,
    join_windows,
    resize_positions,
    split_windows,
    window_count,
)

RGB_MEAN = (0.485, 0.456, 0.406)
RGB_STD = (0.229, 0.224, 0.225)
"""ImageNet statistics of RGB in [0, 1]; only the image is normalised."""


Levels = Literal["simple", "single", "parallel", "partial"]


@dataclass(frozen=True)
class SimpleClickConfig:
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
    """

    patch: int
    width: int
    depth: int
    heads: int
    pyramid: tuple[int, int, int, int]
    head: int
    image_size: tuple[int, int] = (448, 448)
    levels: Levels = "simple"

    @property
    def group(self) -> int:
        """Length of a block group; the last block of each group attends globally."""
        return 6 if self.depth == 12 else max(1, self.depth // 4)

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

    def forward(self, image: Tensor, prompt_tokens: Tensor) -> list[Tensor]:
        """Four maps (B,width,rows,columns) of an image and its prompt, finest first."""
        patch = self.config.patch
        grid = (image.shape[2] // patch, image.shape[3] // patch)
        windows = tuple(window_count(side, patch) for side in grid)
        tokens = self.patch_embed(image) + prompt_tokens + self.positions(grid)
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
                feature = whole.transpose(1, 2).reshape(len(image), -1, *grid)
                maps += [feature] * sources.count(number)
        return maps

    def positions(self, grid: tuple[int, int]) -> Tensor:
        """Position embedding (1,N,width), interpolated to ``grid`` where it differs."""
        return resize_positions(self.pos_embed, self.config.grid, grid)[:, 1:]


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(1, channels)


class Pyramid(nn.Module):
    """Simple feature pyramid: 4x, 2x, 1x and 1/2x of the token grid."""

    def __init__(
        self, width: int, out: tuple[int, int, int, int], single: bool
    ) -> None:
        super().__init__()
        self.single = single
        c4 = max(2 * out[0], width // 2)
        c8 = max(out[1], width // 2)
        c32 = max(out[3], 2 * width)
        self.down_4 = nn.Sequential(
            nn.ConvTranspose2d(width, c4, 2, stride=2),
            _norm(c4),
            nn.GELU(),
            nn.ConvTranspose2d(c4, c4 // 2, 2, stride=2),
            _norm(c4 // 2),
            nn.Conv2d(c4 // 2, out[0], 1),
            _norm(out[0]),
            nn.GELU(),
        )
        self.down_8 = nn.Sequential(
            nn.ConvTranspose2d(width, c8, 2, stride=2),
            _norm(c8),
            nn.Conv2d(c8, out[1], 1),
            _norm(out[1]),
            nn.GELU(),
        )
        self.down_16 = nn.Sequential(
            nn.Conv2d(width, out[2], 1), _norm(out[2]), nn.GELU()
        )
        self.down_32 = nn.Sequential(
            nn.Conv2d(width, c32, 2, stride=2),
            _norm(c32),
            nn.Conv2d(c32, out[3], 1),
            _norm(out[3]),
            nn.GELU(),
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor | None]:
        """Four levels from four maps (B,width,rows,columns), finest first."""
        if self.single:
            return [None, None, self.down_16(maps[2]), None]
        levels = (self.down_4, self.down_8, self.down_16, self.down_32)
        return [level(map_) for level, map_ in zip(levels, maps, strict=True)]


def _upsampler(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(channels, out, 2, stride=2),
        _norm(out),
        nn.Conv2d(out, out, 1),
        _norm(out),
        nn.GELU(),
    )


class _Conv(nn.Module):
    """1x1 convolution; the extra level gives the official key ``conv``."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 1)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.conv(features)
        return result


class Head(nn.Module):
    """All-MLP head: one logit at the resolution of the finest pyramid level.

    ``up_conv1`` and ``up_conv2`` are stored in the published checkpoints but unused
    by the published models.
    """

    def __init__(self, levels: tuple[int, int, int, int], channels: int) -> None:
        super().__init__()
        self.conv_seg = nn.Conv2d(channels, 1, 1)
        self.dropout = nn.Dropout2d(0.1)
        self.convs = nn.ModuleList(_Conv(level, channels) for level in levels)
        self.fusion_conv = _Conv(4 * channels, channels)
        self.up_conv1 = _upsampler(channels, channels // 2)
        self.up_conv2 = _upsampler(channels // 2, channels // 4)

    def forward(self, levels: list[Tensor | None]) -> Tensor:
        """Logits (B,1,h,w) from the pyramid levels, some of which may be missing.

        The published order is resize, concatenate, fuse. Fusing is linear, so each
        level is fused at its own resolution and resized afterwards, which gives the
        same numbers with a quarter of the work.
        """
        size = next(level.shape[2:] for level in levels if level is not None)
        fusion = self.fusion_conv.conv
        parts = fusion.weight.chunk(len(levels), dim=1)
        fused: Tensor | None = None
        for conv, level, part in zip(self.convs, levels, parts, strict=True):
            if level is None:
                continue
            bias = fusion.bias if fused is None else None
            mixed = functional.conv2d(functional.relu(conv(level)), part, bias)
            mixed = functional.interpolate(
                mixed, size=size, mode="bilinear", align_corners=False
            )
            fused = mixed if fused is None else fused + mixed
        assert fused is not None
        logits: Tensor = self.conv_seg(self.dropout(functional.relu(fused)))
        return logits


class SimpleClick(nn.Module):
    """Image and prompt to mask logits.

    Parameters
    ----------
    config : SimpleClickConfig
        Sizes of the network.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: SimpleClickConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed_coords = PatchEmbed(config.patch, config.width)
        self.backbone = Backbone(config)
        self.neck = Pyramid(config.width, config.pyramid, config.levels == "single")
        self.head = Head(config.pyramid, config.head)
        for name, values in (("mean", RGB_MEAN), ("std", RGB_STD)):
            tensor = torch.tensor(values).view(1, 3, 1, 1)
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, image: Tensor, prompt: Tensor) -> Tensor:
        """Predict logits.

        Parameters
        ----------
        image : Tensor
            (B,3,H,W) RGB in [0, 1]. Each side is a multiple of the patch whose
            tokens divide evenly into windows (any multiple of 32 px up to 448 works
            for 16 px patches, so do 672 and 896).
        prompt : Tensor
            (B,3,H,W): prior mask probability, positive and negative click disks.

        Returns
        -------
        Tensor
            (B,1,H,W) logits; a sigmoid makes them probabilities.

        Raises
        ------
        ValueError
            If the two shapes differ or the size does not fit patch and windows.
        """
        if image.shape != prompt.shape or image.ndim != 4 or image.shape[1] != 3:
            raise ValueError(
                f"Image and prompt must both have shape (B, 3, H, W), not "
                f"{tuple(image.shape)} and {tuple(prompt.shape)}."
            )
        size = image.shape[2:]
        if any(side % self.config.patch for side in size):
            raise ValueError(
                f"An input of {size[0]} x {size[1]} px is not a multiple of the "
                f"{self.config.patch} px patch; resize it first."
            )
        tokens = self.patch_embed_coords(prompt)
        maps = self.backbone((image - self.mean) / self.std, tokens)
        logits = self.head(self.neck(maps))
        return functional.interpolate(
            logits, size=size, mode="bilinear", align_corners=True
        )
