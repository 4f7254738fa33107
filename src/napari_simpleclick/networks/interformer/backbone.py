"""InterFormer's image encoder: a ViT with relative positions and a feature pyramid.

Module names follow the released checkpoints.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_simpleclick.networks.drop_path import DropPath
from napari_simpleclick.networks.simpleclick.pyramid import Pyramid

PATCH = 16
"""Side of a patch, px."""

LEVELS = (32, 64, 128, 256)
"""Channels of the maps at 1/4 to 1/32."""

DROP_PATH = 0.1
"""Share of residual branches that the last block skips in training."""


@cache
def relative_positions(side: int) -> Tensor:
    """Which entry of a table each pair of tokens looks up.

    Source: H. Bao et al., "BEiT", ICLR 2022.

    Parameters
    ----------
    side : int
        Of the square token grid.

    Returns
    -------
    Tensor
        (1 + side², 1 + side²) int64, rows for queries; the class token comes first.
    """
    span = 2 * side - 1
    steps = torch.arange(side, device="cpu")  # wherever a network is being built
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    rows, columns = rows.flatten(), columns.flatten()
    down = rows[:, None] - rows[None] + side - 1
    across = columns[:, None] - columns[None] + side - 1
    table = down.new_empty(side**2 + 1, side**2 + 1)
    table[1:, 1:] = down * span + across
    table[0] = span**2
    table[:, 0] = span**2 + 1
    table[0, 0] = span**2 + 2
    return table


def nearest_tokens(side: int, grid: tuple[int, int]) -> Tensor:
    """Which token of a square grid each token of another one takes after.

    Parameters
    ----------
    side : int
        Of the square grid that was trained.
    grid : tuple of int
        (rows, columns) of the other; one of as many tokens takes them in order.

    Returns
    -------
    Tensor
        (1 + rows·columns,) int64; the class token stays the first.
    """
    tokens = torch.arange(side**2)
    if grid[0] * grid[1] != side**2:
        square = tokens.float().view(1, 1, side, side)
        tokens = functional.interpolate(square, size=grid, mode="nearest").long()
    return torch.cat([torch.zeros(1, dtype=torch.int64), tokens.flatten() + 1])


class _Attention(nn.Module):
    """Self-attention with a learnt bias for each relative position."""

    relative_position_index: Tensor

    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        entries = (2 * side - 1) ** 2 + 3
        self.relative_position_bias_table = nn.Parameter(torch.zeros(entries, heads))
        self.register_buffer("relative_position_index", relative_positions(side))

    def forward(self, tokens: Tensor, taken: Tensor) -> Tensor:
        """Attend over all tokens (B,N,width), which take after trained ones (N)."""
        pairs = self.relative_position_index
        if len(taken) != len(pairs):
            pairs = pairs[taken][:, taken]
        bias = self.relative_position_bias_table[pairs].permute(2, 0, 1)
        batch, count, width = tokens.shape
        qkv = self.qkv(tokens).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=bias[None].to(query.dtype)
        )
        result: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return result


class _MLP(nn.Module):
    """Two-layer perceptron under the official keys."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Sequential(nn.Linear(width, 4 * width), nn.GELU()),
            nn.Linear(4 * width, width),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Turn tokens (B,N,width) to the same shape."""
        result: Tensor = self.layers(tokens)
        return result


class _Layer(nn.Module):
    """Pre-norm transformer block with a learnt scale for each channel."""

    def __init__(self, width: int, heads: int, side: int, skip: float) -> None:
        super().__init__()
        self.gamma_1 = nn.Parameter(torch.ones(width))
        self.gamma_2 = nn.Parameter(torch.ones(width))
        self.ln1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = _Attention(width, heads, side)
        self.ln2 = nn.LayerNorm(width, eps=1e-6)
        self.ffn = _MLP(width)
        self.skip = DropPath(skip)

    def forward(self, tokens: Tensor, taken: Tensor) -> Tensor:
        """Turn tokens (B,N,width) to the same shape."""
        seen = self.attn(self.ln1(tokens), taken)
        tokens = tokens + self.skip(self.gamma_1 * seen)
        result: Tensor = tokens + self.skip(self.gamma_2 * self.ffn(self.ln2(tokens)))
        return result


class _PatchEmbed(nn.Module):
    """Patches to tokens under the official key."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(3, width, PATCH, PATCH)

    def forward(self, image: Tensor) -> Tensor:
        """Give maps (B,width,H/16,W/16) of an image (B,3,H,W)."""
        result: Tensor = self.projection(image)
        return result


class _Levels(nn.Module):
    """Simple feature pyramid under the official keys."""

    def __init__(self, width: int) -> None:
        super().__init__()
        pyramid = Pyramid(width, LEVELS, single=False)
        self.rescale_ops = nn.ModuleList(
            [pyramid.down_4, pyramid.down_8, pyramid.down_16, pyramid.down_32]
        )

    def forward(self, maps: Tensor) -> tuple[Tensor, ...]:
        """Give maps at 1/4 to 1/32 of those at 1/16."""
        return tuple(level(maps) for level in self.rescale_ops)


class Backbone(nn.Module):
    """Normalised image to maps at 1/4 to 1/32.

    Parameters
    ----------
    width, depth, heads : int
        Of the transformer.
    side : int
        Of the square token grid that it is trained with.
    """

    def __init__(self, width: int, depth: int, heads: int, side: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(
            torch.zeros(1, side**2 + 1, width).normal_(std=0.02)
        )
        self.patch_embed = _PatchEmbed(width)
        self.layers = nn.ModuleList(
            _Layer(width, heads, side, DROP_PATH * number / max(1, depth - 1))
            for number in range(depth)
        )
        self.fpn = _Levels(width)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Give maps of an image (B,3,H,W), sides multiples of 32 px."""
        maps = self.patch_embed(image)
        grid = (maps.shape[2], maps.shape[3])
        side = math.isqrt(self.pos_embed.shape[1] - 1)
        taken = nearest_tokens(side, grid).to(image.device)
        tokens = maps.flatten(2).transpose(1, 2)
        first = self.cls_token.expand(len(tokens), -1, -1)
        tokens = torch.cat([first, tokens], 1) + self.pos_embed[:, taken]
        for layer in self.layers:
            tokens = layer(tokens, taken)
        maps = tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, *grid)
        levels: tuple[Tensor, ...] = self.fpn(maps)
        return levels
