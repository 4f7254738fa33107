"""The file of a queue: written as a whole, by one window at a time."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from filelock import FileLock, Timeout
from pydantic import Field, TypeAdapter, ValidationError

from napari_simpleclick.errors import UserError
from napari_simpleclick.sessions.folder import folder

if TYPE_CHECKING:
    from napari_simpleclick.workflow.case_queue.find_cases import FoundCases

NAME = "simpleclick-queue"
OPEN_ELSEWHERE = (
    "This list is open in another window, so nothing is changed from here; close it "
    "there, then open it again."
)
NOT_WRITABLE = "This list cannot be written here ({}), so nothing is kept of it."
VERSION = 1


class CaseState(StrEnum):
    """Where a case stands."""

    UNTOUCHED = "untouched"
    IN_WORK = "in work"
    DONE = "done"
    SKIP = "skip"


@dataclass(frozen=True)
class QueuedCase:
    """A case of a queue.

    Parameters
    ----------
    name : str
        What it is called, and its exports; no other case is called so.
    path : str
        Relative to the folder of the queue if it lies in it.
    state : CaseState
        Where it stands.
    exported : bool
        Whether there is an export of it, which may be replaced.
    """

    name: str
    path: str
    state: CaseState = CaseState.UNTOUCHED
    exported: bool = False


@dataclass(frozen=True)
class ExportChoice:
    """What becomes of a case that is done.

    Parameters
    ----------
    format : str
        Name of a format; empty for no export.
    target : str
        Folder; empty for ``exports`` in that of the queue.
    as_classes : bool
        Whether objects of a class become one.
    """

    format: str = ""
    target: str = ""
    as_classes: bool = False


@dataclass(frozen=True)
class QueueRecord:
    """What the file of a queue says.

    Parameters
    ----------
    cases : tuple of QueuedCase
        In their order.
    current : str
        Name of the case that was open last; empty for none.
    export : ExportChoice
        What becomes of cases that are done.
    version : int
        Of this format.
    """

    cases: tuple[QueuedCase, ...] = ()
    current: str = ""
    export: ExportChoice = field(default_factory=ExportChoice)
    version: Annotated[int, Field(le=VERSION)] = VERSION


RECORD = TypeAdapter(QueueRecord)


def queue_path(found: FoundCases) -> Path:
    """Say where the file of a queue is: beside the cases, or with the sessions."""
    asked = str(Path(found.text).expanduser().absolute())
    number = hashlib.sha256(asked.encode()).hexdigest()[:8]
    if asked.lower().endswith(".csv"):
        name = f"{Path(asked).stem}-queue.json"
    elif Path(asked).is_dir():
        name = f"{NAME}.json"
    else:
        name = f"{NAME}-{number}.json"
    beside = found.home / name
    if beside.exists() or os.access(found.home, os.W_OK):
        return beside
    return folder() / "queues" / f"{found.home.name}-{number}.json"


class QueueFile:
    """A queue on disk.

    Parameters
    ----------
    path : Path
        Its file.

    Attributes
    ----------
    read_only : str
        Why nothing is written, in a sentence; empty if it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read_only = ""
        self._lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=0)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout:
            self.read_only = OPEN_ELSEWHERE
        except OSError as error:
            self.read_only = NOT_WRITABLE.format(error.strerror or error)

    def read(self) -> QueueRecord:
        """Read it; empty if there is none yet.

        Raises
        ------
        UserError
            If it is something else, damaged, or of a newer version.
        """
        try:
            return RECORD.validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return QueueRecord()
        except OSError as error:
            raise UserError(
                f"'{self.path}' cannot be read: {error.strerror}."
            ) from error
        except ValidationError as error:
            raise UserError(
                f"'{self.path}' is no list of cases, is damaged or of a newer version; "
                "move it away to begin anew, or update this tool."
            ) from error

    def write(self, record: QueueRecord) -> None:
        """Write it as a whole: after a crash it is as before or as it is to be.

        Raises
        ------
        UserError
            If it cannot be written.
        """
        if self.read_only:
            return
        partial = self.path.with_name(f".{os.getpid()}-{self.path.name}")
        content = json.dumps(RECORD.dump_python(record, mode="json"), indent=1)
        try:
            with partial.open("w", encoding="utf-8") as file:
                file.write(content + "\n")
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path)
        except OSError as error:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise UserError(
                f"Where the cases stand cannot be saved in '{self.path}' "
                f"({error.strerror or error}); make room there. It is tried again with "
                "the next change."
            ) from error

    def close(self) -> None:
        """Let other windows have it."""
        self._lock.release()
