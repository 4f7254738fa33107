"""SimpleClick: interactive segmentation with a plain Vision Transformer.

Source: Q. Liu, Z. Xu, G. Bertasius, M. Niethammer, "SimpleClick: Interactive Image
Segmentation with Simple Vision Transformers", ICCV 2023, and the behaviour of the
released code where the paper is silent or differs (number of global blocks, the
two-layer head, GroupNorm in the pyramid). Module names follow the released
checkpoints, so their state dicts load as they are.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

RGB_MEAN = (0.485, 0.456, 0.406)
RGB_STD = (0.229, 0.224, 0.225)
"""ImageNet statistics of RGB in [0, 1]; only the image is normalised."""

WINDOW_PX = 224
"""Side of an attention window in input pixels (14 tokens of 16 px, 16 of 14 px)."""


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
    """

    patch: int
    width: int
    depth: int
    heads: int
    pyramid: tuple[int, int, int, int]
    head: int
    image_size: tuple[int, int] = (448, 448)

    @property
    def group(self) -> int:
        """Length of a block group; the last block of each group attends globally."""
        return 6 if self.depth == 12 else max(1, self.depth // 4)

    @property
    def grid(self) -> tuple[int, int]:
        """Token grid (rows, columns) of the stored position embedding."""
        return self.image_size[0] // self.patch, self.image_size[1] // self.patch


class PatchEmbed(nn.Module):
    """Non-overlapping patches of an image to tokens, (B,3,H,W) to (B,N,width)."""

    def __init__(self, patch: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, stride=patch)
        nn.init.xavier_uniform_(self.proj.weight.view(width, -1))

    def forward(self, image: Tensor) -> Tensor:
        """Embed ``image`` (B,3,H,W); tokens are row-major."""
        tokens: Tensor = self.proj(image)
        return tokens.flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head self-attention without position bias, (B,N,width) to the same."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Attend over all tokens of each batch entry."""
        batch, count, width = tokens.shape
        qkv = self.qkv(tokens).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        result: Tensor = self.proj(mixed.transpose(1, 2).reshape(batch, count, width))
        return result


class Block(nn.Module):
    """Pre-norm transformer block, (B,N,width) to the same."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(
            OrderedDict(
                fc1=nn.Linear(width, 4 * width),
                act=nn.GELU(),
                fc2=nn.Linear(4 * width, width),
            )
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Attention, then the two-layer perceptron, each added to its input."""
        tokens = tokens + self.attn(self.norm1(tokens))
        result: Tensor = tokens + self.mlp(self.norm2(tokens))
        return result


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

    def forward(self, image: Tensor, prompt_tokens: Tensor) -> Tensor:
        """Features (B,width,rows,columns) of a normalised image and its prompt."""
        patch = self.config.patch
        grid = (image.shape[2] // patch, image.shape[3] // patch)
        windows = tuple(window_count(side, patch) for side in grid)
        tokens = self.patch_embed(image) + prompt_tokens + self.positions(grid)
        split = False
        for number, block in enumerate(self.blocks, start=1):
            is_global = number % self.config.group == 0
            if split and is_global:
                tokens, split = join_windows(tokens, grid, windows), False
            elif not split and not is_global:
                tokens, split = split_windows(tokens, grid, windows), True
            tokens = block(tokens)
        if split:
            tokens = join_windows(tokens, grid, windows)
        return tokens.transpose(1, 2).unflatten(2, grid)

    def positions(self, grid: tuple[int, int]) -> Tensor:
        """Position embedding (1,N,width), interpolated to ``grid`` where it differs."""
        return resize_positions(self.pos_embed, self.config.grid, grid)[:, 1:]


def resize_positions(
    embedding: Tensor, old_grid: tuple[int, int], grid: tuple[int, int]
) -> Tensor:
    """Interpolate a position embedding to another token grid.

    Bicubic without antialiasing or aligned corners, as the released evaluation does.

    Parameters
    ----------
    embedding : Tensor
        (1, 1 + rows*columns, width); the first row belongs to the class token.
    old_grid, grid : tuple of int
        Present and wanted (rows, columns).

    Returns
    -------
    Tensor
        (1, 1 + grid[0]*grid[1], width).
    """
    if grid == old_grid:
        return embedding
    first, patches = embedding[:, :1], embedding[:, 1:]
    image = patches.transpose(1, 2).unflatten(2, old_grid)
    image = functional.interpolate(
        image, size=grid, mode="bicubic", align_corners=False
    )
    return torch.cat([first, image.flatten(2).transpose(1, 2)], dim=1)


def window_count(side: int, patch: int) -> int:
    """Number of windows along one axis of ``side`` tokens.

    Raises
    ------
    ValueError
        If the tokens cannot be shared out evenly.
    """
    count = max(1, side // (WINDOW_PX // patch))
    if side < 1 or side % count:
        raise ValueError(
            f"An input side of {side * patch} px gives {side} tokens, which do not "
            f"divide into {count} equal windows; choose a multiple of "
            f"{max(count, 1) * patch} px."
        )
    return count


def split_windows(
    tokens: Tensor, grid: tuple[int, int], windows: tuple[int, ...]
) -> Tensor:
    """(B, rows*columns, width) to (B*windows, tokens per window, width)."""
    width = tokens.shape[-1]
    high, wide = grid[0] // windows[0], grid[1] // windows[1]
    tiles = tokens.view(-1, windows[0], high, windows[1], wide, width)
    return tiles.transpose(2, 3).reshape(-1, high * wide, width)


def join_windows(
    tokens: Tensor, grid: tuple[int, int], windows: tuple[int, ...]
) -> Tensor:
    """Inverse of :func:`split_windows`."""
    width = tokens.shape[-1]
    high, wide = grid[0] // windows[0], grid[1] // windows[1]
    tiles = tokens.view(-1, windows[0], windows[1], high, wide, width)
    return tiles.transpose(2, 3).reshape(-1, grid[0] * grid[1], width)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(1, channels)


class Pyramid(nn.Module):
    """Simple feature pyramid: 4x, 2x, 1x and 1/2x of the last map alone."""

    def __init__(self, width: int, out: tuple[int, int, int, int]) -> None:
        super().__init__()
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

    def forward(self, features: Tensor) -> list[Tensor]:
        """Four maps from (B,width,rows,columns), finest first."""
        return [
            level(features)
            for level in (self.down_4, self.down_8, self.down_16, self.down_32)
        ]


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

    def forward(self, levels: list[Tensor]) -> Tensor:
        """Logits (B,1,h,w) from the four pyramid levels.

        The published order is resize, concatenate, fuse. Fusing is linear, so each
        level is fused at its own resolution and resized afterwards, which gives the
        same numbers with a quarter of the work.
        """
        size = levels[0].shape[2:]
        fusion = self.fusion_conv.conv
        parts = fusion.weight.chunk(len(levels), dim=1)
        fused = fusion.bias.view(1, -1, 1, 1)
        for conv, level, part in zip(self.convs, levels, parts, strict=True):
            mixed = functional.conv2d(functional.relu(conv(level)), part)
            fused = fused + functional.interpolate(
                mixed, size=size, mode="bilinear", align_corners=False
            )
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
        self.neck = Pyramid(config.width, config.pyramid)
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
        features = self.backbone((image - self.mean) / self.std, tokens)
        logits = self.head(self.neck(features))
        return functional.interpolate(
            logits, size=size, mode="bilinear", align_corners=True
        )

