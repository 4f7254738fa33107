"""The diameters of the objects on the slice that is shown."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from psygnal import Signal
from scipy import ndimage

from napari_simpleclick.errors import UserError
from napari_simpleclick.measurement import Diameters, slice_diameters
from napari_simpleclick.workflow.one_at_a_time import OneAtATime

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_simpleclick.images import Plane
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.executor import Executor


class OnSlice(NamedTuple):
    """What was found on a slice.

    Parameters
    ----------
    canvas : Canvas
        The image.
    plane : Plane
        The slice.
    diameters : dict
        Label to the longest diameter and the longest one across it.
    """

    canvas: Canvas
    plane: Plane
    diameters: dict[int, Diameters]


class ShownDiameters:
    """Finds the diameters on the slice that is shown, off the main thread.

    Parameters
    ----------
    executor : Executor
        Measures.

    Attributes
    ----------
    canvas : Canvas or None
        The image.
    shown : OnSlice or None
        What is to be drawn; None for nothing.
    """

    changed = Signal()
    """There are others than before, or none."""

    def __init__(self, executor: Executor) -> None:
        self.canvas: Canvas | None = None
        self.shown: OnSlice | None = None
        self.wanted = False
        self._work = OneAtATime(executor, self._begin, self._take, self._fail)

    def watch(self, wanted: bool) -> None:
        """Follow the slice from now on, or no more."""
        self.wanted = wanted
        self.look()

    def follow(self, canvas: Canvas | None) -> None:
        """Look at another image from now on."""
        if self.canvas is not None:
            self.canvas.session.happened.disconnect(self.look)
        if canvas is not None:
            canvas.session.happened.connect(self.look)
        self.canvas = canvas
        self.look()

    def look(self, *_: Any) -> None:
        """Look again, as another slice may be shown or a mask may have changed."""
        if self.wanted or self.shown is not None:
            self._work.ask()

    def _begin(self) -> Callable[[], OnSlice] | None:
        canvas = self.canvas
        if canvas is None or not self.wanted:
            self._show(None)
            return None
        try:
            plane = canvas.current_plane()
        except UserError:
            self._show(None)
            return None
        objects = canvas.session.objects
        seen = [k for k in objects.labels() if not objects.style(k).hidden]
        labels = plane.read(canvas.labels)
        return partial(_measure, canvas, plane, labels, canvas.spacing(plane), seen)

    def _take(self, found: OnSlice) -> None:
        if found.canvas is self.canvas and self.wanted:
            self._show(found)

    def _fail(self, error: Exception) -> None:
        self._show(None)
        raise error  # nothing that a person can do leads here

    def _show(self, found: OnSlice | None) -> None:
        if found is not None or self.shown is not None:
            self.shown = found
            self.changed.emit()


def _measure(
    canvas: Canvas,
    plane: Plane,
    labels: Any,
    spacing: tuple[float, float],
    seen: list[int],
) -> OnSlice:
    """Find the diameters of some objects."""
    found, boxes = {}, ndimage.find_objects(np.asarray(labels))
    for label in seen:
        box = boxes[label - 1] if label <= len(boxes) else None
        if box is not None:
            part = slice_diameters(labels[box] == label, spacing)
            if part is not None:
                found[label] = part.moved(box[0].start, box[1].start)
    return OnSlice(canvas, plane, found)
