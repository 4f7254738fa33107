"""A button that says which key does the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QPushButton

from napari_simpleclick.plugin.keys import TABLE

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

    from napari_simpleclick.plugin.keys import Action


BESIDE_PX = 12
"""Room on both sides of the text, together."""


class KeyButton(QPushButton):  # type: ignore[misc]
    """A button whose text and tip follow the table of keys.

    Parameters
    ----------
    text, tip : str
        What is said besides the key.
    action : Action
        What the key does.
    """

    def __init__(self, text: str, tip: str, action: Action) -> None:
        super().__init__()
        self._said = text, tip, action
        TABLE.changed.connect(self._say)
        self._say()

    def changeEvent(self, event: QEvent) -> None:
        """Leave room for the whole text, for which napari's style leaves too little."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._widen()

    def showEvent(self, event: QShowEvent) -> None:
        """Leave room for the whole text as it is shown."""
        super().showEvent(event)
        self._widen()

    def _widen(self) -> None:
        width = self.fontMetrics().horizontalAdvance(self.text()) + BESIDE_PX
        if width != self.minimumWidth():
            self.setMinimumWidth(width)

    def _say(self) -> None:
        text, tip, action = self._said
        self.setText(f"{text}  ({TABLE.text(action)})")
        self.setToolTip(f"{tip} ({TABLE.text(action)})")
        self._widen()
