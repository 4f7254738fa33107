"""Writing files so that there is never half of one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from napari_simpleclick.errors import UserError
from napari_simpleclick.images import whole_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray


class AlreadyThereError(UserError):
    """What is to be written is there already, and may only be replaced if asked."""


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file as :func:`.whole_files.write_whole` does, and make its folder."""
    with whole_files.made_folder(path.parent):
        whole_files.write_whole(path, write)


def write_text(path: Path, text: str) -> None:
    """Write a text file as a whole."""
    write_whole(path, lambda there: there.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file as a whole."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def write_picture(path: Path, picture: NDArray[Any]) -> None:
    """Write (H, W) or (H, W, 3) uint8 as PNG, as a whole."""
    write_whole(path, lambda there: Image.fromarray(picture).save(there))


def add_picture(path: Path, picture: NDArray[Any], ours: bool) -> None:
    """Write a picture of a data set, but not over one that someone else put there.

    Parameters
    ----------
    path : Path
        A .png file.
    picture : ndarray
        (H, W) or (H, W, 3) uint8.
    ours : bool
        Whether what is there is of this case; a picture that looks the same always is.

    Raises
    ------
    UserError
        If there is another picture.
    """
    if path.exists() and not ours and not _shows(path, picture):
        raise UserError(
            f"'{path}' is there already and is not of this data set, so it is not "
            "replaced; choose another folder, or give the case another name."
        )
    write_picture(path, picture)


def _shows(path: Path, picture: NDArray[Any]) -> bool:
    """Whether a file shows a picture."""
    try:
        return np.array_equal(np.asarray(Image.open(path)), picture)
    except OSError:
        return False


def read_json(path: Path, fits: Callable[[Any], bool], what: str) -> Any:
    """Read the JSON file of a data set; None if there is none.

    Raises
    ------
    UserError
        If it is something else, so that nothing can be added to it.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict) or not fits(content):
        raise UserError(
            f"'{path}' is not that of {what} from here, so nothing can be added to it; "
            "choose another folder."
        )
    return content


def check_new(found: list[str], replace: bool, name: str, folder: Path) -> None:
    """Refuse to replace what is in a data set already.

    Raises
    ------
    AlreadyThereError
        If there is something, and it is not to be replaced.
    """
    if found and not replace:
        raise AlreadyThereError(
            f"'{folder}' has '{name}' already; have it replaced, or give it another "
            "name."
        )
