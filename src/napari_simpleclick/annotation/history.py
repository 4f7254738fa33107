"""What can be asked, done, undone and redone."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_simpleclick.annotate.options import Options

if TYPE_CHECKING:
    from napari_simpleclick.annotate.change import Change
    from napari_simpleclick.annotate.propagated import Note
    from napari_simpleclick.annotate.spot import Mask, Spot
    from napari_simpleclick.clicks import Click

UNDO_STEPS = 200
"""How many steps can be taken back."""


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
Turn = tuple[Options, Options]
"""Options before and after."""


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
    options: Turn | None = None


@dataclass(frozen=True)
class Style:
    """How an object appears.

    Parameters
    ----------
    name : str
        Empty for the plain number.
    colour : str
        As ``#rrggbb``; empty for the one that its label has.
    """

    name: str = ""
    colour: str = ""


@dataclass(frozen=True, eq=False)
class State:
    """Those parts of a session's state that an edit touches.

    Parameters
    ----------
    steps : dict
        Spot to its clicks.
    seen : dict
        Spot to the fingerprint of its mask as it was last answered.
    notes : dict
        Spot to the note of what was propagated there; None for none.
    styles : dict
        Label to its style.
    """

    steps: dict[Spot, Steps] = field(default_factory=dict)
    seen: dict[Spot, bytes] = field(default_factory=dict)
    notes: dict[Spot, Note | None] = field(default_factory=dict)
    styles: dict[int, Style] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Edit:
    """One entry of the undo stack.

    Parameters
    ----------
    name : str
        What was done, in a word or two.
    before, after : State
        What to go back to, and what to return to.
    change : Change or None
        Of the mask; None if no voxel changed.
    options : tuple of Options or None
        Options then and now, if they have changed.
    """

    name: str
    before: State = field(default_factory=State)
    after: State = field(default_factory=State)
    change: Change | None = None
    options: Turn | None = None


class History:
    """The undo stack."""

    def __init__(self) -> None:
        self._done: deque[Edit] = deque(maxlen=UNDO_STEPS)
        self._undone: list[Edit] = []

    def do(self, edit: Edit) -> None:
        """Put an edit on the stack; what was taken back before is forgotten."""
        self._done.append(edit)
        self._undone.clear()

    @property
    def last(self) -> Edit | None:
        """What would be undone next."""
        return self._done[-1] if self._done else None

    def retract(self) -> Edit:
        """Take the last edit off the stack for good."""
        return self._done.pop()

    def undo(self) -> Edit | None:
        """Take the last edit off the stack."""
        if not self._done:
            return None
        self._undone.append(self._done.pop())
        return self._undone[-1]

    def redo(self) -> Edit | None:
        """Put the edit that was taken off last back on the stack."""
        if not self._undone:
            return None
        self._done.append(self._undone.pop())
        return self._done[-1]
