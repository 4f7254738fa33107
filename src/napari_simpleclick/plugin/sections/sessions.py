"""Going on with a session: an offer at the top, and a part to save and open them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
)

from napari_simpleclick.plugin.sections.section import Section
from napari_simpleclick.sessions import SUFFIX
from napari_simpleclick.sessions.folder import folder

if TYPE_CHECKING:
    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.sessions.folder import SavedSession

FILTER = f"Sessions (*{SUFFIX})"
SAVED = "Every change is saved at once, and offered again when you open this image."


class OfferBanner(QFrame):  # type: ignore[misc]
    """Offers to go on where the last session of the image ended.

    Parameters
    ----------
    controller : Controller
        Whose image it is.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.workflow = controller.workflow
        self._offer: SavedSession | None = None
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.accept, self.refuse = QPushButton("Go on with it"), QPushButton("Not now")
        self.accept.setToolTip("Bring back masks, clicks, objects and the undo steps")
        self.refuse.setToolTip(
            "Begin anew; the session stays on disk and can be opened under Session"
        )
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        line = QHBoxLayout()
        line.addWidget(self.accept)
        line.addWidget(self.refuse)
        layout.addLayout(line)
        self.accept.clicked.connect(self._on_accept)
        self.refuse.clicked.connect(self._on_refuse)
        controller.workflow.autosave.offered.connect(self.show_offer)
        self.hide()

    def show_offer(self, offer: SavedSession | None) -> None:
        """Show an offer; None hides it."""
        self._offer = offer
        if offer is not None:
            when = datetime.fromtimestamp(offer.seconds).strftime("%d %b %Y, %H:%M")
            clicks = "1 click" if offer.clicks == 1 else f"{offer.clicks} clicks"
            self.text.setText(f"You worked on this image on {when} ({clicks}).")
        self.setVisible(offer is not None)

    def _on_accept(self) -> None:
        if self._offer is not None:
            self.workflow.restore(self._offer.path)

    def _on_refuse(self) -> None:
        if self._offer is not None:
            self.workflow.autosave.decline(self._offer)


class SessionSection(Section):
    """Buttons to save the session to a file, and to open one.

    Parameters
    ----------
    controller : Controller
        Whose session it is.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__("Session", controller)
        text = QLabel(SAVED)
        text.setWordWrap(True)
        text.setToolTip(str(folder()))
        self.save, self.open = QPushButton("Save a copy…"), QPushButton("Open…")
        self.save.setToolTip("Write masks, clicks and objects to a file to take along")
        self.open.setToolTip("Go on with a session of this image from a file")
        self.inside.addWidget(text)
        line = QHBoxLayout()
        line.addWidget(self.save)
        line.addWidget(self.open)
        self.inside.addLayout(line)
        self.save.clicked.connect(self._on_save)
        self.open.clicked.connect(self._on_open)

    def _on_save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save session", "", FILTER)
        if name:
            path = Path(name)
            if path.suffix != SUFFIX:
                path = path.with_name(path.name + SUFFIX)
            self.workflow.save_copy(path)

    def _on_open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open session", "", FILTER)
        if name:
            self.workflow.restore(Path(name))
