"""A window that is closed while a file is being written waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QEventLoop, QObject, Signal
from qtpy.QtWidgets import QProgressDialog

if TYPE_CHECKING:
    from pathlib import Path

    from qtpy.QtWidgets import QWidget


class WaitForSaving(QObject):  # type: ignore[misc]
    """Keeps a window open until a file is written, and if it cannot be written.

    Parameters
    ----------
    path : Path
        The file.
    window : QWidget
        The window.
    """

    ended = Signal()

    def __init__(self, path: Path, window: QWidget) -> None:
        super().__init__(window)
        self.path = path
        self._running = True
        self._written = False
        window.installEventFilter(self)

    def end(self, written: bool) -> None:
        """Hold the window no longer; it stays open if the file was not written."""
        self._running, self._written = False, written
        self.parent().removeEventFilter(self)
        self.ended.emit()
        self.deleteLater()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Wait before the window closes, and say for what."""
        if event.type() != QEvent.Type.Close or not self._running:
            return False
        self._wait()
        if self._written:
            return False
        event.ignore()
        return True

    def _wait(self) -> None:
        text = f"Saving '{self.path}'. The window closes when it is written."
        dialog = QProgressDialog(text, "", 0, 0, self.parent())
        dialog.setCancelButton(None)
        dialog.setWindowTitle("Save mask")
        dialog.setMinimumDuration(0)
        dialog.setModal(True)
        dialog.show()
        loop = QEventLoop()
        self.ended.connect(loop.quit)
        loop.exec()
        dialog.close()
        dialog.deleteLater()
