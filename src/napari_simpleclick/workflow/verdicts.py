"""What becomes of the objects that a search proposes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_simpleclick.annotation import ObjectStyle, Verdict
from napari_simpleclick.errors import UserError
from napari_simpleclick.workflow.mask_array import free_label

if TYPE_CHECKING:
    from napari_simpleclick.annotation import Proposal, ProposalStates
    from napari_simpleclick.images import Plane
    from napari_simpleclick.workflow.canvas import Canvas

COVERED = "Other objects cover this proposal; reject it, or paint over them."

LEAST_LEFT = 0.5
"""Part of a proposal that other objects must leave, to make it an object."""

NEARBY = 0.25
"""A click so far from the proposal in view corrects it, in sides of its box."""


def accept(canvas: Canvas, number: int) -> int:
    """Write a proposal as the next object, and go on with it.

    Parameters
    ----------
    canvas : Canvas
        The image and its session.
    number : int
        Of the proposal.

    Returns
    -------
    int
        Label of the object.

    Raises
    ------
    UserError
        If other objects leave less than half of it, or there is no number left.
    """
    from napari_simpleclick.workflow.similar_examples import kind_of
    from napari_simpleclick.workflow.similar_run import name_like

    session, objects = canvas.session, canvas.session.objects
    one = objects.proposals.find(number)
    assert one is not None
    label = free_label(objects)
    labels = one.plane.read(canvas.labels)
    if not canvas.options.overwrite and one.share_on(labels) > 1 - LEAST_LEFT:
        raise UserError(COVERED)
    mask = one.mask(one.plane.size(canvas.labels.shape))
    change = canvas.write(one.plane, label, mask)
    if change is None:
        raise UserError(COVERED)
    names = [objects.style(known).name for known in objects.labels()]
    kind = kind_of(objects.style(session.label).name) if one.kind is None else one.kind
    name = name_like(kind, names)
    styles = {label: ObjectStyle(name)} if name else {}
    verdict: ProposalStates = {number: replace(one, verdict=Verdict.ACCEPTED)}
    session.propose("accept proposal", verdict, change, styles)
    canvas.choose(label)
    return label


def reject(canvas: Canvas, number: int) -> None:
    """Refuse a proposal, which teaches the next search."""
    one = canvas.session.objects.proposals.find(number)
    assert one is not None
    verdict: ProposalStates = {number: replace(one, verdict=Verdict.REJECTED)}
    canvas.session.propose("reject proposal", verdict)


def proposal_under(
    canvas: Canvas, plane: Plane, row: float, column: float, current: int | None
) -> int | None:
    """Find the proposal that a click is about.

    Parameters
    ----------
    canvas : Canvas
        The image and its session.
    plane : Plane
        The slice.
    row, column : float
        The click, px.
    current : int or None
        Number of the proposal in view.

    Returns
    -------
    int or None
        Number of one that holds the click, or of the one in view if the click is close
        to it; None where an object is already.
    """
    if _is_object(canvas, plane, row, column):
        return None
    for number, one in canvas.session.objects.proposals:
        if one.verdict is Verdict.OPEN and one.plane == plane:
            near = number == current and _is_near(one, row, column)
            if near or one.holds(row, column):
                return number
    return None


def _is_object(canvas: Canvas, plane: Plane, row: float, column: float) -> bool:
    place = tuple(round(at) for at in plane.position(row, column))
    shape = canvas.labels.shape
    inside = all(0 <= at < side for at, side in zip(place, shape, strict=True))
    return inside and bool(canvas.labels[place])


def _is_near(one: Proposal, row: float, column: float) -> bool:
    """Whether a place is in the box around a proposal, or close to it."""
    return all(
        -NEARBY * side <= at - first <= (1 + NEARBY) * side
        for at, first, side in zip(
            (row, column), one.corner, one.inside.shape, strict=True
        )
    )
