"""Training samples: a crop around an object, its mask and its first clicks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from napari_simpleclick.errors import UserError
from napari_simpleclick.inference.shapes import Mask, damage
from napari_simpleclick.training.augment import vary_intensity
from napari_simpleclick.training.bodies import draw_body
from napari_simpleclick.training.flair import as_flair, with_shape_of
from napari_simpleclick.training.images import LabelledImage
from napari_simpleclick.training.sections import add_organelles, whole_section
from napari_simpleclick.training.simulated_clicks import (
    correcting_point,
    draw_box,
    first_points,
)
from napari_simpleclick.training.superpixels import superpixel_object
from napari_simpleclick.training.synthetic import add_lesion, draw_image
from napari_simpleclick.training.tumours import add_tumour

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from napari_simpleclick.training.config import TrainConfig

DRAWN = ("synthetic", "lesions", "bodies", "tumours")
"""Kinds of images that are not read but drawn, wholly or in part."""

SMALLEST_TARGET_PX = 14
"""Shortest extent of a target at network resolution that crops are drawn for."""

SMALL_TARGETS_PX = (10, 64)
"""Extents at network resolution of objects on a whole section."""

LARGEST_ZOOM = 2.5
"""Crops are enlarged no further: at inference 200 px become 448 px at most."""


class Samples(Dataset[tuple[Tensor, Tensor, Tensor, Tensor]]):
    """Endless training samples, each a function of the seed and its number alone.

    Parameters
    ----------
    sets : mapping of str to sequence of LabelledImage
        Images by set.
    config : TrainConfig
        Shares of the sets and of drawn images, kinds of beginnings, seed.
    size : int
        Side of a sample, px.

    Raises
    ------
    UserError
        If tumours are to be drawn into sets that are not there.
    """

    def __init__(
        self,
        sets: Mapping[str, Sequence[LabelledImage]],
        config: TrainConfig,
        size: int,
    ) -> None:
        self.config, self.size = config, size
        self._wholes = [config.wholes.get(name, 0.0) for name in sets]
        self._sections = [config.sections.get(name, 0.0) for name in sets]
        self._flair = [config.flair.get(name, 0.0) for name in sets]
        self._organelles = [config.organelles.get(name, 0.0) for name in sets]
        self._images = [list(images) for images in sets.values()]
        self._objects = [[image.objects() for image in group] for group in self._images]
        shares = [config.weights.get(name, 1.0) for name in sets]
        self._real = np.array(shares) / (sum(shares) or 1.0)
        even = 0.0 if config.heads else 1.0
        heads = np.array([config.heads.get(name, even) for name in sets])
        if config.weights.get("tumours") and not heads.any():
            raise UserError(
                "heads: none of these sets is among the images, so tumours cannot be "
                "drawn; name sets that are there, or leave tumours out of the weights."
            )
        self._heads = heads / (heads.sum() or 1.0)
        shares += [config.weights.get(name, 0.0) for name in DRAWN]
        self._shares = np.array(shares) / sum(shares)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Sample ``number``: image (3,S,S), target and prior (1,S,S), points (48,2)."""
        rng = np.random.default_rng((self.config.seed, number))
        while True:
            image, boxes, section = self._draw_image(rng)
            small = section and rng.random() < 0.5
            cut = self._cut(image, boxes, small, rng)
            if cut is not None:
                break
        picture, target, others = cut
        prior, points = self._begin(target.numpy(), others.numpy(), rng)
        return (
            vary_intensity(picture, rng),
            target[None].float(),
            torch.from_numpy(prior)[None],
            torch.from_numpy(points),
        )

    def _begin(
        self, target: Mask, others: Mask, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Prior (S,S) and points (48,2) that a sample begins with."""
        config = self.config
        if rng.random() < config.correction:
            damaged = damage(target, rng, 0.4, 0.95)
            points = correcting_point(target, damaged, rng)
            return damaged.astype(np.float32), points
        if config.boxes and rng.random() < config.boxes:  # no draw where it is off
            return draw_box(target, rng)
        alone = config.single_click if mostly_one(target) else 0.0
        points = first_points(target, others, rng, alone, config.off_centre)
        return np.zeros(target.shape, np.float32), points

    def _draw_image(
        self, rng: np.random.Generator
    ) -> tuple[LabelledImage, dict[int, tuple[slice, slice]], bool]:
        """Draw an image, the boxes of its objects, and whether it is a section."""
        group = int(rng.choice(len(self._shares), p=self._shares))
        if group < len(self._images):
            image, boxes = self._draw_real(group, rng)
            # no draw where it is off: the samples of older runs stay what they were
            if self._sections[group] and rng.random() < self._sections[group]:
                section = whole_section(rng, image)
                if rng.random() < self._organelles[group]:
                    section = add_organelles(rng, section)
                return section, section.objects(), True
            found = self._superpixels(image, rng)
            if found is not None:
                image, boxes = found, found.objects()
            return image, boxes, False
        kind = DRAWN[group - len(self._images)]
        if kind == "synthetic":
            image = draw_image(rng)
        elif kind == "bodies":
            image = draw_body(rng)
        else:
            lesions = kind == "lesions"
            hosts = self._real if lesions else self._heads
            group = int(rng.choice(len(hosts), p=hosts))
            host = self._draw_real(group, rng)[0].image
            image = add_lesion(rng, host) if lesions else add_tumour(rng, host)
        return image, image.objects(), False

    def _draw_real(
        self, group: int, rng: np.random.Generator
    ) -> tuple[LabelledImage, dict[int, tuple[slice, slice]]]:
        index = int(rng.integers(len(self._images[group])))
        image, boxes = self._images[group][index], self._objects[group][index]
        # no draw where it is off: the samples of older runs stay what they were
        if self._flair[group] and rng.random() < self._flair[group]:
            if self.config.tumour_shapes and rng.random() < self.config.tumour_shapes:
                donor = int(rng.integers(len(self._images[group])))
                image = with_shape_of(rng, image, self._images[group][donor])
            image = as_flair(rng, image)
            boxes = image.objects()
        if len(boxes) > 1 and rng.random() < self._wholes[group]:
            image = LabelledImage(image.image, (image.labels > 0).astype(np.int32))
            boxes = image.objects()
        return image, boxes

    def _superpixels(
        self, image: LabelledImage, rng: np.random.Generator
    ) -> LabelledImage | None:
        """Draw whether superpixels take the place of the labels, and which."""
        # no draw where it is off: the samples of older runs stay what they were
        if not self.config.superpixels or rng.random() >= self.config.superpixels:
            return None
        return superpixel_object(rng, image.image)

    def _cut(
        self,
        image: LabelledImage,
        boxes: dict[int, tuple[slice, slice]],
        small: bool,
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor, Tensor] | None:
        """Picture, target and other objects of one crop; None if the target is lost."""
        if not boxes:
            return None
        labels = list(boxes)
        label = labels[int(rng.integers(len(labels)))]
        window = crop_window(boxes[label], image.labels.shape, self.size, rng, small)
        region = image.labels[window]
        target = region == label
        if rng.random() < 0.1 and len(labels) > 1:
            target |= region == labels[int(rng.integers(len(labels)))]
        elif rng.random() < 0.85:
            target = one_component(target, rng)
        layers = np.stack([target, (region > 0) & ~target]).astype(np.float32)
        pixels = image.image[window]
        if pixels.ndim == 2:
            pixels = np.repeat(pixels[..., None], 3, axis=2)
        tensor = torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32) / 255)
        grid = sampling_grid(self.size, rng)
        picture = _resample(tensor, grid, "bilinear")
        masks = _resample(torch.from_numpy(layers), grid, "nearest") > 0.5
        area = int(masks[0].sum())
        if not 20 <= area <= 0.95 * self.size**2:
            return None
        return picture, masks[0], masks[1]


def crop_window(
    box: tuple[slice, slice],
    shape: tuple[int, ...],
    size: int,
    rng: np.random.Generator,
    small: bool = False,
) -> tuple[slice, slice]:
    """Draw a window in which the object's extent is log-uniform.

    From about 14 px at network resolution to somewhat more than the whole window, or
    around the share that the zoom-in of inference gives (1 / 1.4); of a small one,
    that of objects on a whole section. The two sides differ a little, as zoomed crops
    do.
    """
    extent = max(side.stop - side.start for side in box)
    share = np.exp(rng.uniform(np.log(SMALLEST_TARGET_PX / size), np.log(1.1)))
    if rng.random() < 0.35:
        share = rng.uniform(0.45, 0.85)
    if small:
        share = np.exp(rng.uniform(*np.log(SMALL_TARGETS_PX))) / size
    centred = rng.random() < 0.5
    window = []
    for side, length in zip(box, shape[:2], strict=True):
        wanted = extent / share * np.exp(rng.uniform(-0.2, 0.2))
        wanted = max(wanted, size / LARGEST_ZOOM)
        span = int(min(wanted, length))
        middle = (side.start + side.stop) / 2
        if not centred:
            reach = 0.5 * max(span, side.stop - side.start) * 0.8
            middle += rng.uniform(-reach, reach)
        start = int(np.clip(middle - span / 2, 0, length - span))
        window.append(slice(start, start + span))
    return window[0], window[1]


def one_component(
    mask: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """One 8-connected part of a mask, drawn by area."""
    parts, count = ndimage.label(mask, np.ones((3, 3)))
    if count < 2:
        return mask
    areas = np.bincount(parts.ravel())[1:]
    return np.asarray(parts == 1 + rng.choice(count, p=areas / areas.sum()))


def mostly_one(mask: NDArray[np.bool_]) -> bool:
    """Whether nine tenths of a mask are one part, so that one click can tell it."""
    parts, _ = ndimage.label(mask, np.ones((3, 3)))
    areas = np.bincount(parts.ravel())[1:]
    return bool(areas.max(initial=0) >= 0.9 * areas.sum())


def sampling_grid(size: int, rng: np.random.Generator) -> Tensor:
    """Grid (1,S,S,2) of a random flip, quarter turn and, at times, slight rotation."""
    angle = np.pi / 2 * rng.integers(4)
    if rng.random() < 0.3:
        angle += rng.uniform(-0.35, 0.35)
    flip = rng.choice((-1.0, 1.0))
    cos, sin = np.cos(angle), np.sin(angle)
    theta = torch.tensor([[[flip * cos, -sin, 0], [flip * sin, cos, 0]]])
    return functional.affine_grid(theta.float(), [1, 1, size, size], align_corners=True)


def _resample(layers: Tensor, grid: Tensor, mode: str) -> Tensor:
    """Resample (C,h,w) to (C,S,S) with aligned corners, as crops are at inference."""
    return functional.grid_sample(layers[None], grid, mode=mode, align_corners=True)[0]
