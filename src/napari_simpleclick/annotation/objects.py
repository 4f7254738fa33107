"""What a person has done to an image's objects, and what can be undone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_simpleclick.annotate.edits import Edit, History, State, Steps, Style
from napari_simpleclick.annotate.options import Options
from napari_simpleclick.annotate.propagated import Note, Propagated
from napari_simpleclick.annotate.spot import Mask, Spot, fingerprint
from napari_simpleclick.annotate.tally import Tally

if TYPE_CHECKING:
    from napari_simpleclick.annotate.change import Change
    from napari_simpleclick.volumes.planes import Plane

Notes = dict[Spot, Note | None]


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
    options : Options
        What shapes the answers; change them with :meth:`use`.
    steps : dict
        Spot to its clicks.
    styles : dict
        Label to the name and colour that the person gave it.
    propagated : Propagated
        What propagation wrote.
    tally : Tally
        Voxels of each object.
    """

    label: int = 1
    options: Options = field(default_factory=Options)
    steps: dict[Spot, Steps] = field(default_factory=dict)
    styles: dict[int, Style] = field(default_factory=dict)
    propagated: Propagated = field(default_factory=Propagated)
    tally: Tally = field(default_factory=Tally)
    _history: History = field(default_factory=History)
    _seen: dict[Spot, bytes] = field(default_factory=dict)
    _highest: int = 0
    _order: int = 0

    changed = Signal()
    """Emitted when the clicks have changed other than by adding one."""

    options_changed = Signal()
    """The options have changed."""

    happened = Signal(str, object)
    """All that makes the session what it is, for a record of it: ``chosen`` and a
    label, ``options`` and :class:`Options`, ``asked`` and a :class:`Request`,
    ``answered`` or ``dropped`` and its number, ``done``, ``undone``, ``redone`` or
    ``retracted`` and an :class:`Edit`."""

    # -- objects -------------------------------------------------------------------

    def choose(self, label: int) -> None:
        """Go on with an object."""
        if label != self.label:
            self.label = label
            self.happened.emit("chosen", label)

    def use(self, options: Options) -> None:
        """Let answers follow other options from now on."""
        if options != self.options:
            self.options = options
            self.happened.emit("options", options)
            self.options_changed.emit()

    def spot(self, plane: Plane) -> Spot:
        """Name the current object on a slice."""
        return Spot(self.label, plane)

    def labels(self) -> list[int]:
        """All objects: those with voxels, clicks, a name or a colour; ascending."""
        clicked = {spot.label for spot, steps in self.steps.items() if steps}
        return sorted(self.tally.labels() | clicked | set(self.styles))

    def free_label(self) -> int:
        """Find the label after the highest that was ever used."""
        return self._highest + 1

    def style(self, label: int) -> Style:
        """Tell how an object appears."""
        return self.styles.get(label, Style())

    def name(self, label: int) -> str:
        """Name an object, also one that was given no name."""
        return self.style(label).name or plain_name(label)

    def give_style(self, label: int, style: Style) -> None:
        """Name or colour an object."""
        old = self.style(label)
        if style != old:
            before, after = State(styles={label: old}), State(styles={label: style})
            self._do(
                Edit("colour" if style.name == old.name else "name", before, after)
            )
            self.changed.emit()

    def delete(self, label: int, change: Change | None) -> None:
        """Delete an object.

        Parameters
        ----------
        label : int
            The object; its requests must have been answered or withdrawn.
        change : Change or None
            Its pixels, taken off the mask.
        """
        spots = [spot for spot in self.steps.keys() | self._seen if spot.label == label]
        notes = self.propagated.of(label)
        before = State(
            {spot: self.clicks(spot) for spot in spots},
            {spot: self._seen.get(spot, b"") for spot in spots},
            dict(notes),
            {label: self.style(label)},
        )
        after = State(
            dict.fromkeys(spots, ()),
            dict.fromkeys(spots, b""),
            dict.fromkeys(notes),
            {label: Style()},
        )
        self._do(Edit("delete object", before, after, change))
        self.changed.emit()

    # -- masks ---------------------------------------------------------------------

    def clicks(self, spot: Spot) -> Steps:
        """Clicks at a spot, oldest first."""
        return self.steps.get(spot, ())

    def is_painted(self, spot: Spot, mask: Mask) -> bool:
        """Whether a spot's present mask is not the one that was last answered."""
        return fingerprint(mask) != self._seen.get(spot, b"")

    def paint(self, change: Change) -> None:
        """Note that the person painted on the mask."""
        self._do(Edit("painting", change=change))

    def is_annotated(self, spot: Spot, mask: Mask) -> bool:
        """Whether a spot's present mask was clicked, painted or erased by hand."""
        if self.propagated.erased(spot, mask):
            return True
        made = not self.clicks(spot) and self.propagated.made(spot, mask)
        return bool(mask.any()) and not made

    def propagate(self, notes: Notes, change: Change | None) -> None:
        """Note what propagation wrote, as one entry of the undo stack.

        Parameters
        ----------
        notes : dict
            Spot to the note of its new mask; None where it has become empty.
        change : Change or None
            Of the mask.
        """
        before = State(notes={spot: self.propagated.note(spot) for spot in notes})
        self._do(Edit("propagation", before, State(notes=notes), change))

    def end(self, spot: Spot, notes: Notes, change: Change | None) -> None:
        """Note that the person has said where an object ends, as one undo step.

        Parameters
        ----------
        spot : Spot
            The slice that it is not on; its clicks go.
        notes : dict
            New notes of all slices that were cleared.
        change : Change or None
            Of the mask.
        """
        clicks = {spot: self.clicks(spot)}
        before = State(clicks, notes={s: self.propagated.note(s) for s in notes})
        self._do(Edit("end", before, State({spot: ()}, notes=notes), change))
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
            self.tally.follow(edit.change)
            self._highest = max(self._highest, *self.tally.labels(), 0)

    def _take(self, state: State) -> None:
        """Let a part of the state be this."""
        self.steps |= state.steps
        self._seen |= state.seen
        self.propagated.put(state.notes)
        for label, style in state.styles.items():
            self.styles.pop(label, None)
            if style != Style():
                self.styles[label] = style
        used = {spot.label for spot in (*state.steps, *state.notes)} | set(state.styles)
        self._highest = max(self._highest, *used, 0)
        orders = [step.order for steps in state.steps.values() for step in steps]
        self._order = max(self._order, *orders, 0)

    def _revert(self, edit: Edit) -> None:
        self._take(edit.before)
        if edit.change is not None:
            self.tally.follow(edit.change, undo=True)

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
                self.tally.follow(edit.change)
            self.happened.emit("redone", edit)
            if edit.options is not None:
                self.use(self.options.changed(*edit.options))
            self.changed.emit()
        return edit
