"""The last line of the panel: the tour and the table of keys."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QHBoxLayout,
    QMainWindow,
    QPushButton,
    QShortcut,
    QWidget,
)

from napari_simpleclick.plugin.key_table import KeyTable
from napari_simpleclick.plugin.keys import TABLE, Action
from napari_simpleclick.plugin.sections.section import PLAIN


class Help(QWidget):  # type: ignore[misc]
    """Two small buttons, and the key that shows the table of keys.

    The key works in the whole window, as on many keyboards it is one that napari
    cannot tell from others.
    """

    def __init__(self) -> None:
        super().__init__()
        self.table: KeyTable | None = None
        self._shortcut: QShortcut | None = None
        self.tour, self.keys = QPushButton("Tour"), QPushButton("Keys")
        self.tour.setToolTip("Show the first steps again")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addStretch()
        for button in (self.tour, self.keys):
            button.setStyleSheet(PLAIN)
            layout.addWidget(button)
        self.keys.clicked.connect(self.show_table)
        TABLE.changed.connect(self._on_keys)
        self._on_keys()

    def show_table(self) -> None:
        """Show the table of keys, or bring it to the front."""
        if self.table is None:
            self.table = KeyTable(self._main_window())
            self.table.destroyed.connect(self._on_table_gone)
        self.table.show()
        self.table.raise_()
        self.table.activateWindow()

    def leave(self) -> None:
        """Let go of the window."""
        if self._shortcut is not None:
            self._shortcut.deleteLater()
            self._shortcut = None
        if self.table is not None:
            self.table.close()

    def showEvent(self, event: Any) -> None:
        """Give the window its key as soon as there is a window."""
        super().showEvent(event)
        QTimer.singleShot(0, self._listen)

    def _listen(self) -> None:
        window = self._main_window()
        if window is not None and self._shortcut is None:
            self._shortcut = QShortcut(window)
            self._shortcut.activated.connect(self.show_table)
            self._on_keys()

    def _on_keys(self) -> None:
        text = TABLE.text(Action.HELP)
        self.keys.setText(text if len(text) == 1 else f"Keys  ({text})")
        self.keys.setToolTip(f"What the mouse and the keys do ({text})")
        if self._shortcut is not None:
            self._shortcut.setKey(QKeySequence(TABLE.key(Action.HELP)))

    def _on_table_gone(self) -> None:
        self.table = None

    def _main_window(self) -> QMainWindow | None:
        """Find the window that the panel belongs to, also while it floats."""
        widget = self
        while widget is not None and not isinstance(widget, QMainWindow):
            widget = widget.parentWidget()
        return widget
