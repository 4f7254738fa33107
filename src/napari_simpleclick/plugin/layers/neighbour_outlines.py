"""The outlines of the object on the slices before and after the displayed one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.plugin.layers.placement import MOVES
from napari_simpleclick.workflow.propagator import displayed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.plugin.layers.canvas import LayerCanvas

COLOURS = {-1: (1.0, 1.0, 1.0, 1.0), 1: (1.0, 0.85, 0.3, 1.0)}
"""White for the slice before, yellow for the one after."""

NAME = "neighbours' outlines"


class NeighbourOutlines:
    """A Vectors layer that belongs to the tool and follows the displayed slice.

    Vectors cannot be selected or painted on, and are no choice for an image or a mask.

    Parameters
    ----------
    controller : Controller
        Whose image and object are shown.
    """

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self._layer: Any = None
        self._image: Any = None

    def follow(self) -> None:
        """Show the outlines around the present slice."""
        canvas = self.controller.canvas
        if canvas is None:
            self.remove()
            return
        lines, colours = _outlines(canvas, self.controller.workflow.propagator.axis)
        if self._layer is None or self._image is not canvas.image:
            self.remove()
            self._add(canvas)
        for name in MOVES:
            if not np.array_equal(
                getattr(self._layer, name), getattr(canvas.mask, name)
            ):
                setattr(self._layer, name, getattr(canvas.mask, name))
        self._layer.data = lines
        if len(colours):
            self._layer.edge_color = colours

    def is_gone(self) -> bool:
        """Whether the person deleted the layer."""
        return self._layer is not None and self._layer not in self._viewer.layers

    def remove(self) -> None:
        """Take the layer away."""
        layer, self._layer, self._image = self._layer, None, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    @property
    def _viewer(self) -> Any:
        return self.controller.viewer

    def _add(self, canvas: LayerCanvas) -> None:
        image, layers = canvas.image, self._viewer.layers
        active = layers.selection.active
        layer = self._viewer.add_vectors(
            np.zeros((0, 2, image.ndim)),
            ndim=image.ndim,
            name=NAME,
            vector_style="line",
            edge_width=min(1.5, min(canvas.mask.data.shape[-2:]) / 400),
            opacity=0.7,
            **{name: getattr(canvas.mask, name) for name in (*MOVES, "axis_labels")},
        )
        self._layer, self._image = getattr(layer, "__wrapped__", layer), image
        layers.selection.active = active


def _outlines(
    canvas: LayerCanvas, axis: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lines (N, 2, D) on the displayed slice, start and way, and their colours."""
    lines: list[NDArray[np.float64]] = [np.zeros((0, 2, canvas.image.ndim))]
    colours = [np.zeros((0, 4))]
    try:
        stack, here = displayed(canvas, axis)
    except UserError:
        return lines[0], colours[0]
    rows, columns = stack.plane.axes
    place = np.array(stack.object_slice(here).plane.index, float)
    for side, colour in COLOURS.items():
        if not 0 <= here + side < canvas.mask.data.shape[stack.axis]:
            continue
        mask = canvas.object_mask(stack.object_slice(here + side).plane, stack.label)
        found, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE
        )
        for contour in found:
            points = np.tile(place, (len(contour), 1))
            points[:, (columns, rows)] = contour[:, 0]
            way = np.roll(points, -1, axis=0) - points
            lines.append(np.stack([points, way], axis=1))
            colours.append(np.tile(colour, (len(contour), 1)))
    return np.concatenate(lines), np.concatenate(colours)
