"""Writing files so that there is never half of one, nor one less."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under another name first, so that an old one stays until then.

    Parameters
    ----------
    path : Path
        The file; its folder is there.
    write : callable
        Takes the path that is written to, which ends as ``path`` does.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left of it then.
    """
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        write(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def check_not_read(path: Path, read: Sequence[Path]) -> None:
    """Refuse a target that is one of the files that it is made from.

    Parameters
    ----------
    path : Path
        The target.
    read : sequence of Path
        The files, such as the image that a mask was drawn on.

    Raises
    ------
    UserError
        If it is one of them.
    """
    there = path.exists()
    if there and any(one.exists() and path.samefile(one) for one in read):
        raise UserError(
            f"'{path}' is what this is made from, and is not replaced; give another "
            "name."
        )
