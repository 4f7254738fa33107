"""Keeping sessions: every change at once, and going on with them later."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_simpleclick.errors import UserError
from napari_simpleclick.plugin.layers.session_mask import identity_of, read_session
from napari_simpleclick.plugin.workers import start
from napari_simpleclick.sessions.folder import (
    SavedSession,
    decline,
    offers,
    tidy,
)

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Image

    from napari_simpleclick.plugin.layers.canvas import LayerCanvas


class Autosave:
    """Writes the session of a canvas to a file, and finds older ones of its image."""

    offered = Signal(object)
    """An :class:`SavedSession` to go on with, or None."""

    restored = Signal(object, object)
    """The image, and its :class:`RestoredSession` session."""

    failed = Signal(str, object)
    """A sentence for the person, and the error behind it."""

    def __init__(self) -> None:
        self.canvas: LayerCanvas | None = None

    # -- writing ---------------------------------------------------------------------

    def follow(self, canvas: LayerCanvas | None) -> None:
        """Watch over the session of a canvas from now on; None for nothing."""
        if self.canvas is not None:
            self.canvas.session.happened.disconnect(self._on_event)
        self.canvas = canvas
        self.offered.emit(None)
        if canvas is not None:
            canvas.session.happened.connect(self._on_event)
            if canvas.recorder.is_recording and not canvas.recorder.begun:
                self._look_for_offers(canvas)

    def _on_event(self) -> None:
        """Tell if the last event was not written; withdraw the offer."""
        if self.canvas is None or not self.canvas.recorder.begun:
            return
        self.offered.emit(None)
        trouble = self.canvas.recorder.trouble()
        if trouble is not None:
            text = (
                f"Your work is not being kept: {trouble} Save the mask yourself with "
                "Ctrl+S."
            )
            tell = partial(self.failed.emit, text, trouble)
            QTimer.singleShot(0, tell)  # after the answer, which takes troubles away

    def save_copy(self, path: Path) -> None:
        """Write the session to a file that can be taken elsewhere, in the background.

        Raises
        ------
        UserError
            If nothing was done yet.
        """
        if self.canvas is None or not self.canvas.recorder.begun:
            raise UserError("There is nothing to save yet; click on an object first.")
        work = self.canvas.recorder.copy(path)
        start(work.result, failed=self._on_error, title="Saving the session")

    # -- going on ----------------------------------------------------------------------

    def _look_for_offers(self, canvas: LayerCanvas) -> None:
        image = canvas.image

        def search() -> list[SavedSession]:
            tidy()
            return offers(identity_of(image))

        start(search, partial(self._on_offers, canvas), self._on_error)

    def _on_offers(self, canvas: LayerCanvas, found: list[SavedSession]) -> None:
        if canvas is self.canvas and not canvas.recorder.begun:
            self.offered.emit(found[0] if found else None)

    def decline(self, offer: SavedSession) -> None:
        """Do not offer a session again."""
        self.offered.emit(None)
        start(partial(decline, offer))

    def restore(self, path: Path, image: Image) -> None:
        """Read a session back in the background."""
        self.offered.emit(None)
        start(
            partial(read_session, path, image),
            partial(self.restored.emit, image),
            self._on_error,
            "Opening the session",
        )

    def _on_error(self, error: Exception) -> None:
        self.failed.emit(str(error), error)
