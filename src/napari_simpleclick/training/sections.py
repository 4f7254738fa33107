"""Whole sections made of small pieces of them, and organelles drawn into their cells.

Labelled pieces of electron microscopy are a few micrometres wide, so that their objects
fill the view. On a whole section the same objects are 10 to 60 px at the network's
resolution: that is how a first click meets them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.special import expit
from skimage.measure import label

from napari_simpleclick.inference.shapes import signed_distance, smooth_noise
from napari_simpleclick.training.images import MIN_OBJECT_PX, LabelledImage
from napari_simpleclick.training.synthetic import ragged_disk

if TYPE_CHECKING:
    from numpy.typing import NDArray


def whole_section(
    rng: np.random.Generator,
    image: LabelledImage,
    sides: tuple[float, float] = (400, 1000),
) -> LabelledImage:
    """Mirror an image at its borders, until its shorter side is as long as drawn.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of every draw.
    image : LabelledImage
        Of a tissue that looks alike everywhere and from every side.
    sides : tuple of float
        Least and largest length of a side, px; drawn log-uniformly.

    Returns
    -------
    LabelledImage
        Each connected part of a label has a number of its own.
    """
    side = round(np.exp(rng.uniform(*np.log(sides))))
    missing = [max(0, side - length) for length in image.labels.shape]
    before = [int(rng.integers(gap + 1)) for gap in missing]
    pads = [(pad, gap - pad) for pad, gap in zip(before, missing, strict=True)]
    labels = np.pad(image.labels, pads, mode="symmetric")
    pixels = np.pad(
        image.image, pads + [(0, 0)] * (image.image.ndim - 2), mode="symmetric"
    )
    parts = label(labels, connectivity=1).astype(np.int32)
    return LabelledImage(pixels, parts, image.name)


def add_organelles(rng: np.random.Generator, section: LabelledImage) -> LabelledImage:
    """Draw organelles into the cells of a section; they alone are labelled.

    Round or oblong, of one kind in an image: darker or brighter than what is around
    them, with a membrane, and folds or grain inside.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of every draw.
    section : LabelledImage
        Cells, as :func:`whole_section` gives them.

    Returns
    -------
    LabelledImage
        (H, W) uint8, as the section is.
    """
    grey = section.image if section.image.ndim == 2 else section.image.mean(2)
    image = grey.astype(np.float32) / np.float32(255)
    cells = section.labels
    labels = np.zeros(cells.shape, np.int32)
    look = _Look(rng)
    places = np.argwhere(cells[::3, ::3] > 0) * 3
    size = np.exp(rng.uniform(np.log(4.5), np.log(20)))
    for _ in range(int(rng.integers(5, 50)) if len(places) else 0):
        row, column = places[rng.integers(len(places))]
        radius = size * np.exp(rng.normal(0, 0.3))
        reach = int(2.5 * radius) + 4
        window = (
            slice(max(0, row - reach), row + reach + 1),
            slice(max(0, column - reach), column + reach + 1),
        )
        centre = (row - window[0].start, column - window[1].start)
        free = (cells[window] == cells[row, column]) & (labels[window] == 0)
        shape = (free.shape[0], free.shape[1])
        inside = ragged_disk(rng, shape, centre, radius, (0.0, 0.3), (0.0, 1.0)) & free
        parts, count = ndimage.label(ndimage.binary_opening(inside))
        if not count:
            continue
        areas = np.bincount(parts.ravel())[1:]
        inside = parts == 1 + int(areas.argmax())
        if inside.sum() < max(MIN_OBJECT_PX, radius**2):  # a cell has no room for it
            continue
        image[window] = look.put(rng, image[window], signed_distance(inside) - 0.5)
        labels[window][inside] = labels.max() + 1
    return LabelledImage((np.clip(image, 0, 1) * 255).astype(np.uint8), labels)


class _Look:
    """How the organelles of an image look."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.offset = rng.uniform(-0.35, -0.06)
        if rng.random() < 0.2:
            self.offset = rng.uniform(0.06, 0.3)
        self.flat = rng.uniform(0.2, 0.9)
        self.membrane, self.width = rng.uniform(0.0, 0.35), rng.uniform(0.7, 2.0)
        self.folds, self.period = rng.uniform(0.0, 0.15), rng.uniform(4, 10)

    def put(
        self,
        rng: np.random.Generator,
        image: NDArray[np.float32],
        depth: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Blend one in where ``depth``, its signed distance from the border, is > 0."""
        shape = (depth.shape[0], depth.shape[1])
        angle = rng.uniform(0, np.pi)
        rows, columns = np.ogrid[: shape[0], : shape[1]]
        bent = self.period * 0.5 * smooth_noise(rng, shape, 4)
        phase = rows * np.cos(angle) + columns * np.sin(angle) + bent
        folds = self.folds * np.sin(2 * np.pi * phase / self.period)
        even = image[depth > 0].mean()
        offset = self.offset + rng.normal(0, 0.03)
        inner = image + self.flat * (even - image) + offset + folds
        membrane = self.membrane * np.exp(-0.5 * ((depth - 1) / self.width) ** 2)
        share = expit(depth / 0.6)
        return np.asarray(image + share * (inner - image) - membrane, np.float32)
