"""The slices of a volume in the order in which they are of use to the person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_simpleclick.annotation import ObjectStack

if TYPE_CHECKING:
    from napari_simpleclick.images import Plane
    from napari_simpleclick.workflow.canvas import Canvas


def nearest_first(canvas: Canvas, here: Plane) -> list[Plane]:
    """Give all slices of the stack in view, the nearest to a slice first.

    Parameters
    ----------
    canvas : Canvas
        The image.
    here : Plane
        The slice; of two as near to it, the one before it comes first.

    Returns
    -------
    list of Plane
        The slice alone if it is in no stack.
    """
    stack = ObjectStack.containing(
        canvas.session.object_slice(here), canvas.options.channel_axis
    )
    if stack is None:
        return [here]
    length = canvas.labels.shape[stack.axis]
    middle = here.index[stack.axis]
    order = sorted(range(length), key=lambda index: (abs(index - middle), index))
    return [stack.object_slice(index).plane for index in order]
