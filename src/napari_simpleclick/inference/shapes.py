"""Distances inside and around masks, and masks that are damaged at random."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

AVX512 = 256
"""OpenCV's ``CV_CPU_AVX512_SKX``, which its Python module does not name."""

ALIGNMENT = 64
"""Bytes; the widest vector registers of today's processors."""


def depth(mask: Mask) -> NDArray[np.float32]:
    """Distance of each pixel to the border of a mask, the image border included, px.

    OpenCV's precise Euclidean transform, because that is what defines the protocol:
    which of several equally deep pixels comes first depends on its rounding. That
    rounding depends on where its result lies in memory, so it is given an aligned
    place, and the same mask always has the same next click. Intel's code inside OpenCV
    rounds differently from processor to processor; the published clicks are those of
    its AVX-512 code, and without that it is left out.
    """
    padded = np.pad(mask, 1).astype(np.uint8)
    place = np.empty(4 * padded.size + ALIGNMENT, np.uint8)
    start = -place.ctypes.data % ALIGNMENT
    distance = place[start : start + 4 * padded.size].view(np.float32)
    distance = distance.reshape(padded.shape)
    before = cv2.ipp.useIPP()  # of this thread alone
    cv2.ipp.setUseIPP(before and cv2.checkHardwareSupport(AVX512))
    cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE, distance)
    cv2.ipp.setUseIPP(before)
    return distance[1:-1, 1:-1]


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], cells: float
) -> NDArray[np.float32]:
    """Gaussian noise (H, W) with about ``cells`` bumps along each side."""
    side = max(2, round(cells))
    coarse = rng.standard_normal((side, side), dtype=np.float32)
    fine = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine, np.float32)


def damage(
    mask: Mask, rng: np.random.Generator, low: float = 0.75, high: float = 0.85
) -> Mask:
    """Move the border of a mask by smooth noise and add or cut a piece.

    Parameters
    ----------
    mask : ndarray
        (H, W) bool, not empty.
    rng : numpy.random.Generator
        Source of every draw.
    low, high : float
        IoU that the result has with ``mask``; the defaults are those of DAVIS-585
        (Chen et al., FocalClick, 2022). Objects of a few pixels may miss the range.

    Returns
    -------
    ndarray
        (H, W) bool.
    """
    inside = signed_distance(mask)
    extent = max(float(inside.max()), 1.0)
    rows, columns = np.nonzero(mask)
    span = max(np.ptp(rows), np.ptp(columns)) + 1
    cells = max(mask.shape) / span * rng.uniform(2, 6)
    noise = extent * smooth_noise(rng, mask.shape, min(cells, max(mask.shape) / 4))
    noise += extent * rng.normal(0, 0.3) + _piece(inside, extent, rng)
    weak, strong, wanted = 0.0, 4.0, rng.uniform(low, high)
    best, error = mask, 1.0
    for _ in range(12):
        strength = 0.5 * (weak + strong)
        tried = inside + strength * noise > 0
        overlap = np.count_nonzero(tried & mask) / np.count_nonzero(tried | mask)
        if tried.any() and abs(overlap - wanted) < error:
            best, error = tried, abs(overlap - wanted)
        weak, strong = (strength, strong) if overlap > wanted else (weak, strength)
    return best


def signed_distance(mask: Mask) -> NDArray[np.float32]:
    """Distance to the border of a mask in px, positive inside, negative outside."""
    kinds = (mask.astype(np.uint8), (~mask).astype(np.uint8))
    inner, outer = (
        cv2.distanceTransform(kind, cv2.DIST_L2, cv2.DIST_MASK_5) for kind in kinds
    )
    far = sum(mask.shape)  # where there is no border at all
    return np.asarray(np.clip(inner - outer, -far, far), np.float32)


def _piece(
    inside: NDArray[np.float32], extent: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Bump, positive or negative, around a random place of the border."""
    near = np.abs(inside)
    border = np.argwhere(near <= max(1.5, float(near.min())))
    row, column = border[rng.integers(len(border))]
    radius = extent * rng.uniform(0.5, 2.0)
    rows, columns = np.ogrid[: inside.shape[0], : inside.shape[1]]
    squared = ((rows - row) ** 2 + (columns - column) ** 2) / radius**2
    sign = rng.choice((-3.0, 0.0, 3.0))
    return np.asarray(sign * extent * np.exp(-0.5 * squared), np.float32)
