"""Sessions on disk: every change at once, and going on with them later."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_simpleclick.errors import UserError
from napari_simpleclick.sessions.folder import SavedSession, decline, offers, tidy
from napari_simpleclick.workflow.explain import explain, is_explained
from napari_simpleclick.workflow.session_file import read_session

if TYPE_CHECKING:
    from pathlib import Path

    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.executor import Executor


class Autosave:
    """Sees to it that the session of a canvas is written, and finds older ones.

    Parameters
    ----------
    executor : Executor
        Reads, searches and waits for what is written.

    Attributes
    ----------
    canvas : Canvas or None
        Whose session is watched over.
    """

    offered = Signal(object)
    """A :class:`SavedSession` to go on with, or None."""

    restored = Signal(object, object)
    """The canvas of the image, and its :class:`RestoredSession`."""

    failed = Signal(object)
    """Something could not be written or read; an exception."""

    def __init__(self, executor: Executor) -> None:
        self.canvas: Canvas | None = None
        self._executor = executor
        self._checking = self._again = False

    # -- writing ---------------------------------------------------------------------

    def follow(self, canvas: Canvas | None) -> None:
        """Watch over the session of a canvas from now on; None for nothing."""
        if self.canvas is not None:
            self.canvas.session.happened.disconnect(self._on_event)
        self.canvas = canvas
        self.offered.emit(None)
        if canvas is not None:
            canvas.session.happened.connect(self._on_event)
            if canvas.recorder.is_recording and not canvas.recorder.begun:
                self._look_for_offers(canvas)

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
        self._executor.start(
            work.result, failed=self.failed.emit, title="Saving the session"
        )

    def _on_event(self) -> None:
        """Withdraw the offer, and see whether the event gets written."""
        canvas = self.canvas
        if canvas is None or not canvas.recorder.begun:
            return
        self.offered.emit(None)
        self._again = self._checking
        if not self._checking:
            self._check(canvas)

    def _check(self, canvas: Canvas) -> None:
        """Wait until all that has happened is written, and tell if it was not."""
        self._checking = True
        checked = partial(self._on_checked, canvas)
        self._executor.start(canvas.recorder.flush, checked, checked)

    def _on_checked(self, canvas: Canvas, _: object) -> None:
        self._checking = False
        trouble = canvas.recorder.trouble()
        if trouble is not None and canvas is self.canvas:
            self.failed.emit(_not_saved(trouble))
        if self._again and self.canvas is not None:
            self._again = False
            self._check(self.canvas)

    # -- going on ----------------------------------------------------------------------

    def _look_for_offers(self, canvas: Canvas) -> None:
        image = canvas.about_image()

        def search() -> list[SavedSession]:
            tidy()
            return offers(image.identity())

        found = partial(self._on_offers, canvas)
        self._executor.start(search, found, self.failed.emit)

    def _on_offers(self, canvas: Canvas, found: list[SavedSession]) -> None:
        if canvas is self.canvas and not canvas.recorder.begun:
            self.offered.emit(found[0] if found else None)

    def decline(self, offer: SavedSession) -> None:
        """Do not offer a session again."""
        self.offered.emit(None)
        self._executor.start(partial(decline, offer), failed=self.failed.emit)

    def restore(self, path: Path) -> None:
        """Read a session of the image back in the background.

        Raises
        ------
        UserError
            If there is no image.
        """
        if self.canvas is None:
            raise UserError("Open the image of the session first.")
        self.offered.emit(None)
        self._executor.start(
            partial(read_session, path, self.canvas.about_image()),
            partial(self.restored.emit, self.canvas),
            self.failed.emit,
            "Opening the session",
        )


def _not_saved(trouble: Exception) -> Exception:
    """Say that the session is not written, and what to do."""
    if not is_explained(trouble):
        return trouble
    told = UserError(
        f"Your work is not being saved: {explain(trouble).rstrip('.')}. Save the mask "
        "yourself with Ctrl+S."
    )
    told.__cause__ = trouble
    return told
