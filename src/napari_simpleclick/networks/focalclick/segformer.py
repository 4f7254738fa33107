"""SegFormer: a hierarchical transformer and an all-MLP decoder, behind clicks.

Source: E. Xie et al., "SegFormer: Simple and Efficient Design for Semantic Segmentation
with Transformers", NeurIPS 2021. Written from the description; module names follow the
released checkpoints of FocalClick.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_simpleclick.networks.drop_path import DropPath
from napari_simpleclick.networks.hrnet.clicked import Scale
from napari_simpleclick.networks.network import Network
from napari_simpleclick.networks.rgb import NormaliseRGB

if TYPE_CHECKING:
    from napari_simpleclick.networks.network import NetworkConfig

HEADS = (1, 2, 5, 8)
"""Attention heads of the stages."""

POOLING = (8, 4, 2, 1)
"""Side of the squares of tokens that make one key, in the stages."""

DROP_PATH = 0.1
"""Share of residual branches that the last block skips in training."""


@dataclass(frozen=True)
class SegFormerSize:
    """What the weights of a SegFormer have to agree on.

    Parameters
    ----------
    widths : tuple of int
        Channels of the four stages, at 1/4 to 1/32.
    depths : tuple of int
        Blocks of the stages.
    decoder : int
        Channels of the decoder.
    """

    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    decoder: int


def as_maps(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Lay tokens (B,N,C) out on a grid: (B,C,rows,columns)."""
    return tokens.transpose(1, 2).reshape(len(tokens), -1, *grid)


class _PatchEmbed(nn.Module):
    """Overlapping patches to normalised tokens."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, kernel, stride, kernel // 2)
        self.norm = nn.LayerNorm(width)

    def forward(self, maps: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Give tokens (B,N,width) of maps (B,C,h,w), and their grid."""
        maps = self.proj(maps)
        grid = (maps.shape[2], maps.shape[3])
        return self.norm(maps.flatten(2).transpose(1, 2)), grid


class _Attention(nn.Module):
    """Attention to tokens of a coarser grid, (B,N,C) to the same."""

    def __init__(self, width: int, heads: int, pooling: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        self.pools = pooling > 1
        if self.pools:
            self.sr = nn.Conv2d(width, width, pooling, pooling)
            self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Attend over all tokens of each batch entry."""
        seen = tokens
        if self.pools:
            coarse = self.sr(as_maps(tokens, grid))
            seen = self.norm(coarse.flatten(2).transpose(1, 2))
        key, value = (self._split(part) for part in self.kv(seen).chunk(2, -1))
        mixed = functional.scaled_dot_product_attention(
            self._split(self.q(tokens)), key, value
        )
        result: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return result

    def _split(self, tokens: Tensor) -> Tensor:
        """Tokens (B,N,C) as (B,heads,N,C/heads)."""
        return tokens.reshape(*tokens.shape[:2], self.heads, -1).transpose(1, 2)


class _DepthWise(nn.Module):
    """3x3 convolution of each channel alone; the level gives the official key."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Turn tokens (B,N,C) of a grid to the same shape."""
        maps: Tensor = self.dwconv(as_maps(tokens, grid))
        return maps.flatten(2).transpose(1, 2)


class _MixMLP(nn.Module):
    """Perceptron whose hidden tokens see their neighbours."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.dwconv = _DepthWise(4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Turn tokens (B,N,C) of a grid to the same shape."""
        result: Tensor = self.fc2(functional.gelu(self.dwconv(self.fc1(tokens), grid)))
        return result


class _Block(nn.Module):
    """Attention and perceptron, each added to its input."""

    def __init__(self, width: int, heads: int, pooling: int, skip: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = _Attention(width, heads, pooling)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = _MixMLP(width)
        self.skip = DropPath(skip)

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Turn tokens (B,N,C) of a grid to the same shape."""
        tokens = tokens + self.skip(self.attn(self.norm1(tokens), grid))
        result: Tensor = tokens + self.skip(self.mlp(self.norm2(tokens), grid))
        return result


class _Backbone(nn.Module):
    """Four stages of tokens; the prompt joins after the first."""

    def __init__(self, size: SegFormerSize) -> None:
        super().__init__()
        self.patch_embed_side1 = _PatchEmbed(3, size.widths[0], 7, 4)
        channels, number = 3, 0
        for stage in range(4):
            width = size.widths[stage]
            kernel, stride = (3, 2) if stage else (7, 4)
            embed = _PatchEmbed(channels, width, kernel, stride)
            blocks = nn.ModuleList()
            for _ in range(size.depths[stage]):
                skip = DROP_PATH * number / (sum(size.depths) - 1)
                blocks.append(_Block(width, HEADS[stage], POOLING[stage], skip))
                number += 1
            setattr(self, f"patch_embed{stage + 1}", embed)
            setattr(self, f"block{stage + 1}", blocks)
            setattr(self, f"norm{stage + 1}", nn.LayerNorm(width, eps=1e-6))
            channels = width

    def stage(self, number: int, maps: Tensor) -> Tensor:
        """Give maps (B,C,h,w) after stage 1 to 4 of what goes into it."""
        tokens, grid = getattr(self, f"patch_embed{number}")(maps)
        for block in getattr(self, f"block{number}"):
            tokens = block(tokens, grid)
        return as_maps(getattr(self, f"norm{number}")(tokens), grid)

    def prompt(self, prompt: Tensor) -> Tensor:
        """Give maps of a prompt (B,3,h,w), as large as those of the first stage."""
        tokens, grid = self.patch_embed_side1(prompt)
        return as_maps(tokens, grid)


class _Linear(nn.Module):
    """Projection of each pixel; the level gives the official key ``proj``."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.proj = nn.Linear(channels, out)

    def forward(self, maps: Tensor) -> Tensor:
        """Turn maps (B,channels,h,w) to (B,out,h,w)."""
        tokens: Tensor = self.proj(maps.permute(0, 2, 3, 1))
        return tokens.permute(0, 3, 1, 2)


class _Fuse(nn.Module):
    """1x1 convolution, batch norm, ReLU."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 1, bias=False)
        self.bn = nn.BatchNorm2d(out)

    def forward(self, maps: Tensor) -> Tensor:
        """Turn maps (B,channels,h,w) to (B,out,h,w)."""
        return functional.relu(self.bn(self.conv(maps)))


class _Decoder(nn.Module):
    """All four levels, projected, resized and fused."""

    def __init__(self, size: SegFormerSize) -> None:
        super().__init__()
        self.linear_c4, self.linear_c3, self.linear_c2, self.linear_c1 = (
            _Linear(width, size.decoder) for width in reversed(size.widths)
        )
        self.linear_fuse = _Fuse(4 * size.decoder, size.decoder)
        self.dropout = nn.Dropout2d(0.1)
        self.linear_pred = nn.Conv2d(size.decoder, 1, 1)

    def forward(self, levels: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Give logits (B,1,h,w) and fused maps of levels, finest first."""
        linears = (self.linear_c1, self.linear_c2, self.linear_c3, self.linear_c4)
        parts = [
            functional.interpolate(
                linear(level),
                size=levels[0].shape[2:],
                mode="bilinear",
                align_corners=False,
            )
            for linear, level in zip(linears, levels, strict=True)
        ]
        fused = self.linear_fuse(torch.cat(parts[::-1], 1))
        return self.linear_pred(self.dropout(fused)), fused


class _Extractor(nn.Module):
    """Holds backbone and decoder under the official key."""

    def __init__(self, size: SegFormerSize) -> None:
        super().__init__()
        self.backbone = _Backbone(size)
        self.decode_head = _Decoder(size)


class SegFormer(Network):
    """Image and prompt to logits at a quarter of their size.

    ``maps_transform`` takes no part in the computation; it is here because the
    published checkpoints hold it.

    Parameters
    ----------
    config : NetworkConfig
        Of the network.
    size : SegFormerSize
        What the weights have to agree on.
    """

    def __init__(self, config: NetworkConfig, size: SegFormerSize) -> None:
        super().__init__(config)
        self.normalise = NormaliseRGB()
        self.maps_transform = nn.Sequential(
            nn.Conv2d(3, 16, 3, 1, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(16, 32, 3, 1, 1),
            Scale(),
        )
        self.feature_extractor = _Extractor(size)

    def takes_part(self, name: str) -> bool:
        """Whether the answer depends on a parameter."""
        return not name.startswith("maps_transform.")

    def is_encoder(self, name: str) -> bool:
        """Whether a parameter belongs to what a pretrained encoder brings."""
        prefix = "feature_extractor.backbone."
        return name.startswith(prefix) and "side1" not in name

    def first_stage(self, image: Tensor) -> Tensor:
        """Give maps (B,C,h/4,w/4) of RGB (B,3,h,w) in [0, 1]."""
        return self.feature_extractor.backbone.stage(1, self.normalise(image))

    def other_stages(self, first: Tensor, prompt: Tensor) -> tuple[Tensor, Tensor]:
        """Give logits and maps for a prompt (B,3,h,w): prior and click disks."""
        backbone = self.feature_extractor.backbone
        levels, maps = [first], first + backbone.prompt(prompt)
        for number in (2, 3, 4):
            maps = backbone.stage(number, maps)
            levels.append(maps)
        logits, fused = self.feature_extractor.decode_head(levels)
        return logits, fused
