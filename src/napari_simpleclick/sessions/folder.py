"""The folder of sessions: a file for every image that was worked on, newest first."""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from napari_simpleclick.sessions.database import SUFFIX, SessionDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_simpleclick.sessions.image_identity import ImageIdentity

MOST_SESSIONS = 50
"""How many sessions stay in the folder; the oldest go."""


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
    """

    path: Path
    clicks: int
    seconds: float
    about: dict[str, Any]


def folder() -> Path:
    """Give the folder; ``NAPARI_SIMPLECLICK_SESSIONS`` names another one."""
    other = os.environ.get("NAPARI_SIMPLECLICK_SESSIONS")
    return (
        Path(other)
        if other
        else platformdirs.user_data_path("napari-simpleclick") / "sessions"
    )


def new_path(name: str) -> Path:
    """Find a name for the session of an image, and make its folder."""
    where = folder()
    where.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^\w-]+", "_", name)[:40] or "image"
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    path, number = where / f"{stem}_{stamp}{SUFFIX}", 1
    while path.exists():
        number += 1
        path = where / f"{stem}_{stamp}_{number}{SUFFIX}"
    return path


def offers(image: ImageIdentity) -> list[SavedSession]:
    """Find the sessions of an image, newest first.

    Those that are open in another window, that were declined, or in which nothing was
    done are left out.

    Parameters
    ----------
    image : ImageIdentity
        The image.
    """
    found = [
        offer
        for offer in _read_all()
        if image.is_that_of(offer.about)
        and offer.seconds
        and not offer.about.get("declined")
    ]
    return sorted(found, key=lambda offer: -offer.seconds)


def decline(offer: SavedSession) -> None:
    """Do not offer a session again; its file stays until it is the oldest."""
    with contextlib.suppress(OSError, ValueError), SessionDatabase(offer.path) as store:
        store.put_about({"declined": True})


def tidy() -> None:
    """Delete the oldest sessions if there are too many."""
    with contextlib.suppress(OSError):
        files = sorted(
            folder().glob(f"*{SUFFIX}"), key=lambda file: file.stat().st_mtime
        )
        for file in files[:-MOST_SESSIONS]:
            with contextlib.suppress(OSError, ValueError):
                SessionDatabase(file).close()  # not one that is in use
                file.unlink()


def _read_all() -> Iterator[SavedSession]:
    for path in folder().glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError, ValueError), SessionDatabase(path) as store:
            yield SavedSession(
                path, store.prompt_count(), store.last_time(), store.about()
            )
