"""SAM's mask decoder: tokens and an image look at each other, and masks come out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_simpleclick.networks.sam.layers import ChannelNorm, Layers, TwoLayers

MASKS = 4
"""One for a clear prompt, and three for what an unclear one may mean."""

HEADS = 8
DEPTH = 2


class Attention(nn.Module):
    """One set of tokens looks at another.

    Parameters
    ----------
    channels : int
        Of the tokens.
    inner : int
        Of what they are compared by.
    """

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.q_proj = nn.Linear(channels, inner)
        self.k_proj = nn.Linear(channels, inner)
        self.v_proj = nn.Linear(channels, inner)
        self.out_proj = nn.Linear(inner, channels)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Give (B,N,C) of queries (B,N,C), and keys and values (B,M,C)."""
        parts = [
            projected.unflatten(2, (HEADS, -1)).transpose(1, 2)
            for projected in (self.q_proj(query), self.k_proj(key), self.v_proj(value))
        ]
        seen = functional.scaled_dot_product_attention(*parts)
        out: Tensor = self.out_proj(seen.transpose(1, 2).flatten(2))
        return out


class TwoWayBlock(nn.Module):
    """Tokens look at each other and at the image, then the image at the tokens.

    Parameters
    ----------
    channels, hidden : int
        Of tokens and image, and of the layers that work on tokens alone.
    first : bool
        Whether nothing came before: tokens then are what they ask.
    """

    def __init__(self, channels: int, hidden: int, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attn = Attention(channels, channels)
        self.norm1 = nn.LayerNorm(channels)
        self.cross_attn_token_to_image = Attention(channels, channels // 2)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = TwoLayers(channels, hidden, nn.ReLU())
        self.norm3 = nn.LayerNorm(channels)
        self.norm4 = nn.LayerNorm(channels)
        self.cross_attn_image_to_token = Attention(channels, channels // 2)

    def forward(
        self, tokens: Tensor, image: Tensor, asked: Tensor, places: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Give the next tokens (B,N,C) and image (B,M,C)."""
        if self.first:
            tokens = self.norm1(self.self_attn(tokens, tokens, tokens))
        else:
            query = tokens + asked
            tokens = self.norm1(tokens + self.self_attn(query, query, tokens))
        seen = self.cross_attn_token_to_image(tokens + asked, image + places, image)
        tokens = self.norm2(tokens + seen)
        tokens = self.norm3(tokens + self.mlp(tokens))
        seen = self.cross_attn_image_to_token(image + places, tokens + asked, tokens)
        return tokens, self.norm4(image + seen)


class TwoWayTransformer(nn.Module):
    """The blocks, and a last look at the image."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayBlock(channels, hidden, number == 0) for number in range(DEPTH)
        )
        self.final_attn_token_to_image = Attention(channels, channels // 2)
        self.norm_final_attn = nn.LayerNorm(channels)

    def forward(
        self, asked: Tensor, image: Tensor, places: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Give tokens (B,N,C) and image (B,M,C) that have seen each other."""
        tokens = asked
        for layer in self.layers:
            tokens, image = layer(tokens, image, asked, places)
        seen = self.final_attn_token_to_image(tokens + asked, image + places, image)
        return self.norm_final_attn(tokens + seen), image


class MaskDecoder(nn.Module):
    """Image and prompt to masks, and how good each is.

    Parameters
    ----------
    channels, hidden : int
        Of the transformer.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.transformer = TwoWayTransformer(channels, hidden)
        self.iou_token = nn.Embedding(1, channels)
        self.mask_tokens = nn.Embedding(MASKS, channels)
        quarter, eighth = channels // 4, channels // 8
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(channels, quarter, 2, 2),
            ChannelNorm(quarter),
            nn.GELU(),
            nn.ConvTranspose2d(quarter, eighth, 2, 2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            Layers(channels, channels, channels, eighth) for _ in range(MASKS)
        )
        self.iou_prediction_head = Layers(channels, channels, channels, MASKS)

    def forward(
        self, image: Tensor, places: Tensor, points: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Give masks.

        Parameters
        ----------
        image, places, mask : Tensor
            (B,C,h,w), (1,C,h,w) and (B,C,h,w): the image encoder's map, and what the
            prompt encoder says of each cell and of the prior mask.
        points : Tensor
            (B,N,C), the prompt encoder's.

        Returns
        -------
        Tensor
            (B,4,4 h,4 w) logits.
        Tensor
            (B,4) IoU that is expected of each.
        """
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        asked = torch.cat([own.expand(len(points), -1, -1), points], 1)
        flat = (image + mask).flatten(2).transpose(1, 2)
        tokens, seen = self.transformer(asked, flat, places.flatten(2).transpose(1, 2))
        maps = self.output_upscaling(seen.transpose(1, 2).reshape(image.shape))
        weights = torch.stack(
            [
                mlp(tokens[:, 1 + n])
                for n, mlp in enumerate(self.output_hypernetworks_mlps)
            ],
            1,
        )
        masks = torch.einsum("bmc,bchw->bmhw", weights, maps)
        return masks, self.iou_prediction_head(tokens[:, 0])
