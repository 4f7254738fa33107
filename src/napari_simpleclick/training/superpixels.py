"""Objects without labels: superpixels of real images, and unions of them.

In the spirit of C. Ouyang et al., "Self-Supervision with Superpixels" (ECCV 2020):
what an image's own edges enclose is a target, whatever it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label
from skimage.segmentation import felzenszwalb, watershed

from napari_simpleclick.inference.shapes import depth
from napari_simpleclick.training.images import MIN_OBJECT_PX, LabelledImage

if TYPE_CHECKING:
    from collections.abc import Sequence

SPANS = (64, 320)
"""Shortest and longest side of the part of an image that is segmented, px."""

SIDE = 160
"""Longer sides are scaled down to this: by two at most, so that borders stay sharp."""

LARGEST_SHARE = 0.3
"""Of the part, that a union may cover."""

CONTRAST = 8 / 255
"""Least difference of brightness from the surroundings; less is no visible border."""

THICKNESS = 0.2
"""Least depth as a share of the square root of the area, 0.56 for a disc; thinner ones
are mostly the blurred borders of objects."""

TRIES = 4
"""Draws from one segmentation until one is an object."""

Mask = NDArray[np.bool_]


def superpixel_object(
    rng: np.random.Generator, image: NDArray[np.uint8]
) -> LabelledImage | None:
    """Make a superpixel, or adjacent ones, the only object of an image.

    The superpixels are those of Felzenszwalb and Huttenlocher (2004) in a random part
    of the image, with random settings, so that their sizes differ widely.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of every draw.
    image : ndarray
        (H, W) or (H, W, 3) uint8.

    Returns
    -------
    LabelledImage or None
        Label 1 is the object, in one piece; None if the part that was drawn has none
        that stands out.
    """
    window = _draw_window(rng, image.shape)
    part = image[window]
    colours = np.atleast_3d(_shrunk(part)).astype(np.float32) / np.float32(255)
    parts = _segment(rng, colours)
    whole = _whole(parts, window, image.shape)
    tries = (_choose(rng, parts, colours, whole) for _ in range(TRIES))
    chosen = next((mask for mask in tries if _is_object(mask, colours)), None)
    if chosen is None:
        return None
    size = part.shape[1], part.shape[0]
    grown = cv2.resize(chosen.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    labels = np.zeros(image.shape[:2], np.uint8)
    labels[window] = _largest_piece(grown > 0.5)
    return LabelledImage(image, labels)


def _draw_window(
    rng: np.random.Generator, shape: tuple[int, ...]
) -> tuple[slice, slice]:
    span = int(np.exp(rng.uniform(*np.log(SPANS))))
    starts = [int(rng.integers(max(1, side - span + 1))) for side in shape[:2]]
    rows, columns = (
        slice(start, min(start + span, side))
        for start, side in zip(starts, shape[:2], strict=True)
    )
    return rows, columns


def _shrunk(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = SIDE / max(part.shape[:2])
    if factor >= 1:
        return part
    height, width = (max(1, round(factor * side)) for side in part.shape[:2])
    small = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _segment(
    rng: np.random.Generator, colours: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Give each pixel (h, w) the number of its superpixel, from 0.

    Blurred borders come out as thin superpixels of their own. Those are dissolved: the
    others grow from their interiors until they meet where the image changes most.
    """
    scale, smallest = np.exp(rng.uniform(np.log((20, 16)), np.log((400, 120))))
    parts = felzenszwalb(
        colours, scale, rng.uniform(0.5, 1.2), int(smallest), channel_axis=2
    )
    inner = ndimage.maximum_filter(parts, 3) == ndimage.minimum_filter(parts, 3)
    seeds = label(np.where(inner, parts + 1, 0), connectivity=1)
    steepness = ndimage.gaussian_gradient_magnitude(colours, 0.7, axes=(0, 1)).max(2)
    found = watershed(steepness, seeds) - 1 if seeds.any() else parts
    return np.asarray(found, np.int64)


def _whole(
    parts: NDArray[np.int64], window: Sequence[slice], shape: tuple[int, ...]
) -> Mask:
    """Superpixels (n,) that the window does not cut, though the image's border may."""
    whole = np.ones(int(parts.max()) + 1, bool)
    for axis, (side, length) in enumerate(zip(window, shape, strict=False)):
        if side.start > 0:
            whole[parts.take(0, axis)] = False
        if side.stop < length:
            whole[parts.take(-1, axis)] = False
    return whole


def _choose(
    rng: np.random.Generator,
    parts: NDArray[np.int64],
    colours: NDArray[np.float32],
    usable: Mask,
) -> Mask:
    """One superpixel, or half the time a union of random size that grows from it.

    The first is drawn by area. A union takes in the neighbour of the most similar mean
    colour that still fits, as the regions of one organ would be merged. Empty if none
    is usable.
    """
    areas = np.bincount(parts.ravel())
    chosen = np.zeros(len(areas), bool)
    if not usable.any():
        return np.asarray(chosen[parts])
    weights = areas * usable
    chosen[rng.choice(len(areas), p=weights / weights.sum())] = True
    if rng.random() < 0.5:
        return np.asarray(chosen[parts])
    area = int(areas[chosen].sum())
    most = max(area, LARGEST_SHARE * parts.size)
    wanted = np.exp(rng.uniform(np.log(area), np.log(most)))
    touching = _neighbours(parts)
    sums = _sums(parts, colours)
    while True:
        fits = usable & ~chosen & touching[chosen].any(0) & (area + areas <= wanted)
        if not fits.any():
            return np.asarray(chosen[parts])
        mean = sums[chosen].sum(0) / area
        distance = np.abs(sums / areas[:, None] - mean).sum(1)
        chosen[np.where(fits, distance, np.inf).argmin()] = True
        area = int(areas[chosen].sum())


def _neighbours(parts: NDArray[np.int64]) -> Mask:
    """Whether two superpixels share an edge, (n, n)."""
    count = int(parts.max()) + 1
    touching = np.zeros((count, count), bool)
    touching[parts[1:], parts[:-1]] = True
    touching[parts[:, 1:], parts[:, :-1]] = True
    return np.asarray(touching | touching.T)


def _sums(
    parts: NDArray[np.int64], colours: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Sum of the colours of each superpixel, (n, channels)."""
    channels = np.moveaxis(colours, 2, 0)
    return np.stack([np.bincount(parts.ravel(), one.ravel()) for one in channels], 1)


def _is_object(mask: Mask, colours: NDArray[np.float32]) -> bool:
    """Whether a mask is large and thick enough, and differs from what is around it."""
    area = np.count_nonzero(mask)
    if area < MIN_OBJECT_PX or depth(mask).max() < THICKNESS * np.sqrt(area):
        return False
    ring = ndimage.binary_dilation(mask, np.ones((3, 3)), 3) & ~mask
    if not ring.any():
        return False
    change = colours[mask].mean(0) - colours[ring].mean(0)
    return bool(np.abs(change).max() >= CONTRAST)


def _largest_piece(mask: Mask) -> Mask:
    """Drop specks that scaling up has cut off."""
    pieces, count = ndimage.label(mask, np.ones((3, 3)))
    if count < 2:
        return mask
    return np.asarray(pieces == 1 + np.bincount(pieces.ravel())[1:].argmax())
