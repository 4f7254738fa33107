"""The stroke along which an object is cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer

from napari_simpleclick.plugin.layers.placement import OURS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.components import ViewerModel

LEFT = 1
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
        self.waits = False
        self._line: Any = None

    def begin(self) -> None:
        """Wait for a stroke."""
        self.waits = True
        viewer = self._viewer
        viewer.mouse_drag_callbacks.insert(0, self._on_press)
        viewer.bind_key("Escape", lambda _: self.stop(), overwrite=True)

    def stop(self) -> None:
        """Wait no more, and take the line away."""
        if not self.waits:
            return
        viewer = self._viewer
        if self._on_press in viewer.mouse_drag_callbacks:
            viewer.mouse_drag_callbacks.remove(self._on_press)
        viewer.bind_key("Escape", None, overwrite=True)
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
        camera = _camera(viewer)
        pans, camera.mouse_pan = camera.mouse_pan, False
        yield
        while event.type == "mouse_move":
            places.append(tuple(event.position))
            self._show(places)
            yield
        camera.mouse_pan = pans
        if self.waits:  # not stopped meanwhile
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
                edge_width=WIDTH_PX / _camera(self._viewer).zoom,
                metadata={OURS: True},
            )
            self._viewer.layers.selection.active = active
        else:
            self._line.data = [path]


def _camera(viewer: ViewerModel) -> Any:
    return getattr(viewer, "scene", viewer).camera  # a scene has it since napari 0.9
