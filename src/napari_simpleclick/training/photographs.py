"""Training samples of photographs, as published for SimpleClick (Liu et al., 2023).

The recipe is that of RITM (Sofiiuk et al., 2021): an image drawn at random, changed and
cropped, one or two of its objects as the target, and many clicks at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from napari_simpleclick.training.multi_points import draw_points, select
from napari_simpleclick.training.published_sets import Objects, read_published

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_simpleclick.training.published_sets import SBD, CocoLvis

PUBLISHED: dict[str, dict[str, Any]] = {
    "sbd": {
        "scales": (0.75, 1.25),
        "rotate": True,
        "min_area": 80,
        "keep_background": 0.01,
    },
    "coco-lvis": {
        "scales": (0.75, 1.40),
        "rotate": False,
        "min_area": 1000,
        "keep_background": 0.05,
    },
}
"""Arguments of :class:`PhotographSamples` by set, from SimpleClick's configurations."""

Picture = NDArray[np.uint8]


class PhotographSamples(Dataset[tuple[Tensor, Tensor, Tensor, Tensor]]):
    """Endless samples of photographs, each a function of the seed and its number alone.

    Parameters
    ----------
    images : SBD or CocoLvis
        The photographs.
    size : int
        Side of a sample, px.
    seed : int
        Seed of all draws.
    scales : tuple of float
        Least and largest factor that photographs are scaled by.
    rotate : bool
        Whether to turn, tilt and shift photographs, and to flip them both ways.
    min_area : int
        Smaller objects of a crop are no targets, px.
    keep_background : float
        Probability of accepting a crop without any object, above 0.
    shares : ndarray or None
        Probability of each photograph (n,); None for equal ones.
    """

    def __init__(
        self,
        images: SBD | CocoLvis,
        *,
        size: int,
        seed: int,
        scales: tuple[float, float],
        rotate: bool,
        min_area: int,
        keep_background: float,
        shares: NDArray[np.float64] | None = None,
    ) -> None:
        self.images, self.size, self.seed = images, size, seed
        self.scales, self.rotate = scales, rotate
        self.min_area, self.keep_background = min_area, keep_background
        self.shares = shares

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Sample ``number``: image (3,S,S), target and prior (1,S,S), points (48,2).

        All are float32; the image is in [0, 1], the target 0 or 1, the prior 0, and
        the points are as :func:`draw_points` makes them.
        """
        rng = np.random.default_rng((self.seed, number))
        count, shares = len(self.images), self.shares
        index = int(
            rng.integers(count) if shares is None else rng.choice(count, p=shares)
        )
        crop = self._crop(self.images.draw(index, rng), rng)
        masks, parts = (
            [mask for mask in group if mask.sum() >= self.min_area]
            for group in (crop.masks, crop.parts)
        )
        selected = select(masks, rng)
        none = np.zeros((self.size, self.size), bool)
        target = np.logical_or.reduce([none, *selected])
        objects = np.logical_or.reduce([none, *crop.masks, *crop.parts])
        alone = len(selected) == len(masks) + len(parts)
        picture = vary_colour(crop.image, rng).transpose(2, 0, 1)
        return (
            torch.from_numpy(picture.astype(np.float32) / 255),
            torch.from_numpy(target)[None].float(),
            torch.zeros(1, self.size, self.size),
            torch.from_numpy(draw_points(selected, target, objects, alone, rng)),
        )

    def _crop(self, whole: Objects, rng: np.random.Generator) -> Objects:
        """Draw crops until one has an object, or an empty one is accepted."""
        while True:
            move = _draw_move(whole.image, self.size, self.scales, self.rotate, rng)
            masks, parts = (
                [move(mask.view(np.uint8), cv2.INTER_NEAREST) > 0 for mask in group]
                for group in (whole.masks, whole.parts)
            )
            if (
                not whole.masks
                or any(mask.any() for mask in masks)
                or rng.random() < self.keep_background
            ):
                return Objects(move(whole.image, cv2.INTER_LINEAR), masks, parts)


def published_samples(name: str, root: Path, size: int, seed: int) -> PhotographSamples:
    """Make the samples that the published models were trained on.

    Parameters
    ----------
    name : str
        ``sbd`` or ``coco-lvis``.
    root : Path
        Folder of the set, see :func:`~.published_sets.read_published`.
    size : int
        Side of a sample, px; 448 as published.
    seed : int
        Seed of all draws.

    Raises
    ------
    UserError
        If the set cannot be read.
    """
    images = read_published(name, root)
    return PhotographSamples(
        images, size=size, seed=seed, shares=images.shares, **PUBLISHED[name]
    )


def _draw_move(
    image: Picture,
    size: int,
    scales: tuple[float, float],
    rotate: bool,
    rng: np.random.Generator,
) -> Callable[[Picture, int], Picture]:
    """Draw a crop of a scaled, flipped and turned image; it takes any of its layers."""
    scale = rng.uniform(*scales)
    scaled = round(image.shape[1] * scale), round(image.shape[0] * scale)
    codes = (-1, 0, 1) if rotate else (1,)  # of OpenCV: both, vertical, horizontal
    code = int(rng.choice(codes)) if rng.random() < 0.5 else None
    turns = int(rng.integers(4)) if rotate and rng.random() < 0.5 else 0
    shape = scaled[::-1] if turns % 2 == 0 else scaled
    tilt = _draw_tilt(shape, rng) if rotate and rng.random() < 0.75 else None
    missing = [max(0, size - side) for side in shape]
    before = [length // 2 for length in missing]
    after = [length - half for length, half in zip(missing, before, strict=True)]
    pads = before[0], after[0], before[1], after[1]
    top, left = (int(rng.integers(max(0, side - size) + 1)) for side in shape)

    def move(layer: Picture, interpolation: int) -> Picture:
        moved: NDArray[Any] = cv2.resize(layer, scaled, interpolation=interpolation)
        if code is not None:
            moved = cv2.flip(moved, code)
        moved = np.ascontiguousarray(np.rot90(moved, turns))
        if tilt is not None:
            moved = cv2.warpAffine(moved, tilt, shape[::-1], flags=interpolation)
        moved = cv2.copyMakeBorder(moved, *pads, cv2.BORDER_CONSTANT)
        return np.asarray(moved[top : top + size, left : left + size], np.uint8)

    return move


def _draw_tilt(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[Any]:
    """Matrix of a slight rotation around the centre, and a slight shift."""
    height, width = shape
    angle, down, right = rng.uniform((-3, -0.03, -0.03), (3, 0.03, 0.03))
    tilt: NDArray[Any] = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
    tilt[:, 2] += right * width, down * height
    return tilt


def vary_colour(image: Picture, rng: np.random.Generator) -> Picture:
    """Draw brightness and contrast, and shifts of the channels, each with p 0.75.

    Parameters
    ----------
    image : ndarray
        (H, W, 3) uint8.
    rng : numpy.random.Generator
        Source of every draw.

    Returns
    -------
    ndarray
        (H, W, 3) uint8.
    """
    if rng.random() < 0.75:
        contrast, shift = 1 + rng.uniform(-0.15, 0.4), rng.uniform(-0.25, 0.25)
        curve = np.clip(np.arange(256) * contrast + 255 * shift, 0, 255)
        image = curve.astype(np.uint8)[image]
    if rng.random() < 0.75:
        image = np.clip(image + rng.uniform(-10, 10, 3), 0, 255).astype(np.uint8)
    return image
