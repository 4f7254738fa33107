"""MST's tokens: patches of three sizes from the weights of one.

Source: L. Xu et al., "Adaptive Multi-Scale Tokens Guided Interactive Segmentation"
(MST), and the behaviour of its released code; for the kernels, L. Beyer et al.,
"FlexiViT", CVPR 2023.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

PATCH = 16
"""Side of the base patches, px."""

SMALL, LARGE = 8, 32
"""Sides of the other patches, px."""


@cache
def _inverse(side: int) -> Tensor:
    """Matrix (side², PATCH²) that makes a kernel of another size of a flat one.

    The pseudo-inverse of what resizing does to an image: a resized patch gives with the
    new kernel what the patch gives with the old one.
    """
    with torch.inference_mode(False), torch.device("cpu"):
        basis = torch.eye(PATCH**2).view(-1, 1, PATCH, PATCH)
        images = functional.interpolate(
            basis, size=(side, side), mode="bicubic", antialias=True
        )
        inverse: Tensor = torch.linalg.pinv(images.flatten(1))
        return inverse


def resized_kernel(kernel: Tensor, side: int) -> Tensor:
    """Kernel (d,3,side,side) of one (d,3,PATCH,PATCH)."""
    if side == PATCH:
        return kernel
    inverse = _inverse(side).to(kernel)
    return (kernel.flatten(2) @ inverse.T).reshape(*kernel.shape[:2], side, side)


def resized_positions(
    embedding: Tensor, stored: tuple[int, int], grid: tuple[int, int]
) -> Tensor:
    """Interpolate a position embedding to another grid, bicubic with antialiasing.

    Parameters
    ----------
    embedding : Tensor
        (1, 1 + rows·columns, d); the first row, a class token's, is left out.
    stored, grid : tuple of int
        Present and wanted (rows, columns).

    Returns
    -------
    Tensor
        (1, N, d).
    """
    patches = embedding[:, 1:]
    if grid == stored:
        return patches
    image = patches.transpose(1, 2).reshape(1, -1, *stored)
    image = functional.interpolate(image, size=grid, mode="bicubic", antialias=True)
    return image.flatten(2).transpose(1, 2)


def clicked_tokens(points: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Find the base tokens that positive clicks lie in.

    Parameters
    ----------
    points : Tensor
        (B, 2N, 2 or more): row, column in px of N positive slots, then N negative
        ones; padding is (-1, -1).
    size : tuple of int
        (height, width) of the input, px.

    Returns
    -------
    Tensor
        (B, N) int64 indices, 0 where there is no click on the input.
    Tensor
        (B, N) bool, whether there is one.
    """
    positive = points[:, : points.shape[1] // 2, :2].float()
    limits = positive.new_tensor(size)
    valid = ((positive >= 0) & (positive < limits)).all(2)
    cells = (positive / PATCH).floor().long()
    indices = cells[..., 0] * (size[1] // PATCH) + cells[..., 1]
    return torch.where(valid, indices, 0), valid
