"""A widget that lives in one of napari's docks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget

if TYPE_CHECKING:
    from napari import Viewer


def without_proxy(viewer: Viewer) -> Viewer:
    """Give the viewer itself, whose layers are always the same objects.

    What napari gives to dock widgets wraps each layer anew, so that none of them is the
    one that another part of the window holds.
    """
    found: Viewer = getattr(viewer, "__wrapped__", viewer)
    return found


class Docked(QWidget):  # type: ignore[misc]
    """Base of the dock widgets.

    napari deletes the dock and only takes the parent away from what was in it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._docked = False

    def leave(self) -> None:
        """Let go of the viewer; called once, before the widget is deleted."""
        raise NotImplementedError

    def event(self, event: QEvent) -> bool:
        """Watch the parent."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is None and self._docked:
                self.leave()
                self.deleteLater()
            self._docked = self.parent() is not None
        return bool(super().event(event))
