"""Clicks as disks: the two prompt channels that a network sees."""

from __future__ import annotations

import torch
from torch import Tensor

DISK_RADIUS_PX = 5.0
"""Radius at network resolution in every published SimpleClick model."""


def draw_disks(
    points: Tensor, size: tuple[int, int], radius_px: float = DISK_RADIUS_PX
) -> Tensor:
    """Draw padded lists of clicks as binary disks.

    A pixel belongs to a disk if its squared distance to the unrounded click, in
    float32, is at most the squared radius. A slot is padding only if both of its
    coordinates are negative, so a click just above or left of a crop still shows
    its rim.

    Parameters
    ----------
    points : Tensor
        (B, 2N, 2 or more): row, column in px of N positive slots, then N negative
        ones; padding is (-1, -1). Further columns are ignored.
    size : tuple of int
        (height, width) of the result, px.
    radius_px : float
        Radius, px.

    Returns
    -------
    Tensor
        (B, 2, height, width) float32, 0 or 1: positive, then negative disks.
    """
    batch, slots = points.shape[:2]
    device = points.device
    rows = torch.arange(size[0], dtype=torch.float32, device=device)
    columns = torch.arange(size[1], dtype=torch.float32, device=device)
    centres = points[..., :2].float().reshape(batch * 2, slots // 2, 2)
    disks = torch.zeros(batch * 2, *size, dtype=torch.bool, device=device)
    for slot in range(slots // 2):
        row, column = centres[:, slot, 0, None], centres[:, slot, 1, None]
        padding = torch.maximum(row, column) < 0
        row_gap = torch.where(padding, 1e6, (rows - row) ** 2)
        column_gap = (columns - column) ** 2
        disks |= row_gap[:, :, None] + column_gap[:, None, :] <= radius_px**2
    return disks.view(batch, 2, *size).float()
