"""Writing what happens in a session, as it happens."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari_simpleclick.annotation.history import (
    Edit,
    EditState,
    OptionsChange,
    PlacedPrompt,
    PlacedPrompts,
    Request,
)
from napari_simpleclick.annotation.packing import pack_mask

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_simpleclick.annotation.object_slice import ObjectSlice
    from napari_simpleclick.annotation.session import Session
    from napari_simpleclick.sessions.database import SessionDatabase

DEEDS = ("asked", "answered", "dropped", "done", "undone", "redone", "retracted")
"""Events that are worth a file; the others are settings."""


class SessionWriter:
    """Writes what happens in a session to its file, in a thread of its own.

    Parameters
    ----------
    session : Session
        The session.
    open_store : callable or None
        Opens the file; called in the thread, when there is something to write. None
        keeps nothing.
    steps : dict, optional
        Ids of the clicks that the file holds, if it is gone on with.

    Attributes
    ----------
    begun : bool
        Whether there was something to write.
    """

    def __init__(
        self,
        session: Session,
        open_store: Callable[[], SessionDatabase] | None,
        steps: dict[PlacedPrompt, int] | None = None,
    ) -> None:
        self.session = session
        self.begun = self._closed = False
        self._open_store = open_store
        self._store: SessionDatabase | None = None
        self._known: WeakKeyDictionary[PlacedPrompt, int] = WeakKeyDictionary(
            steps or {}
        )
        self._noted = {"chosen": session.label, "options": session.options}
        self._thread = ThreadPoolExecutor(1, "session")
        self._trouble: Exception | None = None
        session.happened.connect(self.note)
        if steps is not None:
            self._begin()

    def note(self, kind: str, what: Any) -> None:
        """Write an event; returns at once.

        Settings and the choice of an object wait until something is done, and are
        written only if they are new.
        """
        if self._open_store is None or self._closed:
            return
        if kind not in DEEDS:
            if self._noted.get(kind) == what:
                return
            self._noted[kind] = what
        elif not self.begun:
            self._begin()
        if self.begun:
            self._thread.submit(self._write, kind, what)

    @property
    def path(self) -> Path | None:
        """The file, once it was opened."""
        return None if self._store is None else self._store.path

    @property
    def merging(self) -> bool:
        """Whether the session is to be written at all."""
        return self._open_store is not None

    def trouble(self) -> Exception | None:
        """Tell why nothing is written any more; None if all is well."""
        return self._trouble

    def copy(self, path: Path) -> Future[None]:
        """Write a copy of the file as it will be after all events up to now."""
        return self._thread.submit(self._copy, path)

    def flush(self) -> None:
        """Wait until everything is written."""
        self._thread.submit(int).result()

    def close(self) -> None:
        """Write what is left, and close the file; nothing more is written."""
        self.session.happened.disconnect(self.note, missing_ok=True)
        if not self._closed:
            self._closed = True
            with suppress(RuntimeError):  # Python ends, and has waited for the thread
                self._thread.submit(self._close)
            self._thread.shutdown()

    def _begin(self) -> None:
        self.begun = True
        self._thread.submit(self._open)
        for kind, what in self._noted.items():
            self._thread.submit(self._write, kind, what)

    def _open(self) -> None:
        assert self._open_store is not None
        try:
            self._store = self._open_store()
        except Exception as error:
            self._trouble = error

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()

    def _copy(self, path: Path) -> None:
        if self._store is None:
            raise OSError("The session has no file, so there is nothing to copy.")
        self._store.copy(path)

    def _write(self, kind: str, what: Any) -> None:
        if self._store is None or self._trouble is not None:
            return  # with a hole, what follows would be misread
        try:
            change = what.change if isinstance(what, Edit) else None
            packed = change.packed if change is not None else None
            if kind in ("undone", "redone", "retracted"):
                what, packed = None, None  # the file knows which
            self._store.append(kind, self._json(self._store, what), packed)
        except Exception as error:
            self._trouble = error

    def _json(self, store: SessionDatabase, what: Any) -> Any:
        """Make a JSON value of an event; clicks are written when first seen."""

        def ids(steps: PlacedPrompts) -> list[int]:
            for step in steps:
                if step not in self._known:
                    click, base = step.click, step.base
                    packed = None if base is None else pack_mask(base)
                    values = (click.row, click.column, click.positive, packed)
                    self._known[step] = store.add_step(step.order, values)
            return [self._known[step] for step in steps]

        if isinstance(what, Edit):
            before, after = (
                _plain_state(what.before, ids),
                _plain_state(what.after, ids),
            )
            return {
                "name": what.name,
                "before": before,
                "after": after,
                "options": _plain_turn(what.options),
            }
        if isinstance(what, Request):
            return {
                "number": what.number,
                "spot": _plain(what.object_slice),
                "before": ids(what.before),
                "steps": ids(what.steps),
                "rest": None if what.rest is None else pack_mask(what.rest).hex(),
                "options": _plain_turn(what.options),
            }
        return (
            asdict(what) if is_dataclass(what) and not isinstance(what, type) else what
        )


def _plain_state(
    state: EditState, ids: Callable[[PlacedPrompts], list[int]]
) -> dict[str, Any]:
    return {
        "steps": [[_plain(s), ids(steps)] for s, steps in state.steps.items()],
        "seen": [[_plain(s), seen.hex()] for s, seen in state.seen.items()],
        "notes": [
            [_plain(s), note and [note.fingerprint.hex(), note.confidence]]
            for s, note in state.notes.items()
        ],
        "styles": [[label, asdict(style)] for label, style in state.styles.items()],
    }


def _plain_turn(options: OptionsChange | None) -> list[dict[str, Any]] | None:
    return None if options is None else [asdict(one) for one in options]


def _plain(object_slice: ObjectSlice) -> list[Any]:
    return [object_slice.label, object_slice.plane.axes, object_slice.plane.index]
