"""Weights and inputs that published networks were run on, made from formulas."""

from __future__ import annotations

import zlib

import numpy as np
import torch


def fill_by_formula(network: torch.nn.Module) -> None:
    """Fill every floating-point tensor from its name and its flat indices."""
    for key, tensor in network.state_dict().items():
        if not tensor.is_floating_point():
            continue
        values = _hash(np.arange(tensor.numel()) + zlib.crc32(key.encode()))
        if tensor.ndim == 1:
            ends = (".weight", "running_var", "gamma_1", "gamma_2")
            values = 1 + 0.1 * values if key.endswith(ends) else 0.05 * values
        elif tensor.ndim == 3:
            values = 0.1 * values
        else:
            values = values * np.sqrt(3 / (tensor.numel() / max(len(tensor), 1)))
        values = values.astype(np.float32).reshape(tuple(tensor.shape))
        tensor.copy_(torch.from_numpy(values))


def _hash(numbers: np.ndarray) -> np.ndarray:
    """Whole numbers to float64 in [-1, 1), well mixed."""
    x = numbers.astype(np.uint64) & 0xFFFFFFFF
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= x >> np.uint64(shift)
        x = x * np.uint64(factor) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    return 2 * x.astype(np.float64) / 2**32 - 1


def image_and_prior(
    height: int, width: int | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Give RGB (1,3,H,W) in [0, 1] and a prior (1,1,H,W)."""
    y, x = np.mgrid[:height, : width or height].astype(np.float64)
    rgb = [
        0.5 + 0.5 * np.sin(x / 17 + y / 29),
        0.5 + 0.5 * np.cos(x / 11 - y / 37),
        0.5 + 0.5 * np.sin(x * y / 5000),
    ]
    distance = np.sqrt((x - 200) ** 2 + (y - 180) ** 2)
    prior = 1 / (1 + np.exp(-(90 - distance) / 10))
    return (
        torch.from_numpy(np.stack(rgb).astype(np.float32))[None],
        torch.from_numpy(prior.astype(np.float32))[None, None],
    )
