"""What a person has clicked, what waits for an answer, and what can be undone."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_simpleclick.annotate.propagated import Note, Propagated
from napari_simpleclick.annotate.spot import Mask, Spot, fingerprint

if TYPE_CHECKING:
    from napari_simpleclick.annotate.options import Options
    from napari_simpleclick.clicks import Click
    from napari_simpleclick.volumes.planes import Plane

Notes = dict[Spot, Note | None]

UNDO_STEPS = 100
"""As many as napari's Labels layer remembers."""


@dataclass(frozen=True, eq=False)
class Step:
    """A click, and the mask that was there when it was made.

    Parameters
    ----------
    order : int
        Number of the click in the session, from 1.
    click : Click
        Where and which sign.
    base : ndarray or None
        (H, W) bool mask to start from, where the person had painted or an earlier
        mask was there; None to go on from the answer to the click before.
    """

    order: int
    click: Click
    base: Mask | None = None


Steps = tuple[Step, ...]


@dataclass(frozen=True, eq=False)
class Request:
    """Clicks that need an answer.

    Parameters
    ----------
    number : int
        Counts up; an answer to a withdrawn number is dropped.
    spot : Spot
        Where.
    before, steps : tuple of Step
        The spot's clicks without and with the change.
    rest : ndarray or None
        (H, W) bool mask to leave if no click is left; None for an empty one.
    options : tuple of Options or None
        Options before and after, if they have changed and not the clicks.
    """

    number: int
    spot: Spot
    before: Steps
    steps: Steps
    rest: Mask | None = None
    options: tuple[Options, Options] | None = None


@dataclass(frozen=True, eq=False)
class Edit:
    """One entry of the undo stack.

    Parameters
    ----------
    spot : Spot or None
        Whose clicks changed; None for painting by hand and propagation.
    before, after : tuple of Step
        The clicks to go back to, and those to return to.
    painted : bool
        Whether mask pixels changed, that is, whether the mask's own history has an
        entry for it.
    seen_before, seen_after : bytes
        Fingerprint of the spot's mask as it was last answered, then and now.
    notes_before, notes_after : dict
        Notes of what propagation wrote, then and now.
    options : tuple of Options or None
        Options then and now, if they have changed.
    """

    spot: Spot | None
    before: Steps = ()
    after: Steps = ()
    painted: bool = True
    seen_before: bytes = b""
    seen_after: bytes = b""
    notes_before: Notes = field(default_factory=dict)
    notes_after: Notes = field(default_factory=dict)
    options: tuple[Options, Options] | None = None


@dataclass
class Session:
    """Clicks, requests and undo stack of one image.

    Requests are answered one after the other and never merged, so that each click
    has its own mask and its own undo step, and the same clicks always give the same
    masks.
    """

    label: int = 1
    steps: dict[Spot, Steps] = field(default_factory=dict)
    propagated: Propagated = field(default_factory=Propagated)
    _waiting: list[Request] = field(default_factory=list)
    _edits: deque[Edit] = field(default_factory=lambda: deque(maxlen=UNDO_STEPS))
    _undone: list[Edit] = field(default_factory=list)
    _used: set[int] = field(default_factory=set)
    _seen: dict[Spot, bytes] = field(default_factory=dict)
    _order: int = 0
    _number: int = 0

    changed = Signal()
    """Emitted when the clicks have changed other than by adding one."""

    def spot(self, plane: Plane) -> Spot:
        """Name the current object on a slice."""
        return Spot(self.label, plane)

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
        self._order += 1
        self._used.add(spot.label)
        base = mask if self.is_painted(spot, mask) else None
        step = Step(self._order, click, base)
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
        options: tuple[Options, Options] | None = None,
    ) -> Request:
        self._number += 1
        before = self.clicks(spot)
        request = Request(self._number, spot, before, steps, rest, options)
        self._waiting.append(request)
        self.steps[spot] = steps
        return request

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

    def finish(self, request: Request) -> None:
        """Take the pending request off the queue."""
        self._waiting.remove(request)

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

        for index, waiting in enumerate(self._waiting):
            self._number += 1
            self._waiting[index] = replace(
                waiting,
                number=self._number,
                before=swap(waiting.before),
                steps=swap(waiting.steps),
            )
        self.steps[request.spot] = swap(self.steps[request.spot])

    def record(self, request: Request, painted: bool, mask: Mask) -> None:
        """Put an answered request on the undo stack.

        Parameters
        ----------
        request : Request
            The request.
        painted : bool
            Whether pixels of the mask layer changed.
        mask : ndarray
            (H, W) bool, the object's mask on the slice now.
        """
        spot = request.spot
        before, after = self._seen.get(spot, b""), fingerprint(mask)
        self._seen[spot] = after
        edit = Edit(spot, request.before, request.steps, painted, before, after)
        self._do(replace(edit, options=request.options))

    def paint(self) -> None:
        """Note that the person painted on the mask."""
        self._used.add(self.label)
        self._do(Edit(None))

    def is_annotated(self, spot: Spot, mask: Mask) -> bool:
        """Whether a spot's present mask was clicked, painted or erased by hand."""
        if self.propagated.erased(spot, mask):
            return True
        made = not self.clicks(spot) and self.propagated.made(spot, mask)
        return bool(mask.any()) and not made

    def propagate(self, label: int, notes: Notes, painted: bool) -> None:
        """Note what propagation wrote, as one entry of the undo stack.

        Parameters
        ----------
        label : int
            The object.
        notes : dict
            Spot to the note of its new mask; None where it has become empty.
        painted : bool
            Whether pixels of the mask layer changed.
        """
        self._used.add(label)
        before = self.propagated.put(notes)
        self._do(Edit(None, painted=painted, notes_before=before, notes_after=notes))

    @property
    def last(self) -> Edit | None:
        """What would be undone next, if nothing waits."""
        return self._edits[-1] if self._edits else None

    def retract(self) -> None:
        """Take a change of options off the stack, to put a later one in its place."""
        edit = self._edits.pop()
        assert edit.spot is not None
        assert edit.options is not None
        self._seen[edit.spot] = edit.seen_before

    def _do(self, edit: Edit) -> None:
        self._edits.append(edit)
        self._undone.clear()

    def free_label(self) -> int:
        """Find the label after the highest that has been clicked or painted with."""
        return max(self._used, default=0) + 1

    def withdraw(self) -> None:
        """Withdraw every request; their clicks go, their masks were never shown."""
        while self._waiting:
            request = self._waiting.pop()
            self.steps[request.spot] = request.before
        self.changed.emit()

    def undo(self) -> Edit | None:
        """Take back the last thing that was done.

        Returns
        -------
        Edit or None
            The entry taken off the stack, whose mask change is to be undone; None if
            there was none, or a waiting request was withdrawn instead.
        """
        edit = None
        if self._waiting:
            request = self._waiting.pop()
            self.steps[request.spot] = request.before
        elif self._edits:
            edit = self._edits.pop()
            self._undone.append(edit)
            if edit.spot is not None:
                self.steps[edit.spot] = edit.before
                self._seen[edit.spot] = edit.seen_before
            self.propagated.put(edit.notes_before)
        self.changed.emit()
        return edit

    def redo(self) -> Edit | None:
        """Do again what was taken back last, unless something else was done since.

        Returns
        -------
        Edit or None
            The entry, whose mask change is to be redone; None if there is none.
        """
        if self._waiting or not self._undone:
            return None
        edit = self._undone.pop()
        self._edits.append(edit)
        if edit.spot is not None:
            self.steps[edit.spot] = edit.after
            self._seen[edit.spot] = edit.seen_after
        self.propagated.put(edit.notes_after)
        self.changed.emit()
        return edit

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
