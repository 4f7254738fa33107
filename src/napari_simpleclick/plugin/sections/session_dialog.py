"""A window with the sessions of an image, to go on with one."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import (
    QDialog,
    QGridLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QStyle,
    QVBoxLayout,
    QWidget,
)

from napari_simpleclick.plugin.layers.colours import PLAIN_COLOURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_simpleclick.sessions.folder import SavedSession
    from napari_simpleclick.workflow.last_slice import ListedSession

ICON = 72
"""Side of the pictures, px."""

ONLY = "There is no other session of this image."

OPACITY = 0.5
"""Of the masks in them, as in the viewer."""


def time_in_words(session: SavedSession) -> str:
    """Tell when a session was last worked on, in local time."""
    return datetime.fromtimestamp(session.seconds).strftime("%d %b %Y, %H:%M")


def clicks_in_words(session: SavedSession) -> str:
    """Count the clicks of a session."""
    return _counted(session.clicks, "click")


def _counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"


class SessionDialog(QDialog):  # type: ignore[misc]
    """Lists sessions with their date, what is in them, and their last slice.

    Parameters
    ----------
    sessions : sequence of ListedSession
        The sessions, in the order to show them in.
    words : str
        What becomes of the present work; none if there is none.
    parent : QWidget
        What it belongs to.
    """

    chosen = Signal(object)
    """Path of the session to go on with."""

    def __init__(
        self, sessions: Sequence[ListedSession], words: str, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Sessions of this image")
        self.list = QListWidget()
        self.list.setIconSize(QSize(ICON, ICON))
        self.list.setWordWrap(True)
        self.list.setSpacing(2)
        for session in sessions:
            self.list.addItem(self._item(session))
        self.list.setCurrentRow(0)
        self.open_it, self.other = QPushButton("Open"), QPushButton("Another file…")
        self.cancel = QPushButton("Cancel")
        self.open_it.setDefault(True)
        self.open_it.setEnabled(bool(sessions))
        self.list.setVisible(bool(sessions))
        hint = QLabel(words if sessions else ONLY)
        hint.setWordWrap(True)
        if not hint.text():
            hint.hide()
        buttons = QGridLayout()
        buttons.addWidget(self.open_it, 0, 0)
        buttons.addWidget(self.cancel, 0, 1)
        buttons.addWidget(self.other, 1, 0, 1, 2)
        layout = QVBoxLayout(self)
        layout.addWidget(self.list)
        layout.addWidget(hint)
        layout.addLayout(buttons)
        if sessions:
            self.resize(380, 420)
        self.list.itemDoubleClicked.connect(self._on_open)
        self.open_it.clicked.connect(self._on_open)
        self.other.clicked.connect(self.reject)
        self.cancel.clicked.connect(self.reject)

    def _item(self, session: ListedSession) -> QListWidgetItem:
        saved = session.saved
        counts = [clicks_in_words(saved)]
        if saved.objects is not None:
            counts.insert(0, _counted(saved.objects, "object"))
        item = QListWidgetItem(f"{time_in_words(saved)}\n{' · '.join(counts)}")
        item.setIcon(self._icon(session))
        item.setToolTip(str(saved.path))
        item.setData(Qt.ItemDataRole.UserRole, saved.path)
        return item

    def _icon(self, session: ListedSession) -> QIcon:
        if session.picture is None or session.labels is None:
            return self.style().standardIcon(QStyle.StandardPixmap.SP_FileIcon)
        pixmap = _pixmap(session.picture, session.labels)
        icon = QIcon(pixmap)
        icon.addPixmap(pixmap, QIcon.Mode.Selected)  # or Qt would tint it
        return icon

    def _on_open(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self.chosen.emit(item.data(Qt.ItemDataRole.UserRole))
            self.accept()


def _pixmap(picture: NDArray[np.uint8], labels: NDArray[np.integer]) -> QPixmap:
    """Draw labels over a slice, in the colours that objects begin with."""
    colours = np.asarray(PLAIN_COLOURS.map(labels.ravel())).reshape(*labels.shape, 4)
    share = OPACITY * colours[..., 3:]
    mixed = picture * (1 - share) + 255 * colours[..., :3] * share
    pixels = np.ascontiguousarray(mixed.round().astype(np.uint8))
    height, width = labels.shape
    image = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    size = QSize(ICON, ICON)
    return QPixmap.fromImage(image).scaled(size, Qt.AspectRatioMode.KeepAspectRatio)
