"""What a person has clicked, what waits for an answer, and what can be undone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_simpleclick.annotate.edits import (
    Edit,
    History,
    Request,
    State,
    Step,
    Steps,
    Style,
    Turn,
)
from napari_simpleclick.annotate.options import Options
from napari_simpleclick.annotate.propagated import Note, Propagated
from napari_simpleclick.annotate.spot import Mask, Spot, fingerprint
from napari_simpleclick.annotate.tally import Tally

if TYPE_CHECKING:
    from napari_simpleclick.annotate.change import Change
    from napari_simpleclick.clicks import Click
    from napari_simpleclick.volumes.planes import Plane

Notes = dict[Spot, Note | None]


@dataclass
class Session:
    """Clicks, objects, requests and undo stack of one image.

    Requests are answered one after the other and never merged, so that each click
    has its own mask and its own undo step, and the same clicks always give the same
    masks.

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
    _waiting: list[Request] = field(default_factory=list)
    _history: History = field(default_factory=History)
    _seen: dict[Spot, bytes] = field(default_factory=dict)
    _highest: int = 0
    _order: int = 0
    _number: int = 0

    changed = Signal()
    """Emitted when the clicks have changed other than by adding one."""

    options_changed = Signal()
    """The options have changed."""

    happened = Signal(str, object)
    """All that makes the session what it is, for a record of it: ``chosen`` and a
    label, ``options`` and :class:`Options`, ``asked`` and a :class:`Request`,
    ``answered`` or ``dropped`` and its number, ``done``, ``undone`` or ``redone`` and
    an :class:`Edit`."""

    # -- objects -------------------------------------------------------------------

    def choose(self, label: int) -> None:
        """Go on with an object."""
        if label != self.label:
            self.label = label
            self.happened.emit("chosen", label)

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

    # -- clicks and their requests ---------------------------------------------------

    def clicks(self, spot: Spot) -> Steps:
        """Clicks at a spot, oldest first."""
        return self.steps.get(spot, ())

    def is_painted(self, spot: Spot, mask: Mask) -> bool:
        """Whether a spot's present mask is not the one that was last answered."""
        return fingerprint(mask) != self._seen.get(spot, b"")

    def add(self, spot: Spot, click: Click, mask: Mask) -> Step:
        """Add a click and queue its request.

        Parameters
        ----------
        spot : Spot
            Where.
        click : Click
            The click.
        mask : ndarray
            (H, W) bool, the object's present mask on the slice. The click starts from
            it if it is not what the click before was answered with.
        """
        base = mask if self.is_painted(spot, mask) else None
        step = Step(self._order + 1, click, base)
        self._queue(spot, (*self.clicks(spot), step))
        return step

    def clear(self, spot: Spot) -> None:
        """Remove all clicks at a spot, and its mask."""
        self._queue(spot, ())
        self.changed.emit()

    def ask_again(self, spot: Spot, before: Options, after: Options) -> Request:
        """Ask for the answer to the same clicks with other options."""
        return self._queue(spot, self.clicks(spot), options=(before, after))

    def _queue(
        self,
        spot: Spot,
        steps: Steps,
        rest: Mask | None = None,
        options: Turn | None = None,
    ) -> Request:
        number, before = self._number + 1, self.clicks(spot)
        request = Request(number, spot, before, steps, rest, options)
        self.ask(request)
        return request

    def ask(self, request: Request) -> None:
        """Queue a request."""
        self._number = request.number
        self._waiting.append(request)
        self._take(State(steps={request.spot: request.steps}))
        self.happened.emit("asked", request)

    @property
    def pending(self) -> Request | None:
        """The request to answer next; it stays until it is finished or withdrawn."""
        return self._waiting[0] if self._waiting else None

    def is_pending(self, request: Request) -> bool:
        """Whether an answer is still wanted; if not, it must not be shown."""
        return bool(self._waiting) and self._waiting[0].number == request.number

    def is_outdated(self, request: Request, mask: Mask) -> bool:
        """Whether someone painted while the answer was on its way.

        Parameters
        ----------
        request : Request
            The pending request.
        mask : ndarray
            (H, W) bool, the present mask of the object on the slice.
        """
        if not request.steps or not self.is_painted(request.spot, mask):
            return False
        base = request.steps[-1].base
        return base is None or fingerprint(base) != fingerprint(mask)

    def restart(self, request: Request, mask: Mask) -> None:
        """Ask again from a mask that was painted while the answer was on its way.

        Parameters
        ----------
        request : Request
            The pending request.
        mask : ndarray
            (H, W) bool, the present mask.
        """
        old = request.steps[-1]
        new = replace(old, base=mask)

        def swap(steps: Steps) -> Steps:
            return tuple(new if step is old else step for step in steps)

        waiting, self._waiting = self._waiting, []
        for one in waiting:
            self.happened.emit("dropped", one.number)
        for one in waiting:
            before, steps = swap(one.before), swap(one.steps)
            number = self._number + 1
            self.ask(replace(one, number=number, before=before, steps=steps))

    def record(self, request: Request, change: Change | None, mask: Mask) -> None:
        """Take the pending request off the queue and onto the undo stack.

        Parameters
        ----------
        request : Request
            The request.
        change : Change or None
            What its answer changed in the mask.
        mask : ndarray
            (H, W) bool, the object's mask on the slice now.
        """
        self.forget(request.number)
        spot = request.spot
        old, new = self._seen.get(spot, b""), fingerprint(mask)
        before = State({spot: request.before}, {spot: old})
        after = State({spot: request.steps}, {spot: new})
        name = "clicks" if request.options is None else "options"
        self._do(Edit(name, before, after, change, request.options))
        self.happened.emit("answered", request.number)

    def forget(self, number: int) -> None:
        """Take a request off the queue, because it is answered."""
        self._waiting = [one for one in self._waiting if one.number != number]

    def drop(self, number: int) -> None:
        """Withdraw a request, if it still waits; its clicks go."""
        for request in [one for one in self._waiting if one.number == number]:
            self._waiting.remove(request)
            self._take(State(steps={request.spot: request.before}))
            self.happened.emit("dropped", number)

    def withdraw(self) -> None:
        """Withdraw every request; their clicks go, their masks were never shown."""
        for request in reversed(self._waiting.copy()):
            self.drop(request.number)
        self.changed.emit()

    def is_moved(self, spot: Spot, places: dict[int, Click]) -> bool:
        """Whether points, by the order of their click, differ from the clicks."""
        return any(places.get(step.order) != step.click for step in self.clicks(spot))

    def move(self, spot: Spot, places: dict[int, Click], mask: Mask) -> None:
        """Match the clicks at a spot to points that were moved or deleted by hand.

        Parameters
        ----------
        spot : Spot
            Where.
        places : dict
            Order to click of the points that are there now.
        mask : ndarray
            (H, W) bool, the object's present mask on the slice.
        """
        if not self.is_moved(spot, places):
            return
        old = self.clicks(spot)
        kept: list[Step] = []
        base: Mask | None = None
        for step in old:
            base = step.base if step.base is not None else base
            if step.order in places:
                kept.append(replace(step, click=places[step.order], base=base))
                base = None
        if self.is_painted(spot, mask):
            base = mask
            kept[-1:] = [replace(step, base=mask) for step in kept[-1:]]
        self._queue(spot, tuple(kept), rest=base)
        self.changed.emit()

    # -- other ways to change the mask -----------------------------------------------

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

    def use(self, options: Options) -> None:
        """Let answers follow other options from now on."""
        if options != self.options:
            self.options = options
            self.happened.emit("options", options)
            self.options_changed.emit()

    # -- undo ------------------------------------------------------------------------

    def _do(self, edit: Edit) -> None:
        self.do(edit)
        self.happened.emit("done", edit)

    def do(self, edit: Edit) -> None:
        """Put an edit on the undo stack, as it was done."""
        self._history.do(edit)
        self._take(edit.after)
        for request in self._waiting:  # clicks that were made meanwhile
            self.steps[request.spot] = request.steps
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
        self.happened.emit("undone", edit)
        return edit

    def undo(self) -> Edit | None:
        """Take back the last thing that was done.

        Returns
        -------
        Edit or None
            The edit, whose change is to be taken back in the mask; None if there was
            none, or a waiting request was withdrawn instead.
        """
        edit = None
        if self._waiting:
            request = self._waiting[-1]
            self.drop(request.number)
            if request.options is not None:
                self.use(self.options.changed(*reversed(request.options)))
        else:
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
        edit = None if self._waiting else self._history.redo()
        if edit is not None:
            self._take(edit.after)
            if edit.change is not None:
                self.tally.follow(edit.change)
            self.happened.emit("redone", edit)
            if edit.options is not None:
                self.use(self.options.changed(*edit.options))
            self.changed.emit()
        return edit
