"""What a person does with whole objects, as steps that can be undone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_simpleclick.annotation import (
    ObjectAction,
    ObjectSlice,
    ObjectStack,
)
from napari_simpleclick.errors import UserError
from napari_simpleclick.prompts import Click
from napari_simpleclick.workflow.before_action import Before
from napari_simpleclick.workflow.mask_array import MOST_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_simpleclick.annotation.object_action import Kind
    from napari_simpleclick.images import Plane
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.prediction_queue import PredictionQueue

TWO_OR_MORE = (
    "Choose two or more objects of this image in the list first, with Ctrl or Shift."
)
UNCHANGED = {
    "fill holes": "The object has no hole here that could be filled.",
    "smooth": "The outline is as smooth as it gets, so it stays as it is.",
    "grow": "There is no free pixel around the object; nothing has grown.",
}
"""Why an action may change nothing."""

DONE = {
    "merge": "Merged",
    "split parts": "Split into its parts",
    "cut": "Cut in two",
    "split at clicks": "Split at the clicks",
    "fill holes": "Holes are filled",
    "smooth": "Smoothed",
    "grow": "Grown",
    "shrink": "Shrunk",
    "largest part": "Only the largest part is left",
    "renumber": "Has another number",
}


class ObjectActions:
    """Merges, splits and shapes objects of the canvas; clicks that wait come first.

    Parameters
    ----------
    queue : PredictionQueue
        Whose canvas is meant; answers the clicks that were made before.
    attempt : callable
        Does something, and tells the person why if it cannot be done.
    """

    status = Signal(str)
    """What was done."""

    changed = Signal()
    """Masks have changed."""

    def __init__(
        self, queue: PredictionQueue, attempt: Callable[[Callable[[], None]], None]
    ) -> None:
        self._queue, self._attempt = queue, attempt

    # -- what the panel and the keys ask for ---------------------------------------

    def merge(self, labels: Sequence[int]) -> None:
        """Make several objects one, which is the first of them."""
        self._soon(partial(self._merge, tuple(dict.fromkeys(map(int, labels)))))

    def split_parts(self, label: int, all_slices: bool) -> None:
        """Make an object of each connected part; the largest one stays as it is.

        Parameters
        ----------
        label : int
            The object.
        all_slices : bool
            Whether all of it is meant; else what is on the slice in view.
        """
        self._soon(partial(self._split, "split parts", label, all_slices))

    def cut(
        self,
        label: int,
        plane: Plane,
        points: Sequence[tuple[float, float]],
        all_slices: bool,
    ) -> None:
        """Cut an object in two by a stroke.

        Parameters
        ----------
        label : int
            The object.
        plane : Plane
            The slice that was drawn on.
        points : sequence of tuple
            (row, column) along the stroke, px.
        all_slices : bool
            Whether the cut goes through all slices.
        """
        stroke = tuple((float(row), float(column)) for row, column in points)
        self._soon(
            partial(self._split, "cut", label, all_slices, plane=plane, points=stroke)
        )

    def split_at_clicks(self, label: int, all_slices: bool) -> None:
        """Make an object of each part that has a positive click of its own.

        Parameters
        ----------
        label : int
            The object.
        all_slices : bool
            Whether the clicks on all slices count, and split all of it.
        """
        self._soon(partial(self._split, "split at clicks", label, all_slices))

    def reshape(
        self, kind: Kind, label: int, all_slices: bool, amount_px: float = 1.0
    ) -> None:
        """Give an object another outline.

        Parameters
        ----------
        kind : {"fill holes", "smooth", "grow", "shrink", "largest part"}
            How.
        label : int
            The object.
        all_slices : bool
            Whether all of it is meant; else what is on the slice in view.
        amount_px : float
            How far it grows or shrinks, px of the slice's finer axis.
        """
        self._soon(partial(self._act, kind, (label,), all_slices, amount_px=amount_px))

    def renumber(self, label: int, new: int) -> None:
        """Give an object another number, which is free."""
        self._soon(partial(self._renumber, label, new))

    def delete(self, labels: Sequence[int]) -> None:
        """Delete objects; requests that still wait are withdrawn."""
        self._attempt(partial(self._delete, tuple(labels)))

    # -- how it is done ------------------------------------------------------------

    def _soon(self, act: Callable[[Canvas], None]) -> None:
        """Do something when all that was clicked and painted before is in the mask."""
        canvas = self._queue.canvas
        if canvas is None:
            return

        def begin() -> None:
            canvas.when_idle(lambda: self._attempt(partial(act, canvas)))

        self._queue.when_none_waits(begin)

    def _merge(self, labels: tuple[int, ...], canvas: Canvas) -> None:
        known = set(canvas.session.objects.labels())
        if len(labels) < 2 or not known.issuperset(labels):
            raise UserError(TWO_OR_MORE)
        counts = canvas.session.objects.voxel_counts
        if not any(counts.voxels(label) for label in labels[1:]):
            raise UserError(
                "The objects to be merged have no pixels; delete the empty ones "
                "instead."
            )
        self._act("merge", labels, True, canvas)
        canvas.choose(labels[0])

    def _split(
        self, kind: Kind, label: int, all_slices: bool, canvas: Canvas, **more: Any
    ) -> None:
        if kind == "split at clicks":
            more["marks"] = _marks(canvas, label, all_slices)
        first = canvas.session.objects.free_label()
        self._act(kind, (label, first), all_slices, canvas, **more)

    def _renumber(self, label: int, new: int, canvas: Canvas) -> None:
        objects = canvas.session.objects
        if label == new:
            return
        if not 1 <= new <= MOST_LABEL:
            raise UserError(f"Choose a number from 1 to {MOST_LABEL:,}.")
        if new in objects.labels():
            raise UserError(
                f"{new} is the number of {objects.name(new)}; choose a free one, or "
                "merge the two."
            )
        objects.check_unlocked(label)
        if objects.voxel_counts.voxels(label):
            self._act("renumber", (label, new), True, canvas)
        else:
            action = ObjectAction("renumber", (label, new), canvas.current_plane())
            canvas.session.act(action, objects.renumbered(label, new), None)
        if canvas.session.label == label:
            canvas.choose(new)

    def _delete(self, labels: tuple[int, ...]) -> None:
        canvas = self._queue.canvas
        if canvas is None or not labels:
            return
        canvas.session.objects.check_unlocked(*labels)
        for label in labels:
            canvas.session.requests.withdraw(label)
        canvas.delete(*labels)
        self.status.emit("Deleted; Undo brings it back")
        self.changed.emit()

    def _act(
        self,
        kind: Kind,
        labels: tuple[int, ...],
        all_slices: bool,
        canvas: Canvas,
        plane: Plane | None = None,
        **more: Any,
    ) -> None:
        """Change the mask, and put it on the undo stack."""
        from napari_simpleclick.workflow.reshaping import reshape

        session = canvas.session
        here = canvas.current_plane() if plane is None else plane
        stack = ObjectStack.containing(
            ObjectSlice(labels[0], here), canvas.options.channel_axis
        )
        probability = None
        if kind == "split at clicks":
            probability = self._probability(canvas, ObjectSlice(labels[0], here))
        action = ObjectAction(
            kind,
            labels,
            here,
            stack.axis if all_slices and stack is not None else None,
            spacing=canvas.about_image().pixel_sizes,
            overwrite=canvas.options.overwrite,
            weighed=probability is not None,
            **more,
        )
        touched = labels[:1] if action.makes_objects else labels
        session.objects.check_unlocked(*touched)
        before = Before(canvas, touched)
        locked = session.objects.locked()
        change = reshape(canvas.labels, action, locked, probability)
        if change is None:
            raise UserError(UNCHANGED.get(kind, "That changes nothing."))
        canvas.put(change, show=False)
        session.act(action, before.after(action, change), change)
        canvas.refresh()
        self.status.emit(f"{DONE[kind]}; Undo takes it back")
        self.changed.emit()

    def _probability(self, canvas: Canvas, where: ObjectSlice) -> Any:
        engine = self._queue.models.engine
        latest = None if engine is None else engine.latest(canvas.source(), where)
        return None if latest is None else latest.probability()


def _marks(canvas: Canvas, label: int, all_slices: bool) -> tuple[tuple[int, ...], ...]:
    """Find the positive clicks of an object, the oldest first."""
    here = canvas.current_plane()
    found = [
        (one.order, where.plane, one.prompt)
        for where, placed in canvas.session.objects.prompts.items()
        for one in placed
        if where.label == label and (all_slices or where.plane == here)
        if isinstance(one.prompt, Click) and one.prompt.positive
    ]
    found.sort(key=lambda one: one[0])
    return tuple(
        tuple(round(at) for at in plane.position(click.row, click.column))
        for _, plane, click in found
    )
