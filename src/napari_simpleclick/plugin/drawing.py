"""Drags that draw, joined to the workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError
from napari_simpleclick.plugin.layers.sketch import Sketch
from napari_simpleclick.workflow import Tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_simpleclick.plugin.layers.canvas import LayerCanvas
    from napari_simpleclick.workflow import Workflow

LEFT_SLICE = "The slice was changed while drawing; what was drawn before it counts."


class Drawing:
    """Makes boxes, scribbles and lassos of drags while such a tool is chosen.

    Parameters
    ----------
    workflow : Workflow
        Says which tool is chosen, and hears what goes wrong.
    ready : callable
        Gives the canvas; raises UserError where nothing can be drawn.
    """

    def __init__(self, workflow: Workflow, ready: Callable[[], LayerCanvas]) -> None:
        self._workflow, self._ready = workflow, ready
        self._sketch: Sketch | None = None

    def is_wanted(self) -> bool:
        """Whether a drag is to draw now."""
        return self._workflow.tool is not Tool.CLICK

    def begin(self, position: tuple[float, ...], other: bool) -> None:
        """Begin at a position in world coordinates, with the other sign or not."""
        flow = self._workflow

        def start() -> None:
            sign = flow.positive != other
            self._sketch = Sketch(self._ready(), flow.tool, position, sign)

        self.cancel()
        flow.attempt(start)

    def go(self, position: tuple[float, ...]) -> None:
        """Go on to a position."""
        sketch = self._sketch
        if sketch is None:
            return
        try:
            sketch.go(position)
        except UserError:  # the image is not displayed any more
            sketch.left_slice = True

    def end(self) -> None:
        """Make what was drawn a prompt."""
        sketch, self._sketch = self._sketch, None
        if sketch is None:
            return
        self._workflow.attempt(sketch.end)
        if sketch.left_slice:
            self._workflow.status.emit(LEFT_SLICE)

    def cancel(self) -> bool:
        """Forget what is being drawn; tells whether there was something."""
        sketch, self._sketch = self._sketch, None
        if sketch is not None:
            sketch.cancel()
        return sketch is not None
