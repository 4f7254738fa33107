"""Interactive multi-head self-attention: from image maps and a click map to answers.

Source: Y. Huang et al., "InterFormer: Real-time Interactive Image Segmentation", ICCV
2023, and the behaviour of its released code (pooling takes maxima; what the refining
blocks make does not reach the next stage). Module names follow the released files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_simpleclick.networks.drop_path import DropPath
from napari_simpleclick.networks.interformer.backbone import DROP_PATH, LEVELS

if TYPE_CHECKING:
    from collections.abc import Sequence

CODES = 5
"""Of the click map."""

HEADS = (1, 2, 4, 8)
MLP_RATIOS = (8, 8, 4, 4)
POOLING = ((12, 16, 20, 24), (6, 8, 10, 12), (3, 4, 5, 6), (1, 2, 3, 4))
TARGETS = (128, 64, 32, 16)
"""By stage: attention heads, hidden over outer channels, and by how much the keys are
pooled with respect to a map of what side."""

COARSE = (1, 1, 2, 1)
"""Blocks of the stages that see all of the image."""

STRIDES = (4, 8, 16, 32)
"""Input px over map px of the stages."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, half-open."""


def pooled_side(side: int, target: int, ratio: int) -> int:
    """Side of a map after pooling for keys, rounded half to even as published."""
    wanted = min(target / ratio, side)
    return round(side / round(side / wanted))


class _PoolingAttention(nn.Module):
    """Attention of all pixels to a map at four coarser resolutions."""

    def __init__(self, stage: int) -> None:
        super().__init__()
        width = LEVELS[stage]
        self.heads, self.ratios = HEADS[stage], POOLING[stage]
        self.target = TARGETS[stage]
        self.query_proj = nn.Linear(width, width)
        self.key_value_proj = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.dconvs = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1, groups=width) for _ in self.ratios
        )

    def forward(self, maps: Tensor, seen: Tensor) -> Tensor:
        """Attend from maps (B,C,h,w) to others of the same shape."""
        key, value = self.key_value_proj(self._pooled(seen)).chunk(2, -1)
        query = self.query_proj(maps.flatten(2).transpose(1, 2))
        mixed = functional.scaled_dot_product_attention(
            self._split(query), self._split(key), self._split(value)
        )
        tokens: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return tokens.transpose(1, 2).reshape(maps.shape)

    def _pooled(self, maps: Tensor) -> Tensor:
        """Tokens (B,N,C) of maps at the four resolutions."""
        size = (maps.shape[2], maps.shape[3])
        parts = []
        for ratio, conv in zip(self.ratios, self.dconvs, strict=True):
            sides = [pooled_side(side, self.target, ratio) for side in size]
            coarse = maps
            if ratio > 1 and tuple(sides) != size:
                coarse = functional.adaptive_max_pool2d(maps, sides)
            coarse = coarse + conv(coarse)
            parts.append(coarse.flatten(2).transpose(1, 2))
        result: Tensor = self.norm(torch.cat(parts, 1))
        return result

    def _split(self, tokens: Tensor) -> Tensor:
        """Tokens (B,N,C) as (B,heads,N,C/heads)."""
        return tokens.reshape(*tokens.shape[:2], self.heads, -1).transpose(1, 2)


class _Block(nn.Module):
    """Attention and convolutions, each added to its input."""

    def __init__(self, stage: int, skip: float) -> None:
        super().__init__()
        width, hidden = LEVELS[stage], LEVELS[stage] * MLP_RATIOS[stage]
        self.norm1 = nn.GroupNorm(1, width)
        self.norm_kv = nn.GroupNorm(1, width)
        self.attn = _PoolingAttention(stage)
        self.norm2 = nn.GroupNorm(1, width)
        self.mlp = nn.Sequential(
            nn.Conv2d(width, hidden, 1),
            nn.Hardswish(),
            nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden),
            nn.Hardswish(),
            nn.Conv2d(hidden, width, 1),
        )
        self.skip = DropPath(skip)

    def forward(self, maps: Tensor, seen: Tensor) -> Tensor:
        """Turn maps (B,C,h,w) that attend to others to the same shape."""
        maps = maps + self.skip(self.attn(self.norm1(maps), self.norm_kv(seen)))
        result: Tensor = maps + self.skip(self.mlp(self.norm2(maps)))
        return result


class _Merge(nn.Module):
    """Overlapping 3x3 patches at every other pixel to twice the channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(9 * width)
        self.reduction = nn.Linear(9 * width, 2 * width, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Turn maps (B,C,h,w) to (B,2C,h/2,w/2)."""
        size = [(side + 1) // 2 for side in maps.shape[2:]]
        patches = functional.unfold(maps, 3, padding=1, stride=2).transpose(1, 2)
        tokens: Tensor = self.reduction(self.norm(patches))
        return tokens.transpose(1, 2).reshape(len(maps), -1, *size)


class _Stage(nn.Module):
    """Blocks of one resolution, and the way to the next."""

    def __init__(self, stage: int, skips: Sequence[float], last: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Block(stage, skip) for skip in skips)
        if not last:
            self.downsample = _Merge(LEVELS[stage])

    def forward(self, maps: Tensor, seen: Tensor | None = None) -> Tensor:
        """Turn maps (B,C,h,w) to the same shape; the first block attends to others."""
        for block in self.blocks:
            maps = block(maps, maps if seen is None else seen)
            seen = None
        return maps


class Neck(nn.Module):
    """Image maps and a click map to maps for the decoder.

    Parameters
    ----------
    refining : tuple of int
        Blocks of the stages that may see a part of the image only.
    """

    def __init__(self, refining: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.patch_embed = nn.Parameter(torch.zeros(CODES, LEVELS[0]).normal_(std=0.02))
        total = sum(COARSE) + sum(refining)
        skips = [DROP_PATH * number / (total - 1) for number in range(total)]
        stages: list[_Stage] = []
        refine_stages: list[_Stage] = []
        for stage, (coarse, fine) in enumerate(zip(COARSE, refining, strict=True)):
            begin = sum(COARSE[:stage]) + sum(refining[:stage])
            middle, end = begin + coarse, begin + coarse + fine
            last = stage == len(COARSE) - 1
            stages.append(_Stage(stage, skips[begin:middle], last))
            refine_stages.append(_Stage(stage, skips[middle:end], last=True))
            setattr(self, f"norm{stage}", nn.GroupNorm(1, LEVELS[stage]))
        self.stages = nn.ModuleList(stages)
        self.refine_stages = nn.ModuleList(refine_stages)

    def forward(
        self,
        levels: Sequence[Tensor],
        codes: Tensor,
        boxes: Sequence[Box] | None = None,
    ) -> list[Tensor]:
        """Answer a click map.

        Parameters
        ----------
        levels : sequence of Tensor
            (B,C,·,·) image maps at 1/4 to 1/32.
        codes : Tensor
            (B,H,W) int64 click map.
        boxes : sequence of tuple or None
            For each of the batch, which part of the input the refining blocks see, in
            multiples of 32 px; None for all of it.

        Returns
        -------
        list of Tensor
            As ``levels``.
        """
        drawn = functional.embedding(codes, self.patch_embed).permute(0, 3, 1, 2)
        drawn = functional.interpolate(
            drawn, size=levels[0].shape[2:], mode="bilinear", align_corners=False
        )
        maps = levels[0] + drawn
        answers = []
        for number, stage in enumerate(self.stages):
            assert isinstance(stage, _Stage)
            maps = stage(maps, levels[number])
            fine = self._refined(number, maps, boxes)
            answers.append(getattr(self, f"norm{number}")(fine))
            if number < len(self.stages) - 1:
                maps = stage.downsample(maps)
        return answers

    def _refined(
        self, number: int, maps: Tensor, boxes: Sequence[Box] | None
    ) -> Tensor:
        """Run a stage's refining blocks on all of the maps, or on a part of each."""
        refine = self.refine_stages[number]
        if boxes is None:
            whole: Tensor = refine(maps)
            return whole
        fine = maps.clone()
        for entry, box in enumerate(boxes):
            left, top, right, bottom = (side // STRIDES[number] for side in box)
            rows, columns = slice(top, bottom), slice(left, right)
            where = (slice(entry, entry + 1), ..., rows, columns)
            fine[where] = refine(maps[where])
        return fine
