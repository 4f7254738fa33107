"""Where a search for similar objects looks, and what it learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_simpleclick.annotation import ObjectStack, Verdict

if TYPE_CHECKING:
    from napari_simpleclick.images import Plane
    from napari_simpleclick.workflow.canvas import Canvas


def examples_of(canvas: Canvas) -> int:
    """Count the objects to learn from, each on each slice where it was clicked on."""
    objects = canvas.session.objects
    prompted = [where.label for where, placed in objects.prompts.items() if placed]
    painted = objects.voxel_counts.labels() - set(prompted)
    return len(prompted) + len(painted)


def around(canvas: Canvas, here: Plane) -> list[Plane]:
    """All slices of the stack in view, the nearest to the displayed one first."""
    stack = ObjectStack.containing(
        canvas.session.object_slice(here), canvas.options.channel_axis
    )
    if stack is None:
        return [here]
    length = canvas.labels.shape[stack.axis]
    middle = here.index[stack.axis]
    order = sorted(range(length), key=lambda index: (abs(index - middle), index))
    return [stack.object_slice(index).plane for index in order]


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
    planes = around(canvas, here)
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
