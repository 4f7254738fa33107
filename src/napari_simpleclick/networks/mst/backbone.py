"""MST's transformer: global attention, and blocks that look at selected tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_simpleclick.networks.mst.score import MLP, FuseAttention, Score, Scoring
from napari_simpleclick.networks.mst.tokens import PATCH, resized_kernel
from napari_simpleclick.networks.simpleclick.vit import Block, PatchEmbed

if TYPE_CHECKING:
    from napari_simpleclick.networks.attempt import Selection


class ScoreBlock(Block):
    """Transformer block whose tokens first look at selected small and large ones."""

    def __init__(self, width: int, heads: int, scoring: Scoring) -> None:
        super().__init__(width, heads)
        self.gamma = nn.Parameter(torch.full((1, 1, width), scoring.gamma))
        last = torch.full((1, 1, width), scoring.gamma)
        self.gamma2 = nn.Parameter(last) if scoring.weighs else None
        self.score = Score(width, scoring)
        self.score_cross_attn = FuseAttention(width, scoring.fuse_heads)
        self.score_l_s = FuseAttention(width, 2)
        self.norm3, self.norm4, self.norm6, self.norm7 = (
            nn.LayerNorm(width, eps=1e-6) for _ in range(4)
        )
        self.score_mlp: MLP | None = None
        if scoring.fuse_mlp:
            self.norm5 = nn.LayerNorm(width, eps=1e-6)
            self.score_mlp = MLP(width, 4 * width)

    def fuse(self, base: Tensor, small: Selection, large: Selection) -> Tensor:
        """Give base tokens (B,M,d) after they have seen the selected tokens."""
        best = small.tokens
        best = best + self.gamma * self.score_l_s(
            self.norm6(best), self.norm7(large.tokens)
        )
        seen = self.score_cross_attn(self.norm3(base), self.norm4(best))
        base = base + (seen if self.gamma2 is None else self.gamma2 * seen)
        if self.score_mlp is not None:
            base = base + self.score_mlp(self.norm5(base))
        return base


class Backbone(nn.Module):
    """Vision Transformer with global attention and score blocks.

    Parameters
    ----------
    width, depth, heads : int
        Of the transformer.
    grid : tuple of int
        (rows, columns) of the stored position embedding.
    scoring : Scoring
        Which blocks score tokens, and how.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        grid: tuple[int, int],
        scoring: Scoring,
    ) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(
            torch.zeros(1, grid[0] * grid[1] + 1, width).normal_(std=0.02)
        )
        self.patch_embed = PatchEmbed(PATCH, width)
        self.blocks = nn.ModuleList(
            ScoreBlock(width, heads, scoring)
            if number in scoring.blocks
            else Block(width, heads)
            for number in range(depth)
        )

    def embed(self, image: Tensor, patch: int) -> Tensor:
        """Tokens (B,N,d) of patches of any size of a normalised image (B,3,H,W)."""
        proj = self.patch_embed.proj
        kernel = resized_kernel(proj.weight, patch)
        maps = functional.conv2d(image, kernel, proj.bias, patch)
        return maps.flatten(2).transpose(1, 2)
