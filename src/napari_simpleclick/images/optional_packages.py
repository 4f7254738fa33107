"""Packages that only some formats need."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from napari_simpleclick.errors import MissingPackageError

if TYPE_CHECKING:
    from types import ModuleType


def require(package: str, extra: str, task: str) -> ModuleType:
    """Import an optional package.

    Parameters
    ----------
    package : str
        Its import name.
    extra : str
        The extra of this package that brings it.
    task : str
        What it is needed for, to end the sentence "… is needed to".

    Raises
    ------
    MissingPackageError
        If it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingPackageError(
            f"{package.split('.')[0]} is needed to {task}; "
            f"pip install 'napari-simpleclick[{extra}]'"
        ) from error
