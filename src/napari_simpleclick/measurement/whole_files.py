"""Files that are written as a whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
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
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        raise UserError(
            f"'{path}' was not written ({error.strerror}); what was there before is "
            "as it was. Make room, or choose another folder."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
