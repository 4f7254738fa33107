"""T2-weighted heads shown as FLAIR, for a sequence without permissive data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.special import expit

from napari_simpleclick.inference.shapes import signed_distance, smooth_noise
from napari_simpleclick.training.images import LabelledImage
from napari_simpleclick.training.tumours import (
    CAVITIES,
    HEAD_LEVEL,
    add_cavity,
    small_grey,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_HEAD_PX = 400
"""A smaller head has too few pixels to tell its fluid from its tissue."""


def as_flair(
    rng: np.random.Generator, image: LabelledImage, most: int = 320
) -> LabelledImage:
    """Show a T2-weighted head as fluid-attenuated inversion recovery would.

    What is as bright as fluid outside of the labels becomes dark, the tissue loses
    contrast, and the labelled tumour with its oedema stays the brightest (Hajnal et
    al., 1992), but for a cavity that it may have. At times the skull that was taken
    off is drawn around the brain, and T1-weighted images before and after contrast
    agent, which show fluid darkest and grey matter darker than white, are the red and
    the blue channel beside it.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of every draw.
    image : LabelledImage
        A brain without its skull, on a dark ground, T2-weighted.
    most : int
        Longest side of the result, px; every n-th pixel of a larger image is used.

    Returns
    -------
    LabelledImage
        (h, w, 3) uint8 with the labels of the image, thin gaps between them closed;
        the image itself where it shows no head.
    """
    grey, step = small_grey(image.image, most)
    labels = _closed(image.labels[::step, ::step])
    head = _head(grey)
    tumour = labels > 0
    tissue = head & ~tumour
    if np.count_nonzero(tissue) < LEAST_HEAD_PX:
        return image
    low, high = np.percentile(grey[tissue], [rng.uniform(60, 85), rng.uniform(92, 98)])
    middle = float(np.median(grey[tissue]))
    inside = np.zeros_like(grey)
    if tumour.any():
        inside = expit((signed_distance(tumour) - 0.5) / rng.uniform(0.5, 1.5))
    fluid = np.clip((grey - low) / max(high - low, 1e-3), 0, 1) * (1 - inside)
    contrast = grey / max(middle, 1e-3) - 1
    level = rng.uniform(0.15, 0.5)
    brain = 1 + rng.uniform(0.2, 1) * contrast
    flair = _with_tumour(rng, brain, inside, rng.uniform(0.15, 1.2), 1.0)
    flair += fluid * (rng.uniform(0.2, 0.7) - flair)
    if rng.random() < CAVITIES:
        flair = add_cavity(rng, flair[..., None], tumour, (0.05, 1.1))[..., 0]
    channels = [level * flair] * 3
    if rng.random() < 0.5:
        white = 1 - rng.uniform(0.2, 0.8) * contrast
        for place in (0, 2):
            other = _with_tumour(rng, white, inside, rng.uniform(-0.4, 0.15), 0.5)
            other += fluid * (rng.uniform(0.2, 0.7) - other)
            if place == 2 and rng.random() < 0.5:
                other += inside * rng.uniform(0, 0.8) * _patches(rng, grey.shape)
            moved = ndimage.shift(other, rng.uniform(-0.7, 0.7, 2), order=1)
            channels[place] = level * rng.uniform(0.5, 1.5) * moved
    shown = np.where(head[..., None], np.stack(channels, 2), grey[..., None] * 0.5)
    if rng.random() < 0.5:
        shown = _with_skull(rng, shown, head)
    return LabelledImage(
        (np.clip(shown, 0, 1) * 255).astype(np.uint8), labels, image.name
    )


def with_shape_of(
    rng: np.random.Generator, image: LabelledImage, donor: LabelledImage
) -> LabelledImage:
    """Label the shape of another head's tumour somewhere in a head as well.

    So tumours of few patients are met in more than one place, form and size.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of every draw.
    image : LabelledImage
        A head on a dark ground.
    donor : LabelledImage
        The head whose labels, all together, are the shape: mirrored, turned, between
        0.6 and 1.6 times as large, with its middle inside the head.

    Returns
    -------
    LabelledImage
        The image with one more label, which takes the place of others and ends where
        the head ends; the image itself where the donor has no labels.
    """
    head = _head(small_grey(image.image, max(image.labels.shape))[0])
    places = np.argwhere(head)
    found = ndimage.find_objects((donor.labels > 0).astype(np.int8))
    if not found or not len(places):
        return image
    shape = np.pad((donor.labels[found[0]] > 0).astype(np.float32), 2)
    angle, size = rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(-0.5, 0.5))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn[:, 1] *= rng.choice((-1, 1))
    turn /= size
    middle = places[rng.integers(len(places))]
    moved = ndimage.affine_transform(
        shape,
        turn,
        offset=(np.array(shape.shape) - 1) / 2 - turn @ middle,
        output_shape=image.labels.shape,
        order=1,
    )
    labels = image.labels.astype(np.int32)
    labels[(moved > 0.5) & head] = labels.max() + 1
    return LabelledImage(image.image, labels, image.name)


def _head(grey: NDArray[np.float32]) -> NDArray[np.bool_]:
    filled = ndimage.binary_fill_holes(ndimage.gaussian_filter(grey, 1) > HEAD_LEVEL)
    return np.asarray(filled, bool)


def _closed(labels: NDArray[np.integer]) -> NDArray[np.int32]:
    """Labels without thin gaps between them: each pixel there gets the nearest one."""
    filled = ndimage.binary_fill_holes(
        ndimage.binary_closing(np.pad(labels > 0, 4), iterations=2)
    )
    rows, columns = ndimage.distance_transform_edt(
        labels == 0, return_distances=False, return_indices=True
    )
    return np.where(filled[4:-4, 4:-4], labels[rows, columns], 0).astype(np.int32)


def _with_tumour(
    rng: np.random.Generator,
    brain: NDArray[np.float32],
    inside: NDArray[np.float32],
    offset: float,
    most: float,
) -> NDArray[np.float32]:
    """Brighten the tumour, and keep some of what it looked like."""
    if not inside.any():
        return brain.copy()
    kept = rng.uniform(0.1, 0.6) * most
    mean = float(np.average(brain, weights=inside))
    own = 1 + offset * (1 + 0.25 * _patches(rng, brain.shape)) + kept * (brain - mean)
    if rng.random() < 0.3:  # what is full of fluid inside is dark as well
        own = np.where(brain > mean + brain[inside > 0.5].std(), 2 - 0.7 * own, own)
    return np.asarray(brain + inside * (own - brain), np.float32)


def _patches(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return smooth_noise(rng, (shape[0], shape[1]), rng.uniform(5, 25))


def _with_skull(
    rng: np.random.Generator, shown: NDArray[np.float32], head: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Draw bone and scalp around a brain."""
    away = -signed_distance(head)
    away += rng.uniform(0, 2) * _patches(rng, head.shape)
    bone, scalp = rng.uniform(2, 8), rng.uniform(2, 9)
    ring = expit(away - bone) * expit(bone + scalp - away)
    colours = np.tile(rng.uniform(0.05, 1), 3) * rng.uniform(0.4, 1.6, 3)
    if (shown[..., 0] == shown[..., 1]).all():
        colours[:] = colours.mean()
    around = ring * (1 + 0.3 * _patches(rng, head.shape))
    outside = np.where(away > 0, around, 0)[..., None] * colours
    return np.asarray(np.where(head[..., None], shown, outside), np.float32)
