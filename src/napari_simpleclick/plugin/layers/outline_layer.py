"""Outlines on the displayed slice that are no objects and cannot be edited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import cv2
import numpy as np

from napari_simpleclick.plugin.layers.placement import MOVES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from napari_simpleclick.annotation import Mask
    from napari_simpleclick.images import Plane
    from napari_simpleclick.plugin.layers.canvas import LayerCanvas

LARGE_PX = 600
"""On images with a shorter side than this, lines are thinner in proportion."""


class Lines(Protocol):
    """Lines of one colour."""

    @property
    def colour(self) -> tuple[float, float, float, float]:
        """Red, green, blue and opacity, 0 to 1."""

    def lines(self) -> NDArray[np.float64]:
        """Lines (N, 2, D), start and way, image px."""


class Outline(NamedTuple):
    """What is outlined.

    Parameters
    ----------
    mask : ndarray
        (h, w) bool.
    plane : Plane
        The slice that it is on.
    colour : tuple of float
        Red, green, blue and opacity, 0 to 1.
    corner : tuple of int
        Row and column of its first pixel on the slice.
    """

    mask: Mask
    plane: Plane
    colour: tuple[float, float, float, float]
    corner: tuple[int, int] = (0, 0)

    def lines(self) -> NDArray[np.float64]:
        """Lines (N, 2, D) along its border, start and way, image px."""
        rows, columns = self.plane.axes
        place = np.array(self.plane.index, float)
        found, _ = cv2.findContours(
            self.mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE
        )
        lines = [np.zeros((0, 2, len(place)))]
        for contour in found:
            points = np.tile(place, (len(contour), 1))
            points[:, columns] = contour[:, 0, 0] + self.corner[1]
            points[:, rows] = contour[:, 0, 1] + self.corner[0]
            way = np.roll(points, -1, axis=0) - points
            lines.append(np.stack([points, way], axis=1))
        return np.concatenate(lines)


class OutlineLayer:
    """A Vectors layer that belongs to the tool and lies on an image.

    Vectors cannot be selected or painted on, are no choice for an image or a mask, and
    are never part of a mask that is saved.

    Parameters
    ----------
    viewer : napari.Viewer
        Where it is shown.
    name : str
        Of the layer.
    width_px : float
        Of its lines, px of the image; less on images below ``LARGE_PX``.
    """

    def __init__(self, viewer: Any, name: str, width_px: float) -> None:
        self._viewer, self._name, self._width_px = viewer, name, width_px
        self._layer: Any = None
        self._image: Any = None

    def show(self, canvas: LayerCanvas, outlines: Iterable[Lines]) -> None:
        """Show these outlines and no others, on the image of a canvas."""
        if self._layer is None or self._image is not canvas.image or self.is_gone():
            self.remove()
            self._add(canvas)
        for name in MOVES:
            wanted = getattr(canvas.mask, name)
            if not np.array_equal(getattr(self._layer, name), wanted):
                setattr(self._layer, name, wanted)
        lines, colours = [np.zeros((0, 2, canvas.image.ndim))], [np.zeros((0, 4))]
        for outline in outlines:
            lines.append(outline.lines())
            colours.append(np.tile(outline.colour, (len(lines[-1]), 1)))
        self._layer.data = np.concatenate(lines)
        if len(self._layer.data):
            self._layer.edge_color = np.concatenate(colours)

    def is_gone(self) -> bool:
        """Whether the person deleted the layer."""
        return self._layer is not None and self._layer not in self._viewer.layers

    def remove(self) -> None:
        """Take the layer away."""
        layer, self._layer, self._image = self._layer, None, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _add(self, canvas: LayerCanvas) -> None:
        image, layers = canvas.image, self._viewer.layers
        active = layers.selection.active
        share = min(1.0, min(canvas.mask.data.shape[-2:]) / LARGE_PX)
        layer = self._viewer.add_vectors(
            np.zeros((0, 2, image.ndim)),
            ndim=image.ndim,
            name=self._name,
            vector_style="line",
            edge_width=self._width_px * share,
            **{name: getattr(canvas.mask, name) for name in (*MOVES, "axis_labels")},
        )
        self._layer, self._image = layer, image
        layers.selection.active = active
