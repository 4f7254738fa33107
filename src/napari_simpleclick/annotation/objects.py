"""What a person has done to an image's objects, and what can be undone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_simpleclick.annotation.history import (
    Edit,
    EditState,
    History,
    ObjectStyle,
    PlacedPrompts,
)
from napari_simpleclick.annotation.mask_options import MaskOptions
from napari_simpleclick.annotation.object_slice import Mask, ObjectSlice, fingerprint
from napari_simpleclick.annotation.propagated import Propagated, PropagatedSlice
from napari_simpleclick.annotation.voxel_counts import VoxelCounts

if TYPE_CHECKING:
    from napari_simpleclick.annotation.mask_change import MaskChange
    from napari_simpleclick.images.planes import Plane

PropagatedSlices = dict[ObjectSlice, PropagatedSlice | None]


def plain_name(label: int) -> str:
    """Name an object that was given no name."""
    return f"Object {label}"


@dataclass
class Ledger:
    """Objects, their clicks and looks, and the undo stack.

    Attributes
    ----------
    label : int
        The current object.
    options : MaskOptions
        What shapes the answers; change them with :meth:`use`.
    steps : dict
        Spot to its clicks.
    styles : dict
        Label to the name and colour that the person gave it.
    propagated : Propagated
        What propagation wrote.
    voxel_counts : VoxelCounts
        Voxels of each object.
    """

    label: int = 1
    options: MaskOptions = field(default_factory=MaskOptions)
    steps: dict[ObjectSlice, PlacedPrompts] = field(default_factory=dict)
    styles: dict[int, ObjectStyle] = field(default_factory=dict)
    propagated: Propagated = field(default_factory=Propagated)
    voxel_counts: VoxelCounts = field(default_factory=VoxelCounts)
    _history: History = field(default_factory=History)
    _seen: dict[ObjectSlice, bytes] = field(default_factory=dict)
    _highest: int = 0
    _order: int = 0

    changed = Signal()
    """Emitted when the clicks have changed other than by adding one."""

    options_changed = Signal()
    """The options have changed."""

    happened = Signal(str, object)
    """All that makes the session what it is, for a record of it: ``chosen`` and a
    label, ``options`` and :class:`MaskOptions`, ``asked`` and a :class:`Request`,
    ``answered`` or ``dropped`` and its number, ``done``, ``undone``, ``redone`` or
    ``retracted`` and an :class:`Edit`."""

    # -- objects -------------------------------------------------------------------

    def choose(self, label: int) -> None:
        """Go on with an object."""
        if label != self.label:
            self.label = label
            self.happened.emit("chosen", label)

    def use(self, options: MaskOptions) -> None:
        """Let answers follow other options from now on."""
        if options != self.options:
            self.options = options
            self.happened.emit("options", options)
            self.options_changed.emit()

    def object_slice(self, plane: Plane) -> ObjectSlice:
        """Name the current object on a slice."""
        return ObjectSlice(self.label, plane)

    def labels(self) -> list[int]:
        """All objects: those with voxels, clicks, a name or a colour; ascending."""
        clicked = {
            object_slice.label for object_slice, steps in self.steps.items() if steps
        }
        return sorted(self.voxel_counts.labels() | clicked | set(self.styles))

    def free_label(self) -> int:
        """Find the label after the highest that was ever used."""
        return self._highest + 1

    def style(self, label: int) -> ObjectStyle:
        """Tell how an object appears."""
        return self.styles.get(label, ObjectStyle())

    def name(self, label: int) -> str:
        """Name an object, also one that was given no name."""
        return self.style(label).name or plain_name(label)

    def give_style(self, label: int, style: ObjectStyle) -> None:
        """Name or colour an object."""
        old = self.style(label)
        if style != old:
            before, after = (
                EditState(styles={label: old}),
                EditState(styles={label: style}),
            )
            self._do(
                Edit("colour" if style.name == old.name else "name", before, after)
            )
            self.changed.emit()

    def delete(self, label: int, change: MaskChange | None) -> None:
        """Delete an object.

        Parameters
        ----------
        label : int
            The object; its requests must have been answered or withdrawn.
        change : MaskChange or None
            Its pixels, taken off the mask.
        """
        object_slices = [
            object_slice
            for object_slice in self.steps.keys() | self._seen
            if object_slice.label == label
        ]
        notes = self.propagated.of(label)
        before = EditState(
            {object_slice: self.clicks(object_slice) for object_slice in object_slices},
            {
                object_slice: self._seen.get(object_slice, b"")
                for object_slice in object_slices
            },
            dict(notes),
            {label: self.style(label)},
        )
        after = EditState(
            dict.fromkeys(object_slices, ()),
            dict.fromkeys(object_slices, b""),
            dict.fromkeys(notes),
            {label: ObjectStyle()},
        )
        self._do(Edit("delete object", before, after, change))
        self.changed.emit()

    # -- masks ---------------------------------------------------------------------

    def clicks(self, object_slice: ObjectSlice) -> PlacedPrompts:
        """Clicks at a spot, oldest first."""
        return self.steps.get(object_slice, ())

    def is_painted(self, object_slice: ObjectSlice, mask: Mask) -> bool:
        """Whether a spot's present mask is not the one that was last answered."""
        return fingerprint(mask) != self._seen.get(object_slice, b"")

    def paint(self, change: MaskChange) -> None:
        """Note that the person painted on the mask."""
        self._do(Edit("painting", change=change))

    def is_annotated(self, object_slice: ObjectSlice, mask: Mask) -> bool:
        """Whether a spot's present mask was clicked, painted or erased by hand."""
        if self.propagated.erased(object_slice, mask):
            return True
        made = not self.clicks(object_slice) and self.propagated.made(
            object_slice, mask
        )
        return bool(mask.any()) and not made

    def propagate(self, notes: PropagatedSlices, change: MaskChange | None) -> None:
        """Note what propagation wrote, as one entry of the undo stack.

        Parameters
        ----------
        notes : dict
            Spot to the note of its new mask; None where it has become empty.
        change : MaskChange or None
            Of the mask.
        """
        before = EditState(
            notes={
                object_slice: self.propagated.note(object_slice)
                for object_slice in notes
            }
        )
        self._do(Edit("propagation", before, EditState(notes=notes), change))

    def end(
        self,
        object_slice: ObjectSlice,
        notes: PropagatedSlices,
        change: MaskChange | None,
    ) -> None:
        """Note that the person has said where an object ends, as one undo step.

        Parameters
        ----------
        object_slice : ObjectSlice
            The slice that it is not on; its clicks go.
        notes : dict
            New notes of all slices that were cleared.
        change : MaskChange or None
            Of the mask.
        """
        clicks = {object_slice: self.clicks(object_slice)}
        before = EditState(clicks, notes={s: self.propagated.note(s) for s in notes})
        self._do(
            Edit("end", before, EditState({object_slice: ()}, notes=notes), change)
        )
        self.changed.emit()

    # -- the undo stack ------------------------------------------------------------

    def _do(self, edit: Edit) -> None:
        self.do(edit)
        self.happened.emit("done", edit)

    def do(self, edit: Edit) -> None:
        """Put an edit on the undo stack, as it was done."""
        self._history.do(edit)
        self._take(edit.after)
        if edit.change is not None:
            self.voxel_counts.follow(edit.change)
            self._highest = max(self._highest, *self.voxel_counts.labels(), 0)

    def _take(self, state: EditState) -> None:
        """Let a part of the state be this."""
        self.steps |= state.steps
        self._seen |= state.seen
        self.propagated.put(state.notes)
        for label, style in state.styles.items():
            self.styles.pop(label, None)
            if style != ObjectStyle():
                self.styles[label] = style
        used = {
            object_slice.label for object_slice in (*state.steps, *state.notes)
        } | set(state.styles)
        self._highest = max(self._highest, *used, 0)
        orders = [step.order for steps in state.steps.values() for step in steps]
        self._order = max(self._order, *orders, 0)

    def _revert(self, edit: Edit) -> None:
        self._take(edit.before)
        if edit.change is not None:
            self.voxel_counts.follow(edit.change, undo=True)

    @property
    def last(self) -> Edit | None:
        """What would be undone next, if nothing waits."""
        return self._history.last

    def retract(self) -> Edit:
        """Take the last edit back for good, to put another in its place.

        Options stay as they are.
        """
        edit = self._history.retract()
        self._revert(edit)
        self.happened.emit("retracted", edit)
        return edit

    def undo(self) -> Edit | None:
        """Take back the last thing that was done.

        Returns
        -------
        Edit or None
            The edit, whose change is to be taken back in the mask; None if there was
            none.
        """
        edit = self._history.undo()
        if edit is not None:
            self._revert(edit)
            self.happened.emit("undone", edit)
            if edit.options is not None:
                self.use(self.options.changed(*reversed(edit.options)))
        self.changed.emit()
        return edit

    def redo(self) -> Edit | None:
        """Do again what was taken back last, unless something else was done since.

        Returns
        -------
        Edit or None
            The edit, whose change is to be made in the mask; None if there is none.
        """
        edit = self._history.redo()
        if edit is not None:
            self._take(edit.after)
            if edit.change is not None:
                self.voxel_counts.follow(edit.change)
            self.happened.emit("redone", edit)
            if edit.options is not None:
                self.use(self.options.changed(*edit.options))
            self.changed.emit()
        return edit
