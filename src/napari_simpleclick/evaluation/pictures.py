"""Pictures of one object, click by click, as shapes over one small picture."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.measure import approximate_polygon, find_contours

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from napari_simpleclick.evaluation.result import CaseResult

Mask = NDArray[np.bool_]

SIDE = 220
"""Longest side of a picture, px."""

MARGIN = 0.15
"""Around what the picture has to show, as a share of its longer side."""


@dataclass(frozen=True)
class Dot:
    """A click in a picture.

    Parameters
    ----------
    x, y : float
        Position in px of the picture, from the left and the top edge.
    number : int
        Which click it was, from 1.
    positive : bool
        As in :class:`~napari_simpleclick.Click`.
    """

    x: float
    y: float
    number: int
    positive: bool


@dataclass(frozen=True)
class Frame:
    """An object after some clicks.

    Parameters
    ----------
    clicks : int
        Number of clicks.
    iou : float
        Of the mask, 0 to 1.
    mask : str
        Its outline, as the data of an SVG path.
    dots : tuple of Dot
        The clicks so far, in their order.
    """

    clicks: int
    iou: float
    mask: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class Film:
    """An object, click by click: one picture and what to draw on it.

    Parameters
    ----------
    case : CaseResult
        Whose clicks these are.
    picture : str
        ``data:`` address of the part of the image around the object.
    width, height : int
        Of that picture, px.
    truth, ignored : str
        Outlines of the object and of what does not count, as the data of SVG paths.
    frames : tuple of Frame
        In the order of the clicks.
    """

    case: CaseResult
    picture: str
    width: int
    height: int
    truth: str
    ignored: str
    frames: tuple[Frame, ...]


def film(
    case: CaseResult,
    image: NDArray[np.uint8],
    truth: NDArray[np.signedinteger],
    masks: Mapping[int, Mask],
) -> Film:
    """Cut out an object and trace its masks.

    Parameters
    ----------
    case : CaseResult
        Clicks and IoUs.
    image : ndarray
        (H, W) or (H, W, 3) uint8.
    truth : ndarray
        (H, W) integer: 1 object, 0 background, -1 ignored.
    masks : mapping
        (H, W) bool mask after that many clicks.

    Returns
    -------
    Film
        With a frame for each of ``masks``.
    """
    window = surroundings(truth, masks.values(), case)
    part = image[window]
    scale = min(1.0, SIDE / max(part.shape[:2]))
    frames = tuple(
        Frame(
            clicks=number,
            iou=case.ious[number - 1],
            mask=outline(masks[number][window], scale),
            dots=dots(case, number, window, scale),
        )
        for number in sorted(masks)
    )
    picture = shrink(part, scale)
    return Film(
        case=case,
        picture=encode(picture),
        width=picture.shape[1],
        height=picture.shape[0],
        truth=outline(truth[window] == 1, scale),
        ignored=outline(truth[window] == -1, scale),
        frames=frames,
    )


def surroundings(
    truth: NDArray[np.signedinteger], masks: Iterable[Mask], case: CaseResult
) -> tuple[slice, slice]:
    """Rows and columns of the object, its masks and clicks, as square as fits.

    Clicks at (0, 0) do not count: that is where the robot clicks on a perfect mask.
    """
    shown = truth == 1
    for mask in masks:
        shown |= mask
    for row, column, _ in case.clicks:
        shown[row, column] |= (row, column) != (0, 0)
    spans = [np.flatnonzero(shown.any(axis))[[0, -1]] for axis in (1, 0)]
    side = (1 + 2 * MARGIN) * max(1 + last - first for first, last in spans)
    rows, columns = (
        fit((first + last + 1) / 2, side, size)
        for (first, last), size in zip(spans, truth.shape, strict=True)
    )
    return rows, columns


def fit(centre: float, side: float, size: int) -> slice:
    """Part of an axis around a centre, moved inside where it would stick out, px."""
    length = min(size, max(16, round(side)))
    start = min(max(0, round(centre - length / 2)), size - length)
    return slice(start, start + length)


def shrink(picture: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Make a picture (H, W) or (H, W, 3) smaller by averaging."""
    if scale == 1:
        return picture
    height, width = (max(1, round(scale * side)) for side in picture.shape[:2])
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def outline(mask: Mask, scale: float) -> str:
    """Outlines of a mask made smaller, as the data of an SVG path (even-odd)."""
    small = np.pad(shrink(255 * mask.astype(np.uint8), scale), 1)
    paths = []
    for line in find_contours(small, 64):  # keeps lines thinner than a pixel
        corners = approximate_polygon(line, 0.4)[:-1] - 0.5
        points = " ".join(f"{column:.1f},{row:.1f}" for row, column in corners)
        paths.append(f"M{points}Z")
    return "".join(paths)


def dots(
    case: CaseResult, number: int, window: tuple[slice, slice], scale: float
) -> tuple[Dot, ...]:
    """Place the first clicks of an object in its picture."""
    rows, columns = window
    return tuple(
        Dot(
            x=round(scale * (column - columns.start + 0.5), 1),
            y=round(scale * (row - rows.start + 0.5), 1),
            number=place,
            positive=positive,
        )
        for place, (row, column, positive) in enumerate(case.clicks[:number], 1)
    )


def encode(picture: NDArray[np.uint8]) -> str:
    """Picture (H, W) or (H, W, 3) as the ``data:`` address of a JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=85, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
