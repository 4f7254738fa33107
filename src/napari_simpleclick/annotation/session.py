"""The annotation of an image: its objects, what waits, and what was done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_simpleclick.annotation.history import (
    Edit,
    EditState,
    History,
    ObjectStyle,
    OptionsChange,
)
from napari_simpleclick.annotation.mask_options import MaskOptions
from napari_simpleclick.annotation.object_slice import Mask, ObjectSlice, fingerprint
from napari_simpleclick.annotation.objects import Objects
from napari_simpleclick.annotation.requests import Request, Requests

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from napari_simpleclick.annotation.mask_change import MaskChange
    from napari_simpleclick.annotation.object_action import ObjectAction
    from napari_simpleclick.annotation.prediction_settings import PredictionSettings
    from napari_simpleclick.annotation.propagated import PropagatedSlices
    from napari_simpleclick.annotation.proposals import ProposalStates
    from napari_simpleclick.images.local_map import LocalMap
    from napari_simpleclick.images.planes import Plane


TAKEN = "mask taken"
"""Name of the edit by which another mask comes in place of all that was there."""


class Session:
    """Joins objects, requests and the undo stack, and tells what happens.

    Parameters
    ----------
    options : MaskOptions, optional
        What shapes the first answers.

    Attributes
    ----------
    label : int
        The current object; change it with :meth:`choose`.
    options : MaskOptions
        What shapes the answers; change them with :meth:`use`.
    objects : Objects
        What there is, to be read; edits change it.
    requests : Requests
        Prompts are added to it, and wait there for their answers.
    """

    changed = Signal()
    """Emitted when prompts, names or colours have changed other than by adding a
    prompt."""

    options_changed = Signal()
    """The options have changed."""

    happened = Signal(str, object)
    """All that makes the session what it is, for a record of it: ``chosen`` and a
    label, ``options`` and :class:`MaskOptions`, ``asked`` and a :class:`Request`,
    ``answered`` or ``dropped`` and its number, ``done``, ``undone``, ``redone`` or
    ``retracted`` and an :class:`Edit`."""

    def __init__(self, options: MaskOptions | None = None) -> None:
        self.label = 1
        self.options = options or MaskOptions()
        self.objects = Objects()
        self.requests = Requests(self.objects)
        self._history = History()
        self.requests.happened.connect(self.happened.emit)
        self.requests.changed.connect(self.changed.emit)

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

    # -- edits -----------------------------------------------------------------------

    def record(
        self,
        request: Request,
        change: MaskChange | None,
        mask: Mask | LocalMap,
        settings: PredictionSettings | None = None,
    ) -> None:
        """Take the pending request off the queue and onto the undo stack.

        Parameters
        ----------
        request : Request
            The request.
        change : MaskChange or None
            What its answer changed in the mask.
        mask : ndarray or LocalMap
            (H, W) bool, the object's mask on the slice now.
        settings : PredictionSettings, optional
            What the answer depended on; None if nothing was predicted.
        """
        self.requests.forget(request.number)
        where = request.object_slice
        after = EditState({where: request.prompts}, {where: fingerprint(mask)})
        before = replace(self.objects.current(after), prompts={where: request.before})
        name = "clicks" if request.options is None else "options"
        self._do(Edit(name, before, after, change, request.options, settings))
        self.happened.emit("answered", request.number)

    def give_style(self, label: int, style: ObjectStyle) -> None:
        """Name or colour an object."""
        old = self.objects.style(label)
        if style != old:
            name = "colour" if style.name == old.name else "name"
            self._edit(name, EditState(styles={label: style}))
            self.changed.emit()

    def give_styles(self, styles: Mapping[int, ObjectStyle], name: str) -> None:
        """Let several objects appear otherwise, as one undo step.

        Parameters
        ----------
        styles : dict
            Label to style.
        name : str
            What was done, in a word or two.
        """
        new = {k: one for k, one in styles.items() if one != self.objects.style(k)}
        if new:
            self._edit(name, EditState(styles=new))
            self.changed.emit()

    def reorder(self, labels: Sequence[int]) -> None:
        """List objects in another order."""
        if tuple(labels) != self.objects.order:
            self._edit("order", EditState(order=tuple(labels)))
            self.changed.emit()

    def delete(self, labels: Collection[int], change: MaskChange | None) -> None:
        """Delete objects, as one undo step.

        Parameters
        ----------
        labels : collection of int
            The objects; their requests must have been answered or withdrawn.
        change : MaskChange or None
            Their pixels, taken off the mask.
        """
        self._edit("delete object", self.objects.without(*labels), change)
        self.changed.emit()

    def act(
        self, action: ObjectAction, after: EditState, change: MaskChange | None
    ) -> None:
        """Record what was done to the pixels of objects.

        Parameters
        ----------
        action : ObjectAction
            What was done.
        after : EditState
            What it changed besides the mask.
        change : MaskChange or None
            Of the mask.
        """
        before = self.objects.current(after)
        self._do(Edit(action.kind, before, after, change, action=action))
        self.changed.emit()

    def take_mask(
        self, styles: Mapping[int, ObjectStyle], change: MaskChange | None
    ) -> None:
        """Record that another mask is gone on with in place of the present one.

        Parameters
        ----------
        styles : dict
            Label to style of the objects that are known by name or colour.
        change : MaskChange or None
            From the present labels to those of the other mask.
        """
        gone = self.objects.without(*self.objects.labels())
        after = replace(gone, styles={**gone.styles, **styles}, order=())
        self._edit(TAKEN, after, change)
        self.changed.emit()

    def paint(self, change: MaskChange) -> None:
        """Record that the person painted on the mask."""
        self._edit("painting", EditState(), change)

    def propagate(self, slices: PropagatedSlices, change: MaskChange | None) -> None:
        """Record what propagation wrote, as one entry of the undo stack.

        Parameters
        ----------
        slices : dict
            Object on a slice to what is there now; None where it has become empty.
        change : MaskChange or None
            Of the mask.
        """
        self._edit("propagation", EditState(propagated=slices), change)

    def propose(
        self,
        name: str,
        states: ProposalStates,
        change: MaskChange | None = None,
        styles: dict[int, ObjectStyle] | None = None,
    ) -> None:
        """Record what was found, or what a person said of it, as one undo step.

        Parameters
        ----------
        name : str
            What was done: ``find``, ``accept proposal`` or ``reject proposal``.
        states : dict
            Number to what the proposal is now; None where it is gone.
        change : MaskChange or None
            Of the mask, if one has become an object.
        styles : dict or None
            Label to the name that the object gets.
        """
        self._edit(name, EditState(styles=styles or {}, proposals=states), change)

    def end(
        self,
        object_slice: ObjectSlice,
        slices: PropagatedSlices,
        change: MaskChange | None,
    ) -> None:
        """Record that the person has said where an object ends, as one undo step.

        Parameters
        ----------
        object_slice : ObjectSlice
            The slice that it is not on; its prompts go.
        slices : dict
            What counts as propagated on all slices that were cleared.
        change : MaskChange or None
            Of the mask.
        """
        self._edit("end", EditState({object_slice: ()}, propagated=slices), change)
        self.changed.emit()

    def _edit(
        self, name: str, after: EditState, change: MaskChange | None = None
    ) -> None:
        self._do(Edit(name, self.objects.current(after), after, change))

    def _do(self, edit: Edit) -> None:
        self.do(edit)
        self.happened.emit("done", edit)

    # -- the undo stack --------------------------------------------------------------

    def do(self, edit: Edit) -> None:
        """Put an edit on the undo stack, as it was done."""
        self._history.do(edit)
        self.objects.do(edit)
        self.requests.keep()

    @property
    def last(self) -> Edit | None:
        """What would be undone next, if nothing waits."""
        return self._history.last

    def retract(self) -> Edit:
        """Take the last edit back for good, to put another in its place.

        Options stay as they are.
        """
        edit = self._history.retract()
        self.objects.undo(edit)
        self.happened.emit("retracted", edit)
        return edit

    def undo(self) -> Edit | None:
        """Take back the last thing that was done, or withdraw what waits last.

        Returns
        -------
        Edit or None
            The edit, whose change is to be taken back in the mask; None if there was
            none, or if a request was withdrawn.
        """
        edit, options = None, None
        request = self.requests.last
        if request is not None:
            self.requests.drop(request.number)
            options = request.options
        elif (edit := self._history.undo()) is not None:
            self.objects.undo(edit)
            self.happened.emit("undone", edit)
            options = edit.options
        self._turn(options and (options[1], options[0]))
        self.changed.emit()
        return edit

    def redo(self) -> Edit | None:
        """Do again what was taken back last, unless something was done since or waits.

        Returns
        -------
        Edit or None
            The edit, whose change is to be made in the mask; None if there is none.
        """
        edit = None if self.requests.pending else self._history.redo()
        if edit is not None:
            self.objects.do(edit)
            self.happened.emit("redone", edit)
            self._turn(edit.options)
            self.changed.emit()
        return edit

    def _turn(self, options: OptionsChange | None) -> None:
        """Make a change of options again, and leave alone what it was not about."""
        if options is not None:
            self.use(self.options.changed(*options))
