"""The objects of a session that count as accepted, as examples to learn from."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.workflow.explain import explain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.annotation import ObjectSlice, Session
    from napari_simpleclick.images import Plane, Viewport
    from napari_simpleclick.training.teaching.examples import Example
    from napari_simpleclick.workflow.canvas import Canvas


def accepted(session: Session) -> list[ObjectSlice]:
    """Tell which objects on which slices count as accepted, as they were begun.

    Those that were clicked on and left for another object: whoever goes on is content.
    """
    waiting = [request.object_slice for request in session.requests]
    current = session.label
    return [
        where
        for where, placed in session.objects.prompts.items()
        if placed and where.label != current and where not in waiting
    ]


class AcceptedObjects:
    """A snapshot of the accepted objects, whose image is read later.

    Parameters
    ----------
    canvas : Canvas
        The image; it is read from here on the main thread, but not its slices.

    Attributes
    ----------
    lost : list of str
        A sentence for each slice that could not be read.
    """

    def __init__(self, canvas: Canvas) -> None:
        self.lost: list[str] = []
        self._name = canvas.about_image().name
        self._view = canvas.view()
        self._labels: dict[Plane, NDArray[Any]] = {}
        self._spacing: dict[Plane, tuple[float, float]] = {}
        self._seen: dict[Plane, dict[int, Viewport | None]] = defaultdict(dict)
        for where in accepted(canvas.session):
            plane = where.plane
            if plane not in self._labels:
                self._labels[plane] = np.array(plane.read(canvas.labels))
                self._spacing[plane] = canvas.spacing(plane)
            placed = canvas.session.objects.placed(where)
            self._seen[plane][where.label] = placed[0].viewport

    def gather(self) -> list[Example]:
        """Read the slices; it takes time, so not on the main thread.

        Raises
        ------
        UserError
            If none of them can be read.
        """
        from napari_simpleclick.training.teaching.examples import Example, Origin

        found: list[Example] = []
        for plane, labels in self._labels.items():
            try:
                picture, window = self._view.read(plane), self._view.window()
            except Exception as error:
                count = len(self._seen[plane])
                self.lost.append(
                    f"{count} accepted object{'s' * (count != 1)} could not be learned "
                    f"from, as the image cannot be read: {explain(error)}"
                )
                continue
            place = "" if len(plane.index) == 2 else f"slice {_place(plane)}"
            for label, seen in self._seen[plane].items():
                mask = np.asarray(labels == label)
                others = np.asarray((labels > 0) & ~mask)
                origin = Origin(self._name, label, place)
                spacing = self._spacing[plane]
                found.append(
                    Example(picture, mask, others, window, spacing, origin, seen)
                )
        if not found and self.lost:
            raise UserError(self.lost[0])
        return found


def _place(plane: Plane) -> str:
    """Name a slice by its place on the axes that are not in view."""
    return ", ".join(
        str(place) for axis, place in enumerate(plane.index) if axis not in plane.axes
    )
