"""Arrays and masks as bytes."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.annotation.object_slice import Mask

QUICK = 1
"""Compression level of zlib; a person waits."""


def pack(*arrays: NDArray[Any]) -> bytes:
    """Pack arrays: a zlib stream of NumPy's ``.npy`` format, one after the other."""
    file = io.BytesIO()
    for array in arrays:
        np.lib.format.write_array(file, np.ascontiguousarray(array))
    return zlib.compress(file.getvalue(), QUICK)


def unpack(packed: bytes, count: int) -> list[NDArray[Any]]:
    """Unpack so many arrays.

    Raises
    ------
    UserError
        If the bytes are something else.
    """
    try:
        file = io.BytesIO(zlib.decompress(packed))
        return [
            np.lib.format.read_array(file, allow_pickle=False) for _ in range(count)
        ]
    except (zlib.error, EOFError, ValueError) as error:
        raise UserError(f"A change or mask is damaged: {error}.") from error


def pack_mask(mask: Mask) -> bytes:
    """Pack a (H, W) bool mask: its shape, and its bits."""
    return pack(np.array(mask.shape), np.packbits(mask))


def unpack_mask(packed: bytes) -> Mask:
    """Unpack what :func:`pack_mask` made."""
    (height, width), bits = unpack(packed, 2)
    mask = np.unpackbits(bits, count=height * width)
    return np.asarray(mask.reshape(height, width), bool)
