"""From seeds in a view to masks that may be objects."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from napari_simpleclick.inference.crops import THRESHOLD, Crop, resize_crop
from napari_simpleclick.inference.devices import limited_threads
from napari_simpleclick.inference.features import LIMIT_BYTES, FeatureCache
from napari_simpleclick.inference.shapes import depth
from napari_simpleclick.inference.stability import CERTAIN, POSSIBLE
from napari_simpleclick.networks import CropPrompts
from napari_simpleclick.weights.errors import enough_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from napari_simpleclick.inference.predictor import Predictor
    from napari_simpleclick.networks import Features

Map = NDArray[np.float32]
Place = tuple[float, float]

BATCH = 4
"""Seeds decoded at once; a click waits for so many."""

COVERED = 0.4
"""Share of the smaller of two masks above which both are about the same thing."""

TOUCHING = 8
"""Pixels that touch at a corner belong to one part."""


class Answers:
    """A predictor's network, asked about views of a picture.

    Parameters
    ----------
    predictor : Predictor
        Whose network it is; its image and what it remembers stay as they are.
    turn : callable
        Makes what is entered for every use of the network, such as a lock; None where
        nobody else uses it.

    Attributes
    ----------
    encoded, decoded : int
        How often the network was asked.
    """

    def __init__(
        self,
        predictor: Predictor,
        turn: Callable[[], AbstractContextManager[object]] | None = None,
    ) -> None:
        self._network, self._threads = predictor.encoder, predictor.threads
        self._device, self._turn = predictor.device, turn or nullcontext
        self.size = predictor.zoom.size
        self.encodes_once = self._network.spec.encodes_once
        self.encoded = self.decoded = 0
        self._features = FeatureCache(LIMIT_BYTES)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        with (
            self._turn(),
            enough_memory("a search"),
            torch.inference_mode(),
            limited_threads(self._threads),
        ):
            yield

    def encode(self, pixels: Map) -> Features:
        """Encode a view, (h, w) or (h, w, 3) in [0, 1], unless it is remembered."""
        key = FeatureCache.key(pixels)
        if key not in self._features:
            self.encoded += 1
            with self._computing():
                self._features.put(key, self._network.compute(pixels))
        return self._features.get(key)

    def decode(
        self,
        features: Features,
        clicks: Sequence[Place],
        priors: Sequence[Map | None],
        beside: Sequence[Sequence[Place]] = (),
    ) -> Map:
        """Answer a positive click on each of several objects.

        Parameters
        ----------
        features : tuple of Tensor
            Of the view.
        clicks : sequence of tuple
            Row and column of each, px of the network's input.
        priors : sequence of ndarray or None
            (h, w) probability to start from.
        beside : sequence of sequence of tuple
            Negative clicks for each; empty for none at all.

        Returns
        -------
        ndarray
            (N, h, w) float32 probability.
        """
        self.decoded += len(clicks)
        questions = list(zip(clicks, priors, beside or [()] * len(clicks), strict=True))
        found = []
        for start in range(0, len(clicks), BATCH):
            asked = []
            for click, prior, negative in questions[start : start + BATCH]:
                mask = torch.zeros(1, 1, *self.size, device=self._device)
                if prior is not None:
                    mask[0, 0] = torch.from_numpy(prior)
                asked.append(CropPrompts(mask, (click,), tuple(negative)))
            with self._computing():
                logits = self._network.answer_all(features, asked)
                found.append(logits.sigmoid()[:, 0].cpu().numpy())
        return np.concatenate(found)


@dataclass(eq=False)
class Candidate:
    """A mask that a seed gave.

    Parameters
    ----------
    seed : tuple of float
        Row and column, px of the network's input.
    probability : ndarray
        (h, w) float32, as the network answered.
    mask : ndarray
        (h, w) bool: the part that holds the seed.
    stability : float
        Share of the pixels above 0.3 that are above 0.7, 0 to 1.
    beside : tuple
        Where negative clicks said what does not belong to it.
    """

    seed: Place
    probability: Map
    mask: NDArray[np.bool_]
    stability: float
    beside: tuple[Place, ...] = ()

    @classmethod
    def of(
        cls, seed: Place, probability: Map, beside: tuple[Place, ...] = ()
    ) -> Candidate | None:
        """Take the part of an answer that holds its seed; None if none does."""
        above = (probability > THRESHOLD).astype(np.uint8)
        row, column = (
            min(int(at), side - 1) for at, side in zip(seed, above.shape, strict=True)
        )
        if not above[row, column]:
            return None
        _, parts = cv2.connectedComponents(above, connectivity=TOUCHING)
        mask = parts == parts[row, column]
        near = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        doubtful = np.count_nonzero(near & (probability > POSSIBLE))
        sure = np.count_nonzero(mask & (probability > CERTAIN))
        stability = float(sure) / max(float(doubtful), 1.0)
        return cls(seed, probability, mask, stability, beside)

    @property
    def area(self) -> int:
        """Pixels of the network's input."""
        return int(np.count_nonzero(self.mask))

    def middle(self) -> Place:
        """Row and column of the deepest place of the mask."""
        deepest = np.unravel_index(int(depth(self.mask).argmax()), self.mask.shape)
        return float(deepest[0]), float(deepest[1])

    @cached_property
    def boxed(self) -> BoxedMask:
        """The mask in its box, px of the network's input."""
        return boxed(self.mask)

    def in_view(self, view: Crop) -> BoxedMask:
        """Give the mask in square px of the picture."""
        part = np.where(self.mask, self.probability, 0).astype(np.float32)
        whole = Crop.whole(self.mask.shape)
        large = resize_crop(part, whole, (view.height, view.width)) > THRESHOLD
        return boxed(large, view.row_min, view.column_min)


class BoxedMask(NamedTuple):
    """A mask without the empty rows and columns around it.

    Parameters
    ----------
    box : Crop
        Its rows and columns.
    inside : ndarray
        (height, width) bool.
    """

    box: Crop
    inside: NDArray[np.bool_]

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.inside))


def boxed(mask: NDArray[np.bool_], row: int = 0, column: int = 0) -> BoxedMask:
    """Cut a mask to the box around it, which is moved; an empty one to one pixel."""
    spans = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    if not spans[0].size:
        return BoxedMask(Crop(row, row, column, column), np.zeros((1, 1), bool))
    (top, bottom), (left, right) = ((int(s[0]), int(s[-1])) for s in spans)
    box = Crop(row + top, row + bottom, column + left, column + right)
    return BoxedMask(box, mask[top : bottom + 1, left : right + 1].copy())


def shared(first: BoxedMask, second: BoxedMask) -> int:
    """Count the pixels that two boxed masks share."""
    (one, mask), (other, rest) = first, second
    top, bottom = max(one.row_min, other.row_min), min(one.row_max, other.row_max)
    left = max(one.column_min, other.column_min)
    right = min(one.column_max, other.column_max)
    if top > bottom or left > right:
        return 0
    a = mask[
        top - one.row_min : bottom - one.row_min + 1,
        left - one.column_min : right - one.column_min + 1,
    ]
    b = rest[
        top - other.row_min : bottom - other.row_min + 1,
        left - other.column_min : right - other.column_min + 1,
    ]
    return int(np.count_nonzero(a & b))


def iou(first: BoxedMask, second: BoxedMask) -> float:
    """Intersection over union, 0 to 1; 0 if both are empty."""
    both = shared(first, second)
    return both / max(1, first.area + second.area - both)


def suppressed(masks: Sequence[BoxedMask]) -> list[int]:
    """Numbers of the masks that are left if each takes the place of later ones.

    Parameters
    ----------
    masks : sequence of BoxedMask
        The best first. One goes if a better one covers much of the smaller of both.
    """
    kept: list[int] = []
    for number, mask in enumerate(masks):
        rivals = (masks[other] for other in kept)
        if all(
            shared(mask, other) < COVERED * min(mask.area, other.area)
            for other in rivals
        ):
            kept.append(number)
    return kept
