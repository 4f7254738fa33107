"""UPerHead: maps of four scales to two logits, as InterFormer decodes them.

Source: T. Xiao, Y. Liu, B. Zhou, Y. Jiang, J. Sun, "Unified Perceptual Parsing for
Scene Understanding", ECCV 2018. Module names follow the released checkpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_simpleclick.networks.interformer.backbone import LEVELS

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 64
"""Working channels."""

POOLS = (1, 2, 3, 6)
"""Sides of the maps that the coarsest level is averaged to."""


class _Conv(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, WIDTH, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(WIDTH)

    def forward(self, maps: Tensor) -> Tensor:
        """Turn maps (B,channels,h,w) to (B,WIDTH,h,w)."""
        return functional.relu(self.bn(self.conv(maps)))


def resized(maps: Tensor, like: Tensor) -> Tensor:
    """Resize maps to those of another tensor, bilinear without aligned corners."""
    return functional.interpolate(
        maps, size=like.shape[2:], mode="bilinear", align_corners=False
    )


class UPerHead(nn.Module):
    """Maps at 1/4 to 1/32 to logits (B,2,·,·) at 1/4: background, object."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_seg = nn.Conv2d(WIDTH, 2, 1)
        self.dropout = nn.Dropout2d(0.1)
        self.psp_modules = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(pool), _Conv(LEVELS[3], 1))
            for pool in POOLS
        )
        self.bottleneck = _Conv(LEVELS[3] + len(POOLS) * WIDTH, 3)
        self.lateral_convs = nn.ModuleList(_Conv(level, 1) for level in LEVELS[:3])
        self.fpn_convs = nn.ModuleList(_Conv(WIDTH, 3) for _ in LEVELS[:3])
        self.fpn_bottleneck = _Conv(len(LEVELS) * WIDTH, 3)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Give logits of maps, finest first."""
        top = levels[3]
        pooled = [resized(module(top), top) for module in self.psp_modules]
        coarser = self.bottleneck(torch.cat([top, *pooled], 1))
        outputs = [coarser]
        for number in (2, 1, 0):
            lateral = self.lateral_convs[number](levels[number])
            coarser = lateral + resized(coarser, lateral)
            outputs.insert(0, self.fpn_convs[number](coarser))
        outputs = [resized(output, outputs[0]) for output in outputs]
        logits: Tensor = self.conv_seg(
            self.dropout(self.fpn_bottleneck(torch.cat(outputs, 1)))
        )
        return logits


class AuxiliaryHead(nn.Module):
    """Logits (B,2,·,·) at 1/16, which training alone looks at."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_seg = nn.Conv2d(WIDTH, 2, 1)
        self.convs = nn.Sequential(_Conv(LEVELS[2], 3))
        self.dropout = nn.Dropout2d(0.1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Give logits of maps, finest first."""
        logits: Tensor = self.conv_seg(self.dropout(self.convs(levels[2])))
        return logits
