"""What a person has clicked, what waits for an answer, and what can be undone."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from psygnal import Signal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_simpleclick.clicks import Click
    from napari_simpleclick.volumes.planes import Plane

UNDO_STEPS = 100
"""As many as napari's Labels layer remembers."""


@dataclass(frozen=True)
class Spot:
    """An object on a slice, which is what a click belongs to.

    Parameters
    ----------
    label : int
        Value of the object in the mask.
    plane : Plane
        The slice.
    """

    label: int
    plane: Plane


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
    base: NDArray[np.bool_] | None = None


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
    """

    number: int
    spot: Spot
    before: Steps
    steps: Steps


@dataclass(frozen=True, eq=False)
class Edit:
    """One entry of the undo stack.

    Parameters
    ----------
    spot : Spot or None
        Whose clicks changed; None for painting by hand.
    before, after : tuple of Step
        The clicks to go back to, and those to return to.
    painted : bool
        Whether mask pixels changed, that is, whether the mask's own history has an
        entry for it.
    """

    spot: Spot | None
    before: Steps
    after: Steps
    painted: bool


@dataclass
class Session:
    """Clicks, requests and undo stack of one image.

    Requests are answered one after the other and never merged, so that each click
    has its own mask and its own undo step, and the same clicks always give the same
    masks.
    """

    label: int = 1
    steps: dict[Spot, Steps] = field(default_factory=dict)
    _waiting: list[Request] = field(default_factory=list)
    _edits: deque[Edit] = field(default_factory=lambda: deque(maxlen=UNDO_STEPS))
    _undone: list[Edit] = field(default_factory=list)
    _used: set[int] = field(default_factory=set)
    _painted: set[Spot] = field(default_factory=set)
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

    def wants_base(self, spot: Spot) -> bool:
        """Whether the next click has to start from the mask that is there."""
        return not self.clicks(spot) or spot in self._painted

    def add(
        self, spot: Spot, click: Click, base: NDArray[np.bool_] | None = None
    ) -> Step:
        """Add a click and queue its request.

        Parameters
        ----------
        spot : Spot
            Where.
        click : Click
            The click.
        base : ndarray or None
            (H, W) bool mask to start from if :meth:`wants_base`.
        """
        self._order += 1
        self._used.add(spot.label)
        step = Step(self._order, click, base)
        self._painted.discard(spot)
        self._queue(spot, (*self.clicks(spot), step))
        return step

    def change(self, spot: Spot, steps: Steps) -> None:
        """Replace the clicks at a spot, as after moving or deleting one."""
        self._queue(spot, steps)
        self.changed.emit()

    def _queue(self, spot: Spot, steps: Steps) -> None:
        self._number += 1
        self._waiting.append(Request(self._number, spot, self.clicks(spot), steps))
        self.steps[spot] = steps

    @property
    def pending(self) -> Request | None:
        """The request to answer next; it stays until it is finished or withdrawn."""
        return self._waiting[0] if self._waiting else None

    def finish(self, number: int) -> bool:
        """Take an answered request off the queue.

        Returns
        -------
        bool
            False if it has been withdrawn; its answer must not be shown.
        """
        if self._waiting and self._waiting[0].number == number:
            self._waiting.pop(0)
            return True
        return False

    def record(self, request: Request, painted: bool) -> None:
        """Put an answered request on the undo stack."""
        self._do(Edit(request.spot, request.before, request.steps, painted))

    def paint(self, spots: list[Spot]) -> None:
        """Note that the person painted on the mask at these spots."""
        self._used.add(self.label)
        self._do(Edit(None, (), (), True))
        self._painted.update(spots)

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
        self.changed.emit()
        return edit

    def move(self, spot: Spot, places: dict[int, Click]) -> bool:
        """Match the clicks at a spot to points that were moved or deleted by hand.

        Parameters
        ----------
        spot : Spot
            Where.
        places : dict
            Order to click of the points that are there now.

        Returns
        -------
        bool
            Whether anything differed.
        """
        old = self.clicks(spot)
        new = tuple(
            replace(step, click=places[step.order])
            for step in old
            if step.order in places
        )
        same = len(new) == len(old) and all(
            a.click == b.click for a, b in zip(old, new, strict=True)
        )
        if not same:
            self.change(spot, new)
        return not same
