"""What the objects of an image measure, kept up to date while someone looks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from psygnal import Signal

from napari_simpleclick.errors import UserError
from napari_simpleclick.measurement import Axes, ObjectMeasures, find_axes, measure
from napari_simpleclick.workflow.one_at_a_time import OneAtATime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from napari_simpleclick.annotation import Edit, MaskChange
    from napari_simpleclick.measurement.axes import Box
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.executor import Executor
    from napari_simpleclick.workflow.session_file import SessionImage

Found = dict[int, tuple[ObjectMeasures, ...]]
"""Label to its measures at every time point that it is there."""

MASK_EDITS = ("done", "undone", "redone", "retracted")
"""What a session tells of changes of a mask."""


@dataclass(frozen=True, eq=False)
class Task:
    """All that measuring depends on, taken on the main thread.

    Parameters
    ----------
    canvas : Canvas
        Whose objects are measured; only to tell it from others.
    labels : ndarray
        The mask as it is; a change meanwhile has its objects measured again.
    axes : Axes
        Of the mask.
    affine : ndarray or None
        (4, 4) from voxels to mm of the patient.
    boxes : dict
        Label to the part of space that holds it, of all objects.
    outdated : frozenset of int
        Objects to be measured.
    changes : tuple of MaskChange
        The objects in them are to be measured as well.
    about : SessionImage
        What is known of the image.
    channel_axis : int or None
        Its axis of channels.
    pictures : dict
        Name to an image, and which of its channels.
    """

    canvas: Canvas
    labels: NDArray[Any]
    axes: Axes
    affine: NDArray[np.float64] | None
    boxes: Mapping[int, Box]
    outdated: frozenset[int]
    changes: tuple[MaskChange, ...]
    about: SessionImage
    channel_axis: int | None
    pictures: Mapping[str, tuple[Any, int | None]] = field(default_factory=dict)

    def measure(self) -> tuple[Task, Found]:
        """Measure what is to be measured; it takes time."""
        wanted = set(self.outdated)
        for change in self.changes:
            _, before, after = change.voxels()
            wanted |= {int(k) for part in (before, after) for k in np.unique(part)}
        wanted.discard(0)
        return self, {label: tuple(self._measure(label)) for label in sorted(wanted)}

    def _measure(self, label: int) -> list[ObjectMeasures]:
        box, found = self.boxes.get(label), []
        if box is None:
            return []
        for time in self.axes.times(self.labels.shape):
            where = self.axes.at(time, box)
            part = np.asarray(self.labels[where]) == label
            if not part.any():
                continue
            (one,) = measure(
                part,
                self.axes.spacing,
                {name: self._picture(name, where) for name in self.pictures},
                affine=self.affine,
                corner=tuple(side.start for side in box),
                surface=find_spec("SimpleITK") is not None,
            )
            found.append(replace(one, label=label, time=time))
        return found

    def _picture(self, name: str, where: tuple[Any, ...]) -> NDArray[Any]:
        source, channel = self.pictures[name]
        if self.channel_axis is not None:
            axis = self.channel_axis
            where = (*where[:axis], channel, *where[axis + 1 :])
        return np.asarray(source[where])


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
        self._outdated, self._changes = set(), []
        return task.measure

    def task(self, canvas: Canvas) -> Task:
        """Take what measuring, and making surfaces, depends on.

        Raises
        ------
        UserError
            As :meth:`axes`.
        """
        axes, counts = self.axes(), canvas.session.objects.voxel_counts
        boxes: dict[int, Box] = {}
        for label in counts.labels():
            filled = [np.flatnonzero(counts.areas(label, a)) for a in axes.space]
            boxes[label] = tuple(slice(int(a[0]), int(a[-1]) + 1) for a in filled)
        return Task(
            canvas,
            canvas.labels,
            axes,
            _affine(canvas, axes),
            boxes,
            frozenset(self._outdated),
            tuple(self._changes),
            canvas.about_image(),
            canvas.options.channel_axis,
            _pictures(canvas),
        )

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


def _affine(canvas: Canvas, axes: Axes) -> NDArray[np.float64] | None:
    """Matrix from voxels to mm of the patient, if they are the last three axes."""
    last = tuple(range(axes.count - 3, axes.count))
    return canvas.grid().affine if axes.space == last else None


def _pictures(canvas: Canvas) -> dict[str, tuple[Any, int | None]]:
    """Give the image, or every channel of it, by name; none of a photograph."""
    about, source, channels = canvas.about_image(), canvas.source(), canvas.axes()[2]
    if about.rgb:
        return {}
    if canvas.options.channel_axis is None:
        return {about.name: (source, None)}
    return {name: (source, number) for number, name in enumerate(channels)}
