"""A small plot: how large an object is, time point by time point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QLineF, QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_simpleclick.measurement import digits, unit_for

if TYPE_CHECKING:
    from napari_simpleclick.measurement import ObjectMeasures

HEIGHT, MARGIN, FOOT = 96, 8, 16
"""Of the plot, of its sides and top, and of the numbers below; px."""

DOT_PX = 3.0


class TimePlot(QWidget):  # type: ignore[misc]
    """A line through the volumes, or areas, of an object; from 0 on.

    Click on a time point to go there.
    """

    chosen = Signal(int)
    """Number of a time point that was clicked on."""

    def __init__(self) -> None:
        super().__init__()
        self._values: dict[int, float] = {}
        self._here: int | None = None
        self._unit = ""
        self.setFixedHeight(HEIGHT)
        self.setMinimumWidth(80)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("Size over time")

    def show_measures(self, objects: list[ObjectMeasures], here: int | None) -> None:
        """Draw the measures of an object, and which time point is in view."""
        unit = unit_for(objects)
        solid = any(one.volume is not None for one in objects)
        self._unit = unit.volume if solid else unit.area
        self._values = {
            one.time: one.slices[0].area * unit.factor**2
            if one.volume is None
            else one.volume * unit.volume_factor
            for one in objects
            if one.time is not None
        }
        self._here = here
        self.update()

    def place(self, time: int, value: float = 0.0) -> QPointF:
        """Where a time point is, and a value; px."""
        low, first = self.height() - FOOT, min(self._values, default=0)
        x = MARGIN + DOT_PX + (time - first) * self._pitch()
        top = max(self._values.values(), default=1.0) or 1.0
        return QPointF(x, low - value / top * (low - MARGIN - FOOT))

    def time_at(self, x: float) -> int:
        """Find the time point nearest to a place, px from the left."""
        return min(self._values, key=lambda time: abs(self.place(time).x() - x))

    def _pitch(self) -> float:
        times = self._values or {0: 0.0}
        span = max(1, max(times) - min(times))
        return float(self.width() - 2 * (MARGIN + DOT_PX)) / span

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._values:
            self._draw(painter, self.palette().text().color())
        painter.end()

    def _draw(self, painter: QPainter, ink: QColor) -> None:
        faint = QColor(ink)
        faint.setAlphaF(0.3)
        low, width = self.height() - FOOT, self.width() - 2 * MARGIN
        painter.setPen(faint)
        painter.drawLine(QLineF(MARGIN, low, MARGIN + width, low))
        if self._here in self._values:
            foot = self.place(self._here)
            painter.drawLine(QLineF(foot.x(), low, foot.x(), MARGIN + FOOT))
        painter.setPen(QPen(ink, 1.5))
        points = [self.place(*one) for one in sorted(self._values.items())]
        painter.drawPolyline(points)
        painter.setBrush(ink)
        for point in points:
            painter.drawEllipse(point, DOT_PX, DOT_PX)
        left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
        texts = (
            (0, left, f"{digits(max(self._values.values()))} {self._unit}"),
            (low, left, str(min(self._values))),
            (low, right, str(max(self._values))),
        )
        for y, side, text in texts:
            place = QRectF(MARGIN, y, width, FOOT)
            painter.drawText(place, side | Qt.AlignmentFlag.AlignVCenter, text)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to a time point."""
        if self._values:
            self.chosen.emit(self.time_at(event.position().x()))

    def event(self, event: QEvent) -> bool:
        """Name the time point under the pointer."""
        if event.type() == QEvent.Type.ToolTip and self._values:
            assert isinstance(event, QHelpEvent)
            time = self.time_at(event.pos().x())
            text = f"Time {time}: {digits(self._values[time])} {self._unit}"
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return bool(super().event(event))
