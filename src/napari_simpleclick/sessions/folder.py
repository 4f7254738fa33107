"""The folder of sessions: a file for every image that was worked on, newest first."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from napari_simpleclick.errors import UserError
from napari_simpleclick.sessions.database import SUFFIX, SessionDatabase
from napari_simpleclick.sessions.object_count import count_objects
from napari_simpleclick.sessions.taught_files import delete_taught

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_simpleclick.sessions.image_identity import ImageIdentity

MOST_SESSIONS = 50
"""How many sessions stay in the folder; the oldest go."""

QUEUE_KEY = "queue"
"""What a session file says of the list of cases that it is kept for: its path."""


@dataclass(frozen=True)
class SavedSession:
    """A session that can be gone on with.

    Parameters
    ----------
    path : Path
        Its file.
    clicks : int
        How many were made in it.
    seconds : float
        When something was last done in it, since 1970.
    about : dict
        What the file says about itself.
    objects : int, optional
        How many there are in it; None if the file does not tell.
    """

    path: Path
    clicks: int
    seconds: float
    about: dict[str, Any]
    objects: int | None = None


def folder() -> Path:
    """Give the folder; ``NAPARI_SIMPLECLICK_SESSIONS`` names another one."""
    other = os.environ.get("NAPARI_SIMPLECLICK_SESSIONS")
    return (
        Path(other)
        if other
        else platformdirs.user_data_path("napari-simpleclick") / "sessions"
    )


def make_folder() -> Path:
    """Make the folder if there is none, and see whether files can be made in it.

    Raises
    ------
    UserError
        If they cannot.
    """
    where = folder()
    try:
        where.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=where):
            return where
    except OSError as error:
        raise UserError(
            f"the folder of sessions, {where}, cannot be written to "
            f"({error.strerror or error})."
        ) from error


def new_path(name: str) -> Path:
    """Find a name for the session of an image, and make its folder."""
    where = make_folder()
    stem = re.sub(r"[^\w-]+", "_", name)[:40] or "image"
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    path, number = where / f"{stem}_{stamp}{SUFFIX}", 1
    while path.exists():
        number += 1
        path = where / f"{stem}_{stamp}_{number}{SUFFIX}"
    return path


def sessions_of(image: ImageIdentity) -> list[SavedSession]:
    """Find the sessions of an image, newest first, also those that were declined.

    Those that are open, here or in another window, or in which nothing was done are
    left out.

    Parameters
    ----------
    image : ImageIdentity
        The image.
    """
    return sorted(_read_all(image), key=lambda session: -session.seconds)


def offers(image: ImageIdentity) -> list[SavedSession]:
    """Find the sessions of an image that were not declined, newest first.

    Parameters
    ----------
    image : ImageIdentity
        The image.
    """
    return [
        session for session in sessions_of(image) if not session.about.get("declined")
    ]


def decline(offer: SavedSession) -> None:
    """Do not offer a session again; its file stays until it is the oldest."""
    with contextlib.suppress(OSError, ValueError), SessionDatabase(offer.path) as store:
        store.put_about({"declined": True})


def tidy() -> None:
    """Delete the oldest sessions if there are too many.

    Those of cases stay for as long as the list of these is there.
    """
    with contextlib.suppress(OSError):
        files = sorted(
            folder().glob(f"*{SUFFIX}"), key=lambda file: file.stat().st_mtime
        )
        for file in files[:-MOST_SESSIONS]:
            with contextlib.suppress(OSError, ValueError):
                with SessionDatabase(file) as store:  # not one that is in use
                    queue = store.about().get(QUEUE_KEY)
                if queue and Path(queue).exists():
                    continue
                file.unlink()
                delete_taught(file)


def _read_all(image: ImageIdentity) -> Iterator[SavedSession]:
    for path in folder().glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError, ValueError), SessionDatabase(path) as store:
            about, seconds = store.about(), store.last_time()
            if image.is_that_of(about) and seconds:
                clicks, objects = store.prompt_count(), count_objects(store)
                yield SavedSession(path, clicks, seconds, about, objects)
