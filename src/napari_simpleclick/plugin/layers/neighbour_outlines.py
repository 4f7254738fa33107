"""What is outlined of an object on the slices before and after the displayed one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError
from napari_simpleclick.plugin.layers.outline_layer import Outline
from napari_simpleclick.workflow.displayed_stack import displayed

if TYPE_CHECKING:
    from napari_simpleclick.plugin.layers.canvas import LayerCanvas

COLOURS = {-1: (1.0, 1.0, 1.0, 0.7), 1: (1.0, 0.85, 0.3, 0.7)}
"""White for the slice before, yellow for the one after."""

NAME = "neighbours' outlines"
WIDTH_PX = 1.5


def neighbour_outlines(canvas: LayerCanvas, axis: int | None) -> list[Outline]:
    """List those of the current object, as they lie on the displayed slice.

    Parameters
    ----------
    canvas : LayerCanvas
        The image.
    axis : int or None
        Axis to the neighbours, see
        :class:`napari_simpleclick.workflow.propagator.Propagator`.
    """
    try:
        stack, here = displayed(canvas, axis)
    except UserError:
        return []
    plane = stack.object_slice(here).plane
    sides = {
        here + side: colour
        for side, colour in COLOURS.items()
        if 0 <= here + side < canvas.mask.data.shape[stack.axis]
    }
    return [
        Outline(
            canvas.object_mask(stack.object_slice(index).plane, stack.label),
            plane,
            colour,
        )
        for index, colour in sides.items()
    ]
