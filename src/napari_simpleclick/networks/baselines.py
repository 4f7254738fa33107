"""Classical methods behind the same door as the networks, as a floor for tables.

They see what a network sees: the crop, and the click disks as seeds. Without a negative
click the border of the crop is background. None of them uses the prior mask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from skimage.filters import sobel
from skimage.graph import MCP_Geometric
from skimage.segmentation import random_walker
from torch import Tensor

from napari_simpleclick.errors import UserError
from napari_simpleclick.networks.network import (
    EncodedPrompt,
    Features,
    Network,
    NetworkConfig,
    NetworkSpec,
)

Mask = NDArray[np.bool_]
Method = Callable[[NDArray[np.float32], Mask, Mask], NDArray[np.float32]]
"""(H, W, 3) image in [0, 1], object and background seeds -> (H, W) probability."""

SIDE = 256
"""Side of the crops, px: the random walker takes seconds on larger ones."""

CONTRAST = 30.0
"""Cost of crossing an edge of full contrast, over that of one pixel of flat image."""


@dataclass(frozen=True)
class BaselineConfig(NetworkConfig):
    """Stands where a network has its configuration."""

    image_size: tuple[int, int] = field(default=(SIDE, SIDE), kw_only=True)

    @property
    def spec(self) -> NetworkSpec:
        """What the methods take."""
        return NetworkSpec(self.image_size, prior=False)


class Baseline(Network):
    """A classical method that takes the place of a network in a predictor.

    Parameters
    ----------
    name : {"random-walker", "grabcut", "geodesic"}
        scikit-image's random walker (Grady 2006), OpenCV's GrabCut (Rother et al.
        2004), or the nearer seed in geodesic distance (Bai & Sapiro 2007) with
        scikit-image's minimal cost paths.

    Raises
    ------
    UserError
        If there is no such method.
    """

    def __init__(self, name: str) -> None:
        super().__init__(BaselineConfig())
        if name not in BASELINES:
            raise UserError(
                f"There is no baseline '{name}'; choose one of {', '.join(BASELINES)}."
            )
        self._method = BASELINES[name]

    def encode(self, image: Tensor) -> Features:
        """Give the image (B,3,H,W) in [0, 1] as it is."""
        return (image,)

    def decode(self, features: Features, prompt: EncodedPrompt) -> Tensor:
        """Give logits (B,1,H,W) of an image (B,3,H,W) and a prompt (B,3,H,W)."""
        assert isinstance(prompt, Tensor)
        image, logits = features[0], []
        for picture, maps in zip(image.cpu(), prompt.cpu(), strict=True):
            positive, negative = maps[1:].numpy() > 0.5
            negative &= ~positive
            if not negative.any():
                negative = _border(negative.shape) & ~positive
            channels = picture.permute(1, 2, 0).float().numpy()
            if not positive.any():
                chance = np.zeros(positive.shape, np.float32)
            else:
                chance = self._method(channels, positive, negative)
            logits.append(torch.from_numpy(chance).clamp(1e-4, 1 - 1e-4).logit()[None])
        return torch.stack(logits).to(image.device)


def build_baseline(name: str) -> Network:
    """Build a classical method; its spec says the size of crops that it is meant for.

    Parameters
    ----------
    name : str
        One of :data:`BASELINES`.

    Raises
    ------
    UserError
        If there is no such method.
    """
    return Baseline(name)


def _border(shape: tuple[int, ...]) -> Mask:
    frame = np.ones(shape, bool)
    frame[1:-1, 1:-1] = False
    return frame


def _random_walker(
    image: NDArray[np.float32], positive: Mask, negative: Mask
) -> NDArray[np.float32]:
    seeds = np.where(positive, 1, np.where(negative, 2, 0))
    chances = random_walker(
        image,
        seeds,
        mode="cg_j",
        prob_tol=0.05,
        channel_axis=-1,
        return_full_prob=True,
    )
    return np.asarray(chances[0], np.float32)


def _grabcut(
    image: NDArray[np.float32], positive: Mask, negative: Mask
) -> NDArray[np.float32]:
    state = np.full(positive.shape, cv2.GC_PR_BGD, np.uint8)
    state[cv2.dilate(positive.astype(np.uint8), np.ones((41, 41), np.uint8)) > 0] = (
        cv2.GC_PR_FGD
    )
    state[negative], state[positive] = cv2.GC_BGD, cv2.GC_FGD
    picture = np.ascontiguousarray((image * 255).astype(np.uint8))
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(picture, state, (0, 0, 1, 1), *models, 5, cv2.GC_INIT_WITH_MASK)
    inside = (state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD)
    return np.asarray(inside, np.float32)


def _geodesic(
    image: NDArray[np.float32], positive: Mask, negative: Mask
) -> NDArray[np.float32]:
    cost = 1 + CONTRAST * sobel(image.astype(np.float64), axis=(0, 1)).max(2)
    near, far = (
        MCP_Geometric(cost).find_costs(np.argwhere(seeds))[0]
        for seeds in (positive, negative)
    )
    return np.asarray(far / np.maximum(near + far, 1e-9), np.float32)


BASELINES: dict[str, Method] = {
    "random-walker": _random_walker,
    "grabcut": _grabcut,
    "geodesic": _geodesic,
}
