"""How sure a volume is: the range in which the true one lies nine times out of ten.

Two things are added up over all slices of an object. The border may be off, by more
pixels the larger the object is, as the network sees large ones scaled down: the wrong
area is :data:`BORDER` times the root of the border's length times the area. Where a
mask was propagated, a part of it may be wrong as a whole, :data:`DOUBT` times what its
confidence lacks of 1. Mistakes of neighbouring slices go the same way more often than
not, so they are added and not averaged.

Both numbers are fitted by ``benchmarks/volume_range.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

BORDER = 0.49
"""Wrong area over the root of border and area, px to the power of a half."""

DOUBT = 0.97
"""Share of a slice that is wrong over what its confidence lacks."""

UNSEEN = 0.5
"""Confidence where a mask comes from shapes alone."""


@dataclass(frozen=True)
class Sureness:
    """What is known of how the slices of an object were made.

    Parameters
    ----------
    axis : int
        The axis that propagation has followed, of those that are measured.
    confidence : mapping of int to float or None
        Of propagated slices by their numbers, 0 to 1; None where the image was not
        looked at. All others were drawn or accepted by a person.
    ended : bool
        Whether a person has said where the object ends. If not, nothing can be said of
        its volume: propagation may have gone on beyond the end.
    """

    axis: int = 0
    confidence: Mapping[int, float | None] = field(default_factory=dict)
    ended: bool = True


def volume_margin(
    mask: NDArray[np.bool_], sureness: Sureness, start: int = 0
) -> float | None:
    """Tell by how much the true volume may differ, nine times out of ten.

    Parameters
    ----------
    mask : ndarray
        (D, H, W), or (H, W), whose area is meant.
    sureness : Sureness
        How the slices were made.
    start : int
        Number of the first slice in ``mask``.

    Returns
    -------
    float or None
        In voxels, to be added to and subtracted from their number; None if it is not
        known where the object ends.
    """
    if not sureness.ended:
        return None
    stack = mask[None] if mask.ndim == 2 else np.moveaxis(mask, sureness.axis, 0)
    areas = stack.sum(axis=(1, 2))
    margin = BORDER * float(np.sqrt(border_lengths(stack) * areas).sum())
    for index, confidence in sureness.confidence.items():
        if 0 <= index - start < len(areas):
            known = UNSEEN if confidence is None else confidence
            margin += DOUBT * (1 - known) * float(areas[index - start])
    return margin


def border_lengths(stack: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Measure the length of the border of an object on every slice, px.

    By the number of sides of its pixels, times pi / 4, which is right on average over
    all directions (Crofton's formula in two directions).

    Parameters
    ----------
    stack : ndarray
        (D, H, W) bool.
    """
    padded = np.pad(stack, ((0, 0), (1, 1), (1, 1)))
    sides = sum(
        np.count_nonzero(np.diff(padded, axis=axis), axis=(1, 2)) for axis in (1, 2)
    )
    return np.asarray(sides * np.pi / 4)
