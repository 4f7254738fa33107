"""Other options for a mask that is there: at once, and as one undo step."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from napari_simpleclick.annotation import Edit, MaskOptions, ObjectSlice
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.prediction_queue import PredictionQueue

SAME_S = 1.0
"""Changes that follow each other faster are one undo step."""


class Retouch:
    """Applies options to the current object on the displayed slice, and no other.

    Parameters
    ----------
    queue : PredictionQueue
        Whose canvas is meant; answers what is not known yet.
    """

    def __init__(self, queue: PredictionQueue) -> None:
        self._queue = queue
        self._edit: Edit | None = None
        self._start: MaskOptions | None = None
        self._when = 0.0
        self._rough = False

    def begin(self) -> None:
        """Let the next change be an undo step of its own."""
        canvas, self._edit = self._queue.canvas, None
        self._start = None if canvas is None else canvas.options

    def change(self, options: MaskOptions, moving: bool = False) -> None:
        """Apply options to the mask in view; other masks stay as they are.

        Parameters
        ----------
        options : MaskOptions
            The options from now on.
        moving : bool
            Whether a slider is being dragged. Then the mask is made of the probability
            that is remembered, and the network is not asked before :meth:`end`.
        """
        canvas = self._queue.canvas
        if canvas is None or options == canvas.options:
            return
        recent = moving or time.monotonic() - self._when < SAME_S
        if recent and self._goes_on(canvas):
            self._take_back(canvas)
        elif self._start is None or not moving:
            self._start = canvas.options
        self._when = time.monotonic()
        canvas.session.use(options)
        self._apply(canvas, moving)

    def end(self) -> None:
        """Ask the network now, if a dragged slider needs it after all."""
        canvas = self._queue.canvas
        if canvas is not None and self._rough:
            if self._goes_on(canvas):
                self._take_back(canvas)
            self._apply(canvas, moving=False)

    def is_drawn(self) -> bool:
        """Whether the clicked mask in view was changed by hand since."""
        canvas = self._queue.canvas
        object_slice = None if canvas is None else _object_slice(canvas)
        if (
            canvas is None
            or object_slice is None
            or not canvas.session.objects.placed(object_slice)
        ):
            return False
        mask = canvas.object_mask(object_slice.plane, object_slice.label)
        return (
            canvas.session.requests.pending is None
            and canvas.session.objects.is_painted(object_slice, mask)
        )

    def _goes_on(self, canvas: Canvas) -> bool:
        """Whether a change continues the last one, which is then replaced."""
        edit = self._edit
        if edit is None or edit is not canvas.session.last:
            return False
        here = _object_slice(canvas)
        return canvas.session.requests.pending is None and here in edit.after.answered

    def _take_back(self, canvas: Canvas) -> None:
        assert self._edit is not None
        canvas.session.retract()
        self._edit = None

    def _apply(self, canvas: Canvas, moving: bool) -> None:
        self._rough = False
        session, engine = canvas.session, self._queue.models.engine
        object_slice = _object_slice(canvas)
        if (
            object_slice is None
            or engine is None
            or not session.objects.placed(object_slice)
            or session.objects.style(object_slice.label).locked
        ):
            return
        if session.requests.pending is not None and not canvas.options.auto:
            return  # clicks wait, and will be answered with these options
        if session.objects.is_painted(
            object_slice, canvas.object_mask(object_slice.plane, object_slice.label)
        ):
            return  # what was drawn by hand is not the network's to change
        latest = engine.latest(canvas.source(), object_slice)
        known = latest is not None and latest.steps == session.objects.placed(
            object_slice
        )
        exact = known and latest is not None and latest.chained(canvas.options)
        self._rough = moving and not exact
        at_once = not session.requests.waits(object_slice) and (
            exact or (moving and known)
        )
        if moving and not at_once:
            return
        request = session.requests.ask_again(
            object_slice, self._start or canvas.options, canvas.options
        )
        if not at_once or latest is None:
            self._queue.predict()
            return
        from napari_simpleclick.workflow.engine import Answer

        start = time.perf_counter()
        job = self._queue.job(canvas, request)
        mask = job.finish(latest.local)
        spent = 1000 * (time.perf_counter() - start)
        settings = engine.settings(job)
        self._queue.write(canvas, Answer(request, mask, spent, settings))
        self._edit = session.last


def _object_slice(canvas: Canvas) -> ObjectSlice | None:
    """Name the current object on the displayed slice; None if no slice is in view."""
    try:
        return canvas.session.object_slice(canvas.current_plane())
    except UserError:
        return None
