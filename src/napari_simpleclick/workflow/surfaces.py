"""Surfaces of the objects of an image, made off the main thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal

from napari_simpleclick.errors import UserError
from napari_simpleclick.measurement import (
    Mesh,
    mesh_paths,
    surface_mesh,
    write_meshes,
)
from napari_simpleclick.measurement.surface import plain_frame

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.executor import Executor
    from napari_simpleclick.workflow.measures import Measures
    from napari_simpleclick.workflow.measuring_task import Task

TITLE = "Surfaces"
FLAT = "A slice has no surface; open a volume."


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Surfaces of objects at a time point.

    Parameters
    ----------
    canvas : Canvas
        The image.
    meshes : dict
        Label to its surface, in voxels of the axes of space.
    space : tuple of int
        These axes.
    place : tuple of int
        Position on all axes; those of space do not count.
    """

    canvas: Canvas
    meshes: dict[int, Mesh]
    space: tuple[int, ...]
    place: tuple[int, ...]


class SurfaceMaker:
    """Makes surfaces to look at and for files.

    Parameters
    ----------
    measures : Measures
        Knows the axes of the image.
    executor : Executor
        Does the work.
    """

    made = Signal(object)
    """:class:`Surfaces` to look at."""

    status = Signal(str)
    """What was done."""

    failed = Signal(object)
    """What was asked for cannot be done; an exception."""

    def __init__(self, measures: Measures, executor: Executor) -> None:
        self._measures, self._executor = measures, executor

    def show(self) -> None:
        """Make the surfaces of all objects that are shown."""
        try:
            task, labels, place = self._asked()
        except UserError as error:
            self.failed.emit(error)
            return

        def work() -> Surfaces:
            sizes = np.array(task.axes.spacing or (1.0, 1.0, 1.0))
            frame = np.diag([*sizes, 1.0])
            meshes = _meshes(task, labels, place, frame)
            plain = {k: Mesh(m.vertices / sizes, m.faces) for k, m in meshes.items()}
            return Surfaces(task.canvas, plain, task.axes.space, place)

        self._executor.start(work, self._on_made, self.failed.emit, title=TITLE)

    def save(self, path: Path) -> None:
        """Write the surfaces of all objects that are shown, in mm of the scanner.

        Without an orientation they are in the sizes of the voxels, and without these in
        px. Of several objects, each has a file with its number behind the name.
        """
        try:
            task, labels, place = self._asked()
        except UserError as error:
            self.failed.emit(error)
            return
        sizes = task.axes.spacing or (1.0, 1.0, 1.0)
        frame = plain_frame(sizes) if task.affine is None else task.affine

        def work() -> list[Path]:
            return write_meshes(path, _meshes(task, labels, place, frame))

        def done(paths: list[Path]) -> None:
            names = ", ".join(f"'{one}'" for one in paths)
            self.status.emit(f"Saved {names}.")

        self._executor.start(work, done, self.failed.emit, title=f"Saving {path.name}")

    def targets(self, path: Path) -> list[Path]:
        """List the files that :meth:`save` would write."""
        try:
            _, labels, _ = self._asked()
        except UserError:
            return []
        return list(mesh_paths(path, labels).values())

    def _asked(self) -> tuple[Task, list[int], tuple[int, ...]]:
        """Find out which objects are meant, and at which time point."""
        axes, canvas = self._measures.axes(), self._measures.canvas
        assert canvas is not None
        if len(axes.space) != 3:
            raise UserError(FLAT)
        task = self._measures.task(canvas)
        objects = canvas.session.objects
        labels = [k for k in sorted(task.boxes) if not objects.style(k).hidden]
        if not labels:
            raise UserError(
                "There is no object with a mask that is shown, so there is no surface; "
                "draw one first."
            )
        return task, labels, canvas.position()

    def _on_made(self, surfaces: Surfaces) -> None:
        if surfaces.canvas is self._measures.canvas:
            self.made.emit(surfaces)


def _meshes(
    task: Task, labels: list[int], place: tuple[int, ...], frame: NDArray[np.float64]
) -> dict[int, Mesh]:
    """Make the surfaces of those objects that are there at a time point."""
    time = None if task.axes.time is None else place[task.axes.time]
    found = {}
    for label in labels:
        box = task.boxes[label]
        mask = np.asarray(task.labels[task.axes.at(time, box)]) == label
        moved = np.eye(4)
        moved[:3, 3] = [side.start for side in box]
        if mask.any():
            found[label] = surface_mesh(mask, frame @ moved)
    if not found:
        raise UserError(
            "No object has a mask at this time point, so there is no surface; go to "
            "one where there is an object."
        )
    return found
