"""The light half of the encode-once network: image maps and a prompt to logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

PROMPT = (16, 32, 48, 64, 96)
"""Channels of the prompt at 1/2 to 1/32."""

COARSE, MIDDLE, FINE, FINER, FINEST = 256, 160, 64, 32, 16
"""Working channels at 1/32, 1/16, 1/8, 1/4 and 1/2."""

HEAD_CHANNELS = 32
"""Channels of one attention head."""


class PromptPyramid(nn.Module):
    """Prior and click disks at the five scales of the image maps."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList()
        channels = 3
        for out in PROMPT:
            self.levels.append(
                nn.Sequential(
                    nn.Conv2d(channels, out, 3, 2, 1), nn.GroupNorm(8, out), nn.GELU()
                )
            )
            channels = out

    def forward(self, prompt: Tensor) -> list[Tensor]:
        """Give maps at 1/2 to 1/32 of a prompt (B,3,H,W)."""
        maps = []
        for level in self.levels:
            prompt = level(prompt)
            maps.append(prompt)
        return maps


class Residual(nn.Module):
    """Normalise and convolve twice, added to the input; begins as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, maps: Tensor) -> Tensor:
        """Turn maps (B,C,h,w) to the same shape."""
        inner = functional.gelu(self.first(self.norm(maps)))
        result: Tensor = maps + self.second(inner)
        return result


class PooledAttention(nn.Module):
    """Transformer block whose keys and values may be pooled.

    Source of the pooling: W. Wang et al., "Pyramid Vision Transformer", ICCV 2021
    (spatial reduction), with plain averages.

    Parameters
    ----------
    channels : int
        Width of a token.
    pool : int
        Side of the squares of tokens whose average makes one key; 1 keeps all.
    """

    def __init__(self, channels: int, pool: int) -> None:
        super().__init__()
        self.pool, self.heads = pool, channels // HEAD_CHANNELS
        self.norm1 = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(channels, 2 * channels)
        self.out = nn.Linear(channels, channels)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 3 * channels),
            nn.GELU(),
            nn.Linear(3 * channels, channels),
        )

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Tokens (B,N,C) of a grid (rows, columns) to the same shape."""
        plain = self.norm1(tokens)
        seen = plain
        if self.pool > 1:
            maps = plain.transpose(1, 2).reshape(len(plain), -1, *grid)
            pooled = functional.avg_pool2d(maps, self.pool, ceil_mode=True)
            seen = pooled.flatten(2).transpose(1, 2)
        query = self._split(self.query(plain))
        key, value = (self._split(part) for part in self.key_value(seen).chunk(2, -1))
        mixed = functional.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.out(mixed.transpose(1, 2).flatten(2))
        result: Tensor = tokens + self.mlp(self.norm2(tokens))
        return result

    def _split(self, tokens: Tensor) -> Tensor:
        """Tokens (B,N,C) as (B,heads,N,C/heads)."""
        return tokens.reshape(*tokens.shape[:2], self.heads, -1).transpose(1, 2)


class Transformer(nn.Module):
    """Blocks over a map, with a depth-wise convolution to tell places apart."""

    def __init__(self, channels: int, blocks: int, pool: int) -> None:
        super().__init__()
        self.place = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.blocks = nn.ModuleList(
            PooledAttention(channels, pool) for _ in range(blocks)
        )
        self.norm = nn.LayerNorm(channels)

    def forward(self, maps: Tensor) -> Tensor:
        """Turn maps (B,C,h,w) to the same shape."""
        grid = (maps.shape[2], maps.shape[3])
        tokens = (maps + self.place(maps)).flatten(2).transpose(1, 2)
        for block in self.blocks:
            tokens = block(tokens, grid)
        result: Tensor = self.norm(tokens).transpose(1, 2)
        return result.reshape(len(maps), -1, *grid)


class Join(nn.Module):
    """Sum of projections of a coarser map, the image's and the prompt's."""

    def __init__(self, coarser: int, image: int, prompt: int, out: int) -> None:
        super().__init__()
        self.coarser = nn.Conv2d(coarser, out, 1)
        self.image = nn.Conv2d(image, out, 1)
        self.prompt = nn.Conv2d(prompt, out, 1)

    def forward(self, coarser: Tensor, image: Tensor, prompt: Tensor) -> Tensor:
        """Give maps (B,out,h,w) as large as ``image``; the coarser one is enlarged."""
        large = functional.interpolate(
            self.coarser(coarser),
            size=image.shape[2:],
            mode="bilinear",
            align_corners=False,
        )
        result: Tensor = large + self.image(image) + self.prompt(prompt)
        return result


class Decoder(nn.Module):
    """From five image maps and a prompt to logits.

    Down from 1/8 to 1/32, where most of the attention is, and up again to 1/2, at each
    scale with the image's maps and the prompt's.

    Parameters
    ----------
    channels : sequence of int
        Of the image maps at 1/2 to 1/32.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth, last = channels
        self.prompt = PromptPyramid()
        self.enter = nn.Conv2d(eighth + PROMPT[2], FINE, 1)
        self.enter_block = Residual(FINE)
        self.down_16 = nn.Conv2d(FINE, MIDDLE, 3, 2, 1)
        self.image_16 = nn.Conv2d(sixteenth, MIDDLE, 1)
        self.prompt_16 = nn.Conv2d(PROMPT[3], MIDDLE, 1)
        self.middle = Transformer(MIDDLE, 1, 2)
        self.down_32 = nn.Conv2d(MIDDLE, COARSE, 3, 2, 1)
        self.image_32 = nn.Conv2d(last, COARSE, 1)
        self.prompt_32 = nn.Conv2d(PROMPT[4], COARSE, 1)
        self.coarse = Transformer(COARSE, 4, 1)
        self.up_16 = Join(COARSE, sixteenth, PROMPT[3], MIDDLE)
        self.middle_again = Transformer(MIDDLE, 1, 2)
        self.up_8 = Join(MIDDLE, eighth, PROMPT[2], FINE)
        self.block_8 = Residual(FINE)
        self.up_4 = Join(FINE, quarter, PROMPT[1], FINER)
        self.block_4 = Residual(FINER)
        self.up_2 = Join(FINER, half, PROMPT[0], FINEST)
        self.logit = nn.Conv2d(FINEST, 1, 3, padding=1)

    def forward(self, features: Sequence[Tensor], prompt: Tensor) -> Tensor:
        """Logits (B,1,H,W) of image maps and a prompt (B,3,H,W)."""
        half, quarter, eighth, sixteenth, last = features
        says = self.prompt(prompt)
        fine = self.enter_block(self.enter(torch.cat([eighth, says[2]], 1)))
        middle = self.down_16(fine) + self.image_16(sixteenth) + self.prompt_16(says[3])
        middle = self.middle(middle)
        coarse = self.down_32(middle) + self.image_32(last) + self.prompt_32(says[4])
        coarse = self.coarse(coarse)
        middle = middle + self.up_16(coarse, sixteenth, says[3])
        fine = fine + self.up_8(self.middle_again(middle), eighth, says[2])
        fine = self.block_8(fine)
        finer = self.block_4(self.up_4(fine, quarter, says[1]))
        finest = functional.gelu(self.up_2(finer, half, says[0]))
        return functional.interpolate(
            self.logit(finest),
            size=prompt.shape[2:],
            mode="bilinear",
            align_corners=False,
        )
