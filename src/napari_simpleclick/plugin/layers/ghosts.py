"""The outlines of proposals on the displayed slice, which are no objects yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.plugin.layers.placement import MOVES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.annotation import Proposal
    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.plugin.layers.canvas import LayerCanvas

    Lines = tuple[NDArray[np.float64], NDArray[np.float64]]

COLOURS = {True: (1.0, 0.9, 0.1, 1.0), False: (0.5, 0.85, 1.0, 0.55)}
"""Yellow for the proposal in view, faint blue for the others."""

NAME = "proposals"


class Ghosts:
    """A Vectors layer that belongs to the tool and follows the displayed slice.

    Vectors cannot be selected or painted on, are no choice for an image or a mask, and
    are never part of a mask that is saved.

    Parameters
    ----------
    controller : Controller
        Whose proposals are shown.
    """

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self._layer: Any = None
        self._image: Any = None

    def follow(self) -> None:
        """Show the proposals on the present slice; no layer where none waits."""
        canvas = self.controller.canvas
        waiting = self.controller.workflow.similar.waiting()
        if canvas is None or not waiting.open:
            self.remove()
            return
        lines, colours = self._lines(canvas)
        if self._layer is None or self._image is not canvas.image or self.is_gone():
            self.remove()
            self._add(canvas)
        for name in MOVES:
            wanted = getattr(canvas.mask, name)
            if not np.array_equal(getattr(self._layer, name), wanted):
                setattr(self._layer, name, wanted)
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
            edge_width=max(0.5, min(4.0, min(canvas.mask.data.shape[-2:]) / 150)),
            **{name: getattr(canvas.mask, name) for name in (*MOVES, "axis_labels")},
        )
        self._layer, self._image = getattr(layer, "__wrapped__", layer), image
        layers.selection.active = active

    def _lines(self, canvas: LayerCanvas) -> Lines:
        """Lines (N, 2, D) on the displayed slice, start and way, and their colours."""
        lines: list[NDArray[np.float64]] = [np.zeros((0, 2, canvas.image.ndim))]
        colours = [np.zeros((0, 4))]
        try:
            plane = canvas.current_plane()
        except UserError:
            return lines[0], colours[0]
        for one, in_view in self.controller.workflow.similar.shown(plane):
            outline = _outline(one)
            lines.append(outline)
            colours.append(np.tile(COLOURS[in_view], (len(outline), 1)))
        return np.concatenate(lines), np.concatenate(colours)


def _outline(one: Proposal) -> NDArray[np.float64]:
    """Lines (N, 2, D) around a proposal."""
    inside = one.inside.astype(np.uint8)
    rows, columns = one.plane.axes
    place = np.array(one.plane.index, float)
    found, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    lines = [np.zeros((0, 2, len(place)))]
    for contour in found:
        points = np.tile(place, (len(contour), 1))
        points[:, columns] = contour[:, 0, 0] + one.corner[1]
        points[:, rows] = contour[:, 0, 1] + one.corner[0]
        lines.append(np.stack([points, np.roll(points, -1, axis=0) - points], axis=1))
    return np.concatenate(lines)
