"""SAM's prompt encoder: points and corners of boxes to tokens, a mask to a map."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from napari_simpleclick.networks.sam.layers import ChannelNorm

NONE, NEGATIVE, POSITIVE, FIRST_CORNER, LAST_CORNER = -1, 0, 1, 2, 3
"""What a point is; NONE stands for one that is not there."""

MASK_CHANNELS = 16


class Waves(nn.Module):
    """Places to sines and cosines of random frequencies, which are kept."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer(
            "positional_encoding_gaussian_matrix", torch.randn(2, channels // 2)
        )

    def forward(self, places: Tensor) -> Tensor:
        """Encode places (...,2), x before y, as parts of the image in [0, 1]."""
        frequencies = self.positional_encoding_gaussian_matrix
        along = (
            2 * places - 1
        )  # products alone: a matrix product may be of low precision
        phase = along[..., :1] * frequencies[0] + along[..., 1:] * frequencies[1]
        phase = 2 * math.pi * phase
        return torch.cat([phase.sin(), phase.cos()], -1)


class PromptEncoder(nn.Module):
    """Points, boxes and a mask to what the decoder looks at.

    Parameters
    ----------
    channels : int
        Of tokens and maps.
    grid : int
        Side of the maps.
    """

    def __init__(self, channels: int, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.pe_layer = Waves(channels)
        self.point_embeddings = nn.ModuleList(
            nn.Embedding(1, channels) for _ in range(4)
        )
        self.not_a_point_embed = nn.Embedding(1, channels)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, MASK_CHANNELS // 4, 2, 2),
            ChannelNorm(MASK_CHANNELS // 4),
            nn.GELU(),
            nn.Conv2d(MASK_CHANNELS // 4, MASK_CHANNELS, 2, 2),
            ChannelNorm(MASK_CHANNELS),
            nn.GELU(),
            nn.Conv2d(MASK_CHANNELS, channels, 1),
        )
        self.no_mask_embed = nn.Embedding(1, channels)

    def places(self) -> Tensor:
        """Encode the middle of each cell of the map: (1,C,grid,grid)."""
        device = self.no_mask_embed.weight.device
        middle = (torch.arange(self.grid, device=device) + 0.5) / self.grid
        y, x = torch.meshgrid(middle, middle, indexing="ij")
        encoded: Tensor = self.pe_layer(torch.stack([x, y], -1))
        return encoded.permute(2, 0, 1)[None]

    def points(self, places: Tensor, kinds: Tensor) -> Tensor:
        """Encode points.

        Parameters
        ----------
        places : Tensor
            (B,N,2): x before y, as parts of the image in [0, 1].
        kinds : Tensor
            (B,N) int64, :data:`NONE` to :data:`LAST_CORNER`.

        Returns
        -------
        Tensor
            (B,N,C).
        """
        learnt = [self.not_a_point_embed, *self.point_embeddings]
        meaning = torch.cat([one.weight for one in learnt])[kinds + 1]
        there = (kinds != NONE)[..., None]
        encoded: Tensor = self.pe_layer(places)
        return meaning + encoded * there

    def mask(self, logits: Tensor, known: Tensor) -> Tensor:
        """Encode masks.

        Parameters
        ----------
        logits : Tensor
            (B,1,4 grid,4 grid).
        known : Tensor
            (B,) bool; where it is false, there is no mask.

        Returns
        -------
        Tensor
            (B,C,grid,grid).
        """
        drawn = self.mask_downscaling(logits)
        nothing = self.no_mask_embed.weight[..., None, None].to(drawn.dtype)
        return torch.where(known[:, None, None, None], drawn, nothing)
