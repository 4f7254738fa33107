"""What the objects of an image measure, kept up to date while someone looks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from psygnal import Signal

from napari_simpleclick.errors import UserError
from napari_simpleclick.measurement import Axes, ObjectMeasures, find_axes
from napari_simpleclick.workflow.measuring_task import Found, Task, task_of
from napari_simpleclick.workflow.one_at_a_time import OneAtATime

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_simpleclick.annotation import Edit, MaskChange
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.executor import Executor

MASK_EDITS = ("done", "undone", "redone", "retracted")
"""What a session tells of changes of a mask."""


class Measures:
    """Measures the objects of the image that is worked on, off the main thread.

    Nothing is measured before :meth:`watch`, and then only what has changed.

    Parameters
    ----------
    executor : Executor
        Measures.

    Attributes
    ----------
    canvas : Canvas or None
        The image.
    """

    changed = Signal()
    """There are other measures than before."""

    failed = Signal(object)
    """The objects cannot be measured; an exception."""

    def __init__(self, executor: Executor) -> None:
        self.canvas: Canvas | None = None
        self._watched = False
        self._time: int | Literal["named"] | None = "named"
        self._known: Found = {}
        self._frame: tuple[Axes, tuple[str, ...]] | None = None
        self._outdated: set[int] = set()
        self._changes: list[MaskChange] = []
        self._waiting: list[Callable[[], None]] = []
        self._work = OneAtATime(executor, self._begin, self._take, self._fail)

    # -- what the panel asks for -----------------------------------------------------

    def watch(self, wanted: bool) -> None:
        """Keep the measures up to date from now on, or no more."""
        if wanted != self._watched:
            self._watched = wanted
            self._forget()

    def use_time(self, axis: int | None) -> None:
        """Let an axis be that of time; None for none."""
        if axis != self._time:
            self._time = axis
            self._forget()

    def axes(self) -> Axes:
        """Tell which axes of the mask are those of space and time.

        Raises
        ------
        UserError
            If there are more, or no image.
        """
        if self.canvas is None:
            raise UserError("Choose an image first.")
        names, sizes, _ = self.canvas.axes()
        channel, shape = self.canvas.options.channel_axis, self.canvas.labels.shape
        return find_axes(shape, names, sizes, channel=channel, time=self._time)

    def objects(self) -> list[ObjectMeasures]:
        """Give what is known, in the order of the list of objects."""
        if self.canvas is None:
            return []
        objects = self.canvas.session.objects
        return [
            replace(one, name=objects.style(label).name)
            for label in objects.listed()
            for one in self._known.get(label, ())
        ]

    def when_known(self, call: Callable[[], None]) -> None:
        """Call something when all objects are measured as they are now."""
        self._waiting.append(call)
        self._work.ask()

    # -- following -------------------------------------------------------------------

    def follow(self, canvas: Canvas | None) -> None:
        """Measure the objects of another image from now on."""
        if self.canvas is not None:
            self.canvas.session.happened.disconnect(self._on_event)
        if canvas is not None:
            canvas.session.happened.connect(self._on_event)
        self.canvas, self._time = canvas, "named"
        self._waiting.clear()
        self._forget()

    def _forget(self) -> None:
        """Measure all again."""
        self._known, self._changes = {}, []
        labels = () if self.canvas is None else self.canvas.session.objects.labels()
        self._outdated = set(labels)
        self.changed.emit()
        if self._watched or self._waiting:
            self._work.ask()

    def _on_event(self, kind: str, what: Edit) -> None:
        if kind not in MASK_EDITS:
            return
        if not self._watched and not self._waiting:
            self._known = {}
            return
        for state in (what.before, what.after):
            self._outdated |= {one.label for one in (*state.prompts, *state.propagated)}
        if what.change is not None:
            self._changes.append(what.change)
        self._work.ask()

    # -- measuring -------------------------------------------------------------------

    def _begin(self) -> Callable[[], tuple[Task, Found]] | None:
        canvas = self.canvas
        if canvas is None or not (self._watched or self._waiting):
            return None
        if not self._known and not self._outdated:
            self._outdated = set(canvas.session.objects.labels())
        if not self._outdated and not self._changes:
            self._tell()
            return None
        try:
            task = self.task(canvas)
        except UserError as error:
            self._fail(error)
            return None
        frame = task.axes, tuple(task.pictures)
        if frame != self._frame:  # all rows of a table have one unit, and the same ones
            self._frame = frame
            self._outdated = set(canvas.session.objects.labels())
            task = self.task(canvas)
        self._outdated, self._changes = set(), []
        return task.measure

    def task(self, canvas: Canvas) -> Task:
        """Take what measuring, and making surfaces, depends on.

        Raises
        ------
        UserError
            As :meth:`axes`.
        """
        return task_of(canvas, self.axes(), self._outdated, self._changes)

    def _take(self, outcome: tuple[Task, Found]) -> None:
        task, found = outcome
        if task.canvas is not self.canvas or task.axes != self.axes():
            return  # what is there now was asked for as well
        self._known |= found
        self.changed.emit()
        if not self._outdated and not self._changes:
            self._tell()

    def _tell(self) -> None:
        """Call what waits for the measures."""
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()

    def _fail(self, error: Exception) -> None:
        self._waiting.clear()
        self._outdated, self._changes = set(), []
        self.failed.emit(error)
