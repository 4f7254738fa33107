"""From the points that are shown to the clicks of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_simpleclick.prompts import Click, check_prompts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_simpleclick.annotation import ObjectSlice, PlacedPrompt
    from napari_simpleclick.images import Plane
    from napari_simpleclick.workflow.canvas import Canvas, ShownPoint


def take_over(canvas: Canvas) -> Iterator[tuple[ObjectSlice, PlacedPrompt]]:
    """Move, remove and add clicks as the points were.

    Yields
    ------
    tuple
        :class:`ObjectSlice` and :class:`PlacedPrompt` of each click that was added.

    Raises
    ------
    UserError
        If a point is where no click can be.
    """
    orders, fresh = _known_and_fresh(canvas)
    _move_clicks(canvas, orders)
    for point in fresh:
        yield _add_click(canvas, point)


def fresh_places(canvas: Canvas) -> Iterator[tuple[Plane, float, float]]:
    """Go through the points that are no clicks yet: slice, row and column.

    Raises
    ------
    UserError
        If a point is where no click can be.
    """
    for point in _known_and_fresh(canvas)[1]:
        plane = canvas.plane(point.position)
        row, column = plane.point(point.position)
        yield plane, row, column


def _known_and_fresh(
    canvas: Canvas,
) -> tuple[dict[int, ShownPoint], list[ShownPoint]]:
    """Points by the order of their click, and those that are no clicks yet."""
    orders: dict[int, ShownPoint] = {}
    fresh: list[ShownPoint] = []
    for point in canvas.shown_points():
        if point.order and point.order not in orders:
            orders[point.order] = point
        else:
            fresh.append(point)
    return orders, fresh


def _move_clicks(canvas: Canvas, orders: dict[int, ShownPoint]) -> None:
    strayed = False
    for object_slice, steps in list(canvas.session.objects.prompts.items()):
        places = {}
        for step in steps:
            point = orders.get(step.order)
            if point is not None:
                strayed = strayed or not object_slice.plane.holds(point.position)
                row, column = object_slice.plane.point(point.position)
                places[step.order] = Click(row, column, point.sign)
        if not canvas.session.requests.is_moved(object_slice, places):
            continue  # the usual case, and reading a mask takes time
        if places:
            check_prompts(places.values(), object_slice.plane.size(canvas.labels.shape))
        mask = canvas.object_mask(object_slice.plane, object_slice.label)
        canvas.session.requests.move(object_slice, places, mask)
    if strayed:
        canvas.show_steps()


def _add_click(canvas: Canvas, point: ShownPoint) -> tuple[ObjectSlice, PlacedPrompt]:
    plane = canvas.plane(point.position)
    click = Click(*plane.point(point.position), point.sign)
    check_prompts([click], plane.size(canvas.labels.shape))
    object_slice = canvas.session.object_slice(plane)
    mask = canvas.object_mask(plane, object_slice.label)
    seen = canvas.viewport(plane)
    step = canvas.session.requests.add(object_slice, click, mask, seen)
    canvas.tag(point.sign, point.row, object_slice, step.order)
    return object_slice, step
