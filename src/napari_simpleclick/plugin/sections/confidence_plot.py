"""A small plot: how sure propagation was, slice by slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QLineF, QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

if TYPE_CHECKING:
    from napari_simpleclick.workflow.known_slices import Profile

HEIGHT, MARGIN, FOOT = 84, 8, 16
"""Of the plot, of its sides and top, and of the slice numbers below; px."""

FEWEST = 9
"""Slices that are shown at least."""

UNKNOWN = QColor(128, 128, 128)
"""Colour of slices whose image was not looked at."""


class ConfidencePlot(QWidget):  # type: ignore[misc]
    """Bars for propagated slices, dots for annotated ones, a line for the one in view.

    Click on a slice to go there.
    """

    chosen = Signal(int)
    """Number of a slice that was clicked on."""

    def __init__(self) -> None:
        super().__init__()
        self._profile: Profile | None = None
        self._first, self._last = 0, FEWEST - 1
        self.setFixedHeight(HEIGHT)
        self.setMinimumWidth(80)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def show_profile(self, profile: Profile | None) -> None:
        """Draw what is known of the slices; None for nothing."""
        self._profile = profile
        if profile is not None:
            known = {profile.here, *profile.confidence, *profile.annotated}
            spare = max(1, (FEWEST - (max(known) - min(known))) // 2)
            self._first = max(0, min(known) - spare)
            self._last = min(profile.length - 1, max(known) + spare)
        self.update()

    def place(self, index: int, height: float = 0.0) -> QPointF:
        """Where a slice is, and a confidence from 0 to 1, px."""
        low = self.height() - FOOT
        x = MARGIN + (index - self._first + 0.5) * self._pitch()
        return QPointF(x, low - height * (low - MARGIN))

    def slice_at(self, x: float) -> int:
        """Find the slice at a place, px from the left."""
        index = self._first + int((x - MARGIN) // self._pitch())
        return min(max(index, self._first), self._last)

    def _pitch(self) -> float:
        return float(self.width() - 2 * MARGIN) / (self._last - self._first + 1)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().text().color()
        faint = QColor(ink)
        faint.setAlphaF(0.3)
        left, low = MARGIN, self.height() - FOOT
        painter.setPen(faint)
        for height in (0.0, 0.5, 1.0):
            y = self.place(0, height).y()
            painter.drawLine(QLineF(left, y, self.width() - MARGIN, y))
        if self._profile is not None:
            self._draw(painter, self._profile, ink)
            painter.setPen(ink)
            foot = QRectF(left, low, self.width() - 2 * MARGIN, FOOT)
            for text, side in (
                (self._first, Qt.AlignmentFlag.AlignLeft),
                (self._last, Qt.AlignmentFlag.AlignRight),
            ):
                painter.drawText(foot, side | Qt.AlignmentFlag.AlignVCenter, str(text))
        painter.end()

    def _draw(self, painter: QPainter, profile: Profile, ink: QColor) -> None:
        here = self.place(profile.here, 1.0)
        painter.setPen(ink)
        painter.drawLine(here - QPointF(0, MARGIN - 1), self.place(profile.here))
        width = max(1.5, 0.7 * self._pitch())
        painter.setPen(Qt.PenStyle.NoPen)
        for index, confidence in profile.confidence.items():
            top = self.place(index, 0.15 if confidence is None else confidence)
            bar = QRectF(top.x() - width / 2, top.y(), width, 0.0)
            bar.setBottom(self.place(index).y())
            painter.fillRect(bar, colour(confidence))
        painter.setBrush(ink)
        radius = min(4.0, max(2.0, width / 2))
        for index in profile.annotated:
            painter.drawEllipse(self.place(index, 1.0), radius, radius)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to a slice."""
        if self._profile is not None:
            self.chosen.emit(self.slice_at(event.position().x()))

    def event(self, event: QEvent) -> bool:
        """Name the slice under the pointer."""
        if event.type() == QEvent.Type.ToolTip and self._profile is not None:
            assert isinstance(event, QHelpEvent)
            index = self.slice_at(event.pos().x())
            QToolTip.showText(event.globalPos(), describe(self._profile, index), self)
            return True
        return bool(super().event(event))


def colour(confidence: float | None) -> QColor:
    """From red over yellow to green; gray where nothing is known."""
    if confidence is None:
        return UNKNOWN
    return QColor.fromHsvF(min(max(confidence, 0.0), 1.0) / 3, 0.75, 0.85)


def describe(profile: Profile, index: int) -> str:
    """Say in a few words what is known of a slice."""
    if index in profile.annotated:
        return f"Slice {index}: annotated"
    if index not in profile.confidence:
        return f"Slice {index}"
    confidence = profile.confidence[index]
    known = "from shapes alone" if confidence is None else f"{confidence:.2f}"
    return f"Slice {index}: {known}"
