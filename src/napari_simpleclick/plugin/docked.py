"""A widget that notices when napari takes it out of its dock."""

from __future__ import annotations

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget


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
