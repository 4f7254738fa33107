"""Features of what a network has looked at, so that it need not look again."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_simpleclick.networks import Features

LIMIT_BYTES = 2**28
"""Memory for features of networks that encode once: about 45 crops of 448 px."""


class FeatureCache:
    """Features of a network's last inputs, least recently used ones dropped first.

    An input is known by its pixels, so features are never those of another image, also
    if an array has been changed in place since.

    Parameters
    ----------
    limit_bytes : int
        Memory for all features; those of the last input are kept in any case.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._features: OrderedDict[bytes, Features] = OrderedDict()

    @staticmethod
    def key(pixels: NDArray[np.float32]) -> bytes:
        """Make the key of an input from its pixels, any shape."""
        digest = blake2b(repr(pixels.shape).encode(), digest_size=16)
        digest.update(pixels.data if pixels.flags.c_contiguous else pixels.tobytes())
        return digest.digest()

    @property
    def used_bytes(self) -> int:
        """Memory that the features take."""
        return sum(_bytes(features) for features in self._features.values())

    @property
    def capacity(self) -> int:
        """How many inputs such as the last one fit; 0 before the first."""
        if not self._features:
            return 0
        last = next(reversed(self._features.values()))
        return max(1, self.limit_bytes // max(1, _bytes(last)))

    def __contains__(self, key: bytes) -> bool:
        """Whether the features of an input are here."""
        return key in self._features

    def get(self, key: bytes) -> Features:
        """Give features that are here; they count as used."""
        self._features.move_to_end(key)
        return self._features[key]

    def put(self, key: bytes, features: Features) -> None:
        """Keep the features of an input, and drop old ones where memory ends."""
        self._features[key] = features
        while len(self._features) > 1 and self.used_bytes > self.limit_bytes:
            self._features.popitem(last=False)


def _bytes(features: Features) -> int:
    return sum(part.untyped_storage().nbytes() for part in features)
