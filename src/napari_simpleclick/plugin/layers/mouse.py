"""Telling clicks from drags on the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from napari.utils.interactions import mouse_press_callbacks

from napari_simpleclick.plugin.layers.camera import camera_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.components import ViewerModel

DRAG_PX = 4
"""Screen pixels that the pointer may move between press and release of a click."""

LEFT, RIGHT = 1, 2


class Drawing(Protocol):
    """Who takes drags that draw; a drag that was cancelled may still go on."""

    def is_wanted(self) -> bool:
        """Whether a drag is to draw now."""

    def begin(self, position: tuple[float, ...], other: bool) -> None:
        """Begin at a position in world coordinates, with the other sign or not."""

    def go(self, position: tuple[float, ...]) -> None:
        """Go on to a position."""

    def end(self) -> None:
        """End where it has gone to."""


class Mouse:
    """Reports clicks on the canvas while napari is in a pan and zoom mode.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer.
    wanted : callable
        Whether clicks are wanted at all.
    report : callable
        Called with the position in world coordinates and whether the click is the
        other kind: made with the right button or with Ctrl held down.
    pick : callable
        Called with the position of a click with Shift held down.
    drawing : Drawing
        Takes over drags while something is to be drawn; else a drag pans.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        wanted: Callable[[], bool],
        report: Callable[[tuple[float, ...], bool], None],
        pick: Callable[[tuple[float, ...]], None],
        drawing: Drawing,
    ) -> None:
        self._viewer, self._wanted = viewer, wanted
        self._report, self._pick, self._drawing = report, pick, drawing
        viewer.mouse_drag_callbacks.append(self._on_press)
        self._zooming = list(viewer.mouse_double_click_callbacks)
        viewer.mouse_double_click_callbacks[:] = [self._on_double_click]

    def close(self) -> None:
        """Give the viewer its own callbacks back."""
        presses = self._viewer.mouse_drag_callbacks
        if self._on_press in presses:
            presses.remove(self._on_press)
        doubles = self._viewer.mouse_double_click_callbacks
        others = [one for one in doubles if one != self._on_double_click]
        doubles[:] = [*self._zooming, *others]

    def _listens(self) -> bool:
        """Whether a click is for this tool and not for a mode of the active layer."""
        active = self._viewer.layers.selection.active
        mode = "pan_zoom" if active is None else getattr(active, "mode", "pan_zoom")
        return str(mode) == "pan_zoom" and self._wanted()

    def _on_press(self, viewer: ViewerModel, event: Any) -> Iterator[None]:
        """Take a press released where it began as a click; a drag draws, or pans."""
        start, position, button = event.pos, tuple(event.position), event.button
        other = button == RIGHT or "Control" in event.modifiers
        picks = button == LEFT and "Shift" in event.modifiers
        moved = False
        draws = self._listens() and not picks and self._drawing.is_wanted()
        draws = draws and button in (LEFT, RIGHT)
        camera = camera_of(viewer) if draws else None
        pans = camera is not None and camera.mouse_pan
        if camera is not None:  # of the scene since napari 0.9
            camera.mouse_pan = False
        yield
        while event.type == "mouse_move":
            if draws and not moved and max(abs(event.pos - start)) > DRAG_PX:
                self._drawing.begin(position, other)
            moved = moved or max(abs(event.pos - start)) > DRAG_PX
            if draws and moved:
                self._drawing.go(tuple(event.position))
            yield
        if camera is not None:
            camera.mouse_pan = pans
        if draws and moved:
            self._drawing.end()
        if not moved and button in (LEFT, RIGHT) and self._listens():
            self._pick(position) if picks else self._report(position, other)

    def _on_double_click(self, viewer: ViewerModel, event: Any) -> None:
        """Take the second of two quick presses as a press like any other."""
        if self._listens():
            mouse_press_callbacks(viewer, event)
            return
        for callback in self._zooming:
            callback(viewer, event)
