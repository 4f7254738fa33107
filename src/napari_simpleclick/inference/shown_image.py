"""An image as a network is shown it: with square pixels, and from black to white."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.intensity import Window, check_image, default_window
from napari_simpleclick.images.local_map import LocalMap
from napari_simpleclick.inference.crops import resize_crop
from napari_simpleclick.inference.square_grid import SquareGrid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from napari_simpleclick.images.viewport import Viewport
    from napari_simpleclick.inference.crops import Crop
    from napari_simpleclick.prompts import Prompt


PROBES_PER_AXIS = 64
"""So many rows and columns of an image that shows something nearly always tell so."""


def has_numbers(image: NDArray[Any]) -> bool:
    """Whether any pixel of an image (H, W) or (H, W, 3) holds a finite number."""
    return image.dtype.kind != "f" or any(
        np.isfinite(part).any() for part in (_few(image), image)
    )


def check_numbers(image: NDArray[Any], what: str) -> None:
    """Refuse an image of which nothing is known.

    Parameters
    ----------
    image : ndarray
        (H, W) or (H, W, 3).
    what : str
        What the sentence calls it.

    Raises
    ------
    UserError
        If none of its pixels holds a finite number.
    """
    if not has_numbers(image):
        raise UserError(
            f"{what} holds no numbers, so there is nothing to be seen on it; choose "
            "another."
        )


def check_contrast(image: NDArray[Any], window: Window, what: str) -> None:
    """Refuse an image that is the same everywhere, as a network is shown it.

    Parameters
    ----------
    image : ndarray
        (H, W) or (H, W, 3).
    window : Window
        Intensities that become black and white.
    what : str
        What the sentence calls it.

    Raises
    ------
    UserError
        If it is, or none of its pixels holds a finite number.
    """
    check_numbers(image, what)
    for part in (_few(image), image):
        shown = window.apply(part).reshape(part.shape[0] * part.shape[1], -1)
        if (shown != shown[0]).any():
            return
    raise UserError(
        f"{what} has no contrast: its pixels look all the same; choose another, or "
        "other intensities for black and white."
    )


def _few(image: NDArray[Any]) -> NDArray[Any]:
    rows, columns = (max(1, side // PROBES_PER_AXIS) for side in image.shape[:2])
    return image[::rows, ::columns]


class ShownImage:
    """An image, and what lies on it among its square pixels.

    Parameters
    ----------
    image : ndarray
        (H, W) or (H, W, 3), any number type; it is not copied.
    window : Window or None
        Intensities that become black and white; None chooses them.
    spacing : tuple of float
        Height and width of a pixel, in any unit.

    Attributes
    ----------
    shape : tuple of int
        (H, W) of the image.
    grid : SquareGrid or None
        Its square pixels; None if its own are square.
    window : Window
        What its intensities are mapped with; those of square pixels are mapped already.

    Raises
    ------
    UserError
        If it is not one gray or RGB image, the window is none, or a spacing is not
        positive.
    """

    def __init__(
        self, image: NDArray[Any], window: Window | None, spacing: tuple[float, float]
    ) -> None:
        check_image(image)
        if window is not None and not isinstance(window, Window):
            raise UserError(f"{window!r} is no window; give one as Window(0, 100).")
        self._image = image
        self.shape: tuple[int, int] = (image.shape[0], image.shape[1])
        self.grid = SquareGrid.covering(self.shape, spacing)
        self.window = window or default_window(image)
        self._squared, self._own_window = image, self.window
        if self.grid is not None:
            self._squared = self.grid.there(image, self.window.apply)
            self.window = Window(0.0, 1.0)

    def check_numbers(self) -> None:
        """Refuse an image of which nothing is known.

        Raises
        ------
        UserError
            If none of its pixels holds a number.
        """
        check_numbers(self._image, "The image")

    def check_contrast(self) -> None:
        """Refuse an image that shows nothing, as :func:`check_contrast` does."""
        check_contrast(self._image, self._own_window, "The image")

    @property
    def square(self) -> tuple[int, int]:
        """(H, W) in square pixels."""
        return self.shape if self.grid is None else self.grid.square

    def pixels(self, crop: Crop, size: tuple[int, int]) -> NDArray[np.float32]:
        """Give a crop of square pixels, (h, w) or (h, w, 3) in [0, 1]."""
        return resize_crop(self._squared, crop, size, self.window.apply)

    def prompts(self, prompts: Sequence[Prompt]) -> Sequence[Prompt]:
        """Find the places of prompts among the square pixels."""
        if self.grid is None:
            return prompts
        return [self.grid.prompt(one) for one in prompts]

    def view(self, viewport: Viewport | None) -> Viewport | None:
        """Find what is seen of the image among the square pixels."""
        if self.grid is None or viewport is None:
            return viewport
        return self.grid.view(viewport)

    def prior(self, prior: ArrayLike | LocalMap) -> LocalMap:
        """Bring a mask or probability to the square pixels.

        Parameters
        ----------
        prior : array_like or LocalMap
            Of the image; a local map is finite and within [0, 1].

        Raises
        ------
        UserError
            If it has another shape than the image.
        """
        if isinstance(prior, LocalMap) and self.grid is None:
            return prior
        array = prior.full() if isinstance(prior, LocalMap) else np.asarray(prior)
        if array.shape != self.shape:
            raise UserError(
                f"The prior mask has shape {array.shape} but the image is "
                f"{self.shape[0]} x {self.shape[1]} px; give a mask of the same size."
            )
        unit = array.astype(np.float32, copy=False)
        if array.dtype != bool:  # a mask needs none of it, and a slice can be large
            unit = np.clip(np.nan_to_num(unit, nan=0.0), 0, 1)
        return LocalMap.whole(unit if self.grid is None else self.grid.there(unit))

    def back(self, maps: LocalMap) -> LocalMap:
        """Bring a map of square pixels to the image's own."""
        if self.grid is None:
            return maps
        return LocalMap.whole(self.grid.back(maps.full()))

    def extent(self, crop: Crop) -> Crop:
        """Tell which rows and columns of the image a crop has effect on."""
        return crop if self.grid is None else self.grid.extent(crop)
