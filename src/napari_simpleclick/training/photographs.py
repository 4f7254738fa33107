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

from napari_simpleclick.training.colours import vary_colour
from napari_simpleclick.training.multi_points import draw_points, select
from napari_simpleclick.training.parts import Photographs
from napari_simpleclick.training.published_sets import Objects, read_published

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_simpleclick.training.published_sets import SBD, CocoLvis

PUBLISHED: dict[str, Photographs] = {
    "sbd": Photographs(scales=(0.75, 1.25), keep_background=0.01, least_px=80),
    "coco-lvis": Photographs(scales=(0.75, 1.40), keep_background=0.05, least_px=1000),
}
"""How samples are made by set, from SimpleClick's configurations."""

ROTATED = ("sbd",)
"""Sets whose photographs are turned and tilted, and flipped both ways."""

STRETCH = (0.8, 0.4)
"""Mean and standard deviation of the sides of stretched windows over the image's,"""

STRETCH_LIMITS = (0.3, 1.3)
"""and their least and largest values."""

STRETCH_FLIP = 0.3
"""Probability of flipping a stretched window, in each direction."""

TRIES = 20
"""Crops of one photograph after which another one is drawn."""

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
    how : Photographs
        With scales, least area of objects, and probability of crops without any.
    rotate : bool
        Whether to turn, tilt and shift photographs, and to flip them both ways.
    shares : ndarray or None
        Probability of each photograph (n,); None for equal ones.
    """

    def __init__(
        self,
        images: SBD | CocoLvis,
        *,
        size: int,
        seed: int,
        how: Photographs,
        rotate: bool = False,
        shares: NDArray[np.float64] | None = None,
    ) -> None:
        self.images, self.size, self.seed = images, size, seed
        self.how, self.rotate, self.shares = how, rotate, shares

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Sample ``number``: image (3,S,S), target and prior (1,S,S), points (48,2).

        All are float32; the image is in [0, 1], the target 0 or 1, the prior 0, and
        the points are as :func:`draw_points` makes them.
        """
        rng = np.random.default_rng((self.seed, number))
        crop = self._crop(rng)
        masks, parts = (
            [mask for mask in group if mask.sum() >= (self.how.least_px or 0)]
            for group in (crop.masks, crop.parts)
        )
        selected = select(masks, rng)
        none = np.zeros((self.size, self.size), bool)
        target = np.logical_or.reduce([none, *selected])
        objects = np.logical_or.reduce([none, *crop.masks, *crop.parts])
        alone = len(selected) == len(masks) + len(parts)
        picture = vary_colour(crop.image, rng, self.how).transpose(2, 0, 1)
        first = self.how.first_click
        return (
            torch.from_numpy(picture.astype(np.float32) / 255),
            torch.from_numpy(target)[None].float(),
            torch.zeros(1, self.size, self.size),
            torch.from_numpy(draw_points(selected, target, objects, alone, rng, first)),
        )

    def _crop(self, rng: np.random.Generator) -> Objects:
        """Draw crops until one has an object, or an empty one is accepted."""
        count, tries = len(self.images), 0
        # the released code of FocalClick draws again where an object is too small
        least = (self.how.least_px or 1) if self.how.stretched else 1
        while True:
            if tries % TRIES == 0:
                index = int(
                    rng.integers(count)
                    if self.shares is None
                    else rng.choice(count, p=self.shares)
                )
                whole = self.images.draw(index, rng)
            tries += 1
            crop = self._moved(whole, rng)
            if (
                not whole.masks
                or any(mask.sum() >= least for mask in crop.masks)
                or rng.random() < (self.how.keep_background or 0)
            ):
                return crop

    def _moved(self, whole: Objects, rng: np.random.Generator) -> Objects:
        """Draw one crop; objects that are too large are kept from being targets."""
        scales = self.how.scales or (1.0, 1.0)
        if self.how.stretched:
            move = _draw_stretch(whole.image, self.size, rng)
        else:
            move = _draw_move(whole.image, self.size, scales, self.rotate, rng)
        masks, parts = (
            [self._cleaned(move(mask.view(np.uint8), False)) for mask in group]
            for group in (whole.masks, whole.parts)
        )
        limit = self.how.largest * self.size**2
        if self.how.largest < 1:
            parts += [mask for mask in masks if mask.sum() > limit]
            masks = [mask for mask in masks if mask.sum() <= limit]
        return Objects(move(whole.image, True), masks, parts)

    def _cleaned(self, layer: Picture) -> NDArray[np.bool_]:
        """Leave out parts of a mask that are too small."""
        if not self.how.part_px or not layer.any():
            return layer > 0
        _, parts, stats, _ = cv2.connectedComponentsWithStats(
            (layer > 0).view(np.uint8)
        )
        kept = stats[:, cv2.CC_STAT_AREA] >= self.how.part_px
        kept[0] = False
        return np.asarray(kept[parts])


def published_samples(
    name: str, root: Path, size: int, seed: int, how: Photographs | None = None
) -> PhotographSamples:
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
    how : Photographs or None
        What differs from how SimpleClick was trained on it.

    Raises
    ------
    UserError
        If the set cannot be read.
    """
    how = how or Photographs()
    images = read_published(name, root, how.stuff)
    usual = PUBLISHED[name].model_dump(exclude_none=True, exclude_unset=True)
    own = how.model_dump(exclude_none=True, exclude_unset=True)
    return PhotographSamples(
        images,
        size=size,
        seed=seed,
        how=Photographs(**{**usual, **own}),
        rotate=name in ROTATED,
        shares=images.shares,
    )


def _draw_move(
    image: Picture,
    size: int,
    scales: tuple[float, float],
    rotate: bool,
    rng: np.random.Generator,
) -> Callable[[Picture, bool], Picture]:
    """Draw a crop of a scaled, flipped and turned image; it takes any of its layers.

    What is given back takes a layer, and whether it is smooth or has numbers.
    """
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

    def move(layer: Picture, smooth: bool) -> Picture:
        interpolation = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
        moved: NDArray[Any] = cv2.resize(layer, scaled, interpolation=interpolation)
        if code is not None:
            moved = cv2.flip(moved, code)
        moved = np.ascontiguousarray(np.rot90(moved, turns))
        if tilt is not None:
            moved = cv2.warpAffine(moved, tilt, shape[::-1], flags=interpolation)
        moved = cv2.copyMakeBorder(moved, *pads, cv2.BORDER_CONSTANT)
        return np.asarray(moved[top : top + size, left : left + size], np.uint8)

    return move


def _draw_stretch(
    image: Picture, size: int, rng: np.random.Generator
) -> Callable[[Picture, bool], Picture]:
    """Draw a window of any aspect ratio, brought to one size; see :func:`_draw_move`.

    Source: the released code of FocalClick (X. Chen et al., CVPR 2022), but for a slip
    in it that makes most windows end at the right edge of the image.
    """
    shape = image.shape[:2]
    spans, pads = [], []
    for length in shape:
        ratio = 2.0
        while not STRETCH_LIMITS[0] <= ratio <= STRETCH_LIMITS[1]:
            ratio = rng.normal(*STRETCH)
        side = max(1, round(length * ratio))
        missing = max(0, side - length)
        pads.append((missing // 2, missing - missing // 2))
        low = int(rng.integers(max(0, length - side) + 1))
        spans.append(slice(low, low + side))
    flips = [axis for axis in (0, 1) if rng.random() < STRETCH_FLIP]

    def move(layer: Picture, smooth: bool) -> Picture:
        levels = layer if smooth else layer * np.uint8(255)
        padded = np.pad(levels, [*pads, (0, 0)][: levels.ndim])
        window = np.ascontiguousarray(np.flip(padded[tuple(spans)], tuple(flips)))
        moved = cv2.resize(window, (size, size), interpolation=cv2.INTER_LINEAR)
        return np.asarray(moved if smooth else moved > 127, np.uint8)

    return move


def _draw_tilt(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[Any]:
    """Matrix of a slight rotation around the centre, and a slight shift."""
    height, width = shape
    angle, down, right = rng.uniform((-3, -0.03, -0.03), (3, 0.03, 0.03))
    tilt: NDArray[Any] = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
    tilt[:, 2] += right * width, down * height
    return tilt
