"""One object made several: by its parts, along a stroke, at clicks."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from skimage.draw import line
from skimage.segmentation import watershed

from napari_simpleclick.errors import UserError
from napari_simpleclick.workflow.mask_array import FULL, MOST_LABEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.annotation import Mask, ObjectAction

    Labels = NDArray[Any]
    Box = tuple[slice, ...]

MOST_PARTS = 100
"""Into so many objects one is split at most; more are noise."""

ONE_PIECE = "The object is in one piece here, so it stays as it is."
NO_CUT = (
    "The stroke does not cut the object in two; draw it from one side of the object to "
    "the other, a little beyond both edges."
)
TOO_FEW_CLICKS = (
    "Make a positive click in each part of the object first; there are fewer than two "
    "on it here."
)


def parts_of(mask: Mask) -> tuple[NDArray[np.int32], list[int]]:
    """Give the connected parts of a mask numbers, and rank these by size.

    Voxels that touch at a corner are connected.
    """
    numbers, count = ndimage.label(mask, np.ones((3,) * mask.ndim))
    sizes = np.bincount(numbers.ravel(), minlength=count + 1)[1:]
    return numbers, (np.argsort(-sizes, kind="stable") + 1).tolist()


def split_parts(part: Labels, action: ObjectAction) -> Labels:
    """Make an object of each connected part but the largest, which stays."""
    numbers, ranked = parts_of(part == action.labels[0])
    if len(ranked) < 2:
        raise UserError(ONE_PIECE)
    if len(ranked) > MOST_PARTS:
        raise UserError(
            f"The object falls into {len(ranked)} parts, and {MOST_PARTS} can become "
            "objects; keep its largest part, or smooth it first."
        )
    new = np.full(len(ranked) + 1, action.labels[0], np.int64)
    new[ranked[1:]] = _numbers(action, len(ranked) - 1)
    return np.where(numbers > 0, new[numbers], part)


def cut(part: Labels, action: ObjectAction, box: Box) -> Labels:
    """Give what a stroke cuts off to a new object; the largest piece stays."""
    mask = part == action.labels[0]
    whole, _ = parts_of(mask)
    pieces, ranked = parts_of(mask & ~_barrier(action, box, part.shape))
    first = np.zeros(len(ranked) + 1, np.int64)  # the part that a piece was in
    first[pieces.ravel()] = whole.ravel()
    seen: set[int] = set()
    loose = np.zeros(len(ranked) + 1, bool)
    for piece in ranked:
        loose[piece] = first[piece] in seen
        seen.add(int(first[piece]))
    if not loose.any():
        raise UserError(NO_CUT)
    flat = np.zeros(part.shape, np.uint8)
    pieces = watershed(flat, pieces, connectivity=part.ndim, mask=mask)
    return np.where(loose[pieces], _numbers(action, 1)[0], part)


def _barrier(action: ObjectAction, box: Box, shape: tuple[int, ...]) -> Mask:
    """Draw a stroke so wide that nothing touches across it, through all slices."""
    rows, columns = action.plane.axes
    top, left = box[rows].start, box[columns].start
    height, width = shape[rows], shape[columns]
    drawn = np.zeros((height + 2, width + 2), bool)
    for one, other in pairwise(action.points):
        ends = (round(one[0]), round(one[1]), round(other[0]), round(other[1]))
        down, right = line(*ends)
        down, right = down - top + 1, right - left + 1
        seen = (down >= 0) & (down < height + 2) & (right >= 0) & (right < width + 2)
        drawn[down[seen], right[seen]] = True
    wide = ndimage.binary_dilation(drawn)[1:-1, 1:-1]
    others = tuple(a for a in range(len(shape)) if a not in action.plane.axes)
    return np.broadcast_to(np.expand_dims(wide, others), shape)


def split_at_clicks(
    part: Labels,
    action: ObjectAction,
    box: Box,
    probability: NDArray[np.float32] | None,
) -> Labels:
    """Split by a watershed from clicks; the part of the first one stays.

    It floods minus the distance to the outline times the probability, where that is
    known: parts meet at necks, and where the network was less sure.
    """
    mask = part == action.labels[0]
    marks = np.zeros(part.shape, np.int32)
    count = 0
    for mark in action.marks:
        place = tuple(at - side.start for at, side in zip(mark, box, strict=True))
        inside = all(0 <= at < side for at, side in zip(place, part.shape, strict=True))
        if inside and mask[place] and not marks[place]:
            count += 1
            marks[place] = count
    if count < 2:
        raise UserError(TOO_FEW_CLICKS)
    height = ndimage.distance_transform_edt(
        np.pad(mask, [(int(side > 1),) * 2 for side in mask.shape]),
        action.spacing if all(action.spacing) and action.spacing else None,
    )
    height = height[tuple(slice(int(n > 1), int(n > 1) + n) for n in mask.shape)]
    if probability is not None and action.axis is None:
        height *= probability[tuple(box[axis] for axis in action.plane.axes)].reshape(
            part.shape
        )
    parts = watershed(-height, marks, connectivity=part.ndim, mask=mask)
    new = np.array([0, action.labels[0], *_numbers(action, count - 1)])
    return np.where(parts > 0, new[parts], part)


def _numbers(action: ObjectAction, count: int) -> list[int]:
    """Give the numbers of so many new objects."""
    first = action.labels[1]
    if first + count - 1 > MOST_LABEL:
        raise UserError(FULL)
    return list(range(first, first + count))
