"""A button that says which key does the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QPushButton

from napari_simpleclick.plugin.keys import TABLE

if TYPE_CHECKING:
    from qtpy.QtCore import QSize

    from napari_simpleclick.plugin.keys import Action


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

    def minimumSizeHint(self) -> QSize:
        """Leave room for the whole text; napari's style would not."""
        return self.sizeHint()

    def _say(self) -> None:
        text, tip, action = self._said
        self.setText(f"{text}  ({TABLE.text(action)})")
        self.setToolTip(f"{tip} ({TABLE.text(action)})")
