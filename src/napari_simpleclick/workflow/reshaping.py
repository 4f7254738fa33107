"""What becomes of a mask by an action on whole objects: arrays in, a change out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_simpleclick.annotation import MaskChange
from napari_simpleclick.errors import UserError
from napari_simpleclick.workflow.splitting import (
    ONE_PIECE,
    cut,
    parts_of,
    split_at_clicks,
    split_parts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from numpy.typing import NDArray

    from napari_simpleclick.annotation import Mask, ObjectAction

    Labels = NDArray[Any]
    Box = tuple[slice, ...]

MARGIN_PX = 8
"""How far around an object its outline can be smoothed."""

NOTHING_HERE = (
    "The object has no pixels on this slice; go to a slice with it, or choose all "
    "slices."
)
NOTHING_LEFT = "That would leave nothing of the object here; delete it instead."


def reshape(
    labels: Labels,
    action: ObjectAction,
    locked: Collection[int] = (),
    probability: NDArray[np.float32] | None = None,
) -> MaskChange | None:
    """Tell what an action changes in a mask.

    Parameters
    ----------
    labels : ndarray
        The labels of all objects, as they are now.
    action : ObjectAction
        What is to be done.
    locked : collection of int
        Objects that lose no pixel to others.
    probability : ndarray or None
        (H, W) that the network gave on the slice, for a split at clicks.

    Returns
    -------
    MaskChange or None
        None if nothing changes.

    Raises
    ------
    UserError
        If it cannot be done.
    """
    box = _box(labels, action)
    if box is None:
        raise UserError(NOTHING_HERE)
    part = labels[box]
    if action.kind in _SLICEWISE or action.kind in _GROWING:
        new = _outlined(part, action, locked)
    elif action.kind == "split at clicks":
        new = split_at_clicks(part, action, box, probability)
    elif action.kind == "cut":
        new = cut(part, action, box)
    else:
        new = _WHOLE[action.kind](part, action)
    corner = [side.start for side in box]
    new = new.astype(part.dtype, copy=False)
    return MaskChange.in_box(labels.shape, corner, part, new)


def _box(labels: Labels, action: ObjectAction) -> Box | None:
    """Find the part of the mask that an action is about; None for no pixel in it."""
    wanted = action.labels[1:] if action.kind == "merge" else action.labels[:1]
    limits = [slice(0, side) for side in labels.shape]
    if action.axis is None and action.kind not in ("merge", "renumber"):
        for axis, place in enumerate(action.plane.index):
            if axis not in action.plane.axes:
                limits[axis] = slice(place, place + 1)
    inner = labels[tuple(limits)]
    filled = [np.zeros(side, bool) for side in inner.shape]
    for index in range(inner.shape[0]):  # a mask may be larger than memory
        one = len(wanted) == 1
        found = inner[index] == wanted[0] if one else np.isin(inner[index], wanted)
        if found.any():
            filled[0][index] = True
            for axis in range(found.ndim):
                others = tuple(one for one in range(found.ndim) if one != axis)
                filled[axis + 1] |= found.any(axis=others)
    if not filled[0].any():
        return None
    margins = _margins(action, labels.ndim)
    box = []
    for limit, where, margin in zip(limits, filled, margins, strict=True):
        ends = np.flatnonzero(where)
        low = max(limit.start, limit.start + int(ends[0]) - margin)
        high = min(limit.stop, limit.start + int(ends[-1]) + 1 + margin)
        box.append(slice(low, high))
    return tuple(box)


def _margins(action: ObjectAction, ndim: int) -> list[int]:
    """How far an action can reach beyond the object on every axis."""
    margins = [0] * ndim
    if action.kind not in (*_SLICEWISE, *_GROWING):
        return margins
    sides = _sides(action)
    for axis, side in sides.items():
        reach = action.amount_px / side if action.kind in _GROWING else MARGIN_PX / side
        margins[axis] = int(np.ceil(reach)) + 1
    return margins


def _sides(action: ObjectAction) -> dict[int, float]:
    """Length of a voxel in px of the slice's finer axis, on axes that are space."""
    sizes, plane = action.spacing or (1.0,) * len(action.plane.index), action.plane
    height, width = plane.spacing(sizes)
    finer = min(height, width)
    sides = {plane.axes[0]: height / finer, plane.axes[1]: width / finer}
    if action.axis is not None and action.kind in _GROWING:
        depth, known = sizes[action.axis], all(sizes[a] for a in plane.axes)
        if depth and known:
            sides[action.axis] = depth / finer
    return sides


# -- whole objects ---------------------------------------------------------------------


def _merge(part: Labels, action: ObjectAction) -> Labels:
    return np.where(np.isin(part, action.labels[1:]), action.labels[0], part)


def _renumber(part: Labels, action: ObjectAction) -> Labels:
    old, new = action.labels
    return np.where(part == old, new, part)


def _largest(part: Labels, action: ObjectAction) -> Labels:
    numbers, ranked = parts_of(part == action.labels[0])
    if len(ranked) < 2:
        raise UserError(ONE_PIECE)
    return np.where((numbers > 0) & (numbers != ranked[0]), 0, part)


_WHOLE: dict[str, Callable[[Labels, ObjectAction], Labels]] = {
    "merge": _merge,
    "renumber": _renumber,
    "split parts": split_parts,
    "largest part": _largest,
}


# -- outlines --------------------------------------------------------------------------


def _outlined(part: Labels, action: ObjectAction, locked: Collection[int]) -> Labels:
    """Give an object another outline; others keep their pixels, or lose some."""
    label = action.labels[0]
    mask = part == label
    new = mask.copy()
    sides = _sides(action)
    for where in _blocks(part.shape, tuple(sorted(sides))):
        if mask[where].any():
            new[where] = _SHAPES[action.kind](mask[where], action, sides)
    if not new.any():
        raise UserError(NOTHING_LEFT)
    free = part != label if action.overwrite else part == 0
    if action.overwrite and locked:
        free &= ~np.isin(part, list(locked))
    return np.where(new & free, label, np.where(mask & ~new, 0, part))


def _blocks(shape: tuple[int, ...], axes: tuple[int, ...]) -> Iterator[Any]:
    """Go through all that lies along some axes."""
    others = [1 if axis in axes else side for axis, side in enumerate(shape)]
    for place in np.ndindex(*others):
        yield tuple(
            slice(None) if axis in axes else at for axis, at in enumerate(place)
        )


def _fill(mask: Mask, action: ObjectAction, sides: dict[int, float]) -> Mask:
    from napari_simpleclick.inference.finish import filled

    return filled(mask)


def _smooth(mask: Mask, action: ObjectAction, sides: dict[int, float]) -> Mask:
    from napari_simpleclick.inference.finish import smoothed

    height, width = (sides[axis] for axis in action.plane.axes)
    return smoothed(mask, (height, width))


def _grow(mask: Mask, action: ObjectAction, sides: dict[int, float]) -> Mask:
    sampling = [sides[axis] for axis in sorted(sides)]
    far = ndimage.distance_transform_edt(~mask, sampling)
    return np.asarray(far <= action.amount_px)


def _shrink(mask: Mask, action: ObjectAction, sides: dict[int, float]) -> Mask:
    if mask.all():
        return mask
    sampling = [sides[axis] for axis in sorted(sides)]
    deep = ndimage.distance_transform_edt(mask, sampling)
    return np.asarray(deep > action.amount_px)


_SHAPES: dict[str, Callable[[Mask, ObjectAction, dict[int, float]], Mask]] = {
    "fill holes": _fill,
    "smooth": _smooth,
    "grow": _grow,
    "shrink": _shrink,
}
_SLICEWISE, _GROWING = ("fill holes", "smooth"), ("grow", "shrink")
