"""Writing what happens in a session, as it happens."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

from napari_simpleclick.annotation.history import Edit
from napari_simpleclick.annotation.mask_options import MaskOptions
from napari_simpleclick.annotation.packing import pack_mask
from napari_simpleclick.annotation.requests import Request
from napari_simpleclick.prompts import prompt_to_json
from napari_simpleclick.sessions.database import SessionDatabase
from napari_simpleclick.sessions.encoding import (
    OPTIONS,
    VIEWPORT,
    encode_edit,
    encode_request,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_simpleclick.annotation.placed_prompt import PlacedPrompt, PlacedPrompts
    from napari_simpleclick.annotation.session import Session
    from napari_simpleclick.sessions.image_identity import ImageIdentity

Ids: TypeAlias = "WeakKeyDictionary[PlacedPrompt, int]"

WORTH_A_FILE = (
    "asked",
    "answered",
    "dropped",
    "done",
    "undone",
    "redone",
    "retracted",
)
"""Events that begin a file; the others are settings, and wait for one of these."""


class SessionWriter:
    """Writes what happens in a session to its file, in a thread of its own.

    What cannot be written, as on a full disk, is kept, and tried again with each event.

    Parameters
    ----------
    session : Session
        The session.
    open_store : callable or None
        Opens the file; called in the thread, when there is something to write. None
        keeps nothing.
    ids : dict, optional
        Ids of the prompts that the file holds, if it is gone on with.

    Attributes
    ----------
    begun : bool
        Whether there was something to write.
    """

    def __init__(
        self,
        session: Session,
        open_store: Callable[[], SessionDatabase] | None,
        ids: dict[PlacedPrompt, int] | None = None,
    ) -> None:
        self.session = session
        self.begun = self._closed = False
        self._open_store = open_store
        self._store: SessionDatabase | None = None
        self._ids: Ids = WeakKeyDictionary(ids or {})
        self._settings = {"chosen": session.label, "options": session.options}
        self._thread = ThreadPoolExecutor(1, "session")
        self._pending: deque[tuple[str, Any]] = deque()
        self._trouble: Exception | None = None
        self._is_new = ids is None
        session.happened.connect(self._on_event)
        if ids is not None:
            self._begin()

    def _on_event(self, kind: str, what: Any) -> None:
        """Write an event in the thread.

        Settings and the choice of an object wait until something is done, and are
        written only if they are new.
        """
        if self._open_store is None or self._closed:
            return
        if kind not in WORTH_A_FILE:
            if self._settings.get(kind) == what:
                return
            self._settings[kind] = what
        elif not self.begun:
            self._begin()
        if self.begun:
            self._thread.submit(self._write, kind, what)

    @property
    def path(self) -> Path | None:
        """The file, once it was opened."""
        return None if self._store is None else self._store.path

    @property
    def is_recording(self) -> bool:
        """Whether the session is to be written at all."""
        return self._open_store is not None

    def trouble(self) -> Exception | None:
        """Tell why something could not be written so far; None if all is well."""
        return self._trouble

    def put_about(self, about: dict[str, Any]) -> None:
        """Write facts about the session, if it has a file; they may get lost."""
        if self.begun and not self._closed:
            self._thread.submit(self._put_about, about)

    def know(self, image: ImageIdentity) -> None:
        """Have the session found by another image as well."""
        if self.begun and not self._closed:
            self._thread.submit(self._know, image)

    def copy(self, path: Path) -> Future[None]:
        """Write a copy with all events up to now, also with those that are waiting."""
        return self._thread.submit(self._copy, path)

    def flush(self) -> None:
        """Wait until everything is written."""
        self._thread.submit(int).result()

    def close(self) -> None:
        """Write what is left, and close the file; nothing more is written."""
        self.session.happened.disconnect(self._on_event, missing_ok=True)
        if not self._closed:
            self._closed = True
            with suppress(RuntimeError):  # Python ends, and has waited for the thread
                self._thread.submit(self._close)
            self._thread.shutdown()

    def _begin(self) -> None:
        self.begun = True
        self._thread.submit(self._open)
        for kind, what in self._settings.items():
            self._thread.submit(self._write, kind, what)

    def _open(self) -> None:
        assert self._open_store is not None
        try:
            self._store = self._open_store()
        except Exception as error:
            self._trouble = error

    def _close(self) -> None:
        self._catch_up()
        if self._store is not None:
            self._store.close()

    def _put_about(self, about: dict[str, Any]) -> None:
        if self._store is not None and self._trouble is None:
            with suppress(OSError, ValueError):
                self._store.put_about(about)

    def _know(self, image: ImageIdentity) -> None:
        if self._store is not None:
            with suppress(OSError, ValueError):
                self._store.put_about(image.known_to(self._store.about()))

    def _copy(self, path: Path) -> None:
        if self._store is None:
            raise OSError("The session has no file, so there is nothing to copy.")
        self._catch_up()
        self._store.copy(path)
        if self._pending:
            if path.samefile(self._store.path):
                raise self._trouble or OSError("It is that file.")
            known: Ids = WeakKeyDictionary(self._ids)
            with closing(SessionDatabase(path)) as copy:
                for kind, what in self._pending:
                    _append(copy, kind, what, known)

    def _write(self, kind: str, what: Any) -> None:
        self._pending.append((kind, what))
        self._catch_up()

    def _catch_up(self) -> None:
        """Write what waits in its order: after a hole, all would be misread."""
        if self._store is None and self._is_new and self._pending:
            self._open()  # a file that was there may have been gone on with elsewhere
        if self._store is None:
            return
        try:
            while self._pending:
                _append(self._store, *self._pending[0], self._ids)
                self._pending.popleft()
        except Exception as error:
            self._trouble = error
        else:
            self._trouble = None


def _append(store: SessionDatabase, kind: str, what: Any, ids: Ids) -> None:
    """Write an event to a file that has prompts of these ids."""
    change = what.change if isinstance(what, Edit) else None
    packed = change.packed if change is not None else None
    if kind in ("undone", "redone", "retracted"):
        what, packed = None, None  # the file knows which
    store.append(kind, _json(store, what, ids), packed)


def _json(store: SessionDatabase, what: Any, known: Ids) -> Any:
    """Make a JSON value of an event; prompts are written when first seen."""

    def ids(prompts: PlacedPrompts) -> list[int]:
        for placed in prompts:
            if placed not in known:
                base = None if placed.base is None else pack_mask(placed.base)
                value = prompt_to_json(placed.prompt)
                seen = VIEWPORT.dump_python(placed.viewport, mode="json")
                known[placed] = store.add_prompt(placed.order, value, base, seen)
        return [known[placed] for placed in prompts]

    if isinstance(what, Edit):
        return encode_edit(what, ids)
    if isinstance(what, Request):
        return encode_request(what, ids)
    if isinstance(what, MaskOptions):
        return OPTIONS.dump_python(what, mode="json")
    return what
