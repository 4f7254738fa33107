"""Writing files so that there is never half of one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
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
