"""A small picture of a slice, with a cross, that can be clicked on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QLineF, QRect, Qt, Signal
from qtpy.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CROSS = QColor(255, 217, 77, 190)
"""Colour of the cross; it is seen on dark and bright pixels."""

HEIGHT, LEAST_HEIGHT = 150, 48
"""Px of the screen, of the view: at most, and at least."""


class SliceView(QWidget):  # type: ignore[misc]
    """Shows what it is given, in the middle of its place, which is as high as that.

    Attributes
    ----------
    cross : tuple of float
        Where the cross is, as shares of height and width from the top left.
    """

    chosen = Signal(float, float)
    """Someone has clicked or dragged: shares of height and width from the top left."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.cross = (0.5, 0.5)
        self._pixels: NDArray[np.uint8] | None = None
        self._text = ""
        self.setFixedHeight(LEAST_HEIGHT)
        self.setMinimumWidth(80)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setAccessibleName(name)

    def show_pixels(
        self, pixels: NDArray[np.uint8], cross: tuple[float, float]
    ) -> None:
        """Show a picture, (height, width, 3) uint8 as large as it is to be seen."""
        self._pixels, self._text, self.cross = pixels, "", cross
        self.setFixedHeight(max(pixels.shape[0], LEAST_HEIGHT))
        self.update()

    def show_text(self, text: str) -> None:
        """Say why there is no picture."""
        self._pixels, self._text = None, text
        self.setFixedHeight(LEAST_HEIGHT)
        self.update()

    @property
    def place(self) -> QRect:
        """Where in the widget the picture is."""
        if self._pixels is None:
            return QRect()
        height, width = self._pixels.shape[:2]
        left, top = (self.width() - width) // 2, (self.height() - height) // 2
        return QRect(left, top, width, height)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw."""
        painter = QPainter(self)
        pixels, place = self._pixels, self.place
        if pixels is None:
            painter.setPen(self.palette().text().color())
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect(), flags, self._text)
        else:
            height, width = pixels.shape[:2]
            kind = QImage.Format.Format_RGB888
            image = QImage(pixels.data, width, height, 3 * width, kind)
            painter.drawImage(place, image)
            painter.setPen(CROSS)
            y = place.top() + self.cross[0] * height
            x = place.left() + self.cross[1] * width
            painter.drawLine(QLineF(place.left(), y, place.left() + width, y))
            painter.drawLine(QLineF(x, place.top(), x, place.top() + height))
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose a point."""
        self._choose(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Choose another, while the button is held."""
        self._choose(event)

    def _choose(self, event: Any) -> None:
        place, at = self.place, event.position()
        if place.isEmpty():
            return
        shares = (
            (at.y() - place.top()) / place.height(),
            (at.x() - place.left()) / place.width(),
        )
        if all(0 <= share < 1 for share in shares):
            self.chosen.emit(*shares)
