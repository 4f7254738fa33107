"""The table of keys as a window, in which each can be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QKeySequenceEdit,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_simpleclick.plugin.keys import TABLE, Action, keys_of_napari, spelled
from napari_simpleclick.plugin.scroll import Scroll

if TYPE_CHECKING:
    from qtpy.QtWidgets import QMainWindow

MOUSE = {
    "Click": "The chosen sign, at first: adds to the object",
    "Right-click, Ctrl+click": "The other sign",
    "Drag, wheel": "Move and zoom, as always",
    "Drag after Box, Scribble, Lasso": "Draw one; right button: the other sign",
}


MOST_OF_SCREEN = 0.85
"""Of its height; a longer table is scrolled."""


class KeyTable(QDialog):  # type: ignore[misc]
    """What the mouse and the keys do; a click on a key, then another key, changes it.

    Parameters
    ----------
    window : QMainWindow or None
        Over which the table is shown, and whose keys are left alone.
    """

    def __init__(self, window: QMainWindow | None) -> None:
        super().__init__(window)
        self.setWindowTitle("SimpleClick: mouse and keys")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.edits: dict[Action, QKeySequenceEdit] = {}
        self.trouble, self.reset = QLabel(), QPushButton("Back to the usual keys")
        self.done_button = QPushButton("Close")
        self._lay_out()
        self._show()
        TABLE.changed.connect(self._show)

    def _lay_out(self) -> None:
        inner = QWidget()
        grid = QGridLayout(inner)
        grid.setHorizontalSpacing(24)
        for row, (how, what) in enumerate(MOUSE.items()):
            grid.addWidget(QLabel(what), row, 0)
            grid.addWidget(QLabel(how), row, 1)
        for row, action in enumerate(Action, len(MOUSE)):
            edit = QKeySequenceEdit()
            edit.setToolTip("Click here, then press another key")
            edit.editingFinished.connect(lambda a=action: self._on_key(a))
            self.edits[action] = edit
            grid.addWidget(QLabel(action.value), row, 0)
            grid.addWidget(edit, row, 1)
        line = QHBoxLayout()
        self.reset.setToolTip("Forget all changes of keys")
        self.done_button.setToolTip("The keys hold from now on")
        self.done_button.setDefault(True)
        line.addWidget(self.reset)
        line.addStretch()
        line.addWidget(self.done_button)
        self.reset.clicked.connect(self._on_reset)
        self.done_button.clicked.connect(self.close)
        self.trouble.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.addWidget(Scroll(inner))
        layout.addWidget(self.trouble)
        layout.addLayout(line)
        most = int(MOST_OF_SCREEN * self.screen().availableGeometry().height())
        size = self.sizeHint()
        self.resize(size.width(), min(size.height(), most))

    def _show(self) -> None:
        for action, edit in self.edits.items():
            edit.setKeySequence(QKeySequence(TABLE.key(action)))

    def _on_key(self, action: Action) -> None:
        """Take over a key, or say why not."""
        key = spelled(self.edits[action].keySequence().toString())
        self.trouble.setText("")
        if key and key != TABLE.key(action):
            taken = keys_of_napari(self.parentWidget())
            sentence = TABLE.problem(action, key, taken)
            self.trouble.setText(sentence)
            if not sentence:
                TABLE.rebind(action, key)
        self._show()

    def _on_reset(self) -> None:
        self.trouble.setText("")
        TABLE.reset()
