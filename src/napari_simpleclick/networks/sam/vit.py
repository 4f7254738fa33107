"""SAM's image encoder: a vision transformer, most of whose blocks look at windows.

Source: A. Kirillov et al., "Segment Anything", ICCV 2023, and Y. Li et al., "Exploring
Plain Vision Transformer Backbones for Object Detection", ECCV 2022.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_simpleclick.networks.sam.layers import (
    NORM_EPS,
    TwoLayers,
    from_windows,
    in_windows,
    neck,
)

PATCH_PX = 16
"""Side of the image that a token stands for."""


class Attention(nn.Module):
    """Attention among a square of tokens, with biases by distance.

    What rows and columns add depends on the query; as both are sums over parts of a
    vector, they are appended to queries and keys, so that the scores of all pairs never
    lie in memory.

    Parameters
    ----------
    width, heads : int
        Of the tokens, and how many parts they are worked on in.
    side : int
        Of the square, tokens.
    """

    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads, self.side = heads, side
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, width // heads))

    def forward(self, tokens: Tensor) -> Tensor:
        """Let tokens (B,side,side,C) look at each other."""
        batch, side = len(tokens), self.side
        parts = self.qkv(tokens).reshape(batch, side * side, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        depth = query.shape[-1]
        places = torch.arange(side, device=tokens.device)
        apart = places[:, None] - places[None] + side - 1
        square = query.reshape(batch, self.heads, side, side, depth)
        by_row = torch.einsum("bnhwc,hkc->bnhwk", square, self.rel_pos_h[apart])
        by_column = torch.einsum("bnhwc,wkc->bnhwk", square, self.rel_pos_w[apart])
        added = torch.cat([by_row, by_column], -1).flatten(2, 3)
        one_hot = torch.eye(side, dtype=key.dtype, device=key.device)
        rows, columns = one_hot.repeat_interleave(side, 0), one_hot.repeat(side, 1)
        where = torch.cat([rows, columns], 1).expand(batch, self.heads, -1, -1)
        answer = functional.scaled_dot_product_attention(
            torch.cat([query * depth**-0.5, added.to(query.dtype)], -1),
            torch.cat([key, where], -1),
            functional.pad(value, (0, 2 * side)),  # the fast kernels want equal depths
            scale=1.0,
        )[..., :depth]
        out: Tensor = self.proj(answer.transpose(1, 2).reshape(tokens.shape))
        return out


class Block(nn.Module):
    """Attention, then each token alone.

    Parameters
    ----------
    width, heads : int
        As :class:`Attention` takes them.
    grid : int
        Side of the map, tokens.
    window : int
        Side of the windows that attention is limited to; 0 for none.
    """

    def __init__(self, width: int, heads: int, grid: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(width, NORM_EPS)
        self.attn = Attention(width, heads, window or grid)
        self.norm2 = nn.LayerNorm(width, NORM_EPS)
        self.mlp = TwoLayers(width, 4 * width, nn.GELU())

    def forward(self, tokens: Tensor) -> Tensor:
        """Work on tokens (B,H,W,C)."""
        normed = self.norm1(tokens)
        if self.window:
            windows = self.attn(in_windows(normed, self.window))
            size = (tokens.shape[1], tokens.shape[2])
            tokens = tokens + from_windows(windows, size)
        else:
            tokens = tokens + self.attn(normed)
        out: Tensor = tokens + self.mlp(self.norm2(tokens))
        return out


class PatchEmbedding(nn.Module):
    """Squares of the image to tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH_PX, PATCH_PX)

    def forward(self, image: Tensor) -> Tensor:
        """Give tokens (B,H,W,C) of an image (B,3,·,·)."""
        maps: Tensor = self.proj(image)
        return maps.permute(0, 2, 3, 1)


class ViTEncoder(nn.Module):
    """Image to one map at a sixteenth of its size.

    Parameters
    ----------
    width, depth, heads : int
        Of the transformer.
    looking_at_all : tuple of int
        Blocks that do not look at windows.
    window : int
        Side of the windows, tokens.
    grid : int
        Side of the map, tokens.
    channels : int
        Of the map.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        looking_at_all: tuple[int, ...],
        window: int,
        grid: int,
        channels: int,
    ) -> None:
        super().__init__()
        self.patch_embed = PatchEmbedding(width)
        self.pos_embed = nn.Parameter(torch.zeros(1, grid, grid, width))
        self.blocks = nn.ModuleList(
            Block(width, heads, grid, 0 if number in looking_at_all else window)
            for number in range(depth)
        )
        self.neck = neck(width, channels)

    def forward(self, image: Tensor) -> Tensor:
        """Give (B,channels,grid,grid) of a normalised image (B,3,·,·)."""
        tokens = self.patch_embed(image) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        maps: Tensor = self.neck(tokens.permute(0, 3, 1, 2))
        return maps
