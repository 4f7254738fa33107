"""From the points and shapes that are shown to the prompts of the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_simpleclick.prompts import Click, check_prompts
from napari_simpleclick.workflow.canvas import ShownPoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_simpleclick.annotation import ObjectSlice, PlacedPrompt
    from napari_simpleclick.images import Plane
    from napari_simpleclick.prompts import Prompt
    from napari_simpleclick.workflow.canvas import Canvas, ShownShape
    from napari_simpleclick.workflow.object_sizes import ObjectSizes

    Shown = ShownPoint | ShownShape

BESIDE_PX = 1e-4
"""Points so far from their slice are put back on it."""


def take_over(
    canvas: Canvas, sizes: ObjectSizes, only_added: bool = False
) -> Iterator[tuple[ObjectSlice, PlacedPrompt]]:
    """Move, remove and add prompts as the points and shapes were.

    Parameters
    ----------
    canvas : Canvas
        Shows them.
    sizes : ObjectSizes
        Of the objects before.
    only_added : bool
        Whether nothing can have happened but that points were added; those that were
        there before are not looked at then.

    Yields
    ------
    tuple
        :class:`ObjectSlice` and :class:`PlacedPrompt` of each prompt that was added.

    Raises
    ------
    UserError
        If a point or shape is where no prompt can be.
    """
    fresh: list[Shown] = [*canvas.fresh_points()]
    if not only_added:
        everything: list[Shown] = [*canvas.shown_points(), *canvas.shown_shapes()]
        orders, fresh = _known_and_fresh(everything)
        _move_prompts(canvas, orders)
    beside = False
    for shown in fresh:
        where, step = _take_over(canvas, sizes, shown)
        beside = beside or not _lies_on(shown, where.plane)
        yield where, step
    if beside:
        canvas.show_steps()


def fresh_places(canvas: Canvas) -> Iterator[tuple[Plane, float, float]]:
    """Go through the points that are no clicks yet: slice, row and column.

    Raises
    ------
    UserError
        If a point is where no click can be.
    """
    for point in canvas.fresh_points():
        plane = canvas.plane(point.position)
        row, column = plane.point(point.position)
        yield plane, row, column


def _known_and_fresh(
    everything: Sequence[Shown],
) -> tuple[dict[int, Shown], list[Shown]]:
    """Tell apart, by the order of their prompts, what is known and what is new."""
    orders: dict[int, Shown] = {}
    fresh: list[Shown] = []
    for shown in everything:
        if shown.order and shown.order not in orders:
            orders[shown.order] = shown
        else:
            fresh.append(shown)
    return orders, fresh


def _move_prompts(canvas: Canvas, orders: dict[int, Shown]) -> None:
    strayed = False
    for object_slice, steps in list(canvas.session.objects.prompts.items()):
        plane, places = object_slice.plane, {}
        for step in steps:
            shown = orders.get(step.order)
            if shown is not None:
                strayed = strayed or not _lies_on(shown, plane)
                unmoved = not isinstance(shown, ShownPoint) and not shown.moved
                places[step.order] = step.prompt if unmoved else _prompt(shown, plane)
        if not canvas.session.requests.is_moved(object_slice, places):
            continue  # the usual case, and reading a mask takes time
        if places:
            check_prompts(places.values(), plane.size(canvas.labels.shape))
        mask = canvas.object_part(plane, object_slice.label)
        canvas.session.requests.move(object_slice, places, mask)
    if strayed:
        canvas.show_steps()


def _take_over(
    canvas: Canvas, sizes: ObjectSizes, shown: Shown
) -> tuple[ObjectSlice, PlacedPrompt]:
    plane = canvas.plane(_position(shown))
    where, step = add_prompt(canvas, sizes, plane, _prompt(shown, plane))
    if isinstance(shown, ShownPoint):
        canvas.tag(shown.sign, shown.row, where, step.order)
    else:
        canvas.tag_shape(shown.row, where, step.order)
    return where, step


def add_prompt(
    canvas: Canvas, sizes: ObjectSizes, plane: Plane, prompt: Prompt
) -> tuple[ObjectSlice, PlacedPrompt]:
    """Ask about one more prompt on the current object.

    Parameters
    ----------
    canvas : Canvas
        The image.
    sizes : ObjectSizes
        Of the objects before.
    plane : Plane
        The slice.
    prompt : Prompt
        The prompt; nothing shows it yet.

    Raises
    ------
    UserError
        If no prompt can be there.
    """
    check_prompts([prompt], plane.size(canvas.labels.shape))
    object_slice = canvas.session.object_slice(plane)
    mask = canvas.object_part(plane, object_slice.label)
    seen = sizes.view(canvas, object_slice, prompt)
    step = canvas.session.requests.add(object_slice, prompt, mask, seen)
    return object_slice, step


def _lies_on(shown: Shown, plane: Plane) -> bool:
    """Whether it is in the very slice, not between two, as the shown point may be."""
    if not isinstance(shown, ShownPoint):
        return plane.holds(_position(shown))
    place = plane.position(*plane.point(shown.position))
    pairs = zip(place, shown.position, strict=True)
    return all(abs(one - other) < BESIDE_PX for one, other in pairs)


def _position(shown: Shown) -> tuple[float, ...]:
    return shown.position if isinstance(shown, ShownPoint) else shown.vertices[0]


def _prompt(shown: Shown, plane: Plane) -> Prompt:
    if isinstance(shown, ShownPoint):
        return Click(*plane.point(shown.position), shown.sign)
    return shown.prompt_on(plane)
