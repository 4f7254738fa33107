"""Features on disk, for the next time that the same is looked at."""

from __future__ import annotations

import os
import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from napari_simpleclick.errors import UserError
from napari_simpleclick.inference.feature_files import DamagedFeaturesError, unpack
from napari_simpleclick.weights.store import cache_folder

if TYPE_CHECKING:
    from napari_simpleclick.networks import Features

LIMIT_GB = 4.0
"""Size of the store on disk unless told otherwise: about 770 crops of 448 px."""

LIMIT_VARIABLE = "NAPARI_SIMPLECLICK_FEATURES_GB"
"""Environment variable with another size, GB."""

SUFFIX, UNFINISHED = ".safetensors", ".part"

UNFINISHED_BEGIN = "features-"

OURS = re.compile(rf"[0-9a-f]{{64}}\{SUFFIX}|{UNFINISHED_BEGIN}.*\{UNFINISHED}")
"""Names of the store's files; others in its folder are not its own to delete."""

GIVEN_UP_S = 3600.0
"""Age of unfinished files that nobody writes any more, seconds."""


class _File(NamedTuple):
    used: float
    bytes: int
    path: str


class FeatureStore:
    """A folder with a file for each crop that was encoded ahead.

    Several processes may use it at once, and be killed at any time: a file appears when
    it is whole. Each is checked when it is read, and one that is damaged or of another
    format is deleted. What was not used for longest makes room for what is new.

    Parameters
    ----------
    folder : Path or None
        Where the files are; None for the user's cache.
    limit_bytes : int or None
        Size of all files; None for :func:`chosen_limit`.
    """

    def __init__(
        self, folder: Path | None = None, limit_bytes: int | None = None
    ) -> None:
        self.folder = folder or cache_folder() / "features"
        self._limit_bytes = limit_bytes

    @property
    def limit_bytes(self) -> int:
        """Size that all files may have; who only reads need not have a valid one."""
        return chosen_limit() if self._limit_bytes is None else self._limit_bytes

    @property
    def used_bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self._files())

    def path(self, key: str) -> Path:
        """Name the file of a crop."""
        return self.folder / f"{key}{SUFFIX}"

    def holds(self, key: str) -> bool:
        """Tell whether a crop is here, as it was written; it counts as used then."""
        return self.read(key) is not None

    def read(self, key: str) -> Features | None:
        """Read the features of a crop; it counts as used.

        Returns
        -------
        tuple of Tensor or None
            On the CPU; None if they are not here, or not any more as they were.
        """
        path = self.path(key)
        try:
            content = path.read_bytes()
        except OSError:  # a store that cannot be read costs the time of an encode
            return None
        try:
            features = unpack(content, key)
        except DamagedFeaturesError:
            _delete(path)
            return None
        with suppress(OSError):  # of a folder that can only be read
            os.utime(path)
        return features

    def write(self, key: str, content: bytes) -> None:
        """Keep the features of a crop, and let go of the oldest where it gets full.

        Parameters
        ----------
        key : str
            What they are features of.
        content : bytes
            As :func:`napari_simpleclick.inference.feature_files.pack` makes it.

        Raises
        ------
        UserError
            If the disk is full, or the folder cannot be written; all that was there
            before still is.
        """
        unfinished: Path | None = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._make_room(len(content))
            with tempfile.NamedTemporaryFile(
                dir=self.folder,
                prefix=UNFINISHED_BEGIN,
                suffix=UNFINISHED,
                delete=False,
            ) as file:
                unfinished = Path(file.name)
                file.write(content)
            os.replace(unfinished, self.path(key))
        except OSError as error:
            if unfinished is not None:
                _delete(unfinished)
            raise UserError(
                f"Features cannot be kept in '{self.folder}' "
                f"({error.strerror or error}); what is there stays, so free some space "
                "or choose another folder, and go on."
            ) from error

    def check_room(self, count: int, each_bytes: int) -> None:
        """Refuse what would push its own beginning out.

        Parameters
        ----------
        count : int
            Crops that are wanted at the same time.
        each_bytes : int
            Size of one.

        Raises
        ------
        UserError
            If they do not fit.
        """
        wanted = count * each_bytes
        if wanted > self.limit_bytes:
            raise UserError(
                f"Features of {count} slices take {wanted / 1e9:.2g} GB, but the store "
                f"is limited to {self.limit_bytes / 1e9:.2g} GB; allow more with "
                f"--limit or {LIMIT_VARIABLE}."
            )

    def _make_room(self, wanted: int) -> None:
        files, limit = sorted(self._files()), self.limit_bytes
        total = sum(file.bytes for file in files)
        now = time.time()
        for file in files:
            unfinished = file.path.endswith(UNFINISHED)
            if unfinished and now - file.used < GIVEN_UP_S:
                continue
            if unfinished or total + wanted > limit:
                _delete(Path(file.path))
                total -= file.bytes

    def _files(self) -> list[_File]:
        found = []
        with suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                if OURS.fullmatch(entry.name):
                    with suppress(FileNotFoundError):  # another process was faster
                        about = entry.stat()
                        found.append(_File(about.st_mtime, about.st_size, entry.path))
        return found


def chosen_limit() -> int:
    """Size that the store may have, bytes, by the environment or the default.

    Raises
    ------
    UserError
        If the environment variable is not a number above 0.
    """
    return limit_of(os.environ.get(LIMIT_VARIABLE) or LIMIT_GB, LIMIT_VARIABLE)


def limit_of(gigabytes: str | float, name: str) -> int:
    """Turn a size that somebody chose into bytes.

    Parameters
    ----------
    gigabytes : str or float
        The size.
    name : str
        Where it was chosen.

    Raises
    ------
    UserError
        If it is not a number above 0.
    """
    try:
        limit = float(gigabytes)
    except ValueError:
        limit = 0.0
    if not 0 < limit * 1e9 < float("inf"):
        raise UserError(f"{name} is '{gigabytes}'; give a number of gigabytes above 0.")
    return int(limit * 1e9)


def _delete(path: Path) -> None:
    with suppress(OSError):  # gone, or open elsewhere; it is found again another time
        path.unlink()
