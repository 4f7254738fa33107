"""Knowing an image again: by its pixels, and where they are blank by its file."""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SLICES = 9
"""Slices that are read, at most: first, last and evenly in between."""

SEARCHED_BYTES = 256 * 2**20
"""An image of this size is searched for a slice with content if those are blank."""

BLOCK_BYTES = 64 * 1024
"""Of a file, read at its beginning, middle and end."""


OTHERS = "other_contents"
"""Key of digests of other pixels that the same layer had at some time."""


@dataclass(frozen=True)
class ImageIdentity:
    """What tells an image from others.

    Parameters
    ----------
    content : str
        Digest of shape, type and several slices.
    blank : bool
        Whether those slices have one value each, so that they tell little.
    path : str or None
        Of its file or folder; None for an image that was made in memory.
    file : str or None
        Digest of the file's size and parts; None if it cannot be read.
    middle_slice : str
        Digest of the middle slice, by which sessions of version 0.1 know their image.
    middle_blank : bool
        Whether that slice has one value.
    """

    content: str
    blank: bool
    path: str | None
    file: str | None
    middle_slice: str
    middle_blank: bool

    @classmethod
    def of(cls, source: Any, ndim: int, path: Path | str | None) -> ImageIdentity:
        """Look at an image; it takes the time of reading some slices.

        Parameters
        ----------
        source : array_like
            The image; of a lazy one, only the slices are read.
        ndim : int
            Number of its axes, without that of colour.
        path : Path or str or None
            Where it was read from.
        """
        shape = tuple(int(side) for side in source.shape[: ndim - 2])
        middle = _read(source, tuple(side // 2 for side in shape))
        start = f"{source.shape} {middle.dtype.str} ".encode()
        content = hashlib.blake2b(start, digest_size=16)
        blank = _hash_slices(content, source, shape)
        return cls(
            content.hexdigest(),
            blank,
            None if path is None else str(path),
            None if path is None else _file_digest(Path(path)),
            hashlib.blake2b(start + middle.tobytes(), digest_size=16).hexdigest(),
            _is_blank(middle),
        )

    def about(self) -> dict[str, Any]:
        """Give what a session file says of its image, as JSON values."""
        return {
            "path": self.path,
            "content": self.content,
            "blank": self.blank,
            "file": self.file,
        }

    def known_to(self, about: dict[str, Any]) -> dict[str, Any]:
        """Give what a session file says once it has been worked on with this image.

        Parameters
        ----------
        about : dict
            What it says so far; images that it knows stay known.
        """
        known = {key: value for key, value in self.about().items() if value is not None}
        others = {about.get("content"), *about.get(OTHERS, ())} - {None, self.content}
        return {**known, OTHERS: sorted(others)}

    def is_that_of(self, about: dict[str, Any]) -> bool:
        """Whether a session belongs to this image.

        Pixels count more than files: an image that was moved, renamed or written in
        another format is the same one. Where all pixels that were read are blank, it
        must be the same file, too.

        Parameters
        ----------
        about : dict
            What the session file says.
        """
        if about.get("content") is None:  # version 0.1
            same = about.get("digest") == self.middle_slice
            return same and (not self.middle_blank or self._is_at(about.get("path")))
        same = self.content in (about["content"], *about.get(OTHERS, ()))
        return same and (not self.blank or about["file"] == self.file)

    def _is_at(self, path: str | None) -> bool:
        return path is None or self.path is None or Path(path) == Path(self.path)


def _hash_slices(content: Any, source: Any, shape: tuple[int, ...]) -> bool:
    """Hash slices along the last two axes; tells whether all were blank."""
    count = math.prod(shape)
    chosen = np.unique(np.linspace(0, count - 1, min(SLICES, count)).round())
    blank = True
    for number in chosen.astype(int).tolist():
        pixels = _read(source, np.unravel_index(number, shape) if shape else ())
        content.update(pixels.tobytes())
        blank = blank and _is_blank(pixels)
    if blank and count > SLICES and _bytes(source) <= SEARCHED_BYTES:
        for number in range(count):
            pixels = _read(source, np.unravel_index(number, shape))
            if not _is_blank(pixels):
                content.update(f" {number} ".encode() + pixels.tobytes())
                blank = False
    return blank


def _read(source: Any, index: tuple[Any, ...]) -> NDArray[Any]:
    return np.ascontiguousarray(source[tuple(int(place) for place in index)])


def _bytes(source: Any) -> int:
    return int(math.prod(source.shape) * np.dtype(source.dtype).itemsize)


def _is_blank(pixels: NDArray[Any]) -> bool:
    if pixels.size == 0:
        return True
    first = pixels.flat[0]
    no_number = first != first  # NaN is unlike itself
    return bool((np.isnan(pixels) if no_number else pixels == first).all())


def _file_digest(path: Path) -> str | None:
    """Digest of a file's size and three parts, or of all files in a folder by size."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in files:
            digest.update(f"{file.name if len(files) > 1 else ''} ".encode())
            digest.update(f"{file.stat().st_size} ".encode())
        for file in {files[0]: 0, files[len(files) // 2]: 0, files[-1]: 0}:
            for block in _blocks(file):
                digest.update(block)
    except (OSError, IndexError):
        return None
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    if not path.is_file():
        return
    size = path.stat().st_size
    with path.open("rb") as file:
        for place in (0, size // 2, size - BLOCK_BYTES):
            file.seek(max(place, 0), os.SEEK_SET)
            yield file.read(BLOCK_BYTES)
