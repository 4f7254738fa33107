"""Writing files so that there is never half of one, nor one less."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


END = 16
"""Letters at the end of a name that a partial file keeps: its suffixes are there."""


def behind_links(path: Path) -> Path:
    """Give the file that a link leads to; any other path leads to itself."""
    return Path(os.path.realpath(path))


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under another name first, so that an old one stays until then.

    Parameters
    ----------
    path : Path
        The file; its folder is there. Of a link, the file that it leads to is written.
    write : callable
        Takes the path that is written to, which ends as ``path`` does.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left of it then.
    """
    target = behind_links(path)
    token = f"{os.getpid()}-{os.urandom(4).hex()}"  # names may be as long as they can
    partial = target.with_name(f".{token}-{path.name[-END:]}")
    try:
        write(partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; what stays empty goes again after an error.

    Parameters
    ----------
    folder : Path
        It may be there.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for one in missing:
            with suppress(OSError):  # of one that is not empty, or was not made
                one.rmdir()
        raise


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
