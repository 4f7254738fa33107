"""Keeping sessions: every change at once, and going on with them later."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_simpleclick.annotate.shelf import (
    Offer,
    decline,
    digest,
    offers,
    tidy,
)
from napari_simpleclick.plugin.background import start
from napari_simpleclick.plugin.kept import read_session

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Image

    from napari_simpleclick.plugin.layers import Bench


class Saving:
    """Writes the session of a bench to a file, and finds older ones of its image."""

    offered = Signal(object)
    """An :class:`Offer` to go on with, or None."""

    restored = Signal(object, object)
    """The image, and its :class:`Restored` session."""

    failed = Signal(str, object)
    """A sentence for the person, and the error behind it."""

    def __init__(self) -> None:
        self.bench: Bench | None = None

    # -- writing ---------------------------------------------------------------------

    def follow(self, bench: Bench | None) -> None:
        """Watch over the session of a bench from now on; None for nothing."""
        if self.bench is not None:
            self.bench.session.happened.disconnect(self._on_event)
        self.bench = bench
        self.offered.emit(None)
        if bench is not None:
            bench.session.happened.connect(self._on_event)
            if bench.recorder.keeps and not bench.recorder.begun:
                self._look_for_offers(bench)

    def _on_event(self) -> None:
        """Tell if the last event was not written; withdraw the offer."""
        if self.bench is None or not self.bench.recorder.begun:
            return
        self.offered.emit(None)
        trouble = self.bench.recorder.trouble()
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
        ValueError
            If nothing was done yet.
        """
        if self.bench is None or not self.bench.recorder.begun:
            raise ValueError("There is nothing to save yet; click on an object first.")
        work = self.bench.recorder.copy(path)
        start(work.result, failed=self._on_error, title="Saving the session")

    # -- going on ----------------------------------------------------------------------

    def _look_for_offers(self, bench: Bench) -> None:
        source, ndim = bench.source(), bench.image.ndim

        def search() -> list[Offer]:
            tidy()
            return offers(digest(source, ndim))

        start(search, partial(self._on_offers, bench), self._on_error)

    def _on_offers(self, bench: Bench, found: list[Offer]) -> None:
        if bench is self.bench and not bench.recorder.begun:
            self.offered.emit(found[0] if found else None)

    def decline(self, offer: Offer) -> None:
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
