"""How the slices of an object were made, as far as a session knows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.annotation import fingerprint
from napari_simpleclick.measurement import Sureness

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from napari_simpleclick.annotation import ObjectSlice, PropagatedSlice
    from napari_simpleclick.measurement import Axes


def sureness(
    labels: NDArray[Any],
    axes: Axes,
    notes: Mapping[ObjectSlice, PropagatedSlice],
    prompted: Collection[ObjectSlice],
    part: NDArray[np.bool_],
    corner: tuple[int, ...],
) -> Sureness:
    """Find out which slices of an object are as propagation left them.

    Parameters
    ----------
    labels : ndarray
        The mask.
    axes : Axes
        Of it.
    notes : mapping
        What was propagated of one object at one time point.
    prompted : collection of ObjectSlice
        What was clicked or drawn on.
    part : ndarray
        bool, the object in its box of space.
    corner : tuple of int
        First voxel of that box.
    """
    along = _way(axes, notes)
    if along is None:
        return Sureness()
    confidence: dict[int, float | None] = {}
    ends = []
    for where, note in notes.items():
        index = where.plane.index[along]
        if along in where.plane.axes:
            continue
        mask = np.asarray(where.plane.read(labels) == where.label)
        if not mask.any():
            ends.append(index)  # cleared or erased by hand, or said to be the end
        elif where not in prompted and fingerprint(mask) == note.fingerprint:
            confidence[index] = note.confidence
    place = axes.space.index(along)
    others = tuple(axis for axis in range(part.ndim) if axis != place)
    filled = np.flatnonzero(part.any(axis=others)) + corner[place]
    first, last = int(filled[0]), int(filled[-1])
    open_low = first in confidence and first > 0 and not any(e < first for e in ends)
    high = labels.shape[along] - 1
    open_high = last in confidence and last < high and not any(e > last for e in ends)
    return Sureness(place, confidence, not (open_low or open_high))


def _way(axes: Axes, notes: Mapping[ObjectSlice, PropagatedSlice]) -> int | None:
    """Find the axis of space that most of the slices follow."""
    ways = Counter(
        axis
        for where in notes
        for axis in axes.space
        if axis not in where.plane.axes and len(axes.space) == 3
    )
    return ways.most_common(1)[0][0] if ways else None
