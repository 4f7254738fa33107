"""A part of the panel that is closed until it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget
from superqt import QCollapsible

if TYPE_CHECKING:
    from napari_simpleclick.plugin.controller import Controller

QWIDGETSIZE_MAX = 2**24 - 1
"""Qt's word for no limit."""


CLOSED, OPEN = (
    "\N{BLACK RIGHT-POINTING SMALL TRIANGLE}",
    ("\N{BLACK DOWN-POINTING SMALL TRIANGLE}"),
)

PLAIN = (
    "QPushButton { background: transparent; border: none; padding: 3px; }"
    "QPushButton:hover { background: rgba(128, 128, 128, 60); }"
)
"""Look of buttons that are there without asking for attention."""


class Section(QCollapsible):
    """A title that opens and closes what is below it.

    Parameters
    ----------
    title : str
        The title.
    controller : Controller
        What it shows, and asks.

    Attributes
    ----------
    needs_image : bool
        Whether there is nothing to show without an image.
    """

    needs_image: ClassVar[bool] = True

    def __init__(self, title: str, controller: Controller) -> None:
        super().__init__()
        self.controller, self.workflow = controller, controller.workflow
        self._title = title
        empty = self.content()  # the base class would leave it below the title
        self.layout().removeWidget(empty)
        empty.deleteLater()
        inner = QWidget()
        self.inside = QVBoxLayout(inner)
        self.inside.setContentsMargins(4, 4, 0, 6)
        self.setContent(inner)
        inner.setMaximumHeight(0)  # collapsed, as setContent leaves it open
        self.setDuration(0)
        free = QSizePolicy.Policy.Preferred  # the base class would cut off wrapped text
        self.setSizePolicy(free, free)
        self.layout().setAlignment(Qt.AlignmentFlag(0))
        self.layout().setContentsMargins(0, 0, 0, 0)
        self.layout().setSpacing(0)
        button = self.toggleButton()
        button.setToolTip("Open or close this section")
        button.setStyleSheet(PLAIN + "QPushButton { text-align: left; }")
        self.setCollapsedIcon(QIcon())  # the icons are black, also in the dark theme
        self.setExpandedIcon(QIcon())
        self.toggled.connect(self._on_toggled)
        self._on_toggled(False)

    def row(self, *widgets: QWidget) -> None:
        """Add widgets side by side."""
        line = QHBoxLayout()
        for widget in widgets:
            line.addWidget(widget)
        self.inside.addLayout(line)

    def leave(self) -> None:
        """Let go of the viewer."""

    def reset_choices(self) -> None:
        """Follow the viewer's layers, where they are a choice."""

    def _on_toggled(self, opened: bool) -> None:
        """Let the text grow later; the base class keeps the height of now."""
        self.setText(f"{OPEN if opened else CLOSED} {self._title}")
        if opened:
            self.content().setMaximumHeight(QWIDGETSIZE_MAX)


class LiveSection(Section):
    """A section that follows the viewer, and updates once for changes at a time.

    Parameters
    ----------
    title : str
        The title.
    controller : Controller
        Whose image it is about; nothing is updated once it is closed.
    """

    def __init__(self, title: str, controller: Controller) -> None:
        super().__init__(title, controller)
        self._followed: tuple[Any, ...] = ()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._on_soon)
        self.toggled.connect(self.later)

    def follow(self, *events: Any) -> None:
        """Update when these events of the viewer happen, until :meth:`leave`."""
        self._followed = events
        for event in events:
            event.connect(self.later)

    def leave(self) -> None:
        """Let go of the viewer."""
        for event in self._followed:
            event.disconnect(self.later)
        self._soon.stop()

    def later(self, _: Any = None) -> None:
        """Update when the present event is over."""
        if not self.controller.closed:
            self._soon.start(0)

    def _on_soon(self) -> None:
        if not self.controller.closed:
            self.refresh()

    def refresh(self) -> None:
        """Show what is there now."""
        raise NotImplementedError
