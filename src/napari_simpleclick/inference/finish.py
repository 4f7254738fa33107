"""What is done to a mask after the threshold, if a person wishes so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_simpleclick.images.local_map import LocalMap
from napari_simpleclick.inference.prompt_pixels import Pixels, pixels_of, settle
from napari_simpleclick.prompts import Scribble

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from napari_simpleclick.prompts import Prompt

Mask = NDArray[np.bool_]

SMOOTH_PX = 1.5
"""Standard deviation of the smoothing, in pixels of the finer axis."""

TOUCHING = np.ones((3, 3), bool)
"""Pixels that touch at a corner belong to one part, as in the progressive merge."""


def finish(
    mask: LocalMap,
    prompts: Sequence[Prompt],
    *,
    smooth: bool = False,
    fill_holes: bool = False,
    only_clicked: bool = False,
    earlier: Mask | None = None,
    spacing: tuple[float, float] = (1.0, 1.0),
) -> LocalMap:
    """Smooth a mask, fill its holes and drop what was not clicked on, in this order.

    Parameters
    ----------
    mask : LocalMap
        bool.
    prompts : sequence of Prompt
        The prompts that it answers. What scribbles settled stays as it is.
    smooth : bool
        Round off its outline; see :func:`smoothed`.
    fill_holes : bool
        Fill its holes; see :func:`filled`.
    only_clicked : bool
        Keep what was clicked on; see :func:`clicked_parts`.
    earlier : ndarray or None
        (H, W) bool mask that was there before the first click, if there was one.
    spacing : tuple of float
        Height and width of a pixel; smoothing reaches as far along both.

    Returns
    -------
    LocalMap
        bool; the mask itself if nothing is asked for.
    """
    if smooth:
        mask = _smoothed(mask, spacing)
    if fill_holes:
        mask = _filled(mask, _of_sign(prompts, False))
    if only_clicked:
        mask = _clicked_parts(mask, _of_sign(prompts, True), earlier)
    if any(isinstance(prompt, Scribble) for prompt in prompts):
        settled = mask.full().copy()
        settle(settled, prompts)
        mask = LocalMap.whole(settled)
    return mask


def smoothed(mask: Mask, spacing: tuple[float, float] = (1.0, 1.0)) -> Mask:
    """Round off the outline of a mask.

    A pixel stays or becomes object where a Gaussian blur of the mask is above one half.
    Parts that are too small or thin to survive this stay as they are.
    """
    return _smoothed(LocalMap.whole(mask), spacing).full()


def _smoothed(mask: LocalMap, spacing: tuple[float, float]) -> LocalMap:
    reach = int(np.ceil(4 * SMOOTH_PX * max(spacing) / min(spacing)))
    part = mask.cut(reach)
    inside = part.inside
    if not inside.size:
        return part
    sigma = [SMOOTH_PX * min(spacing) / side for side in spacing]
    blurred = ndimage.gaussian_filter(inside.astype(np.float32), sigma, mode="nearest")
    round_ = blurred > 0.5
    parts, count = ndimage.label(inside, TOUCHING)
    alive = np.bincount(parts[round_], minlength=count + 1) > 0
    alive[0] = True
    return replace(part, inside=round_ | ~alive[parts])


def _of_sign(prompts: Iterable[Prompt], positive: bool) -> Iterator[Prompt]:
    """Choose the prompts that add, or those that remove."""
    for prompt in prompts:
        if getattr(prompt, "positive", True) is positive:
            yield prompt


def filled(mask: Mask, negative: Iterable[Prompt] = ()) -> Mask:
    """Fill the holes of a mask, but leave those that a negative prompt lies in."""
    return _filled(LocalMap.whole(mask), negative).full()


def _filled(mask: LocalMap, negative: Iterable[Prompt]) -> LocalMap:
    part = mask.cut()
    inside = part.inside
    if not inside.size:
        return part
    holes, _ = ndimage.label(
        ndimage.binary_fill_holes(inside, TOUCHING_SIDES) & ~inside
    )
    wanted = holes > 0
    for prompt in negative:
        found = np.unique(holes[_pixels_in(prompt, part)])
        wanted &= ~np.isin(holes, found[found > 0])
    return replace(part, inside=inside | wanted)


def clicked_parts(
    mask: Mask, positive: Iterable[Prompt], earlier: Mask | None = None
) -> Mask:
    """Keep the connected parts of a mask that hold a positive prompt.

    Parts that go on from an earlier mask stay, too: someone wanted them. If no part
    holds a click, the mask stays as it is: clicks that only remove, or an object that
    the network did not find, say nothing about which part is meant.

    Parameters
    ----------
    mask : ndarray
        (H, W) bool.
    positive : iterable of Prompt
        Positive clicks and scribbles, boxes and lassos.
    earlier : ndarray or None
        (H, W) bool mask that was there before the first click.

    Returns
    -------
    ndarray
        (H, W) bool.
    """
    return _clicked_parts(LocalMap.whole(mask), positive, earlier).full()


def _clicked_parts(
    mask: LocalMap, positive: Iterable[Prompt], earlier: Mask | None
) -> LocalMap:
    part = mask.cut()
    inside = part.inside
    if not inside.size:
        return part
    parts, count = ndimage.label(inside, TOUCHING)
    wanted = np.zeros(count + 1, bool)
    for prompt in positive:
        wanted[np.unique(parts[_pixels_in(prompt, part)])] = True
    wanted[0] = False
    if wanted.any() and earlier is not None:
        wanted[np.unique(parts[earlier[part.where] & inside])] = True
        wanted[0] = False
    return replace(part, inside=wanted[parts]) if wanted.any() else part


TOUCHING_SIDES = ndimage.generate_binary_structure(2, 1)
"""A hole is closed where its border touches at corners."""


def _pixels_in(prompt: Prompt, part: LocalMap) -> Pixels:
    """Give those pixels of a prompt that lie in the window, as places there."""
    rows, columns = (
        at - span.start
        for at, span in zip(pixels_of(prompt, part.shape), part.where, strict=True)
    )
    height, width = part.size
    here = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    return rows[here], columns[here]
