"""FocalClick's refiner: a small network that looks closely at what has changed."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_simpleclick.networks.attempt import Refinement

WIDTH = 32
"""Channels throughout."""


def align_boxes(
    maps: Tensor, boxes: Tensor, size: tuple[int, int], scale: float = 1.0
) -> Tensor:
    """Sample boxes of maps, each to one size.

    Source: K. He et al., "Mask R-CNN", ICCV 2017, in the variant with half a pixel's
    shift and as many samples in a bin as it has pixels. Bilinear samples on a lattice
    are two matrix products.

    Parameters
    ----------
    maps : Tensor
        (B,C,H,W).
    boxes : Tensor
        (N, 5): which of the batch, then left, top, right, bottom.
    size : tuple of int
        (height, width) of the result.
    scale : float
        Pixels of ``maps`` over the unit of the boxes.

    Returns
    -------
    Tensor
        (N,C,height,width).
    """
    samples = []
    for number, left, top, right, bottom in boxes.tolist():
        down = _sampling(top * scale, bottom * scale, maps.shape[2], size[0])
        across = _sampling(left * scale, right * scale, maps.shape[3], size[1])
        one = maps[int(number)]
        samples.append(down.to(one) @ one @ across.to(one).T)
    return torch.stack(samples)


def _sampling(low: float, high: float, length: int, count: int) -> Tensor:
    """Matrix (count, length) of mean bilinear weights of ``count`` bins."""
    step = (high - low) / count
    samples = max(1, math.ceil(step))
    steps = torch.arange(count * samples, dtype=torch.float64)
    places = low - 0.5 + (steps + 0.5) * step / samples
    inside = (places >= -1) & (places <= length)
    places = places.clamp(0, length - 1)
    lower = places.long()
    upper = (lower + 1).clamp(max=length - 1)
    share = places - lower
    weights = functional.one_hot(lower, length) * (1 - share)[:, None]
    weights = weights + functional.one_hot(upper, length) * share[:, None]
    weights = weights * inside[:, None]
    return weights.view(count, samples, length).mean(1)


class _Conv(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, WIDTH, kernel, stride, kernel // 2)
        self.norm = nn.BatchNorm2d(WIDTH)

    def forward(self, maps: Tensor) -> Tensor:
        """Turn maps (B,channels,h,w) to (B,WIDTH,h/stride,w/stride)."""
        return functional.relu(self.norm(self.conv(maps)))


class _Separable(nn.Module):
    """Depth-wise 3x3 and 1x1 convolution, batch norm, ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.conv3x3 = nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH)
        self.conv1x1 = nn.Conv2d(WIDTH, WIDTH, 1)
        self.norm = nn.BatchNorm2d(WIDTH)

    def forward(self, maps: Tensor) -> Tensor:
        """Turn maps (B,WIDTH,h,w) to the same shape."""
        return functional.relu(self.norm(self.conv1x1(self.conv3x3(maps))))


class Refiner(nn.Module):
    """Focus crop, its disks and what the segmentor knows of it, to finer logits.

    Parameters
    ----------
    channels : int
        Of the segmentor's maps.
    gate : bool
        Whether to hold a layer that some published checkpoints hold; it is unused.
    """

    def __init__(self, channels: int, gate: bool) -> None:
        super().__init__()
        self.image_conv1 = _Conv(6, 3, 2)
        self.image_conv2 = _Separable()
        self.image_conv3 = _Separable()
        self.refine_fusion = _Conv(channels, 1, 1)
        self.refine_fusion2 = _Separable()
        self.refine_fusion3 = _Separable()
        self.refine_pred = nn.Conv2d(WIDTH, 1, 3, padding=1)
        self.refine_trimap = nn.Conv2d(WIDTH, 1, 3, padding=1)
        if gate:
            self.feature_gate = nn.Sequential(nn.Conv2d(WIDTH, 1, 1))

    def forward(
        self,
        image: Tensor,
        disks: Tensor,
        maps: Tensor,
        logits: Tensor,
        boxes: Tensor,
    ) -> Refinement:
        """Refine the answer on a focus crop.

        Parameters
        ----------
        image : Tensor
            (B,3,h,w) RGB in [0, 1] of the focus crops, not normalised.
        disks : Tensor
            (B,2,h,w) positive and negative click disks on them.
        maps : Tensor
            (B,channels,h',w') of the segmentor.
        logits : Tensor
            (B,1,H,W) of the segmentor.
        boxes : Tensor
            (B,5): which of the batch, then left, top, right and bottom of the focus
            crops, px of ``logits``.

        Returns
        -------
        Refinement
            Logits on the focus crops.
        """
        size = (image.shape[2], image.shape[3])
        coarse = align_boxes(logits, boxes, size)
        scale = maps.shape[3] / logits.shape[3]
        inner = align_boxes(maps, boxes, (maps.shape[2], maps.shape[3]), scale)
        fine = self.image_conv1(torch.cat([image, disks, coarse.sigmoid()], 1))
        fine = self.image_conv3(self.image_conv2(fine))
        fine = fine + _resized(self.refine_fusion(inner), fine)
        fine = self.refine_fusion3(self.refine_fusion2(fine))
        detail = _resized(self.refine_pred(fine), coarse)
        boundary = _resized(self.refine_trimap(fine), coarse)
        share = boundary.sigmoid()
        return Refinement(share * detail + (1 - share) * coarse, coarse, boundary)


def _resized(maps: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(
        maps, size=like.shape[2:], mode="bilinear", align_corners=True
    )
