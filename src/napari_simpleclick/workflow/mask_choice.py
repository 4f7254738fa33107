"""Going on with another mask in place of the present one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from psygnal import Signal

from napari_simpleclick.annotation import MaskChange, plain_name
from napari_simpleclick.workflow.found_mask import FoundMask
from napari_simpleclick.workflow.mask_array import MOST_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.executor import Executor
    from napari_simpleclick.workflow.prediction_queue import PredictionQueue

MOST_NAMED = 5
"""Objects that are named in a sentence, at most."""


class Question(NamedTuple):
    """Something that the person has to say yes to.

    Parameters
    ----------
    text : str
        What is asked.
    go_on : callable
        To be called for yes; for no, nothing is.
    """

    text: str
    go_on: Callable[[], None]


class MaskChoice:
    """Lets the objects of another mask be those of the canvas, as one undo step.

    The other mask is copied and stays as it is. The present one is set aside in the
    viewer, if there is something in it.

    Parameters
    ----------
    queue : PredictionQueue
        Whose canvas is meant; answers the clicks that were made before.
    executor : Executor
        Reads and resamples.
    """

    asked = Signal(object)
    """A :class:`Question`."""

    status = Signal(str)
    """What was done."""

    taken = Signal()
    """Another mask is gone on with."""

    failed = Signal(object)
    """Why a mask cannot be gone on with; an exception."""

    def __init__(self, queue: PredictionQueue, executor: Executor) -> None:
        self._queue, self._executor = queue, executor

    def open(self, path: Path) -> None:
        """Go on with the mask in a file or folder."""
        self._executor.start(
            partial(FoundMask.read, path),
            partial(self._take_for, self._queue.canvas),
            self.failed.emit,
            "Reading a mask",
        )

    def take(self, found: FoundMask) -> None:
        """Go on with a mask, after a question if it lies on another grid."""
        self._take_for(self._queue.canvas, found)

    def _take_for(self, canvas: Canvas | None, found: FoundMask) -> None:
        if canvas is None or canvas is not self._queue.canvas:
            return  # it was read for an image that is not worked on any more
        target = canvas.grid().spatial()
        found = found.without_single_axes(target.shape)
        try:
            text = found.question(target)
        except Exception as error:
            self.failed.emit(error)
            return
        go_on = partial(self._place, canvas, found)
        if text:
            self.asked.emit(Question(text, go_on))
        else:
            go_on()

    def begin(self) -> None:
        """Go on with an empty mask."""
        canvas = self._queue.canvas
        if canvas is not None:
            self._when_answered(canvas, partial(self._begin, canvas))

    def _begin(self, canvas: Canvas) -> None:
        canvas.set_aside()
        empty = np.broadcast_to(canvas.labels.dtype.type(0), canvas.labels.shape)
        self._put(canvas, MaskChange.between(canvas.labels, empty), None)
        canvas.choose(1)
        self.status.emit("A new mask; Undo brings the one before back")

    def _place(self, canvas: Canvas, found: FoundMask) -> None:
        grid = canvas.grid().spatial()

        def place() -> tuple[NDArray[np.uint16], set[int]]:
            return found.on(grid), set(np.unique(found.labels).tolist()) - {0}

        self._executor.start(
            place,
            partial(self._on_placed, canvas, found),
            self.failed.emit,
            "Putting a mask onto the image",
        )

    def _on_placed(
        self,
        canvas: Canvas,
        found: FoundMask,
        placed: tuple[NDArray[np.uint16], set[int]],
    ) -> None:
        self._when_answered(canvas, partial(self._take, canvas, found, *placed))

    def _when_answered(self, canvas: Canvas, act: Callable[[], None]) -> None:
        """Do something when clicks and strokes of before are in the mask."""

        def begin() -> None:
            if canvas is self._queue.canvas:
                canvas.when_idle(self._attempt(act))

        self._queue.when_none_waits(begin)

    def _attempt(self, act: Callable[[], None]) -> Callable[[], None]:
        def attempt() -> None:
            try:
                act()
            except Exception as error:
                self.failed.emit(error)

        return attempt

    def _take(
        self,
        canvas: Canvas,
        found: FoundMask,
        labels: NDArray[np.uint16],
        inside: set[int],
    ) -> None:
        labels = labels.reshape(canvas.labels.shape)
        change = MaskChange.between(canvas.labels, labels)
        canvas.set_aside()
        self._put(canvas, change, found)
        objects = canvas.session.objects
        there = objects.voxel_counts.labels()
        free = min(objects.free_label(), MOST_LABEL)
        canvas.choose(next(iter(there)) if len(there) == 1 else free)
        count = "1 object" if len(there) == 1 else f"{len(there)} objects"
        told = f"Goes on with '{found.name}': {count}."
        self.status.emit(told + _left_out(found, inside - there))

    def _put(
        self, canvas: Canvas, change: MaskChange | None, found: FoundMask | None
    ) -> None:
        if change is not None:
            canvas.put(change, show=False)
        there = canvas.session.objects.voxel_counts.labels_after(change)
        styles = {} if found is None else found.styles(there)
        canvas.session.take_mask(styles, change)
        canvas.refresh()
        self.taken.emit()


def _left_out(found: FoundMask, labels: set[int]) -> str:
    """Name the objects of a mask that have no voxel on the image."""
    if not labels:
        return ""
    lost = sorted(labels)
    names = {one.label: one.name for one in found.names}
    named = ", ".join(names.get(one, plain_name(one)) for one in lost[:MOST_NAMED])
    more = f" and {len(lost) - MOST_NAMED} more" if len(lost) > MOST_NAMED else ""
    return f" Outside of the image, or smaller than its voxels: {named}{more}."
