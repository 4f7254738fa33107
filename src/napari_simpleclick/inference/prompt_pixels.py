"""Boxes, scribbles and lassos as what every network takes: clicks and a prior mask.

And what they settle whatever a network says: the pixels of a scribble.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.errors import UserError
from napari_simpleclick.inference.shapes import depth
from napari_simpleclick.prompts import Box, Click, Lasso, Scribble
from napari_simpleclick.prompts.lines import outline_within

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from napari_simpleclick.prompts import Point, Prompt

Pixels = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns."""

Shape = tuple[int, int]

MOST_SCRIBBLE_CLICKS = 12
"""So many clicks stand for a scribble, however long it is."""

CERTAINTY = 0.5
"""Prior inside a box or a lasso: that the object is there, and no more."""

CLICK_LIFTS_PX = 5
"""A later click of the other sign undoes what a scribble settled so near to it."""


def pixels_of(prompt: Prompt, shape: Shape) -> Pixels:
    """Find the pixels that a prompt is about.

    Parameters
    ----------
    prompt : Prompt
        The prompt.
    shape : tuple of int
        (H, W) of the image, px.

    Returns
    -------
    tuple of ndarray
        Rows and columns of the clicked pixel, the line of a scribble, or the inside of
        a box or a lasso, as far as they lie on the image; of a click beside it the
        nearest pixel.
    """
    if isinstance(prompt, Click):
        row, column = round(prompt.row), round(prompt.column)
        place = min(max(row, 0), shape[0] - 1), min(max(column, 0), shape[1] - 1)
        return np.array(place[:1]), np.array(place[1:])
    lines = [_rounded(points) for points in _lines(prompt, shape)]
    corners = np.concatenate([*lines, np.empty((0, 2), np.int32)])
    if not corners.size:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    low = np.clip(corners.min(0), 0, shape)
    high = np.clip(corners.max(0) + 1, 0, shape)
    drawn = np.zeros(np.maximum(high - low, 0), np.uint8)
    drawn_in = [np.ascontiguousarray((line - low)[:, ::-1]) for line in lines]
    if isinstance(prompt, Box) or not drawn.size:  # OpenCV: column, row
        drawn[:] = 1
    elif isinstance(prompt, Lasso):
        cv2.fillPoly(drawn, drawn_in, 1)
    else:
        cv2.polylines(drawn, drawn_in, False, 1)
    rows, columns = np.nonzero(drawn)
    return rows + low[0], columns + low[1]


def _lines(prompt: Box | Scribble | Lasso, shape: Shape) -> list[Sequence[Point]]:
    """Give the lines to be drawn, without what is far from the image."""
    if isinstance(prompt, Scribble):
        return [part.points for part in prompt.clipped(shape)]
    room = max(shape)
    if isinstance(prompt, Lasso):
        return [outline_within(prompt.points, -room, 2 * room)]
    ends = (prompt.row_min, prompt.column_min), (prompt.row_max, prompt.column_max)
    (top, left), (bottom, right) = np.clip(ends, -room, 2 * room).tolist()
    return [((top, left), (bottom, right))]


def as_clicks(prompt: Prompt, shape: Shape, spacing_px: float) -> tuple[Click, ...]:
    """Tell which clicks stand for a prompt.

    Parameters
    ----------
    prompt : Prompt
        The prompt.
    shape : tuple of int
        (H, W) of the image, px.
    spacing_px : float
        Least distance between the clicks of a scribble along its line; it grows where
        there would be more than :data:`MOST_SCRIBBLE_CLICKS`.

    Returns
    -------
    tuple of Click
        A click itself; that in the middle of a box, as networks are trained, after
        negative ones on its corners, which made the answers better; at the deepest
        place inside a lasso; along a scribble, where it lies on the image. The corners
        of a box that goes beyond the image say nothing, for so does the object.
    """
    if isinstance(prompt, Click):
        return (prompt,)
    if isinstance(prompt, Box):
        return (*_box_corners(prompt, shape), _middle(prompt, shape))
    if isinstance(prompt, Lasso):
        return (_deepest(*pixels_of(prompt, shape)),)
    parts = prompt.clipped(shape)
    length = sum(part.length_px for part in parts)
    spacing = max(spacing_px, length / (MOST_SCRIBBLE_CLICKS - 1))
    places = [place for part in parts for place in _along(part, spacing)]
    places = places[:: -(-len(places) // MOST_SCRIBBLE_CLICKS) or 1]
    return tuple(Click(*place, prompt.positive) for place in places)


def _along(line: Scribble, spacing: float) -> tuple[Point, ...]:
    """Give points along a line; the middle of a short one."""
    count = int(line.length_px / spacing + 1e-6)
    if count:
        return line.evenly_spaced(line.length_px / count)
    return line.evenly_spaced(line.length_px / 2 or 1)[1:2] or line.points[:1]


def corners_of(prompt: Prompt, shape: Shape) -> tuple[Click, ...]:
    """Give clicks that a crop has to hold, for all of a prompt to lie in it."""
    if isinstance(prompt, Scribble):
        places = [place for part in prompt.clipped(shape) for place in part.points]
        return tuple(Click(*place, prompt.positive) for place in places)
    if isinstance(prompt, Box):
        return (_middle(prompt, shape),)
    return as_clicks(prompt, shape, spacing_px=1)


def start_of(
    prompts: Sequence[Prompt], prior: NDArray[np.float32] | None, shape: Shape
) -> NDArray[np.float32] | None:
    """Put what boxes and lassos say of where the object is into the prior.

    Parameters
    ----------
    prompts : sequence of Prompt
        Oldest first, the last one new.
    prior : ndarray or None
        (H, W) probability before the last prompt; None for a new object.
    shape : tuple of int
        (H, W) of the image, px.

    Returns
    -------
    ndarray or None
        (H, W) float32. For a new object, half certain inside the newest box or lasso;
        where there was an object, a new one leaves what was there inside of it, and
        makes the rest of the inside half certain.
    """
    shapes = [one for one in prompts if isinstance(one, Box | Lasso)]
    if not shapes or (prior is not None and shapes[-1] is not prompts[-1]):
        return prior
    start, where = np.zeros(shape, np.float32), pixels_of(shapes[-1], shape)
    start[where] = CERTAINTY
    if prior is not None:
        start[where] = np.maximum(start[where], prior[where])
    return start


def settle(answer: NDArray[Any], prompts: Iterable[Prompt]) -> None:
    """Write into an answer what scribbles say for certain.

    Of two strokes that cross the later one counts, and near a later click of the other
    sign a stroke counts no more.

    Parameters
    ----------
    answer : ndarray
        (H, W) probability or bool mask, changed in place: 1 on positive scribbles, 0 on
        negative ones.
    prompts : iterable of Prompt
        Oldest first.
    """
    shape = answer.shape[0], answer.shape[1]
    known: NDArray[np.int8] | None = None
    for prompt in prompts:
        if isinstance(prompt, Scribble):
            known = np.zeros(shape, np.int8) if known is None else known
            known[pixels_of(prompt, shape)] = 1 if prompt.positive else -1
        elif isinstance(prompt, Click) and known is not None:
            (row,), (column,) = pixels_of(prompt, shape)
            top, left = (max(0, int(at) - CLICK_LIFTS_PX) for at in (row, column))
            around = known[
                top : int(row) + CLICK_LIFTS_PX + 1,
                left : int(column) + CLICK_LIFTS_PX + 1,
            ]
            near = np.zeros(around.shape, np.uint8)
            middle = int(column) - left, int(row) - top
            cv2.circle(near, middle, CLICK_LIFTS_PX, 1, -1)
            around[(near > 0) & (around == (-1 if prompt.positive else 1))] = 0
    if known is not None:
        answer[known > 0], answer[known < 0] = 1, 0


def _middle(box: Box, shape: Shape) -> Click:
    inside = box.clipped(shape)
    return Click(
        (inside.row_min + inside.row_max) / 2,
        (inside.column_min + inside.column_max) / 2,
    )


def _box_corners(box: Box, shape: Shape) -> Iterator[Click]:
    """Give negative clicks on the corners of a box that lie on the image."""
    for row in (box.row_min, box.row_max):
        for column in (box.column_min, box.column_max):
            if 0 < row < shape[0] - 1 and 0 < column < shape[1] - 1:
                yield Click(row, column, False)


def _deepest(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Click:
    """Find the deepest of the pixels inside a lasso.

    Raises
    ------
    UserError
        If there are none.
    """
    if not rows.size:
        raise UserError("The lasso is outside the image; draw it on the image.")
    top, left = rows.min(), columns.min()
    part = np.zeros((rows.max() - top + 1, columns.max() - left + 1), bool)
    part[rows - top, columns - left] = True
    row, column = divmod(int(depth(part).argmax()), part.shape[1])
    return Click(float(row + top), float(column + left))


def _rounded(points: Sequence[Point]) -> NDArray[np.int32]:
    return np.asarray(np.rint(np.reshape(points, (-1, 2))), np.int32)
