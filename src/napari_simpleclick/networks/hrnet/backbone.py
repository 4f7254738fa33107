"""High-resolution network: four branches at 1/4 to 1/32 that exchange what they see.

Source: K. Sun, B. Xiao, D. Liu, J. Wang, "Deep High-Resolution Representation Learning
for Human Pose Estimation", CVPR 2019. Module names follow the released checkpoints of
RITM, so their state dicts load as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

STEM = 64
"""Channels of the two strided convolutions that begin it."""

BOTTLENECK = 4
"""Channels of a bottleneck's last convolution over those of its middle one."""


def conv_norm(channels: int, out: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """Give a convolution without bias and its batch norm."""
    conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(out)]


def resized(maps: Tensor, like: Tensor) -> Tensor:
    """Resize maps to those of another tensor, bilinear with aligned corners."""
    return functional.interpolate(
        maps, size=like.shape[2:], mode="bilinear", align_corners=True
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions added to their input, (B,C,h,w) to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_norm(channels, channels, 3)
        self.conv2, self.bn2 = conv_norm(channels, channels, 3)

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve, normalise and add."""
        inner = functional.relu(self.bn1(self.conv1(maps)))
        return functional.relu(maps + self.bn2(self.conv2(inner)))


class Bottleneck(nn.Module):
    """Narrow, filter, widen, added to the input, (B,C,h,w) to (B,4*middle,h,w)."""

    def __init__(self, channels: int, middle: int) -> None:
        super().__init__()
        out = middle * BOTTLENECK
        self.conv1, self.bn1 = conv_norm(channels, middle, 1)
        self.conv2, self.bn2 = conv_norm(middle, middle, 3)
        self.conv3, self.bn3 = conv_norm(middle, out, 1)
        self.downsample = (
            nn.Sequential(*conv_norm(channels, out, 1)) if channels != out else None
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve, normalise and add."""
        inner = functional.relu(self.bn1(self.conv1(maps)))
        inner = functional.relu(self.bn2(self.conv2(inner)))
        inner = self.bn3(self.conv3(inner))
        if self.downsample is not None:
            maps = self.downsample(maps)
        return functional.relu(maps + inner)


class Exchange(nn.Module):
    """One module of a stage: each branch works alone, then each sees all others.

    Parameters
    ----------
    channels : sequence of int
        Of the branches, finest first.
    blocks : int
        Basic blocks of a branch.
    """

    def __init__(self, channels: Sequence[int], blocks: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width) for _ in range(blocks)))
            for width in channels
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(
                self._path(channels, source, target) for source in range(len(channels))
            )
            for target in range(len(channels))
        )

    @staticmethod
    def _path(channels: Sequence[int], source: int, target: int) -> nn.Module:
        """Bring a branch's maps to another's channels, and down to its size."""
        if source == target:
            return nn.Identity()
        if source > target:
            return nn.Sequential(*conv_norm(channels[source], channels[target], 1))
        steps: list[nn.Module] = []
        for step in range(source + 1, target + 1):
            last = step == target
            out = channels[target] if last else channels[source]
            parts = conv_norm(channels[source], out, 3, 2)
            steps.append(nn.Sequential(*parts, *([] if last else [nn.ReLU()])))
        return nn.Sequential(*steps)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Turn the maps of all branches to the same shapes."""
        alone = [branch(one) for branch, one in zip(self.branches, maps, strict=True)]
        together = []
        for target, paths in enumerate(self.fuse_layers):
            assert isinstance(paths, nn.ModuleList)
            parts = [path(one) for path, one in zip(paths, alone, strict=True)]
            total: Tensor = sum(  # type: ignore[assignment]
                resized(part, alone[target]) if source > target else part
                for source, part in enumerate(parts)
            )
            together.append(functional.relu(total))
        return together


class Backbone(nn.Module):
    """Stem and four stages; the prompt joins after the stem's first convolution.

    Parameters
    ----------
    width : int
        Channels of the finest branch; each coarser one has twice as many.
    small : bool
        The smaller variant, with fewer blocks and modules.
    """

    def __init__(self, width: int, small: bool) -> None:
        super().__init__()
        blocks = 2 if small else 4
        modules = (1, 3, 2) if small else (1, 4, 3)
        channels = [width * 2**branch for branch in range(4)]
        self.conv1, self.bn1 = conv_norm(3, STEM, 3, 2)
        self.conv2, self.bn2 = conv_norm(STEM, STEM, 3, 2)
        wide = STEM * BOTTLENECK
        self.layer1 = nn.Sequential(
            Bottleneck(STEM, STEM),
            *(Bottleneck(wide, STEM) for _ in range(blocks - 1)),
        )
        self.transition1 = nn.ModuleList(
            [_entry(wide, channels[0], 1), nn.Sequential(_entry(wide, channels[1], 2))]
        )
        self.transition2 = _new_branch(channels, 2)
        self.transition3 = _new_branch(channels, 3)
        self.stage2, self.stage3, self.stage4 = (
            nn.Sequential(*(Exchange(channels[:stage], blocks) for _ in range(count)))
            for stage, count in enumerate(modules, start=2)
        )

    def stem(self, image: Tensor) -> Tensor:
        """Give maps (B,64,H/2,W/2) of a normalised image, before the prompt joins."""
        return functional.relu(self.bn1(self.conv1(image)))

    def branches(self, stem: Tensor) -> Tensor:
        """Give all branches of a stem with its prompt: (B,15*width,H/4,W/4)."""
        maps = self.layer1(functional.relu(self.bn2(self.conv2(stem))))
        levels = self.stage2([path(maps) for path in self.transition1])
        levels = self.stage3([*levels, self.transition2[2](levels[-1])])
        levels = self.stage4([*levels, self.transition3[3](levels[-1])])
        return torch.cat([levels[0], *(resized(x, levels[0]) for x in levels[1:])], 1)


def _entry(channels: int, out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(*conv_norm(channels, out, 3, stride), nn.ReLU())


def _new_branch(channels: Sequence[int], number: int) -> nn.ModuleList:
    """Transition that leaves the branches as they are and begins a coarser one."""
    begins = nn.Sequential(_entry(channels[number - 1], channels[number], 2))
    return nn.ModuleList([*(nn.Identity() for _ in range(number)), begins])
