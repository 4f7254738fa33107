"""What a network, or plain image processing, says about each place of a view."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.nn import functional

if TYPE_CHECKING:
    from napari_simpleclick.networks import Features

Map = NDArray[np.float32]

STRIDE = 8
"""Pixels of the network's input between two places."""

FINEST, COARSEST = 1 / 7, 1 / 40
"""Scales of the maps that tell what something is; finer ones tell where it ends."""

BLURS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Standard deviations, px of the network's input, of what is measured of the pixels."""


@dataclass(frozen=True, eq=False)
class Descriptors:
    """Numbers about each place of a view, one for every eight pixels.

    Parameters
    ----------
    values : ndarray
        (D, h, w) float32.
    """

    values: Map

    @classmethod
    def of(cls, features: Features | None, pixels: Map) -> Descriptors:
        """Describe a view.

        Parameters
        ----------
        features : tuple of Tensor or None
            What a network that encodes once made of it; None describes its pixels.
        pixels : ndarray
            (H, W) or (H, W, 3) float32 in [0, 1], as the network was shown it.
        """
        size = (pixels.shape[0] // STRIDE, pixels.shape[1] // STRIDE)
        maps = [] if features is None else _network_maps(features, pixels.shape, size)
        maps = maps or _pixel_maps(pixels, size)
        return cls(np.concatenate(maps))

    @property
    def size(self) -> tuple[int, int]:
        """(h, w): rows and columns of places."""
        return self.values.shape[1], self.values.shape[2]

    @property
    def rows(self) -> Map:
        """(h * w, D), a row for each place."""
        return self.values.reshape(len(self.values), -1).T

    def pooled(self, inside: Map, around: Map) -> Map:
        """Average over an object, and how that differs from what is around it.

        Parameters
        ----------
        inside, around : ndarray
            (h, w) float32 in [0, 1]: share of the object, and of its surroundings.

        Returns
        -------
        ndarray
            (2 D,) float32.
        """
        flat = self.values.reshape(len(self.values), -1)
        own, rest = (
            flat @ (part.ravel() / max(float(part.sum()), 1e-6))
            for part in (inside, around)
        )
        return np.concatenate([own, own - rest]).astype(np.float32)


def _network_maps(
    features: Features, shape: tuple[int, ...], size: tuple[int, int]
) -> list[Map]:
    """Give the maps that a network made, each of unit length at each place."""
    found = []
    for part in features:
        if part.ndim != 4 or not COARSEST <= part.shape[3] / shape[1] <= FINEST:
            continue
        unit = functional.normalize(part[:1].float(), dim=1)
        unit = functional.interpolate(
            unit, size=size, mode="bilinear", align_corners=False
        )
        found.append(unit[0].cpu().numpy())
    return found


def _pixel_maps(pixels: Map, size: tuple[int, int]) -> list[Map]:
    """Brightness, edges and texture at several scales."""
    gray = pixels.mean(2) if pixels.ndim == 3 else pixels
    gray = np.ascontiguousarray(gray, np.float32)
    blurred = [cv2.GaussianBlur(gray, (0, 0), sigma) for sigma in BLURS]
    maps = [*blurred, *(fine - coarse for fine, coarse in pairwise(blurred))]
    for sigma, image in zip(BLURS, blurred, strict=True):
        squares = cv2.GaussianBlur((gray - image) ** 2, (0, 0), sigma)
        slope = np.hypot(cv2.Sobel(image, -1, 1, 0), cv2.Sobel(image, -1, 0, 1))
        maps += [np.sqrt(np.maximum(squares, 0)), sigma * slope]
    if pixels.ndim == 3:
        maps += [
            cv2.GaussianBlur(pixels[..., channel] - gray, (0, 0), sigma)
            for channel in range(2)
            for sigma in (2.0, 8.0)
        ]
    small = [cv2.resize(one, size[::-1], interpolation=cv2.INTER_AREA) for one in maps]
    return [np.stack(small).astype(np.float32)]


def covered(mask: NDArray[np.bool_], size: tuple[int, int]) -> Map:
    """Share of each place (h, w) that a mask of a view covers."""
    share = cv2.resize(
        mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA
    )
    return np.asarray(share, np.float32)
