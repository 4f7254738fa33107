"""Learning which magnification of a first look gave the best answer.

Objects of images that the network may learn from are clicked on once, in images as
large as those where it matters: the image set's own where they are large, else
enlarged, or tiled where it shows many objects alike. The few weights of a chooser (see
:mod:`napari_simpleclick.inference.chooser`) are those that make the expected IoU of the
chosen answers highest; what they are worth is told on image sets left out.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy import ndimage
from scipy.optimize import minimize
from scipy.special import softmax

from napari_simpleclick.inference.answer_features import (
    NAMES,
    CropAnswer,
    describe,
)
from napari_simpleclick.inference.crops import THRESHOLD
from napari_simpleclick.inference.shapes import depth
from napari_simpleclick.prompts import Click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_simpleclick.inference import Predictor
    from napari_simpleclick.training.images import LabelledImage

    Mask = NDArray[np.bool_]

SIDES_PX = (700, 2048)
"""Longer side of the images that are clicked on, drawn log-uniformly."""

ALIKE = 5
"""An image with so many objects shows a part of a field, and is tiled at times."""

TILED = 0.7
"""How often it is tiled; else it is enlarged, as all others are."""

OFF_CENTRE = 0.5
"""How often a click is not at the deepest pixel, but anywhere in the deeper half."""

FEWEST_PX = 30
"""Smaller objects are not clicked on."""


@dataclass(frozen=True, eq=False)
class FirstAnswers:
    """Answers to one click at several magnifications, and how good they are.

    Parameters
    ----------
    group : str
        Image set.
    features : ndarray
        (answers, features) float64, as
        :func:`napari_simpleclick.inference.answer_features.describe` tells them.
    ious : ndarray
        (answers,) float64, 0 to 1; the last is that of the whole image.
    """

    group: str
    features: NDArray[np.float64]
    ious: NDArray[np.float64]


def gather(
    predictor: Predictor,
    sets: Mapping[str, Sequence[LabelledImage]],
    per_set: int,
    seed: int = 0,
    keep: Callable[[FirstAnswers, Sequence[CropAnswer]], None] | None = None,
) -> Iterator[FirstAnswers]:
    """Click on objects of image sets.

    Parameters
    ----------
    predictor : Predictor
        With the network to learn about.
    sets : mapping of str to sequence of LabelledImage
        Images by set.
    per_set : int
        Objects of each set.
    seed : int
        The same one clicks on the same objects.
    keep : callable or None
        Called with each example and the answers that it describes.

    Yields
    ------
    FirstAnswers
        One an object.
    """
    for name, images in sets.items():
        rng = np.random.default_rng((seed, zlib.crc32(name.encode())))
        found = 0
        for _ in range(10 * per_set):
            drawn = draw_object(images, rng)
            if drawn is None:
                continue
            picture, truth, click = drawn
            predictor.set_image(picture)
            answers = predictor.magnified([click])
            if len(answers) < 2:
                continue
            ious = np.array([iou_of(one, truth) for one in answers])
            example = FirstAnswers(name, describe(answers), ious)
            if keep is not None:
                keep(example, answers)
            yield example
            found += 1
            if found == per_set:
                break


def draw_object(
    images: Sequence[LabelledImage], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], Mask, Click] | None:
    """Draw an image as large as SIDES_PX, an object of it, and a click on it.

    Returns
    -------
    tuple or None
        (H, W) or (H, W, 3) uint8, (H, W) bool, and the click; None if the image that
        was drawn has no object that is large enough.
    """
    image = images[int(rng.integers(len(images)))]
    boxes = image.objects()
    if not boxes:
        return None
    label = list(boxes)[int(rng.integers(len(boxes)))]
    parts, count = ndimage.label(image.labels == label, np.ones((3, 3)))
    part = parts == 1 + int(rng.integers(count))
    if np.count_nonzero(part) < FEWEST_PX:
        return None
    side = float(np.exp(rng.uniform(*np.log(SIDES_PX))))
    factor = max(1.0, side / max(part.shape))
    if len(boxes) >= ALIKE and rng.random() < TILED:
        picture, truth = _tiled(image.image, part, int(np.ceil(factor)))
    else:
        picture, truth = _enlarged(image.image, part, factor)
    return picture, truth, _draw_click(truth, rng)


def fit(
    examples: Sequence[FirstAnswers], names: Sequence[str], decay: float = 0.01
) -> dict[str, float]:
    """Find the weights of features that make the expected IoU highest.

    Each image set counts the same. An answer is chosen with the softmax of its score.

    Parameters
    ----------
    examples : sequence of FirstAnswers
        What to learn from.
    names : sequence of str
        Features to use.
    decay : float
        Penalty on the squares of the weights, in units of a feature's spread.

    Returns
    -------
    dict
        Feature to weight.
    """
    columns = [NAMES.index(name) for name in names]
    spread = np.concatenate([one.features for one in examples])[:, columns].std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    most = max(len(one.ious) for one in examples)
    tables = np.zeros((len(examples), most, len(columns)))
    ious, absent = np.zeros(tables.shape[:2]), np.full(tables.shape[:2], -np.inf)
    for number, one in enumerate(examples):
        count = len(one.ious)
        tables[number, :count] = one.features[:, columns] / spread
        ious[number, :count], absent[number, :count] = one.ious, 0.0
    groups = [one.group for one in examples]
    shares = np.array([1 / groups.count(group) for group in groups])
    shares /= shares.sum()

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        chance = softmax(tables @ weights + absent, axis=1)
        expected = (chance * ious).sum(axis=1)
        pull = shares[:, None] * chance * (ious - expected[:, None])
        slope = 2 * decay * weights - np.tensordot(pull, tables, 2)
        return decay * float(weights @ weights) - float(shares @ expected), slope

    start = np.zeros(len(columns))
    found = minimize(loss, start, jac=True, method="L-BFGS-B").x / spread
    return dict(zip(names, map(float, found), strict=True))


def chosen(
    examples: Sequence[FirstAnswers], weights: Mapping[str, float]
) -> NDArray[np.float64]:
    """Give the IoU of the answer that some weights choose of each example."""
    row = np.array([weights.get(name, 0.0) for name in NAMES])
    return np.array([one.ious[int(np.argmax(one.features @ row))] for one in examples])


def cross_validate(
    examples: Sequence[FirstAnswers], names: Sequence[str], decay: float = 0.01
) -> NDArray[np.float64]:
    """Give the IoU that is chosen of each example by weights learned on other sets."""
    groups = np.array([one.group for one in examples])
    result = np.zeros(len(examples))
    for group in np.unique(groups):
        others = [one for one in examples if one.group != group]
        own = [one for one in examples if one.group == group]
        result[groups == group] = chosen(own, fit(others, names, decay))
    return result


def _tiled(
    image: NDArray[np.uint8], part: Mask, times: int
) -> tuple[NDArray[np.uint8], Mask]:
    """Repeat an image along both axes; the object is in the middle one."""
    tail = (1,) * (image.ndim - 2)
    truth = np.zeros((times * part.shape[0], times * part.shape[1]), bool)
    row, column = ((times // 2) * side for side in part.shape)
    truth[row : row + part.shape[0], column : column + part.shape[1]] = part
    return np.tile(image, (times, times, *tail)), truth


def _enlarged(
    image: NDArray[np.uint8], part: Mask, factor: float
) -> tuple[NDArray[np.uint8], Mask]:
    size = (round(part.shape[1] * factor), round(part.shape[0] * factor))
    picture = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    truth = cv2.resize(part.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(picture, np.uint8), truth > 0


def _draw_click(truth: Mask, rng: np.random.Generator) -> Click:
    """Click at the deepest pixel of an object, or anywhere in its deeper half."""
    deep = depth(truth)
    least = deep.max() / 2 if rng.random() < OFF_CENTRE else deep.max()
    places = np.argwhere(deep >= least)
    row, column = places[int(rng.integers(len(places)))]
    return Click(int(row), int(column))


def iou_of(answer: CropAnswer, truth: Mask) -> float:
    """Give the IoU of an answer, alone on its crop, with a mask of the image."""
    crop = answer.crop
    size = (crop.width, crop.height)
    mask = cv2.resize(answer.probability, size) > THRESHOLD
    inside = truth[crop.slices]
    both = np.count_nonzero(mask & inside)
    return both / (np.count_nonzero(mask) + np.count_nonzero(truth) - both)
