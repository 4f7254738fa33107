"""Taught weights that lie beside the session in which they were taught.

They have the name of the session and a digest of their content, and stay as long as
the session does, since its answers may be theirs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "taught-"
"""What a session calls weights begins so, if it was taught in it."""

SUFFIX = ".safetensors"
DIGITS = 16
"""Of the digest."""


def taught_name(path: Path) -> str:
    """Tell what a session calls a file of taught weights."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{PREFIX}{digest[:DIGITS]}"


def keep_taught(path: Path, session: Path) -> Path:
    """Copy taught weights to where those of a session lie.

    Parameters
    ----------
    path : Path
        A file that was just taught.
    session : Path
        The file of the session.

    Returns
    -------
    Path
        Where it is now.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left of it then.
    """
    target = _path(session, taught_name(path))
    _copy(path, target)
    return target


def find_taught(session: Path, name: str) -> Path | None:
    """Find what a session calls so; None if it is not there, or damaged."""
    path = _path(session, name)
    whole = path.is_file() and taught_name(path) == name
    return path if whole else None


def copy_taught(session: Path, target: Path) -> None:
    """Copy all taught weights of a session to those of another file of it.

    Raises
    ------
    UserError
        If one cannot be written; what was there before still is.
    """
    for path in _files(session):
        name = path.name.removeprefix(f"{session.stem}.").removesuffix(SUFFIX)
        copy = _path(target, name)
        if path.resolve() == copy.resolve():
            continue
        try:
            _copy(path, copy)
        except OSError as error:
            raise UserError(
                f"'{target.name}' lacks what was learned ({error.strerror or error}); "
                "make room, and save it again."
            ) from error


def delete_taught(session: Path) -> None:
    """Delete all taught weights of a session that is no more."""
    for path in _files(session):
        with suppress(OSError):
            path.unlink()


def _copy(path: Path, target: Path) -> None:
    """Copy a file; one of that name stays whole until then."""
    partial = target.with_suffix(".part")
    try:
        shutil.copyfile(path, partial)
        os.replace(partial, target)
    except OSError:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def _path(session: Path, name: str) -> Path:
    return session.with_name(f"{session.stem}.{name}{SUFFIX}")


def _files(session: Path) -> list[Path]:
    start = f"{session.stem}.{PREFIX}"
    with suppress(OSError):
        return [
            path
            for path in sorted(session.parent.iterdir())
            if path.name.startswith(start) and path.name.endswith(SUFFIX)
        ]
    return []
