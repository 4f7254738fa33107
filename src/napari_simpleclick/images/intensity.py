"""Intensities of any image type to what the networks see: RGB in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERCENTILES = (0.5, 99.5)
"""Window of images that are neither 8-bit nor already in [0, 1]."""

PROBES_PER_AXIS = 512
"""The window is estimated on at most this many rows and columns."""


@dataclass(frozen=True)
class Window:
    """Intensities that become 0 and 1.

    Parameters
    ----------
    low, high : float
        In the image's own units; values outside are clipped.
    gamma : float
        Exponent applied between them; 1 is linear.
    """

    low: float
    high: float
    gamma: float = 1.0

    def apply(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Map intensities to float32 in [0, 1]; NaN becomes 0, infinities clip."""
        if values.dtype == np.uint8 and self == Window(0.0, 255.0):
            return np.asarray(values / np.float32(255), np.float32)
        wide = values.dtype.itemsize > 2 and values.dtype != np.float32
        values = np.nan_to_num(
            values.astype(np.float64 if wide else np.float32, copy=False),
            nan=self.low,
            posinf=self.high,
            neginf=self.low,
        )
        span = self.high - self.low
        unit = np.clip((values - self.low) / (span if span > 0 else 1.0), 0, 1)
        return np.asarray(unit**self.gamma if self.gamma != 1 else unit, np.float32)


UNIT = Window(0.0, 1.0)
"""Of intensities that are mapped already."""

CT_CENTRE_AND_WIDTH = {
    "brain": (40, 80),
    "bone": (400, 1800),
    "lung": (-600, 1500),
    "soft tissue": (50, 400),
    "liver": (30, 150),
}
"""Level and width in Hounsfield units that radiologists usually look through.

Source: Radiopaedia, "Windowing (CT)", https://radiopaedia.org/articles/windowing-ct:
head, brain W:80 L:40; spine, bone W:1800 L:400; chest, lungs W:1500 L:-600; abdomen,
soft tissues W:400 L:50; liver W:150 L:30.
"""

CT_WINDOWS = {
    name: Window(centre - width / 2, centre + width / 2)
    for name, (centre, width) in CT_CENTRE_AND_WIDTH.items()
}
"""The same as windows."""


def default_window(image: NDArray[Any]) -> Window:
    """Choose the window of an image.

    Parameters
    ----------
    image : ndarray
        (H, W) or (H, W, 3).

    Returns
    -------
    Window
        0 to 255 for uint8, 0 to 1 for bool and for floats within [0, 1], else the
        0.5 and 99.5 percentiles of the finite values.
    """
    if image.dtype == np.uint8:
        return Window(0.0, 255.0)
    if image.dtype == np.bool_:
        return Window(0.0, 1.0)
    finite = _probe(image)
    if finite.size == 0:
        return Window(0.0, 1.0)
    floating = np.issubdtype(image.dtype, np.floating)
    if floating and finite.min() >= 0 and finite.max() <= 1:
        return Window(0.0, 1.0)
    return _stretched(finite)


def percentile_window(*images: NDArray[Any]) -> Window:
    """Choose a window by the 0.5 and 99.5 percentiles of some slices, of any type.

    Parameters
    ----------
    *images : ndarray
        (H, W) each.

    Returns
    -------
    Window
        0 to 1 if no value is finite.
    """
    finite = np.concatenate([_probe(image).ravel() for image in images])
    return _stretched(finite) if finite.size else Window(0.0, 1.0)


def _probe(image: NDArray[Any]) -> NDArray[Any]:
    """Give the finite values of an image, or of a regular part of a large one."""
    steps = [max(1, side // PROBES_PER_AXIS) for side in image.shape[:2]]
    probe = image[:: steps[0], :: steps[1]]
    return np.asarray(probe[np.isfinite(probe)])


def _stretched(finite: NDArray[Any]) -> Window:
    low, high = np.percentile(finite.astype(np.float64, copy=False), PERCENTILES)
    return Window(float(low), float(high))


def check_image(image: NDArray[Any]) -> None:
    """Refuse what is not one gray or RGB image.

    Raises
    ------
    UserError
        If the shape or type is not that of a gray or RGB image.
    """
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        hint = "take one slice of it"
        if image.ndim == 3 and image.shape[2] in (2, 4):
            hint = "choose one or three of its channels"
        elif image.ndim < 2:
            hint = "a row of numbers cannot be segmented"
        raise UserError(
            f"An image must have shape (H, W) or (H, W, 3), not {image.shape}; {hint}."
        )
    if 0 in image.shape:
        raise UserError(f"The image of shape {image.shape} holds no pixels.")
    if not (image.dtype == np.bool_ or np.issubdtype(image.dtype, np.number)) or (
        np.issubdtype(image.dtype, np.complexfloating)
    ):
        raise UserError(
            f"An image of type {image.dtype} cannot be segmented; convert it to "
            "integers or floats."
        )
