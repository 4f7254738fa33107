"""Files that are written as a whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError
from napari_simpleclick.images import whole_files

if TYPE_CHECKING:
    from pathlib import Path


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file; the old one stays whole until the new one is.

    Parameters
    ----------
    path : Path
        Target.
    content : str or bytes
        Text is written as UTF-8.

    Raises
    ------
    UserError
        If it cannot be written, as where the disk is full.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        whole_files.write_whole(path, lambda there: there.write_bytes(data))
    except OSError as error:
        raise UserError(
            f"'{path}' was not written ({error.strerror}); what was there before is "
            "as it was. Make room, or choose another folder."
        ) from error
