"""Whether prompts say anything about an image."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError
from napari_simpleclick.prompts.kinds import Box, Click, Lasso, Scribble
from napari_simpleclick.prompts.lines import encloses, is_inside

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_simpleclick.prompts.kinds import Prompt


def check_prompts(prompts: Iterable[Prompt], shape: tuple[int, int]) -> None:
    """Refuse an empty list, and prompts that say nothing about an image.

    Parameters
    ----------
    prompts : iterable of Prompt
        The prompts.
    shape : tuple of int
        (height, width) of the image, px.

    Raises
    ------
    UserError
        If there is no prompt, one is something else or lies outside, a box or a lasso
        has no area or a scribble no point.
    """
    count = 0
    for prompt in prompts:
        count += 1
        _check(prompt, shape)
    if count == 0:
        raise UserError("There is no click yet; click on the object first.")


def _check(prompt: Prompt, shape: tuple[int, int]) -> None:
    size = f"the image of {shape[0]} x {shape[1]} px"
    if isinstance(prompt, Click):
        if not is_inside((prompt.row, prompt.column), shape):
            raise UserError(
                f"The click at row {prompt.row:g}, column {prompt.column:g} is outside "
                f"{size}; click on the image."
            )
    elif isinstance(prompt, Box):
        _check_box(prompt, shape, size)
    elif not isinstance(prompt, Lasso | Scribble):
        raise UserError(
            f"{prompt!r} is no prompt; give a Click, a Box, a Scribble or a Lasso."
        )
    elif not all(map(math.isfinite, chain(*prompt.points))):
        raise UserError(
            f"The {type(prompt).__name__.lower()} has a point that is no place; give "
            "finite numbers for rows and columns."
        )
    elif isinstance(prompt, Lasso):
        _check_lasso(prompt, shape, size)
    elif not prompt.points:
        raise UserError("The scribble is empty; draw a line on the object.")
    elif not prompt.clipped(shape):
        raise UserError(f"The scribble is outside {size}; draw it on the image.")


def _check_box(box: Box, shape: tuple[int, int], size: str) -> None:
    text = (
        f"The box from row {box.row_min:g}, column {box.column_min:g} to row "
        f"{box.row_max:g}, column {box.column_max:g}"
    )
    if not (box.row_min < box.row_max and box.column_min < box.column_max):
        raise UserError(f"{text} has no area; draw it around the object.")
    inside = box.clipped(shape)
    if not (inside.row_min < inside.row_max and inside.column_min < inside.column_max):
        raise UserError(f"{text} is outside {size}; draw it on the image.")


def _check_lasso(lasso: Lasso, shape: tuple[int, int], size: str) -> None:
    if not encloses(lasso.points):
        raise UserError("The lasso has no area; draw it around the object.")
    corners = list(zip(*lasso.points, strict=True))
    if any(
        max(places) < -0.5 or min(places) >= side - 0.5
        for places, side in zip(corners, shape, strict=True)
    ):
        raise UserError(f"The lasso is outside {size}; draw it on the image.")
