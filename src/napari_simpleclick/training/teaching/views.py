"""What a network is shown of an example: as it is shown images when a person clicks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from napari_simpleclick.images.intensity import UNIT, default_window
from napari_simpleclick.inference.crops import Crop, ZoomIn, resize_crop
from napari_simpleclick.inference.first_look import crop_of_view
from napari_simpleclick.inference.square_grid import SquareGrid
from napari_simpleclick.training.images import MIN_OBJECT_PX
from napari_simpleclick.training.teaching.examples import bounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from napari_simpleclick.images.intensity import Window
    from napari_simpleclick.training.teaching.examples import Example

FIRST_LOOK = 0.35
"""Share of views that are as a new object is looked at: with all of the image, or all
that was in sight."""

WIDEST = 3.0
"""Views around an object are at most so many times as wide as the zoom-in's crop."""

TRIES = 5
"""A view in which the object is too small or is all there is is drawn again."""


class View(NamedTuple):
    """One view of an example.

    Parameters
    ----------
    picture : Tensor
        (3, S, S) float32 in [0, 1].
    target, others : ndarray
        (S, S) bool, the object and the other objects.
    """

    picture: Tensor
    target: NDArray[np.bool_]
    others: NDArray[np.bool_]


class _Ready(NamedTuple):
    """An example with square pixels; ``seen`` is how much of it is looked at first."""

    image: NDArray[Any]
    window: Window
    mask: NDArray[np.float32]
    others: NDArray[np.float32]
    box: tuple[int, int, int, int]
    seen: tuple[int, int]


class Views:
    """Draws views of examples: crops around the object, and all that is looked at.

    A first look at all of it would show small objects smaller than inference
    does if it were resized to fewer pixels, so a part of it is shown at the very same
    magnification. Views are turned and mirrored, and their contrast varies a little.

    Parameters
    ----------
    examples : sequence of Example
        What there is to learn from.
    zoom : ZoomIn
        How the network is shown images when a person clicks.
    """

    def __init__(self, examples: Sequence[Example], zoom: ZoomIn) -> None:
        self.zoom = zoom
        pictures: dict[tuple[int, Any, Any], tuple[NDArray[Any], Window]] = {}
        self._ready = []
        for example in examples:
            key = id(example.image), example.window, example.spacing
            if key not in pictures:
                pictures[key] = _picture(example)
            self._ready.append(_ready(example, *pictures[key], max(zoom.size)))

    def draw(self, index: int, size: int, rng: np.random.Generator) -> View:
        """Draw a view of an example.

        Parameters
        ----------
        index : int
            Which example.
        size : int
            Side of the view, px.
        rng : numpy.random.Generator
            Source of every draw.
        """
        ready = self._ready[index]
        for attempt in range(TRIES):
            far = rng.random() < FIRST_LOOK and attempt == 0
            crop = self._far(ready, size, rng) if far else self._near(ready, rng)
            target = resize_crop(ready.mask, crop, (size, size)) > 0.5
            if MIN_OBJECT_PX <= int(target.sum()) < target.size:
                break
        others = resize_crop(ready.others, crop, (size, size)) > 0.5
        pixels = resize_crop(ready.image, crop, (size, size), ready.window.apply)
        if pixels.ndim == 2:
            pixels = np.repeat(pixels[..., None], 3, axis=2)
        turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        target, others, pixels = (
            _turned(part, turns, mirrored) for part in (target, others, pixels)
        )
        picture = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        return View(_contrast(picture, rng), target, others)

    def _far(self, ready: _Ready, size: int, rng: np.random.Generator) -> Crop:
        """Draw a part of the image, magnified as it is at the first click."""
        sides: list[int] = []
        for axis, length in enumerate(ready.mask.shape):
            shown = ready.seen[axis] * size / self.zoom.size[axis]
            span = min(length, max(1, round(shown)))
            low, high = ready.box[2 * axis : 2 * axis + 2]
            start = _place(low, high, span, length, rng)
            sides += [start, start + span - 1]
        return Crop(*sides)

    def _near(self, ready: _Ready, rng: np.random.Generator) -> Crop:
        """Draw a crop around the object, as large as the zoom-in's or larger."""
        wider = np.exp(rng.uniform(np.log(0.85), np.log(WIDEST)))
        sides: list[int] = []
        for axis, length in enumerate(ready.mask.shape):
            low, high = ready.box[2 * axis : 2 * axis + 2]
            wanted = max(self.zoom.expansion * (high - low + 1), self.zoom.min_side)
            wanted *= wider * np.exp(rng.uniform(-0.15, 0.15))
            span = min(length, max(16, round(wanted)))
            start = _place(low, high, span, length, rng)
            sides += [start, start + span - 1]
        return Crop(*sides)


def _place(
    low: int, high: int, span: int, length: int, rng: np.random.Generator
) -> int:
    """Draw where a span begins so that it holds the middle half of an object."""
    quarter = (high - low + 1) // 4
    first, last = high - quarter - span + 1, low + quarter
    if first > last:
        first = last = (low + high + 1 - span) // 2
    return int(np.clip(rng.integers(first, last + 1), 0, length - span))


def _picture(example: Example) -> tuple[NDArray[Any], Window]:
    """Image with square pixels, and its window."""
    image = np.asarray(example.image)
    window = example.window or default_window(image)
    grid = SquareGrid.covering((image.shape[0], image.shape[1]), example.spacing)
    if grid is None:
        return image, window
    return grid.there(image, window.apply), UNIT


def _ready(
    example: Example, image: NDArray[Any], window: Window, input_side: int
) -> _Ready:
    height, width = example.mask.shape
    mask = np.asarray(example.mask, np.float32)
    others = np.zeros_like(mask)
    if example.others is not None:
        others = np.asarray(example.others, np.float32)
    grid = SquareGrid.covering((height, width), example.spacing)
    view = example.viewport
    if grid is not None:
        mask, others = grid.there(mask), grid.there(others)
        view = None if view is None else grid.view(view)
    seen = shape = (mask.shape[0], mask.shape[1])
    crop = None if view is None else crop_of_view(view, shape, input_side)
    if crop is not None:
        seen = crop.height, crop.width
    return _Ready(image, window, mask, others, bounds(mask > 0.5), seen)


def _turned(part: NDArray[Any], turns: int, mirrored: bool) -> NDArray[Any]:
    part = np.rot90(part, turns)
    return np.ascontiguousarray(part[:, ::-1] if mirrored else part)


def _contrast(picture: Tensor, rng: np.random.Generator) -> Tensor:
    """Vary gamma, contrast and brightness a little."""
    gamma = float(np.exp(rng.normal(0, 0.15)))
    contrast, shift = 1 + rng.uniform(-0.15, 0.15), rng.uniform(-0.08, 0.08)
    varied = picture.clamp(min=1e-4) ** gamma
    return ((varied - 0.5) * contrast + 0.5 + shift).clamp(0, 1)
