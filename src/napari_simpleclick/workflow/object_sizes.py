"""How large the objects of an image are, as far as they were answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_simpleclick.images import Viewport
from napari_simpleclick.prompts import Click

if TYPE_CHECKING:
    from napari_simpleclick.annotation import ObjectSlice
    from napari_simpleclick.prompts import Prompt
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.engine import Answer
    from napari_simpleclick.workflow.prediction_queue import PredictionQueue

ENOUGH = 3
"""Fewer objects do not say how large the next one may be."""

TOO_WIDE = 16.0
"""A view of more sides of the largest object shows a new one too small."""

FITTING = 8.0
"""So many sides of the largest object are shown then; see ``docs/first-look.md``."""


class ObjectSizes:
    """Narrows what the network is first shown of an object in a wide view.

    Parameters
    ----------
    queue : PredictionQueue
        Whose answers are looked at.
    """

    def __init__(self, queue: PredictionQueue) -> None:
        self._sides: dict[ObjectSlice, int] = {}
        queue.answered.connect(self._on_answer)

    def follow(self, canvas: Canvas | None) -> None:
        """Forget the objects of another image."""
        self._sides.clear()

    def view(
        self, canvas: Canvas, where: ObjectSlice, prompt: Prompt
    ) -> Viewport | None:
        """Choose what the network is shown of a new object.

        Parameters
        ----------
        canvas : Canvas
            The image.
        where : ObjectSlice
            The object.
        prompt : Click, Box, Scribble or Lasso
            What points at it.

        Returns
        -------
        Viewport or None
            What is in sight; for a click, no more than the sizes of the objects before
            it make sensible. None for all of the slice.
        """
        seen = canvas.viewport(where.plane)
        sides = [
            side
            for other, side in self._sides.items()
            if other.label != where.label and other.plane.axes == where.plane.axes
        ]
        if seen is None or len(sides) < ENOUGH or not isinstance(prompt, Click):
            return seen
        height, width = where.plane.size(canvas.labels.shape)
        shown = max(
            min(seen.row_max, height) - max(seen.row_min, 0),
            min(seen.column_max, width) - max(seen.column_min, 0),
        )
        if shown <= TOO_WIDE * max(sides):
            return seen
        return Viewport.around(prompt.row, prompt.column, FITTING * max(sides))

    def _on_answer(self, answer: Answer) -> None:
        where = answer.request.object_slice
        self._sides.pop(where, None)
        box = answer.part.box()
        if box is not None:
            self._sides[where] = max(last + 1 - first for first, last in box)
