"""Sessions on disk: every change at once, and going on with them later."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from psygnal import Signal

from napari_simpleclick.errors import UserError
from napari_simpleclick.sessions.folder import (
    SavedSession,
    decline,
    make_folder,
    offers,
    sessions_of,
    tidy,
)
from napari_simpleclick.sessions.taught_files import copy_taught
from napari_simpleclick.workflow.explain import explain, is_explained
from napari_simpleclick.workflow.last_slice import (
    ListedSession,
    about_last_slice,
    listed,
)
from napari_simpleclick.workflow.session_file import read_session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.executor import Executor


class _Found(NamedTuple):
    """What there is in the folder of sessions, or why it cannot be used."""

    offers: list[SavedSession]
    trouble: Exception | None


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

    saving_changed = Signal()
    """It is known anew whether the session is written; see :attr:`trouble`."""

    def __init__(self, executor: Executor) -> None:
        self.canvas: Canvas | None = None
        self._executor = executor
        self._checking = self._again = False
        self._no_folder: Exception | None = None

    @property
    def trouble(self) -> Exception | None:
        """Why the session is not written, or will not be, and what to do; else None."""
        if self.canvas is None:
            return None
        trouble = self.canvas.recorder.trouble() or self._no_folder
        return None if trouble is None else _not_saved(trouble)

    # -- writing ---------------------------------------------------------------------

    def follow(self, canvas: Canvas | None) -> None:
        """Watch over the session of a canvas from now on; None for nothing."""
        if self.canvas is not None:
            self.canvas.session.happened.disconnect(self._on_event)
            self.canvas.recorder.put_about(about_last_slice(self.canvas))
        self.canvas = canvas
        self._no_folder = None
        self.offered.emit(None)
        if canvas is not None:
            canvas.session.happened.connect(self._on_event)
            if canvas.recorder.is_recording and not canvas.recorder.begun:
                self._look_for_offers(canvas)
        self.saving_changed.emit()

    def save_copy(self, path: Path) -> None:
        """Write the session to a file that can be taken elsewhere, in the background.

        Raises
        ------
        UserError
            If nothing was done yet.
        """
        if self.canvas is None or not self.canvas.recorder.begun:
            raise UserError("There is nothing to save yet; click on an object first.")
        recorder = self.canvas.recorder
        work = recorder.copy(path)

        def finish() -> None:
            work.result()
            if recorder.path is not None:
                copy_taught(recorder.path, path)

        self._executor.start(
            finish, failed=self.failed.emit, title="Saving the session"
        )

    def know_pixels(self) -> None:
        """Have the session found by pixels that took the place of others as well."""
        canvas = self.canvas
        if canvas is not None and canvas.recorder.begun:
            image, recorder = canvas.about_image(), canvas.recorder
            self._executor.start(
                lambda: recorder.know(image.identity()), failed=self.failed.emit
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
        if canvas is self.canvas:
            self._no_folder = None
            self.saving_changed.emit()
            if trouble is not None:
                self.failed.emit(_not_saved(trouble))
        if self._again and self.canvas is not None:
            self._again = False
            self._check(self.canvas)

    # -- going on ----------------------------------------------------------------------

    def _look_for_offers(self, canvas: Canvas) -> None:
        image = canvas.about_image()

        def search() -> _Found:
            try:
                make_folder()
            except UserError as error:
                return _Found([], error)
            tidy()
            return _Found(offers(image.identity()), None)

        found = partial(self._on_offers, canvas)
        self._executor.start(search, found, self.failed.emit)

    def _on_offers(self, canvas: Canvas, found: _Found) -> None:
        if canvas is self.canvas and not canvas.recorder.begun:
            self._no_folder = found.trouble
            self.saving_changed.emit()
            self.offered.emit(found.offers[0] if found.offers else None)

    def list_sessions(self, found: Callable[[list[ListedSession]], None]) -> None:
        """Find all sessions of the image in the background, newest first.

        Parameters
        ----------
        found : callable
            Called with them; there is none of an image that is gone.
        """
        if self.canvas is None:
            return
        image, view = self.canvas.about_image(), self.canvas.view()

        def search() -> list[ListedSession]:
            return [listed(saved, view) for saved in sessions_of(image.identity())]

        self._executor.start(search, found, self.failed.emit)

    def decline(self, offer: SavedSession) -> None:
        """Do not offer a session again."""
        self.offered.emit(None)
        self._executor.start(partial(decline, offer), failed=self.failed.emit)

    def restore(self, path: Path) -> None:
        """Read a session of the image back in the background.

        Raises
        ------
        UserError
            If there is no image, or it is the session that is gone on with already.
        """
        if self.canvas is None:
            raise UserError("Open the image of the session first.")
        own = self.canvas.recorder.path
        if own is not None and own.exists() and path.exists() and own.samefile(path):
            raise UserError("This is the session that you are in; choose another one.")
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
        "yourself with Save mask…."
    )
    told.__cause__ = trouble
    return told
