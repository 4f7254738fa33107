"""Going on with a session: an offer at the top, and a part to save and open them."""

from __future__ import annotations

from functools import partial
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
from napari_simpleclick.plugin.sections.session_dialog import (
    SessionDialog,
    clicks_in_words,
    time_in_words,
)
from napari_simpleclick.sessions import SUFFIX
from napari_simpleclick.sessions.folder import folder
from napari_simpleclick.workflow.explain import explain

if TYPE_CHECKING:
    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.sessions.folder import SavedSession
    from napari_simpleclick.workflow.autosave import Autosave
    from napari_simpleclick.workflow.last_slice import ListedSession

FILTER = f"Sessions (*{SUFFIX})"
SAVED = "Every change is saved at once, and offered again when you open this image."
NOT_RECORDED = (
    "Work on this image is not saved as a session, as in a study; save the mask with "
    "Save mask…."
)

KEPT = "What is there now stays on disk as a session of its own."
LOST = "What is there now is not saved, and goes; save the mask first with Save mask…."


def saving_words(autosave: Autosave) -> str:
    """Tell whether the work on the image is saved, and why not."""
    canvas = autosave.canvas
    if canvas is not None and not canvas.recorder.is_recording:
        return NOT_RECORDED
    trouble = autosave.trouble
    return SAVED if trouble is None else explain(trouble)


def replaced_words(autosave: Autosave) -> str:
    """Tell what becomes of the present work if a session is opened in its place."""
    canvas = autosave.canvas
    if canvas is None or not (canvas.recorder.begun or canvas.session.last):
        return ""
    kept = canvas.recorder.is_recording and autosave.trouble is None
    return KEPT if kept else LOST


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
            when, clicks = time_in_words(offer), clicks_in_words(offer)
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
        self.saving = QLabel()
        self.saving.setWordWrap(True)
        self.saving.setToolTip(str(folder()))
        self.save, self.open = QPushButton("Save a copy…"), QPushButton("Open…")
        self.save.setToolTip("Write masks, clicks and objects to a file to take along")
        self.open.setToolTip(
            "Choose among the sessions of this image, or open one from a file"
        )
        self.inside.addWidget(self.saving)
        line = QHBoxLayout()
        line.addWidget(self.save)
        line.addWidget(self.open)
        self.inside.addLayout(line)
        self.save.clicked.connect(self._on_save)
        self.open.clicked.connect(self._on_open)
        self.dialog: SessionDialog | None = None
        self.workflow.autosave.saving_changed.connect(self._show_saving)
        self._show_saving()

    def _show_saving(self) -> None:
        self.saving.setText(saving_words(self.workflow.autosave))

    def _on_save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save session", "", FILTER)
        if name:
            path = Path(name)
            if path.suffix != SUFFIX:
                path = path.with_name(path.name + SUFFIX)
            self.workflow.save_copy(path)

    def _on_open(self) -> None:
        self.workflow.attempt(
            partial(self.workflow.autosave.list_sessions, self._choose)
        )

    def _choose(self, sessions: list[ListedSession]) -> None:
        """Let the person choose one of them, or a file."""
        if self.controller.closed or self.controller.canvas is None:
            return
        self.dialog = SessionDialog(
            sessions, replaced_words(self.workflow.autosave), self
        )
        self.dialog.chosen.connect(self.workflow.restore)
        self.dialog.other.clicked.connect(self._open_file)
        self.dialog.finished.connect(self._on_closed)
        self.dialog.open()

    def _on_closed(self) -> None:
        self.dialog = None  # it deletes itself

    def _open_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "Open session", str(folder()), FILTER
        )
        if name:
            self.workflow.restore(Path(name))
