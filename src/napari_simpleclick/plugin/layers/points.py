"""From the points that are in the layers to the clicks of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_simpleclick.clicks import Click, check_clicks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_simpleclick.annotate import Spot, Step
    from napari_simpleclick.plugin.layers import Bench, FoundPoint


def take_over(bench: Bench) -> Iterator[tuple[Spot, Step]]:
    """Move, remove and add clicks as the points were.

    Yields
    ------
    tuple
        Spot and step of each click that was added.

    Raises
    ------
    ValueError
        If a point is where no click can be.
    """
    orders: dict[int, FoundPoint] = {}
    fresh: list[FoundPoint] = []
    for point in bench.found_points():
        if point.order and point.order not in orders:
            orders[point.order] = point
        else:
            fresh.append(point)
    _move_clicks(bench, orders)
    for point in fresh:
        yield _add_click(bench, point)


def _move_clicks(bench: Bench, orders: dict[int, FoundPoint]) -> None:
    strayed = False
    for spot, steps in list(bench.session.steps.items()):
        places = {}
        for step in steps:
            point = orders.get(step.order)
            if point is not None:
                strayed = strayed or not spot.plane.holds(point.position)
                row, column = spot.plane.point(point.position)
                places[step.order] = Click(row, column, point.sign)
        if not bench.session.is_moved(spot, places):
            continue  # the usual case, and reading a mask takes time
        if places:
            check_clicks(places.values(), spot.plane.size(bench.mask.data.shape))
        mask = bench.object_mask(spot.plane, spot.label)
        bench.session.move(spot, places, mask)
    if strayed:
        bench.show_steps()


def _add_click(bench: Bench, point: FoundPoint) -> tuple[Spot, Step]:
    plane = bench.plane(point.position)
    click = Click(*plane.point(point.position), point.sign)
    check_clicks([click], plane.size(bench.mask.data.shape))
    spot = bench.session.spot(plane)
    mask = bench.object_mask(plane, spot.label)
    step = bench.session.add(spot, click, mask)
    bench.tag(point.sign, point.row, spot, step.order)
    return spot, step
