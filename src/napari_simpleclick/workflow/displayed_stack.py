"""The slices that the view goes through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_simpleclick.annotation import ObjectStack, hidden_axes
from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from napari_simpleclick.workflow.canvas import Canvas

ONE_SLICE = "There is only one slice, so there are no others to show or to go to."


def displayed(canvas: Canvas, axis: int | None = None) -> tuple[ObjectStack, int]:
    """Find the current object's stack in view, and the displayed slice's number.

    Parameters
    ----------
    canvas : Canvas
        The image.
    axis : int or None
        The axis to go through, if it is not displayed; else the last that is not.

    Raises
    ------
    UserError
        If no slice is in view, or if there are no others.
    """
    axes = ways(canvas)
    if not axes:
        raise UserError(ONE_SLICE)
    object_slice = canvas.session.object_slice(canvas.current_plane())
    stack = ObjectStack.along(object_slice, axis if axis in axes else axes[-1])
    return stack, object_slice.plane.index[stack.axis]


def ways(canvas: Canvas) -> list[int]:
    """List the axes that can be gone through: hidden ones of more than one slice.

    Raises
    ------
    UserError
        If no slice is in view.
    """
    plane, shape = canvas.current_plane(), canvas.labels.shape
    hidden = hidden_axes(plane, canvas.options.channel_axis)
    return [axis for axis in hidden if shape[axis] > 1]
