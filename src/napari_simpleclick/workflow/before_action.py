"""What an action on whole objects means for clicks, propagation, names and order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from napari_simpleclick.annotation import (
    EditState,
    ObjectSlice,
    PropagatedSlice,
    fingerprint,
)

if TYPE_CHECKING:
    from napari_simpleclick.annotation import (
        Mask,
        MaskChange,
        ObjectAction,
        ObjectStyle,
        PropagatedSlices,
    )
    from napari_simpleclick.images import Plane
    from napari_simpleclick.workflow.canvas import Canvas


class Before:
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
        new = sorted(set(change.runs().after.tolist()) - {0, label})
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
