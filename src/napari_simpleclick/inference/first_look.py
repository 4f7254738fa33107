"""The first look at an object: what the network is shown before there is a mask.

The published evaluation shows it the whole image. In a large image an object is then a
few pixels wide; what a person looks at, or several magnifications around the click,
tell better how large it may be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from napari_simpleclick.inference.crops import Crop

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_simpleclick.images.local_map import LocalMap
    from napari_simpleclick.images.viewport import Viewport
    from napari_simpleclick.prompts import Click

FirstLook = Literal["published", "magnifications"]
"""What a predictor does about an object that nobody has said a view of: show the whole
image, as published, or several squares around the click, and take the best answer."""

MOST_ENLARGED = 2.0
"""What a person sees is enlarged no further; a closer view shows more around it."""

CLOSEST = 4.0
"""How much the smallest of the magnifications is enlarged."""

NEARLY_WHOLE = 0.75
"""A square with more than this share of the image's longer side says nothing new."""

CLOSER_SIDES = 4
"""Side of the square of a second look over the longer side of what the first found."""

SMALL_IMAGE = 1.15
"""An image whose longer side is no longer than this many network inputs is shown as a
whole: it is hardly reduced, and there is nothing to gain from other magnifications."""


def crop_of_view(
    view: Viewport, shape: tuple[int, int], input_side: int
) -> Crop | None:
    """Choose the crop that a first click in a view is answered with.

    It depends on the view alone, so that it can be encoded before anyone clicks: a
    square as long as the longer side of what is seen of the image, at least half as
    long as the network's input and no longer than the image. An image that is no larger
    than that input is enlarged already, and shown as a whole.

    Parameters
    ----------
    view : Viewport
        What is seen.
    shape : tuple of int
        (H, W) of the image.
    input_side : int
        Longer side of the network's input, px.

    Returns
    -------
    Crop or None
        None for the whole image, also if nothing of it is seen.
    """
    if max(shape) <= input_side:
        return None
    edges = ((view.row_min, view.row_max), (view.column_min, view.column_max))
    seen = [
        (max(low, -0.5), min(high, length - 0.5))
        for (low, high), length in zip(edges, shape, strict=True)
    ]
    if any(low >= high for low, high in seen):
        return None
    side = max(high - low for low, high in seen)
    side = max(round(side), round(input_side / MOST_ENLARGED))
    row, column = (0.5 * (low + high) for low, high in seen)
    return square(row, column, side, shape)


def square(row: float, column: float, side: int, shape: tuple[int, int]) -> Crop | None:
    """Give a square around a place, moved into the image; None for all of the image.

    Parameters
    ----------
    row, column : float
        Its centre, px.
    side : int
        Its side, px; cut off where the image is shorter.
    shape : tuple of int
        (H, W) of the image.
    """
    ends: list[int] = []
    for centre, length in zip((row, column), shape, strict=True):
        span = min(side, length)
        start = min(max(round(centre - (span - 1) / 2), 0), length - span)
        ends += [start, start + span - 1]
    crop = Crop(*ends)
    return None if crop == Crop.whole(shape) else crop


def moved_to(
    crop: Crop | None, clicks: Iterable[Click], shape: tuple[int, int]
) -> Crop | None:
    """Move a crop to the positive clicks where it does not hold them all.

    Parameters
    ----------
    crop : Crop or None
        The crop; None for the whole image.
    clicks : iterable of Click
        Those on the object.
    shape : tuple of int
        (H, W) of the image.

    Returns
    -------
    Crop or None
        The crop, or one around the clicks that is as long or as long as they need.
    """
    inside = [click for click in clicks if click.positive]
    if crop is None or all(_within(crop, click) for click in inside):
        return crop
    rows, columns = ([getattr(c, axis) for c in inside] for axis in ("row", "column"))
    reach = max(max(rows) - min(rows), max(columns) - min(columns))
    side = max(crop.height, crop.width, round(2 * reach))
    row, column = ((min(at) + max(at)) / 2 for at in (rows, columns))
    return square(row, column, side, shape)


def closer(
    found: LocalMap,
    clicks: Iterable[Click],
    seen: Crop | None,
    shape: tuple[int, int],
    input_side: int,
) -> Crop | None:
    """Choose the square of a second look at an object that a view shows to be small.

    Parameters
    ----------
    found : LocalMap
        (H, W) bool, what was found in the view.
    clicks : iterable of Click
        Those on the object.
    seen : Crop or None
        What the network was shown of the view; None for the whole image.
    shape : tuple of int
        (H, W) of the image.
    input_side : int
        Longer side of the network's input, px.

    Returns
    -------
    Crop or None
        None where the square would hardly be smaller than what was seen, and for an
        image that is hardly reduced.
    """
    extent = found.box()
    if extent is None or max(shape) <= SMALL_IMAGE * input_side:
        return None
    side = CLOSER_SIDES * (1 + max(last - first for first, last in extent))
    side = max(round(input_side / CLOSEST), side)
    whole = seen or Crop.whole(shape)
    if side > NEARLY_WHOLE * max(whole.height, whole.width):
        return None
    row, column = (0.5 * (first + last) for first, last in extent)
    return moved_to(square(row, column, side, shape), clicks, shape)


def magnifications(
    clicks: Sequence[Click], shape: tuple[int, int], input_side: int
) -> list[Crop | None]:
    """Choose the squares around a click that are looked at, the smallest first.

    Parameters
    ----------
    clicks : sequence of Click
        All on the object; the squares are around the first positive one and hold the
        others too.
    shape : tuple of int
        (H, W) of the image.
    input_side : int
        Longer side of the network's input, px.

    Returns
    -------
    list of Crop or None
        A quarter of the input's side, a half, and so on; at last None, the whole image.
        None alone for an image that is hardly reduced.
    """
    longest = max(shape)
    inside = [click for click in clicks if click.positive]
    if longest <= SMALL_IMAGE * input_side or not inside:
        return [None]
    found: list[Crop | None] = []
    side = input_side / CLOSEST
    while side <= NEARLY_WHOLE * longest:
        crop = square(inside[0].row, inside[0].column, round(side), shape)
        crop = moved_to(crop, inside, shape)
        if crop is not None and crop not in found:
            found.append(crop)
        side *= 2
    return [*found, None]


def _within(crop: Crop, click: Click) -> bool:
    """Whether a click lies on a pixel of a crop."""
    rows = crop.row_min - 0.5 <= click.row <= crop.row_max + 0.5
    return rows and crop.column_min - 0.5 <= click.column <= crop.column_max + 0.5
