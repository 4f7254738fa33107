"""MobileSAM's image encoder: TinyViT, whose last stage keeps the size of its map.

Source: K. Wu et al., "TinyViT: Fast Pretraining Distillation for Small Vision
Transformers", ECCV 2022, and C. Zhang et al., "Faster Segment Anything" (2023).
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_simpleclick.networks.sam.layers import from_windows, in_windows, neck

CLASSES = 1000
"""Of the head that nothing uses; files hold it."""


def normed_conv(
    channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Make a convolution and its batch norm."""
    conv = nn.Conv2d(
        channels, out, kernel, stride, kernel // 2, groups=groups, bias=False
    )
    return nn.Sequential(OrderedDict(c=conv, bn=nn.BatchNorm2d(out)))


class ConvBlock(nn.Module):
    """Widen, look around, narrow, add."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 4 * channels
        self.conv1 = normed_conv(channels, wide, 1)
        self.conv2 = normed_conv(wide, wide, 3, groups=wide)
        self.conv3 = normed_conv(wide, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Work on maps (B,C,H,W)."""
        wide = functional.gelu(self.conv1(maps))
        wide = functional.gelu(self.conv2(wide))
        return functional.gelu(maps + self.conv3(wide))


class Merging(nn.Module):
    """Between two stages: other channels, and half the size unless ``stride`` is 1."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = normed_conv(channels, out, 1)
        self.conv2 = normed_conv(out, out, 3, stride, groups=out)
        self.conv3 = normed_conv(out, out, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Work on maps (B,C,H,W)."""
        maps = functional.gelu(self.conv1(maps))
        out: Tensor = self.conv3(functional.gelu(self.conv2(maps)))
        return out


class Attention(nn.Module):
    """Attention in a window, with a bias for each distance.

    Parameters
    ----------
    width, heads : int
        Of the tokens, and how many parts they are worked on in.
    side : int
        Of the window, tokens.
    """

    apart: Tensor

    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(heads, side * side))
        place = torch.arange(side * side)
        rows, columns = place // side, place % side
        apart = (rows[:, None] - rows).abs() * side + (columns[:, None] - columns).abs()
        self.register_buffer("apart", apart, persistent=False)

    def forward(self, windows: Tensor) -> Tensor:
        """Work on windows (B,side,side,C)."""
        tokens = self.norm(windows.flatten(1, 2))
        parts = self.qkv(tokens).unflatten(2, (self.heads, -1)).transpose(1, 2)
        query, key, value = parts.chunk(3, -1)
        bias = self.attention_biases[:, self.apart].to(query.dtype)
        seen = functional.scaled_dot_product_attention(query, key, value, bias)
        out: Tensor = self.proj(seen.transpose(1, 2).flatten(2))
        return out.reshape(windows.shape)


class Mlp(nn.Module):
    """Each token alone."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Work on tokens (...,C)."""
        out: Tensor = self.fc2(functional.gelu(self.fc1(self.norm(tokens))))
        return out


class Block(nn.Module):
    """Attention in windows, a look at the neighbours, each token alone."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = Attention(width, heads, window)
        self.mlp = Mlp(width)
        self.local_conv = normed_conv(width, width, 3, groups=width)

    def forward(self, maps: Tensor) -> Tensor:
        """Work on maps (B,C,H,W)."""
        last = maps.permute(0, 2, 3, 1)
        windows = self.attn(in_windows(last, self.window))
        last = last + from_windows(windows, (maps.shape[2], maps.shape[3]))
        last = self.local_conv(last.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        mixed: Tensor = last + self.mlp(last)
        return mixed.permute(0, 3, 1, 2)


class Stage(nn.Module):
    """Blocks, and what leads to the next stage."""

    def __init__(self, blocks: list[nn.Module], downsample: Merging | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = downsample

    def forward(self, maps: Tensor) -> Tensor:
        """Work on maps (B,C,H,W)."""
        for block in self.blocks:
            maps = block(maps)
        return maps if self.downsample is None else self.downsample(maps)


class PatchEmbedding(nn.Module):
    """Image to maps at a quarter of its size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = normed_conv(3, width // 2, 3, 2)
        self.seq = nn.Sequential(half, nn.GELU(), normed_conv(width // 2, width, 3, 2))

    def forward(self, image: Tensor) -> Tensor:
        """Work on images (B,3,H,W)."""
        out: Tensor = self.seq(image)
        return out


class TinyViTEncoder(nn.Module):
    """Image to one map at a sixteenth of its size.

    Parameters
    ----------
    widths, depths, heads, windows : tuple of int
        Of the four stages; the first one has neither heads nor windows.
    channels : int
        Of the map.
    """

    def __init__(
        self,
        widths: tuple[int, ...],
        depths: tuple[int, ...],
        heads: tuple[int, ...],
        windows: tuple[int, ...],
        channels: int,
    ) -> None:
        super().__init__()
        self.patch_embed = PatchEmbedding(widths[0])
        stages = []
        for n, width in enumerate(widths):
            blocks: list[nn.Module] = [
                Block(width, heads[n], windows[n]) if n else ConvBlock(width)
                for _ in range(depths[n])
            ]
            strides = (2, 2, 1)
            last = n == len(widths) - 1
            merging = None if last else Merging(width, widths[n + 1], strides[n])
            stages.append(Stage(blocks, merging))
        self.layers = nn.ModuleList(stages)
        self.norm_head = nn.LayerNorm(widths[-1])
        self.head = nn.Linear(widths[-1], CLASSES)
        self.neck = neck(widths[-1], channels)

    def forward(self, image: Tensor) -> Tensor:
        """Give (B,channels,H/16,W/16) of a normalised image (B,3,H,W)."""
        maps = self.patch_embed(image)
        for stage in self.layers:
            maps = stage(maps)
        out: Tensor = self.neck(maps)
        return out
