"""Room for a panel that is taller than its window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QScrollArea,
    QWidget,
)

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent, QWheelEvent

LEAST_HEIGHT = 160
"""Below which a dock is no use, px."""

SETTLED_MS = 50
"""After so long what was opened has its height."""


class Scroll(QScrollArea):  # type: ignore[misc]
    """A scroll area that looks like nothing, and is never scrolled sideways.

    While the wheel scrolls, it changes no value that it happens to pass over.

    Parameters
    ----------
    inner : QWidget
        What is scrolled.
    """

    def __init__(self, inner: QWidget) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for box in inner.findChildren(QComboBox):
            narrow(box)  # now, for Qt remembers how narrow a box may be
        self.setWidget(inner)
        self._opened: QWidget | None = None
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._bring)
        self.verticalScrollBar().actionTriggered.connect(self.stay)

    def bring(self, opened: QWidget) -> None:
        """Scroll down to show a widget that was opened, but not beyond its top.

        And again as it grows, until the person scrolls, or it is closed.
        """
        self.stay()
        self._opened = opened
        opened.installEventFilter(self)
        self._soon.start(SETTLED_MS)

    def stay(self) -> None:
        """Follow what was opened no longer."""
        if self._opened is not None:
            self._opened.removeEventFilter(self)
            self._opened = None
        self._soon.stop()

    def _bring(self) -> None:
        opened, bar = self._opened, self.verticalScrollBar()
        if opened is not None and opened.isVisible():
            top = opened.mapTo(self.widget(), opened.rect().topLeft()).y()
            bottom = top + opened.height() - self.viewport().height()
            bar.setValue(min(top, max(bar.value(), bottom)))

    def minimumSizeHint(self) -> QSize:
        """Leave room for all that stands side by side."""
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(self.widget().minimumSizeHint().width() + bar, LEAST_HEIGHT)

    def sizeHint(self) -> QSize:
        """Be as large as what is inside."""
        return self.widget().sizeHint()

    def showEvent(self, event: QShowEvent) -> None:
        """Guard the values from the wheel."""
        super().showEvent(event)
        for kind in (QComboBox, QAbstractSpinBox, QAbstractSlider):
            for widget in self.widget().findChildren(kind):
                widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                widget.installEventFilter(self)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll where the person wants to."""
        self.stay()
        super().wheelEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Pass the wheel on, and follow what is inside as it gets wider."""
        if watched is self.widget():
            if event.type() == QEvent.Type.LayoutRequest:
                self.updateGeometry()
        elif watched is self._opened and event.type() == QEvent.Type.Resize:
            self._soon.start(SETTLED_MS)
        elif event.type() == QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()
            return True
        return bool(super().eventFilter(watched, event))


def narrow(box: QComboBox) -> None:
    """Let a choice be narrower than its longest entry, so that the dock can be, too."""
    box.setSizeAdjustPolicy(
        QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    )
    box.setMinimumContentsLength(6)
