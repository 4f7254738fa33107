"""Object-contextual representations: each pixel is told what the object looks like.

Source: Y. Yuan, X. Chen, J. Wang, "Object-Contextual Representations for Semantic
Segmentation", ECCV 2020, for a single object.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def _project(channels: int, out: int, times: int = 1) -> nn.Sequential:
    layers: list[nn.Module] = []
    for count in range(times):
        conv = nn.Conv2d(out if count else channels, out, 1, bias=False)
        layers += [conv, nn.Sequential(nn.BatchNorm2d(out), nn.ReLU())]
    return nn.Sequential(*layers)


def object_vector(maps: Tensor, logits: Tensor) -> Tensor:
    """Mean (B,C,1,1) of maps (B,C,h,w), weighted by a softmax over a coarse answer.

    Parameters
    ----------
    maps : Tensor
        (B,C,h,w).
    logits : Tensor
        (B,1,h,w), where the object may be.
    """
    weights = logits.flatten(2).softmax(2)
    return (maps.flatten(2) @ weights.transpose(1, 2)).unsqueeze(3)


class ObjectContext(nn.Module):
    """What an object's vector means at each pixel.

    Attention over objects is over a single one, so each pixel gets all of it:
    ``f_pixel`` and ``f_object``, which compare pixels with objects, are here because
    the published checkpoints hold them.
    """

    def __init__(self, channels: int, key: int) -> None:
        super().__init__()
        self.f_pixel = _project(channels, key, 2)
        self.f_object = _project(channels, key, 2)
        self.f_down = _project(channels, key)
        self.f_up = _project(key, channels)

    def forward(self, vector: Tensor) -> Tensor:
        """Turn a vector (B,C,1,1) to a context of the same shape."""
        result: Tensor = self.f_up(self.f_down(vector))
        return result


class Distribute(nn.Module):
    """Maps and the context of an object to maps of the same shape."""

    def __init__(self, channels: int, key: int) -> None:
        super().__init__()
        self.object_context_block = ObjectContext(channels, key)
        self.conv_bn_dropout = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 1, bias=False),
            nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU()),
            nn.Dropout2d(0.05),
        )

    def forward(self, maps: Tensor, vector: Tensor) -> Tensor:
        """Mix maps (B,C,h,w) with the context of a vector (B,C,1,1)."""
        context = self.object_context_block(vector).expand_as(maps)
        result: Tensor = self.conv_bn_dropout(torch.cat([context, maps], 1))
        return result
