"""Slices with oblong pixels, shown to the network with square ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.viewport import Viewport
from napari_simpleclick.inference.crops import Crop, resize_crop
from napari_simpleclick.prompts import Click, moved

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_simpleclick.prompts import Point, Prompt

SQUARE_ENOUGH = 1.05
"""Pixels whose sides differ less are left as they are."""

MOST_STRETCH = 16.0
"""Longer pixels are cut into so many; a file may have the wrong spacing."""


@dataclass(frozen=True)
class SquareGrid:
    """The pixels of a slice, and as many square ones as cover the same place.

    Parameters
    ----------
    shape, square : tuple of int
        (height, width) of the slice, and of its square pixels. The centres of the
        corner pixels coincide.
    """

    shape: tuple[int, int]
    square: tuple[int, int]

    @classmethod
    def covering(
        cls, shape: tuple[int, int], spacing: tuple[float, float]
    ) -> SquareGrid | None:
        """Square pixels as small as the short side of the slice's own.

        Parameters
        ----------
        shape : tuple of int
            (height, width) of the slice.
        spacing : tuple of float
            Height and width of a pixel, in any unit.

        Returns
        -------
        SquareGrid or None
            None if the pixels are square already.

        Raises
        ------
        UserError
            If a spacing is not a positive number.
        """
        if not all(side > 0 and math.isfinite(side) for side in spacing):
            raise UserError(
                f"A pixel of {spacing[0]:g} x {spacing[1]:g} has no area; correct the "
                "scale of the image."
            )
        short = min(spacing)
        if max(spacing) / short < SQUARE_ENOUGH or 1 in shape:
            return None
        height, width = (
            round((count - 1) * min(side / short, MOST_STRETCH)) + 1
            for count, side in zip(shape, spacing, strict=True)
        )
        return cls(shape, (height, width))

    @property
    def factors(self) -> tuple[float, float]:
        """Square pixels per pixel of the slice, along rows and columns."""
        rows, columns = zip(self.square, self.shape, strict=True)
        return (rows[0] - 1) / (rows[1] - 1), (columns[0] - 1) / (columns[1] - 1)

    def click(self, click: Click) -> Click:
        """Find the place of a click among the square pixels."""
        row, column = (
            float(np.clip(place * factor, 0, count - 1))
            for place, factor, count in zip(
                (click.row, click.column), self.factors, self.square, strict=True
            )
        )
        return Click(row, column, click.positive)

    def view(self, view: Viewport) -> Viewport:
        """Find what is seen of the slice among the square pixels."""
        down, across = self.factors
        return Viewport(
            view.row_min * down,
            view.row_max * down,
            view.column_min * across,
            view.column_max * across,
        )

    def prompt(self, prompt: Prompt) -> Prompt:
        """Find the place of any prompt among the square pixels."""
        if isinstance(prompt, Click):
            return self.click(prompt)

        def move(point: Point) -> Point:
            return point[0] * self.factors[0], point[1] * self.factors[1]

        return moved(prompt, move)

    def there(
        self,
        image: NDArray[Any],
        convert: Callable[[NDArray[Any]], NDArray[np.float32]] | None = None,
    ) -> NDArray[np.float32]:
        """Resample a slice (H, W) or (H, W, C) to square pixels, see `resize_crop`."""
        return resize_crop(image, Crop.whole(self.shape), self.square, convert)

    def back(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Resample a map of square pixels to the slice."""
        return resize_crop(maps, Crop.whole(self.square), self.shape)

    def extent(self, box: Crop) -> Crop:
        """Smallest box of the slice that holds all that a box there has effect on."""
        sides: list[int] = []
        for axis, factor in enumerate(self.factors):
            low, high = box[2 * axis], box[2 * axis + 1]
            sides.append(max(0, math.floor((low - 1) / factor)))
            sides.append(min(self.shape[axis] - 1, math.ceil((high + 1) / factor)))
        return Crop(*sides)
