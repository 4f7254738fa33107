"""Parts of a plain Vision Transformer with windowed attention."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_simpleclick.errors import UserError

WINDOW_PX = 224
"""Side of an attention window in input pixels (14 tokens of 16 px, 16 of 14 px)."""


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
    image = patches.transpose(1, 2).reshape(len(patches), -1, *old_grid)
    image = functional.interpolate(
        image, size=grid, mode="bicubic", align_corners=False
    )
    return torch.cat([first, image.flatten(2).transpose(1, 2)], dim=1)


def window_count(side: int, patch: int) -> int:
    """Count the windows along one axis of ``side`` tokens.

    Raises
    ------
    UserError
        If the tokens cannot be shared out evenly.
    """
    count = max(1, side // (WINDOW_PX // patch))
    if side < 1 or side % count:
        raise UserError(
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
