"""Slices across the displayed one: which they are, their pixels, and how they look."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images import Plane
from napari_simpleclick.plugin.layers.camera import camera_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_simpleclick.plugin.layers.canvas import LayerCanvas

MOST_PX = 512
"""More pixels than that a side of a small view does not have."""

MOST_BYTES = 2**30
"""More is not read of a file for a small view."""


@dataclass(frozen=True)
class Across:
    """The two slices that cut the displayed one in a point, at right angles.

    Parameters
    ----------
    point : tuple of float
        In image coordinates, px.
    axis : int
        The axis that the displayed slices follow.
    planes : tuple of Plane
        One along the rows of the displayed slice, and one along its columns.
    """

    point: tuple[float, ...]
    axis: int
    planes: tuple[Plane, Plane]

    @classmethod
    def through(cls, canvas: LayerCanvas, at: Mapping[int, float], axis: int) -> Across:
        """Cut the displayed slice.

        Parameters
        ----------
        canvas : LayerCanvas
            The image.
        at : mapping
            Axis to where on it; the middle for an axis that is not in it. The position
            of the displayed slice counts for axes that are not displayed.
        axis : int
            The axis that the displayed slices follow.

        Raises
        ------
        UserError
            If no slice is displayed.
        """
        here, shape = canvas.current_plane(), canvas.labels.shape
        point = [float(place) for place in here.index]
        for shown in here.axes:
            place = at.get(shown, (shape[shown] - 1) / 2)
            point[shown] = min(max(place, 0.0), shape[shown] - 1.0)
        rows, columns = here.axes
        first, second = (
            Plane.at(shape, (axis, other), tuple(point)) for other in (columns, rows)
        )
        return cls(tuple(point), axis, (first, second))


class Piece(NamedTuple):
    """What is read of an array for a small view.

    Parameters
    ----------
    source : array_like
        The array, at the resolution that is enough.
    where : tuple
        What to index it with.
    """

    source: Any
    where: tuple[int | slice, ...]

    def read(self) -> NDArray[Any]:
        """Read it, and nothing else."""
        return np.asarray(self.source[self.where])

    def same(self, other: Piece | None) -> bool:
        """Whether two are the same pixels."""
        return (
            other is not None
            and self.source is other.source
            and self.where == other.where
        )


def image_piece(canvas: LayerCanvas, plane: Plane) -> Piece:
    """Choose what to read of an image, every so many pixels of a large slice.

    Raises
    ------
    UserError
        If that would read too much of a file.
    """
    image = canvas.image
    levels = list(image.data) if image.multiscale else [image.data]
    full = levels[0].shape
    source = next(
        (
            level
            for level in reversed(levels)
            if all(level.shape[axis] >= min(MOST_PX, full[axis]) for axis in plane.axes)
        ),
        levels[0],
    )
    index = [
        slice(None, None, _step(source.shape[axis]))
        if axis in plane.axes
        else place * source.shape[axis] // full[axis]
        for axis, place in enumerate(plane.index)
    ]
    channels = canvas.options.channel_axis
    if channels is not None:
        index[channels] = canvas.channel()
    bytes_read = _bytes_read(source, plane)
    if bytes_read > MOST_BYTES:
        raise UserError(
            f"Not shown: to cut across, {bytes_read / 2**30:.1f} GB of the image would "
            "be read."
        )
    return Piece(source, tuple(index))


def labels_piece(canvas: LayerCanvas, plane: Plane) -> Piece:
    """Choose what to read of the mask, every so many pixels of a large slice."""
    labels = canvas.labels
    index = tuple(
        slice(None, None, _step(labels.shape[axis])) if axis in plane.axes else place
        for axis, place in enumerate(plane.index)
    )
    return Piece(labels, index)


def _step(side: int) -> int:
    return max(1, side // MOST_PX)


def _bytes_read(source: Any, plane: Plane) -> int:
    """Bytes of a file that a slice lies in; 0 for what is in memory or mapped."""
    if isinstance(source, np.ndarray):
        return 0
    chunks = getattr(source, "chunks", None)
    sides = list(source.shape)
    for axis in range(len(plane.index)):
        if axis not in plane.axes and chunks is not None:
            chunk = chunks[axis]
            sides[axis] = chunk if isinstance(chunk, int) else max(chunk)
    count: int = math.prod(int(side) for side in sides)
    return count * int(np.dtype(source.dtype).itemsize)


class Look(NamedTuple):
    """How the pixels of a small view become a picture.

    Parameters
    ----------
    size : tuple of int
        (height, width) of the picture, px.
    flips : tuple of bool
        Whether rows and columns run the other way on the screen.
    colours : dict
        Label to red, green and blue, 0 to 255, of what is outlined.
    """

    size: tuple[int, int]
    flips: tuple[bool, bool]
    colours: dict[int, tuple[int, int, int]]


def fitted(plane: Plane, canvas: LayerCanvas, most: tuple[int, int]) -> tuple[int, int]:
    """Fit a slice into (height, width) px, its aspect as its pixels' sizes have it."""
    rows, columns = plane.size(canvas.labels.shape)
    down, across = canvas.spacing(plane)
    height, width = rows * abs(down), columns * abs(across)
    scale = min(most[0] / height, most[1] / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def flips(canvas: LayerCanvas, plane: Plane) -> tuple[bool, bool]:
    """Tell whether rows and columns run up and left in napari's window."""
    image = canvas.image
    camera = camera_of(canvas.viewer)
    origin = np.array(image.data_to_world(np.zeros(image.ndim)))
    turned = [
        image.data_to_world(np.eye(image.ndim)[axis])[axis] < origin[axis]
        for axis in plane.axes
    ]
    ways = [str(way) for way in getattr(camera, "orientation", ("", "down", "right"))]
    return bool(turned[0] != (ways[1] == "up")), bool(turned[1] != (ways[2] == "left"))


def grey_or_colour(canvas: LayerCanvas, pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Map pixels to red, green and blue (h, w, 3) as the layer shows them."""
    window = canvas.window()
    if window is None:
        colour = pixels[..., :3]
        if colour.dtype == np.uint8:
            return np.ascontiguousarray(colour)
        most = 1.0 if colour.dtype.kind == "f" else float(np.iinfo(colour.dtype).max)
        unit = np.clip(np.nan_to_num(colour.astype(np.float32) / most), 0, 1)
        return np.asarray(np.round(255 * unit), np.uint8)
    ramp = canvas.image.colormap.map(np.linspace(0, 1, 256))[:, :3]
    table = np.asarray(np.round(255 * ramp), np.uint8)
    unit = np.clip(np.nan_to_num(window.apply(pixels)), 0, 1)
    return np.asarray(table[np.round(255 * unit).astype(np.uint8)], np.uint8)


def painted(
    colour: NDArray[np.uint8], labels: NDArray[Any], look: Look
) -> NDArray[np.uint8]:
    """Paint a small view: the image, and the outlines of the objects.

    Parameters
    ----------
    colour : ndarray
        (h, w, 3) uint8, the image.
    labels : ndarray
        (h, w), the objects; it may have another size.
    look : Look
        Size, way up and colours.

    Returns
    -------
    ndarray
        uint8, of the size of the picture, and 3.
    """
    height, width = look.size
    small = height < colour.shape[0] or width < colour.shape[1]
    way = cv2.INTER_AREA if small else cv2.INTER_LINEAR
    picture = cv2.resize(colour, (width, height), interpolation=way)
    rows = np.arange(height) * labels.shape[0] // height
    columns = np.arange(width) * labels.shape[1] // width
    near = labels[np.ix_(rows, columns)]
    edge = np.zeros(near.shape, bool)
    for one, other in (
        ((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
        ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
    ):
        differ = near[one] != near[other]
        edge[one] |= differ
        edge[other] |= differ
    for label in np.unique(near[edge]):
        if int(label) in look.colours:
            picture[edge & (near == label)] = look.colours[int(label)]
    down, across = (slice(None, None, -1 if flip else 1) for flip in look.flips)
    return np.ascontiguousarray(picture[down, across])
