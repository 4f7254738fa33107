"""What a person does with whole objects, as steps that can be undone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_simpleclick.annotation import (
    EditState,
    ObjectAction,
    ObjectSlice,
    ObjectStack,
    PropagatedSlice,
    fingerprint,
)
from napari_simpleclick.errors import UserError
from napari_simpleclick.prompts import Click
from napari_simpleclick.workflow.mask_array import MOST_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_simpleclick.annotation import (
        Mask,
        MaskChange,
        ObjectStyle,
        PropagatedSlices,
    )
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

        if canvas.session.requests.pending is None:
            begin()
        else:
            self._queue.when_answered(begin)

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
        action = ObjectAction(
            kind,
            labels,
            here,
            stack.axis if all_slices and stack is not None else None,
            spacing=canvas.about_image().pixel_sizes,
            overwrite=canvas.options.overwrite,
            **more,
        )
        touched = labels[:1] if action.makes_objects else labels
        session.objects.check_unlocked(*touched)
        before = _Before(canvas, touched)
        probability = self._probability(canvas, ObjectSlice(labels[0], here))
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


class _Before:
    """What is known of objects before their pixels change.

    Parameters
    ----------
    canvas : Canvas
        Where they are.
    labels : tuple of int
        The objects; of a merge all of them.
    """

    def __init__(self, canvas: Canvas, labels: tuple[int, ...]) -> None:
        self._canvas, self._labels = canvas, labels
        self._objects = objects = canvas.session.objects
        self._notes: dict[ObjectSlice, PropagatedSlice] = {}
        self._drawn: set[ObjectSlice] = set()
        planes: dict[Plane, None] = {}
        for label in labels:
            for where in objects.propagated.of(label):
                planes[where.plane] = None
        for plane in planes:
            for label in labels:
                self._look(ObjectSlice(label, plane))
        self._clicked = {
            where: canvas.object_mask(where.plane, where.label)
            for where, placed in objects.prompts.items()
            if placed and where.label in labels
        }

    def _look(self, where: ObjectSlice) -> None:
        mask = self._canvas.object_mask(where.plane, where.label)
        note = self._objects.propagated.find(where)
        if note is not None and note.fingerprint == fingerprint(mask):
            self._notes[where] = note
        elif mask.any():
            self._drawn.add(where)

    def after(self, action: ObjectAction, change: MaskChange) -> EditState:
        """Give what an action changes besides the mask, which has changed by now.

        What was propagated stays so, and as sure as before. The clicks of an object
        that was split go from the slices where it has lost pixels: some of them are on
        the other part now.
        """
        objects, label = self._objects, action.labels[0]
        if action.kind == "renumber":
            return objects.renumbered(*action.labels)
        if action.kind == "merge":
            gone = objects.without(*action.labels[1:])
            order = tuple(k for k in objects.order if k not in action.labels[1:])
            notes = gone.propagated | self._propagated((label,))
            return replace(gone, propagated=notes, order=order)
        if not action.makes_objects:
            return EditState(propagated=self._propagated((label,)))
        new = sorted(set(change.voxels().after.tolist()) - {0, label})
        lost = {
            where: ()
            for where, mask in self._clicked.items()
            if self._has_changed(where, mask)
        }
        notes = self._propagated((label, *new))
        return EditState(
            dict(lost),
            dict.fromkeys(lost, b""),
            notes,
            self._styles(label, new),
        )

    def _has_changed(self, where: ObjectSlice, mask: Mask) -> bool:
        now = self._canvas.object_mask(where.plane, where.label)
        return bool((now != mask).any())

    def _styles(self, label: int, new: list[int]) -> dict[int, ObjectStyle]:
        """Give new parts the category of the object, and its name with a number."""
        style = self._objects.style(label)
        if not (style.name or style.category):
            return {}
        return {
            one: replace(
                style,
                name=f"{style.name} {number}" if style.name else "",
                colour="",
                hidden=False,
                opacity=1.0,
            )
            for number, one in enumerate(new, start=2)
        }

    def _propagated(self, labels: tuple[int, ...]) -> PropagatedSlices:
        """Take for propagated what was so before, where nobody has drawn."""
        found: dict[Plane, list[float | None]] = {}
        for where, note in self._notes.items():
            found.setdefault(where.plane, []).append(note.confidence)
        notes: PropagatedSlices = {}
        for plane, confidences in found.items():
            if any(where.plane == plane for where in self._drawn):
                continue
            known = [one for one in confidences if one is not None]
            sure = min(known) if len(known) == len(confidences) else None
            for label in labels:
                mask = self._canvas.object_mask(plane, label)
                now = fingerprint(mask)
                where = ObjectSlice(label, plane)
                if now or self._objects.propagated.find(where) is not None:
                    notes[where] = PropagatedSlice(now, sure) if now else None
        return notes
