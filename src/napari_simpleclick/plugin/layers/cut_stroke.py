"""The stroke along which an object is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer

from napari_simpleclick.plugin.layers.camera import camera_of
from napari_simpleclick.plugin.layers.mouse import LEFT
from napari_simpleclick.plugin.layers.placement import OURS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.components import ViewerModel

NAME = "cut"
COLOUR = "#ffffff"
WIDTH_PX = 2.0
"""Of the line that shows the stroke, screen pixels."""


class CutStroke:
    """Takes the next drag of the left button for a stroke, and shows it.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    done : callable
        Called with the positions along the stroke, in world coordinates.

    Attributes
    ----------
    waits : bool
        Whether the next drag is a stroke; other clicks are not wanted meanwhile.
    """

    def __init__(
        self, viewer: ViewerModel, done: Callable[[list[tuple[float, ...]]], None]
    ) -> None:
        self._viewer, self._done = viewer, done
        self.waits = self._stopped = False
        self._line: Any = None

    def begin(self) -> None:
        """Wait for a stroke."""
        self.waits, self._stopped = True, False
        self._viewer.mouse_drag_callbacks.insert(0, self._on_press)

    def stop(self) -> None:
        """Wait no more, and take the line away."""
        if not self.waits:
            return
        viewer, self._stopped = self._viewer, True
        if self._on_press in viewer.mouse_drag_callbacks:
            viewer.mouse_drag_callbacks.remove(self._on_press)
        if self._line is not None and self._line in viewer.layers:
            chosen = viewer.layers.selection.active
            viewer.layers.remove(self._line)
            if chosen in viewer.layers:
                viewer.layers.selection.active = chosen
        self._line = None
        QTimer.singleShot(0, self._rest)  # the release must not be a click as well

    def _rest(self) -> None:
        self.waits = False

    def _on_press(self, viewer: ViewerModel, event: Any) -> Iterator[None]:
        if event.button != LEFT:
            return
        places = [tuple(event.position)]
        camera = camera_of(viewer)
        pans, camera.mouse_pan = camera.mouse_pan, False
        yield
        while event.type == "mouse_move":
            places.append(tuple(event.position))
            if not self._stopped:
                self._show(places)
            yield
        camera.mouse_pan = pans
        if not self._stopped:
            self.stop()
            self._done(places)

    def _show(self, places: list[tuple[float, ...]]) -> None:
        path = np.array(places)
        if self._line is None:
            active = self._viewer.layers.selection.active
            self._line = self._viewer.add_shapes(
                [path],
                shape_type="path",
                name=NAME,
                edge_color=COLOUR,
                edge_width=WIDTH_PX / camera_of(self._viewer).zoom,
                metadata={OURS: True},
            )
            self._viewer.layers.selection.active = active
        else:
            self._line.data = [path]
