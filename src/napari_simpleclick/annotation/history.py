"""What was done, and can be undone and redone."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_simpleclick.annotation.mask_options import MaskOptions
from napari_simpleclick.annotation.proposals import FOUND

if TYPE_CHECKING:
    from napari_simpleclick.annotation.mask_change import MaskChange
    from napari_simpleclick.annotation.object_action import ObjectAction
    from napari_simpleclick.annotation.object_slice import ObjectSlice
    from napari_simpleclick.annotation.placed_prompt import PlacedPrompts
    from napari_simpleclick.annotation.prediction_settings import PredictionSettings
    from napari_simpleclick.annotation.propagated import PropagatedSlices
    from napari_simpleclick.annotation.proposals import ProposalStates

UNDO_STEPS = 200
"""How many edits can be taken back."""

OptionsChange = tuple[MaskOptions, MaskOptions]
"""Options before and after."""


@dataclass(frozen=True)
class ObjectStyle:
    """How an object appears, and what may happen to it.

    Parameters
    ----------
    name : str
        Empty for the plain number.
    colour : str
        As ``#rrggbb``; empty for the one that its label has.
    category : str
        What kind of thing it is, which several objects may share; empty for none.
    locked : bool
        Whether nothing changes its pixels.
    hidden : bool
        Whether it is not drawn.
    opacity : float
        0 to 1, beside that of the whole mask.
    """

    name: str = ""
    colour: str = ""
    category: str = ""
    locked: bool = False
    hidden: bool = False
    opacity: float = 1.0


@dataclass(frozen=True, eq=False)
class EditState:
    """Those parts of a session's state that an edit touches.

    Parameters
    ----------
    prompts : dict
        Object on a slice to its prompts.
    answered : dict
        Object on a slice to the fingerprint of its mask as it was last answered.
    propagated : dict
        Object on a slice to what was propagated there; None for nothing.
    styles : dict
        Label to its style.
    proposals : dict
        Number to the proposal; None for none.
    order : tuple of int or None
        Labels in the order of the list; None if the edit does not touch it.
    """

    prompts: dict[ObjectSlice, PlacedPrompts] = field(default_factory=dict)
    answered: dict[ObjectSlice, bytes] = field(default_factory=dict)
    propagated: PropagatedSlices = field(default_factory=dict)
    styles: dict[int, ObjectStyle] = field(default_factory=dict)
    proposals: ProposalStates = field(default_factory=dict)
    order: tuple[int, ...] | None = None


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
    settings : PredictionSettings or None
        What the answer depended on, if it was one.
    action : ObjectAction or None
        What was done to whole objects, if it was that.
    """

    name: str
    before: EditState = field(default_factory=EditState)
    after: EditState = field(default_factory=EditState)
    change: MaskChange | None = None
    options: OptionsChange | None = None
    settings: PredictionSettings | None = None
    action: ObjectAction | None = None


class History:
    """The undo stack."""

    def __init__(self) -> None:
        self._done: deque[Edit] = deque(maxlen=UNDO_STEPS)
        self._undone: list[Edit] = []

    def do(self, edit: Edit) -> None:
        """Put an edit on the stack; what was taken back before is forgotten.

        But not for what a search has found, which comes when nobody expects it.
        """
        self._done.append(edit)
        if edit.name != FOUND:
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
