"""What measuring depends on, taken on the main thread, to be done in another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.measurement import Axes, ObjectMeasures, Sureness, measure
from napari_simpleclick.workflow.sureness import sureness

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_simpleclick.annotation import (
        MaskChange,
        ObjectSlice,
        PropagatedSlice,
    )
    from napari_simpleclick.measurement.axes import Box
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.session_file import SessionImage

Found = dict[int, tuple[ObjectMeasures, ...]]
"""Label to its measures at every time point that it is there."""


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
    notes : dict
        Label to what was propagated.
    prompted : frozenset of ObjectSlice
        What was clicked or drawn on.
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
    notes: Mapping[int, Mapping[ObjectSlice, PropagatedSlice]]
    prompted: frozenset[ObjectSlice]
    pictures: Mapping[str, tuple[Any, int | None]]

    def measure(self) -> tuple[Task, Found]:
        """Measure what is to be measured; it takes time."""
        wanted = set(self.outdated)
        for change in self.changes:
            runs = change.runs()
            wanted |= {*runs.before.tolist(), *runs.after.tolist()}
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
            corner = tuple(side.start for side in box)
            made = self._sureness(label, time, part, corner)
            (one,) = measure(
                part,
                self.axes.spacing,
                {name: self._picture(name, where) for name in self.pictures},
                affine=self.affine,
                corner=corner,
                surface=find_spec("SimpleITK") is not None,
                sureness={1: made},
            )
            found.append(replace(one, label=label, time=time))
        return found

    def _sureness(
        self,
        label: int,
        time: int | None,
        part: NDArray[np.bool_],
        corner: tuple[int, ...],
    ) -> Sureness:
        """Tell how the slices of an object were made."""
        notes = {
            where: note
            for where, note in self.notes.get(label, {}).items()
            if self.axes.time is None or where.plane.index[self.axes.time] == time
        }
        return sureness(self.labels, self.axes, notes, self.prompted, part, corner)

    def _picture(self, name: str, where: tuple[Any, ...]) -> NDArray[Any]:
        source, channel = self.pictures[name]
        if self.channel_axis is not None:
            axis = self.channel_axis
            where = (*where[:axis], channel, *where[axis + 1 :])
        return np.asarray(source[where])


def task_of(
    canvas: Canvas, axes: Axes, outdated: Collection[int], changes: Sequence[MaskChange]
) -> Task:
    """Take what measuring some objects depends on.

    Parameters
    ----------
    canvas : Canvas
        The image.
    axes : Axes
        Of its mask.
    outdated : collection of int
        Objects to be measured.
    changes : sequence of MaskChange
        The objects in them are to be measured as well.
    """
    objects, counts = canvas.session.objects, canvas.session.objects.voxel_counts
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
        frozenset(outdated),
        tuple(changes),
        canvas.about_image(),
        canvas.options.channel_axis,
        objects.propagated.by_label(),
        frozenset(where for where, placed in objects.prompts.items() if placed),
        _pictures(canvas),
    )


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
