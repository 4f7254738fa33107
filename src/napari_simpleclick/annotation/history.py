"""What can be asked, done, undone and redone."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_simpleclick.annotation.mask_options import MaskOptions

if TYPE_CHECKING:
    from napari_simpleclick.annotation.mask_change import MaskChange
    from napari_simpleclick.annotation.object_slice import Mask, ObjectSlice
    from napari_simpleclick.annotation.propagated import PropagatedSlice
    from napari_simpleclick.prompts import Click

UNDO_STEPS = 200
"""How many steps can be taken back."""


@dataclass(frozen=True, eq=False)
class PlacedPrompt:
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


PlacedPrompts = tuple[PlacedPrompt, ...]
OptionsChange = tuple[MaskOptions, MaskOptions]
"""Options before and after."""


@dataclass(frozen=True, eq=False)
class Request:
    """Clicks that need an answer.

    Parameters
    ----------
    number : int
        Counts up; an answer to a withdrawn number is dropped.
    object_slice : ObjectSlice
        Where.
    before, steps : tuple of PlacedPrompt
        The spot's clicks without and with the change.
    rest : ndarray or None
        (H, W) bool mask to leave if no click is left; None for an empty one.
    options : tuple of MaskOptions or None
        Options before and after, if they have changed and not the clicks.
    """

    number: int
    object_slice: ObjectSlice
    before: PlacedPrompts
    steps: PlacedPrompts
    rest: Mask | None = None
    options: OptionsChange | None = None


@dataclass(frozen=True)
class ObjectStyle:
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
class EditState:
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

    steps: dict[ObjectSlice, PlacedPrompts] = field(default_factory=dict)
    seen: dict[ObjectSlice, bytes] = field(default_factory=dict)
    notes: dict[ObjectSlice, PropagatedSlice | None] = field(default_factory=dict)
    styles: dict[int, ObjectStyle] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Edit:
    """One entry of the undo stack.

    Parameters
    ----------
    name : str
        What was done, in a word or two.
    before, after : EditState
        What to go back to, and what to return to.
    change : MaskChange or None
        Of the mask; None if no voxel changed.
    options : tuple of MaskOptions or None
        Options then and now, if they have changed.
    """

    name: str
    before: EditState = field(default_factory=EditState)
    after: EditState = field(default_factory=EditState)
    change: MaskChange | None = None
    options: OptionsChange | None = None


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
