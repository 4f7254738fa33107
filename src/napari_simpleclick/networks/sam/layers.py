"""Layers that several parts of a SAM are made of, with the official keys."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

NORM_EPS = 1e-6


class ChannelNorm(nn.Module):
    """Layer norm over the channels of maps (B,C,H,W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise each pixel."""
        last = maps.movedim(1, -1)
        shape = (maps.shape[1],)
        normed = functional.layer_norm(last, shape, self.weight, self.bias, NORM_EPS)
        return normed.movedim(-1, 1)


class TwoLayers(nn.Module):
    """Two linear layers with an activation between them."""

    def __init__(self, width: int, hidden: int, activation: nn.Module) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)
        self.activation = activation

    def forward(self, tokens: Tensor) -> Tensor:
        """Work on each token alone."""
        out: Tensor = self.lin2(self.activation(self.lin1(tokens)))
        return out


class Layers(nn.Module):
    """Linear layers with rectifiers between them."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        pairs = itertools.pairwise(widths)
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairs)

    def forward(self, tokens: Tensor) -> Tensor:
        """Work on each token alone."""
        for layer in self.layers[:-1]:
            tokens = layer(tokens).relu()
        out: Tensor = self.layers[-1](tokens)
        return out


def neck(width: int, channels: int) -> nn.Sequential:
    """Make what ends both kinds of image encoders."""
    return nn.Sequential(
        nn.Conv2d(width, channels, 1, bias=False),
        ChannelNorm(channels),
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        ChannelNorm(channels),
    )


def in_windows(maps: Tensor, side: int) -> Tensor:
    """Cut maps (B,H,W,C), padded with zeros at their ends, into (·,side,side,C)."""
    batch, height, width, channels = maps.shape
    padded = functional.pad(maps, (0, 0, 0, -width % side, 0, -height % side))
    rows, columns = padded.shape[1] // side, padded.shape[2] // side
    tiles = padded.reshape(batch, rows, side, columns, side, channels)
    return tiles.transpose(2, 3).reshape(-1, side, side, channels)


def from_windows(windows: Tensor, size: tuple[int, int]) -> Tensor:
    """Put windows together again to maps (B,H,W,C) of a size, without the padding."""
    side, channels = windows.shape[1], windows.shape[3]
    rows, columns = -(-size[0] // side), -(-size[1] // side)
    tiles = windows.reshape(-1, rows, columns, side, side, channels)
    maps = tiles.transpose(2, 3).reshape(-1, rows * side, columns * side, channels)
    return maps[:, : size[0], : size[1]]
