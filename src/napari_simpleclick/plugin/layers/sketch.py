"""What is being drawn on the image: a box, a scribble or a lasso."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_simpleclick.plugin.layers.prompt_shapes import Drawn
from napari_simpleclick.prompts import Box, Lasso, Scribble
from napari_simpleclick.workflow import Tool

if TYPE_CHECKING:
    from napari_simpleclick.images import Plane
    from napari_simpleclick.plugin.layers.canvas import LayerCanvas
    from napari_simpleclick.prompts import Point

APART_PX = 0.5
"""Corners of a line that are nearer to the one before are left out, px of the image."""


class Sketch:
    """A drag that draws; its rubber band is shown until it ends.

    Parameters
    ----------
    canvas : LayerCanvas
        Where.
    tool : Tool
        What is drawn.
    position : tuple of float
        Where it begins, in world coordinates.
    positive : bool
        Whether a scribble adds to the object.

    Attributes
    ----------
    left_slice : bool
        Whether the drag went on after the slice was changed; that part is left out.

    Raises
    ------
    UserError
        If what is displayed is not a slice.
    """

    def __init__(
        self,
        canvas: LayerCanvas,
        tool: Tool,
        position: tuple[float, ...],
        positive: bool,
    ) -> None:
        self._canvas, self._tool, self._positive = canvas, tool, positive
        place = canvas.place(position)
        self._plane: Plane = canvas.plane(place)
        self._points: list[Point] = [self._plane.point(place)]
        self.left_slice = False

    def go(self, position: tuple[float, ...]) -> None:
        """Draw on to a position in world coordinates."""
        place = self._canvas.place(position)
        same = self._canvas.viewer.dims.ndisplay == 2 and self._plane.holds(place)
        if not same or self._canvas.plane(place) != self._plane:
            self.left_slice = True
        if self.left_slice:
            return
        point = self._plane.point(place)
        if self._tool is Tool.BOX:
            self._points[1:] = [point]
        elif math.dist(point, self._points[-1]) >= APART_PX:
            self._points.append(point)
        self._canvas.shapes.band(self._drawn())

    def end(self) -> None:
        """Make it a prompt."""
        self._canvas.shapes.add(self._drawn())

    def cancel(self) -> None:
        """Forget it."""
        self._canvas.shapes.drop_band()

    def _drawn(self) -> Drawn:
        points = tuple(self._points)
        if self._tool is Tool.BOX:
            return Drawn(Box.between(points[0], points[-1]), self._plane)
        if self._tool is Tool.LASSO:
            return Drawn(Lasso(points), self._plane)
        return Drawn(Scribble(points, self._positive), self._plane)
