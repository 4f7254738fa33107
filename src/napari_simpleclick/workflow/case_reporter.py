"""A page about the image that is worked on, written off the main thread."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_simpleclick.errors import UserError
from napari_simpleclick.measurement.provenance import array_hash, file_hash, software

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_simpleclick.measurement import Axes, ObjectMeasures
    from napari_simpleclick.workflow.executor import Executor
    from napari_simpleclick.workflow.measures import Measures
    from napari_simpleclick.workflow.measuring_task import Task
    from napari_simpleclick.workflow.model_loader import ModelLoader


@dataclass(frozen=True, eq=False)
class SlicesAt:
    """An image at a time point, of which only slices are read.

    Parameters
    ----------
    source : array_like
        The image at full resolution.
    axes : Axes
        Of its mask.
    time : int or None
        The time point.
    channel : tuple of int or None
        Axis of channels, and which one is shown.
    """

    source: Any
    axes: Axes
    time: int | None
    channel: tuple[int, int] | None

    def __getitem__(self, index: Any) -> NDArray[Any]:
        """Read a slice by its number; all of a 2-D image by ``...``."""
        where = list(self.axes.at(self.time))
        if self.channel is not None:
            where[self.channel[0]] = self.channel[1]
        if index is not ...:
            where[self.axes.space[0]] = index
        return np.asarray(self.source[tuple(where)])


class CaseReporter:
    """Writes a report of the image that is worked on.

    Parameters
    ----------
    measures : Measures
        Of its objects.
    models : ModelLoader
        Knows the weights in use.
    executor : Executor
        Draws and writes.
    """

    status = Signal(str)
    """What was done."""

    failed = Signal(object)
    """What was asked for cannot be done; an exception."""

    def __init__(
        self, measures: Measures, models: ModelLoader, executor: Executor
    ) -> None:
        self._measures, self._models, self._executor = measures, models, executor

    def save(self, path: Path, colours: Mapping[int, str]) -> None:
        """Write a report, when all objects are measured.

        Parameters
        ----------
        path : Path
            An HTML or PDF file.
        colours : mapping of int to str
            Of the objects.
        """
        self._measures.when_known(partial(self._save, path, dict(colours)))

    def _save(self, path: Path, colours: Mapping[int, str]) -> None:
        canvas = self._measures.canvas
        try:
            axes = self._measures.axes()
        except UserError as error:
            self.failed.emit(error)
            return
        assert canvas is not None
        time = None if axes.time is None else canvas.position()[axes.time]
        objects = [one for one in self._measures.objects() if one.time == time]
        work = partial(
            _write,
            path,
            self._measures.task(canvas),
            time,
            objects,
            colours,
            self._facts(),
        )

        def done(_: None) -> None:
            self.status.emit(f"Saved '{path}'.")

        self._executor.start(work, done, self.failed.emit, title=f"Saving {path.name}")

    def _facts(self) -> dict[str, str]:
        """Tell what is known without reading anything."""
        facts, canvas = {"Software": software()}, self._measures.canvas
        engine = self._models.engine
        if engine is not None:
            known = engine.card.sha256
            told = f", SHA-256 {known}" if known else ""
            facts["Weights in use"] = f"{engine.name}{told}"
        if canvas is not None and canvas.recorder.path is not None:
            facts["Session"] = canvas.recorder.path.name
        return facts


def _write(
    path: Path,
    task: Task,
    time: int | None,
    objects: list[ObjectMeasures],
    colours: Mapping[int, str],
    facts: Mapping[str, str],
) -> None:
    """Gather what a report needs, and write it; it takes time."""
    from napari_simpleclick.measurement.case_report import (
        Case,
        size_of,
        write_case_report,
    )

    axes, about, axis = task.axes, task.about, task.channel_axis
    labels = np.array(axes.read(task.labels, time))
    channel = None if axis is None else (axis, 0)
    more = {"Size": size_of(labels.shape, axes.spacing)}
    if about.path is not None and Path(about.path).exists():
        name = Path(about.path).name
        more["Image"] = f"{name}, SHA-256 {file_hash(Path(about.path))}"
    more["Mask"] = f"SHA-256 of its labels {array_hash(labels)}"
    title = about.name if time is None else f"{about.name}, time {time}"
    image = SlicesAt(about.source, axes, time, channel)
    case = Case(
        title,
        labels,
        objects,
        image,
        axes.spacing,
        task.affine,
        colours,
        {**facts, **more},
    )
    write_case_report(path, case)
