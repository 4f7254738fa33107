"""A word about clicks that do not do what a person may expect of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_simpleclick.prompts import Click

if TYPE_CHECKING:
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.engine import Answer

NOTHING_FOUND = (
    "Nothing was found here. Click nearer to the middle of the object, or paint it."
)
NOTHING_CHANGED = (
    "The mask stays as it is: click where it is wrong, beside it to add, on it with "
    "the other button to remove."
)
COVERED = (
    "Here is {}, which keeps its pixels. Shift+click goes on with it; Outline has a "
    "choice to cover other objects."
)


def advice_on(canvas: Canvas, answer: Answer, changed: bool) -> str:
    """Say what happened to a click that has no effect to be seen; else nothing.

    Parameters
    ----------
    canvas : Canvas
        The image.
    answer : Answer
        To the click.
    changed : bool
        Whether the mask is another one now.

    Returns
    -------
    str
        One or two sentences; empty where all is as expected.
    """
    request = answer.request
    if len(request.prompts) <= len(request.before):
        return ""  # no click was added
    prompt, place = request.prompts[-1].prompt, request.object_slice
    labels = place.plane.read(canvas.labels)
    if not isinstance(prompt, Click):
        return "" if answer.part.any() else NOTHING_FOUND
    row = min(max(round(prompt.row), 0), labels.shape[0] - 1)
    column = min(max(round(prompt.column), 0), labels.shape[1] - 1)
    owner = int(labels[row, column])
    if prompt.positive and owner not in (0, place.label):
        return COVERED.format(canvas.session.objects.name(owner))
    if not answer.part.any():
        return NOTHING_FOUND
    return "" if changed else NOTHING_CHANGED
