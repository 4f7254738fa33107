"""What to look at next, and what goes when the object turns out to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def next_to_check(
    confidence: Mapping[int, float],
    areas: Mapping[int, int],
    annotated: Collection[int],
) -> int | None:
    """Choose the slice whose correction is likely to mend most.

    Parameters
    ----------
    confidence : mapping
        Slice number to confidence, 0 to 1, of propagated slices.
    areas : mapping
        Slice number to pixels of the mask, of the same slices; empty ones are left
        out.
    annotated : collection of int
        Slices that are annotated, or were looked at and found good.

    Returns
    -------
    int or None
        None if there is nothing to check.

    Notes
    -----
    The confidence falls with every step, so the least confident slice is mostly the
    last and smallest of a walk, and a correction there helps few others. What counts
    is how many pixels are likely to be wrong, (1 - confidence) x area, between one
    annotated slice and the next: the stretch with most of them is taken, and in it the
    slice with half of them on either side.
    """
    anchors = sorted(annotated)
    stretches: dict[int, list[int]] = {}
    for index in sorted(confidence):
        if areas.get(index, 0) > 0 and index not in annotated:
            place = int(np.searchsorted(anchors, index))
            stretches.setdefault(place, []).append(index)
    if not stretches:
        return None

    def doubts(stretch: list[int]) -> list[float]:
        return [(1 - confidence[index]) * areas[index] for index in stretch]

    stretch = max(stretches.values(), key=lambda stretch: sum(doubts(stretch)))
    total = np.cumsum(doubts(stretch))
    return stretch[int(np.searchsorted(total, total[-1] / 2))]


def beyond(cleared: int, holding: Collection[int], count: int) -> list[int]:
    """List the slices that lie beyond the end of an object.

    Parameters
    ----------
    cleared : int
        A slice that the object is not on, as a person has said by clearing it.
    holding : collection of int
        The annotated slices that the object is on.
    count : int
        Number of slices.

    Returns
    -------
    list of int
        Slices on the side of the cleared one where no annotated slice holds the
        object; what propagation has put there is to be taken away. Without any
        annotated slice there is no such side.
    """
    if not holding:
        return []
    below = [] if min(holding) < cleared else list(range(cleared))
    above = [] if max(holding) > cleared else list(range(cleared + 1, count))
    return below + above
