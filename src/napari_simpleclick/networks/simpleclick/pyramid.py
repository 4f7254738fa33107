"""From the maps of a plain Vision Transformer to logits: simple pyramid, all-MLP head.

Source: Q. Liu, Z. Xu, G. Bertasius, M. Niethammer, "SimpleClick: Interactive Image
Segmentation with Simple Vision Transformers", ICCV 2023, and the behaviour of the
released code where the paper is silent or differs (the two-layer head, GroupNorm in the
pyramid). Module names follow the released checkpoints.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(1, channels)


class Pyramid(nn.Module):
    """Simple feature pyramid: 4x, 2x, 1x and 1/2x of the token grid."""

    def __init__(
        self, width: int, out: tuple[int, int, int, int], single: bool
    ) -> None:
        super().__init__()
        self.single = single
        c4 = max(2 * out[0], width // 2)
        c8 = max(out[1], width // 2)
        c32 = max(out[3], 2 * width)
        self.down_4 = nn.Sequential(
            nn.ConvTranspose2d(width, c4, 2, stride=2),
            _norm(c4),
            nn.GELU(),
            nn.ConvTranspose2d(c4, c4 // 2, 2, stride=2),
            _norm(c4 // 2),
            nn.Conv2d(c4 // 2, out[0], 1),
            _norm(out[0]),
            nn.GELU(),
        )
        self.down_8 = nn.Sequential(
            nn.ConvTranspose2d(width, c8, 2, stride=2),
            _norm(c8),
            nn.Conv2d(c8, out[1], 1),
            _norm(out[1]),
            nn.GELU(),
        )
        self.down_16 = nn.Sequential(
            nn.Conv2d(width, out[2], 1), _norm(out[2]), nn.GELU()
        )
        self.down_32 = nn.Sequential(
            nn.Conv2d(width, c32, 2, stride=2),
            _norm(c32),
            nn.Conv2d(c32, out[3], 1),
            _norm(out[3]),
            nn.GELU(),
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor | None]:
        """Four levels from four maps (B,width,rows,columns), finest first."""
        if self.single:
            return [None, None, self.down_16(maps[2]), None]
        levels = (self.down_4, self.down_8, self.down_16, self.down_32)
        return [level(map_) for level, map_ in zip(levels, maps, strict=True)]


def _upsampler(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(channels, out, 2, stride=2),
        _norm(out),
        nn.Conv2d(out, out, 1),
        _norm(out),
        nn.GELU(),
    )


class _Conv(nn.Module):
    """1x1 convolution; the extra level gives the official key ``conv``."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 1)
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.conv(features)
        return result


class Head(nn.Module):
    """All-MLP head: one logit at the resolution of the finest pyramid level.

    ``up_conv1`` and ``up_conv2`` are stored in the published checkpoints but unused
    by the published models.

    Parameters
    ----------
    levels : tuple of int
        Channels of the pyramid.
    channels : int
        Working width.
    upsamplers : bool
        Whether to hold ``up_conv1`` and ``up_conv2``.
    """

    def __init__(
        self,
        levels: tuple[int, int, int, int],
        channels: int,
        upsamplers: bool = True,
    ) -> None:
        super().__init__()
        self.conv_seg = nn.Conv2d(channels, 1, 1)
        self.dropout = nn.Dropout2d(0.1)
        self.convs = nn.ModuleList(_Conv(level, channels) for level in levels)
        self.fusion_conv = _Conv(4 * channels, channels)
        if upsamplers:
            self.up_conv1 = _upsampler(channels, channels // 2)
            self.up_conv2 = _upsampler(channels // 2, channels // 4)

    def forward(self, levels: list[Tensor | None]) -> Tensor:
        """Logits (B,1,h,w) from the pyramid levels, some of which may be missing.

        The published order is resize, concatenate, fuse. Fusing is linear, so each
        level is fused at its own resolution and resized afterwards, which gives the
        same numbers with a quarter of the work.
        """
        size = next(level.shape[2:] for level in levels if level is not None)
        fusion = self.fusion_conv.conv
        parts = fusion.weight.chunk(len(levels), dim=1)
        fused: Tensor | None = None
        for conv, level, part in zip(self.convs, levels, parts, strict=True):
            if level is None:
                continue
            bias = fusion.bias if fused is None else None
            mixed = functional.conv2d(functional.relu(conv(level)), part, bias)
            mixed = functional.interpolate(
                mixed, size=size, mode="bilinear", align_corners=False
            )
            fused = mixed if fused is None else fused + mixed
        assert fused is not None
        logits: Tensor = self.conv_seg(self.dropout(functional.relu(fused)))
        return logits
