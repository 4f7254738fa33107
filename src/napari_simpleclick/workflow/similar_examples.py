"""What a search for similar objects learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_simpleclick.annotation import Verdict
from napari_simpleclick.workflow.nearest_slices import nearest_first

if TYPE_CHECKING:
    from napari_simpleclick.annotation import Session
    from napari_simpleclick.images import Plane
    from napari_simpleclick.workflow.canvas import Canvas


def kind_of(name: str) -> str:
    """Tell the kind of object that a name stands for: "mito" for "Mito 12"."""
    return name.rstrip("0123456789 ._-#").casefold()


def wanted_kind(session: Session) -> str:
    """Tell the kind of the current object; while it is empty, of the last one."""
    objects, label = session.objects, session.label
    begun = {where.label for where, placed in objects.prompts.items() if placed}
    begun |= set(objects.voxel_counts.labels())
    if label not in begun and not objects.style(label).name:
        label = max(begun, default=label)
    return kind_of(objects.style(label).name)


def examples_of(canvas: Canvas) -> int:
    """Count the objects to learn from, each on each slice where it was clicked on."""
    objects, kind = canvas.session.objects, wanted_kind(canvas.session)
    prompted = [where.label for where, placed in objects.prompts.items() if placed]
    painted = set(objects.voxel_counts.labels()) - set(prompted)
    return sum(
        kind_of(objects.style(label).name) == kind for label in (*prompted, *painted)
    )


def example_planes(canvas: Canvas, here: Plane) -> list[Plane]:
    """Slices in view that hold objects: clicked ones and verdicts, then the nearest."""
    objects = canvas.session.objects
    holding: dict[Plane, int] = {}
    for where, placed in objects.prompts.items():
        if placed:
            holding[where.plane] = holding.get(where.plane, 0) + 1
    for _, one in objects.proposals:
        if one.verdict is not Verdict.OPEN:
            holding[one.plane] = holding.get(one.plane, 0) + 1
    planes = nearest_first(canvas, here)
    order = {plane: number for number, plane in enumerate(planes)}
    certain = sorted(
        (plane for plane in holding if plane in order),
        key=lambda plane: (-holding[plane], order[plane]),
    )
    filled = _filled(canvas, planes)
    return [*certain, *(plane for plane in filled if plane not in holding)]


def _filled(canvas: Canvas, planes: list[Plane]) -> list[Plane]:
    """Those of some slices of one stack on which any object has pixels."""
    first = planes[0]
    axes = [
        axis
        for axis in range(len(first.index))
        if any(plane.index[axis] != first.index[axis] for plane in planes)
    ]
    if not axes:
        return planes
    counts = canvas.session.objects.voxel_counts
    labels = counts.labels()
    if not labels:
        return []
    total = np.sum([counts.areas(label, axes[0]) for label in labels], axis=0)
    return [plane for plane in planes if total[plane.index[axes[0]]]]
