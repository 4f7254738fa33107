"""A session file: an SQLite database that grows by what happens.

``docs/sessions.md`` describes the format.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from napari_simpleclick.errors import UserError
from napari_simpleclick.sessions.migration import migrate_1_to_2, migrate_2_to_3

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIX = ".simpleclick"
APPLICATION = 0x53434C4B
"""Written into the header of the file: ``SCLK``."""

VERSION = 3
"""Of the format; a newer one is refused."""

UNFINISHED = ("-wal", "-journal")
"""Ends of the names of files that hold what is not yet in a session file."""

TABLES = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE prompt (
    id INTEGER PRIMARY KEY, number INTEGER NOT NULL, prompt TEXT NOT NULL, base BLOB,
    viewport TEXT);
CREATE TABLE event (
    id INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL,
    detail TEXT NOT NULL, change BLOB);
"""


class Row(NamedTuple):
    """An event of a session.

    Parameters
    ----------
    kind : str
        What happened.
    detail : object
        JSON value.
    change : bytes or None
        The packed change of the mask.
    """

    kind: str
    detail: Any
    change: bytes | None


class SessionDatabase:
    """An open session file, which no other process can open meanwhile.

    Every event is a transaction: after a crash the file holds all events whose
    :meth:`append` has returned.

    Parameters
    ----------
    path : Path
        The file; it is created if it does not exist.

    Attributes
    ----------
    version : int
        Of the file's format.

    Raises
    ------
    UserError
        If the file is not a session, is damaged, in use, or of a newer version.
    OSError
        If it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        fresh = not path.exists()
        try:
            self._database = sqlite3.connect(
                path, timeout=0, isolation_level=None, check_same_thread=False
            )
        except sqlite3.OperationalError as error:
            raise OSError(f"{path} cannot be opened: {error}.") from error
        try:
            self._run("PRAGMA locking_mode = EXCLUSIVE")
            self._run("PRAGMA synchronous = FULL")  # also if the power fails
            if fresh:
                self._create()
            self._check()
        except BaseException:
            self._database.close()
            raise

    def _create(self) -> None:
        self._run("PRAGMA journal_mode = WAL")
        with self._transaction():
            self._run(f"PRAGMA application_id = {APPLICATION}")
            self._run(f"PRAGMA user_version = {VERSION}")
            for statement in TABLES.split(";")[:-1]:
                self._run(statement)

    def _check(self) -> None:
        (application,) = self._run("PRAGMA application_id").fetchone()
        (self.version,) = self._run("PRAGMA user_version").fetchone()
        if application != APPLICATION:
            raise UserError(f"'{self.path.name}' is not a session of this tool.")
        if self.version > VERSION:
            raise UserError(
                f"'{self.path.name}' was written by a newer version of this tool; "
                "update it to open the session."
            )
        self._run("BEGIN IMMEDIATE")  # takes the lock, and keeps it
        self._run("COMMIT")

    def _run(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._database.execute(statement, values)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise UserError(
                    f"'{self.path.name}' is open in another window."
                ) from error
            raise OSError(f"'{self.path}' cannot be used: {error}.") from error
        except sqlite3.DatabaseError as error:
            raise UserError(
                f"'{self.path.name}' is not a session, or is damaged: {error}."
            ) from error

    def __enter__(self) -> Self:
        """Do nothing; the file is open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def put_about(self, about: dict[str, Any]) -> None:
        """Write facts about the session, as JSON values."""
        for key, value in about.items():
            statement = "INSERT OR REPLACE INTO about VALUES (?, ?)"
            self._run(statement, (key, json.dumps(value)))

    def about(self) -> dict[str, Any]:
        """Read the facts about the session."""
        rows = self._run("SELECT key, value FROM about").fetchall()
        return {key: json.loads(value) for key, value in rows}

    def upgrade(self) -> None:
        """Make a file of an older version one of the present version, or leave it.

        It is one transaction: whatever happens meanwhile, the file is either as it was
        or whole.

        Raises
        ------
        UserError
            If the file is damaged.
        """
        if self.version == VERSION:
            return
        try:
            with self._transaction():
                if self.version == 1:
                    migrate_1_to_2(self._run)
                migrate_2_to_3(self._run)
                self._run(f"PRAGMA user_version = {VERSION}")
        except (KeyError, TypeError, IndexError, json.JSONDecodeError) as error:
            raise UserError(
                f"'{self.path.name}' is damaged: {type(error).__name__} {error}."
            ) from error
        self.version = VERSION

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Do all that follows, or nothing."""
        self._run("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._run("ROLLBACK")
            raise
        self._run("COMMIT")

    def add_prompt(
        self, number: int, prompt: Any, base: bytes | None, viewport: Any = None
    ) -> int:
        """Write a prompt; returns its id.

        Parameters
        ----------
        number : int
            Its order in the session.
        prompt : object
            JSON value.
        base : bytes or None
            The packed mask that it starts from.
        viewport : object
            JSON value of what was seen; None for nothing.
        """
        statement = "INSERT INTO prompt VALUES (NULL, ?, ?, ?, ?)"
        seen = None if viewport is None else json.dumps(viewport)
        values = (number, json.dumps(prompt), base, seen)
        return int(self._run(statement, values).lastrowid or 0)

    def prompts(self) -> list[tuple[int, int, Any, bytes | None, Any]]:
        """Read all prompts: id, order, JSON value, packed mask, what was seen."""
        columns = "id, number, prompt, base, viewport"
        rows = self._run(f"SELECT {columns} FROM prompt").fetchall()
        return [
            (id_, number, json.loads(text), base, seen and json.loads(seen))
            for id_, number, text, base, seen in rows
        ]

    def append(self, kind: str, detail: Any, change: bytes | None = None) -> None:
        """Write an event."""
        statement = "INSERT INTO event VALUES (NULL, ?, ?, ?, ?)"
        self._run(statement, (time.time(), kind, json.dumps(detail), change))

    def events(self) -> Iterator[Row]:
        """Read all events, oldest first."""
        for kind, detail, change in self._run(
            "SELECT kind, detail, change FROM event ORDER BY id"
        ):
            yield Row(kind, json.loads(detail), change)

    def count(self) -> int:
        """Count the events."""
        return int(self._run("SELECT count(*) FROM event").fetchone()[0])

    def prompt_count(self) -> int:
        """Count the prompts that were ever made."""
        place = "click) FROM step" if self.version == 1 else "number) FROM prompt"
        return int(self._run(f"SELECT max({place}").fetchone()[0] or 0)

    def last_time(self) -> float:
        """Time of the last event, in seconds since 1970; 0 for none."""
        return float(self._run("SELECT max(time) FROM event").fetchone()[0] or 0)

    def copy(self, path: Path) -> None:
        """Write a copy of the file, which replaces another only when it is whole."""
        if not (path.exists() and path.samefile(self.path)):
            _back_up(self._database, path)


def import_copy(path: Path, target: Path) -> None:
    """Copy a session from elsewhere, which may be read-only, and stays as it is.

    Nothing is written next to it either, which SQLite would do if it opened the file.

    Raises
    ------
    UserError
        If it is not a session, is damaged or in use.
    OSError
        If it cannot be read, or the copy not written.
    """
    if not path.is_file():
        raise UserError(f"There is no session at '{path}'.")
    if _is_in_use(path):
        raise UserError(f"'{path.name}' is open in another window.")
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "session"
        for end in ("", *UNFINISHED):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(f"{path}{end}", f"{copy}{end}")
        try:
            with closing(sqlite3.connect(copy)) as file:
                _back_up(file, target)
        except sqlite3.Error as error:
            raise UserError(f"'{path.name}' is not a session.") from error


def _is_in_use(path: Path) -> bool:
    """Whether a window has a session open.

    Asking for a file alone that may only be read leaves nothing next to it.
    """
    place = f"{path.resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(place, uri=True, timeout=0)) as file:
            file.execute("PRAGMA locking_mode = EXCLUSIVE")
            file.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        return "locked" in str(error)
    return False


def _back_up(database: sqlite3.Connection, path: Path) -> None:
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(part)) as target:
            database.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        part.unlink(missing_ok=True)
        if "locked" in str(error):
            raise
        raise OSError(f"{path} cannot be written: {error}.") from error
    except sqlite3.Error:
        part.unlink(missing_ok=True)
        raise
    part.replace(path)
