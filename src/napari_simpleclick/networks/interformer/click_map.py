"""InterFormer's click map: what is known of each pixel, click after click.

Source: section 3 of the paper, and its released code: an answer moves a code by one
step, and never what was clicked.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.networks.network import Place

NO, PERHAPS_NOT, UNKNOWN, PERHAPS, YES = range(5)
"""Codes: clicked as background, answered as background, nothing known, answered as
object, clicked as object."""

EXPANSION = 1.4
"""Side of what the refining blocks see, over that of the object."""

MIN_SIDE_PX = 32
"""Shortest such side."""

STRIDE_PX = 32
"""Of the coarsest maps; what the refining blocks see is a multiple of it."""


@dataclass(frozen=True)
class ClickMap:
    """A click map to be remembered; equal if all would go on alike.

    Parameters
    ----------
    shape : tuple of int
        (height, width) in px.
    packed : bytes
        The codes, compressed.
    positive, negative : tuple of tuple of float
        Clicks that it holds.
    region : tuple of int or None
        Where its crop lies in the image.
    """

    shape: tuple[int, int]
    packed: bytes
    positive: tuple[Place, ...]
    negative: tuple[Place, ...]
    region: tuple[int, ...] | None = None

    @classmethod
    def of(
        cls,
        codes: NDArray[np.uint8],
        positive: tuple[Place, ...],
        negative: tuple[Place, ...],
        region: tuple[int, ...] | None,
    ) -> ClickMap:
        """Pack codes (H,W)."""
        shape = (codes.shape[0], codes.shape[1])
        return cls(shape, zlib.compress(codes.tobytes(), 1), positive, negative, region)

    def codes(self) -> NDArray[np.uint8]:
        """Unpack the codes (H,W)."""
        flat = np.frombuffer(zlib.decompress(self.packed), np.uint8)
        return flat.reshape(self.shape).copy()

    def precedes(
        self,
        positive: tuple[Place, ...],
        negative: tuple[Place, ...],
        region: tuple[int, ...] | None,
    ) -> bool:
        """Whether clicks go on from those that it holds, on the same crop."""
        return (
            self.region == region
            and positive[: len(self.positive)] == self.positive
            and negative[: len(self.negative)] == self.negative
        )


def after_answer(
    codes: NDArray[np.uint8], answer: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Move codes by one step towards an answer, but never those of clicks."""
    moved = codes.astype(np.int8) + np.where(answer, 1, -1).astype(np.int8)
    free = (codes != NO) & (codes != YES)
    return np.where(free, moved.clip(PERHAPS_NOT, PERHAPS), codes).astype(np.uint8)


def box_around(
    mask: NDArray[np.bool_],
    expansion: float = EXPANSION,
    min_side: int = MIN_SIDE_PX,
) -> tuple[int, int, int, int]:
    """Expand the box around a mask; all of it where the mask is empty.

    Parameters
    ----------
    mask : ndarray
        (H,W) bool.
    expansion : float
        Side of the result over that of the mask.
    min_side : int
        Shortest side, px.

    Returns
    -------
    tuple of int
        Left, top, right and bottom, half-open, rounded half to even.
    """
    if not mask.any():
        return 0, 0, mask.shape[1], mask.shape[0]
    spans = []
    for axis in (0, 1):  # columns, then rows
        found = np.flatnonzero(mask.any(axis=axis))
        low, high = int(found[0]), int(found[-1]) + 1
        centre, length = (low + high) / 2, mask.shape[1 - axis]
        reach = expansion * (centre - low)
        low = min(round(centre - reach), round(centre - min_side / 2))
        high = max(round(centre + reach), round(centre + min_side / 2))
        spans.append((max(0, low), min(length, high)))
    (left, right), (top, bottom) = spans
    return left, top, right, bottom


def snapped(box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Enlarge a box to multiples of the coarsest stride."""
    left, top, right, bottom = box
    return (
        left // STRIDE_PX * STRIDE_PX,
        top // STRIDE_PX * STRIDE_PX,
        -(-right // STRIDE_PX) * STRIDE_PX,
        -(-bottom // STRIDE_PX) * STRIDE_PX,
    )
