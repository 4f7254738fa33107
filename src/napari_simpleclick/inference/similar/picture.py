"""A slice as it is searched: square pixels, in squares that the network can see."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.inference.crops import Crop
from napari_simpleclick.inference.shown_image import ShownImage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_simpleclick.images.intensity import Window

Mask = NDArray[np.bool_]

SIDES_SEEN = 5.5
"""Side of what the network sees over that of a usual object: enough to know an object
by what is around it, and large enough to find its border."""

LARGEST_SIDES_SEEN = 1.8
"""The same for the largest of the objects, which has to fit."""

OVERLAP = 1.3
"""Two neighbouring views share so many sides of a large object."""

NEARLY = 1.2
"""Views that differ less from the network's input are made as large as it, so that
pixels stay what they are."""


class Picture:
    """A slice, its intensities and its pixels.

    Parameters
    ----------
    image : ndarray
        (H, W) or (H, W, 3), any number type.
    window : Window or None
        Intensities that become black and white; None chooses them.
    spacing : tuple of float
        Height and width of a pixel, in any unit.

    Raises
    ------
    UserError
        If it is not one gray or RGB image, or a spacing is not positive.
    """

    def __init__(
        self,
        image: NDArray[Any],
        window: Window | None = None,
        spacing: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        self._shown = ShownImage(image, window, spacing)
        self._grid = self._shown.grid

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the slice."""
        return self._shown.shape

    @property
    def square(self) -> tuple[int, int]:
        """(H, W) in square pixels."""
        return self._shown.square

    def crop(self, view: Crop, size: tuple[int, int]) -> NDArray[np.float32]:
        """Give a view (h, w) or (h, w, 3) in [0, 1]; it is in square pixels."""
        return self._shown.pixels(view, size)

    def squared(self, mask: Mask) -> Mask:
        """Bring a mask (H, W) to square pixels."""
        if self._grid is None:
            return mask
        return np.asarray(self._grid.there(mask.astype(np.float32)) > 0.5)

    def back(self, mask: Mask, box: Crop) -> tuple[Crop, Mask]:
        """Bring a mask in a box of square pixels to a box of the slice's own."""
        if self._grid is None:
            return box, mask
        own = self._grid.extent(box)
        factors = self._grid.factors
        rows, columns = (
            np.arange(own[2 * axis], own[2 * axis + 1] + 1, dtype=np.float32)
            * np.float32(factors[axis])
            - np.float32(box[2 * axis])
            for axis in (0, 1)
        )
        across, down = np.meshgrid(columns, rows)
        values = mask.astype(np.float32)
        resampled = cv2.remap(values, across, down, cv2.INTER_LINEAR)
        return own, np.asarray(resampled > 0.5)

    def place_back(self, place: tuple[float, float]) -> tuple[float, float]:
        """Bring a row and column of square pixels to the slice's own."""
        if self._grid is None:
            return place
        factors = self._grid.factors
        return place[0] / factors[0], place[1] / factors[1]


def usual_sides(masks: Sequence[Mask]) -> tuple[float, float]:
    """Median side, and that of the largest few, of objects in square pixels."""
    sides = []
    for mask in masks:
        spans = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
        sides.append(max(int(span[-1] - span[0]) + 1 for span in spans))
    return float(np.median(sides)), float(np.percentile(sides, 90))


@dataclass(frozen=True)
class Tiling:
    """How large a view is, and how much neighbouring ones share.

    Parameters
    ----------
    side : int
        Of a view, square px.
    overlap : int
        Of neighbours, square px.
    size : tuple of int
        (height, width) in px of the network's input.
    """

    side: int
    overlap: int
    size: tuple[int, int]

    @classmethod
    def fitting(cls, median: float, large: float, size: tuple[int, int]) -> Tiling:
        """Choose views for objects of a usual and a large side, square px."""
        side = max(SIDES_SEEN * median, LARGEST_SIDES_SEEN * large, 32.0)
        own = math.sqrt(size[0] * size[1])
        if own / NEARLY < side < own * NEARLY:
            side = own
        overlap = min(OVERLAP * large, 0.6 * side)
        return cls(round(side), round(overlap), size)

    def views(self, shape: tuple[int, int]) -> Iterator[tuple[Crop, Crop]]:
        """Go through the views of a picture.

        Parameters
        ----------
        shape : tuple of int
            (H, W) of the picture in square px.

        Yields
        ------
        tuple of Crop
            A view, and the part of it that is nearer to its middle than to that of
            any other; these parts cover the picture without overlap.
        """
        rows, columns = (list(self._along(length)) for length in shape)
        for top, bottom, first_row, last_row in rows:
            for left, right, first_column, last_column in columns:
                yield (
                    Crop(top, bottom, left, right),
                    Crop(first_row, last_row, first_column, last_column),
                )

    def _along(self, length: int) -> Iterator[tuple[int, int, int, int]]:
        """First and last pixel of the views along an axis, and of their own parts."""
        side = min(self.side, length)
        count = math.ceil((length - side) / max(1, side - self.overlap)) + 1
        starts = [round(i * (length - side) / max(1, count - 1)) for i in range(count)]
        middles = [start + side / 2 for start in starts]
        cuts = [0, *(round((a + b) / 2) for a, b in pairwise(middles)), length]
        for number, start in enumerate(starts):
            yield start, start + side - 1, cuts[number], cuts[number + 1] - 1
