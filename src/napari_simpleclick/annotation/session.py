"""What a person has clicked, and what waits for an answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from napari_simpleclick.annotation.history import (
    Edit,
    EditState,
    OptionsChange,
    PlacedPrompt,
    PlacedPrompts,
    Request,
)
from napari_simpleclick.annotation.object_slice import Mask, ObjectSlice, fingerprint
from napari_simpleclick.annotation.objects import Ledger

if TYPE_CHECKING:
    from napari_simpleclick.annotation.mask_change import MaskChange
    from napari_simpleclick.annotation.mask_options import MaskOptions
    from napari_simpleclick.prompts import Click


@dataclass
class Session(Ledger):
    """The clicks on one image and the requests for their masks.

    Requests are answered one after the other and never merged, so that each click
    has its own mask and its own undo step, and the same clicks always give the same
    masks.
    """

    _waiting: list[Request] = field(default_factory=list)
    _number: int = 0

    def add(self, object_slice: ObjectSlice, click: Click, mask: Mask) -> PlacedPrompt:
        """Add a click and queue its request.

        Parameters
        ----------
        object_slice : ObjectSlice
            Where.
        click : Click
            The click.
        mask : ndarray
            (H, W) bool, the object's present mask on the slice. The click starts from
            it if it is not what the click before was answered with.
        """
        base = mask if self._is_new(object_slice, mask) else None
        step = PlacedPrompt(self._order + 1, click, base)
        self._queue(object_slice, (*self.clicks(object_slice), step))
        return step

    def _is_new(self, object_slice: ObjectSlice, mask: Mask) -> bool:
        """Whether a click has to start from a mask, as those before know nothing of it.

        Clicks that wait may have started from it already.
        """
        if not self.is_painted(object_slice, mask):
            return False
        bases = [
            step.base for step in self.clicks(object_slice) if step.base is not None
        ]
        known = bool(bases) and fingerprint(bases[-1]) == fingerprint(mask)
        return not (known and self.waits(object_slice))

    def waits(self, object_slice: ObjectSlice) -> bool:
        """Whether a request at a spot waits."""
        return any(request.object_slice == object_slice for request in self._waiting)

    def clear(self, object_slice: ObjectSlice) -> None:
        """Remove all clicks at a spot, and its mask."""
        self._queue(object_slice, ())
        self.changed.emit()

    def ask_again(
        self, object_slice: ObjectSlice, before: MaskOptions, after: MaskOptions
    ) -> Request:
        """Ask for the answer to the same clicks with other options."""
        return self._queue(
            object_slice, self.clicks(object_slice), options=(before, after)
        )

    def _queue(
        self,
        object_slice: ObjectSlice,
        steps: PlacedPrompts,
        rest: Mask | None = None,
        options: OptionsChange | None = None,
    ) -> Request:
        number, before = self._number + 1, self.clicks(object_slice)
        request = Request(number, object_slice, before, steps, rest, options)
        self.ask(request)
        return request

    def ask(self, request: Request) -> None:
        """Queue a request."""
        self._number = request.number
        self._waiting.append(request)
        self._take(EditState(steps={request.object_slice: request.steps}))
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
        if not request.steps or not self.is_painted(request.object_slice, mask):
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

        def swap(steps: PlacedPrompts) -> PlacedPrompts:
            return tuple(new if step is old else step for step in steps)

        waiting, self._waiting = self._waiting, []
        for one in waiting:
            self.happened.emit("dropped", one.number)
        for one in waiting:
            before, steps = swap(one.before), swap(one.steps)
            number = self._number + 1
            self.ask(replace(one, number=number, before=before, steps=steps))

    def fail(self, request: Request) -> None:
        """Withdraw the pending request alone, because it cannot be answered.

        Its clicks are as they were before, also in the requests that wait.

        Parameters
        ----------
        request : Request
            The pending request.
        """
        before = {step.order: step for step in request.before}
        lost = {
            id(step): before.get(step.order)
            for step in request.steps
            if before.get(step.order) is not step
        }

        def without(steps: PlacedPrompts) -> PlacedPrompts:
            found = [lost.get(id(step), step) for step in steps]
            return tuple(step for step in found if step is not None)

        rest, self._waiting = self._waiting[1:], []
        self._take(EditState(steps={request.object_slice: request.before}))
        for one in reversed((request, *rest)):
            self.happened.emit("dropped", one.number)
        for one in rest:
            old, new = without(one.before), without(one.steps)
            self.ask(replace(one, number=self._number + 1, before=old, steps=new))
        self.changed.emit()

    def record(self, request: Request, change: MaskChange | None, mask: Mask) -> None:
        """Take the pending request off the queue and onto the undo stack.

        Parameters
        ----------
        request : Request
            The request.
        change : MaskChange or None
            What its answer changed in the mask.
        mask : ndarray
            (H, W) bool, the object's mask on the slice now.
        """
        self.forget(request.number)
        object_slice = request.object_slice
        old, new = self._seen.get(object_slice, b""), fingerprint(mask)
        before = EditState({object_slice: request.before}, {object_slice: old})
        after = EditState({object_slice: request.steps}, {object_slice: new})
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
            self._take(EditState(steps={request.object_slice: request.before}))
            self._keep_waiting()
            self.happened.emit("dropped", number)

    def withdraw(self, label: int | None = None) -> None:
        """Withdraw the requests of an object; their clicks go, unanswered.

        Parameters
        ----------
        label : int or None
            None for all objects.
        """
        for request in reversed(self._waiting.copy()):
            if label in (None, request.object_slice.label):
                self.drop(request.number)
        self.changed.emit()

    def is_moved(self, object_slice: ObjectSlice, places: dict[int, Click]) -> bool:
        """Whether points, by the order of their click, differ from the clicks."""
        return any(
            places.get(step.order) != step.click for step in self.clicks(object_slice)
        )

    def move(
        self, object_slice: ObjectSlice, places: dict[int, Click], mask: Mask
    ) -> None:
        """Match the clicks at a spot to points that were moved or deleted by hand.

        Parameters
        ----------
        object_slice : ObjectSlice
            Where.
        places : dict
            Order to click of the points that are there now.
        mask : ndarray
            (H, W) bool, the object's present mask on the slice.
        """
        if not self.is_moved(object_slice, places):
            return
        old = self.clicks(object_slice)
        kept: list[PlacedPrompt] = []
        base: Mask | None = None
        for step in old:
            base = step.base if step.base is not None else base
            if step.order in places:
                kept.append(replace(step, click=places[step.order], base=base))
                base = None
        if self._is_new(object_slice, mask):
            base = mask
            kept[-1:] = [replace(step, base=mask) for step in kept[-1:]]
        self._queue(object_slice, tuple(kept), rest=base)
        self.changed.emit()

    def do(self, edit: Edit) -> None:
        """Put an edit on the undo stack, as it was done."""
        super().do(edit)
        self._keep_waiting()

    def _keep_waiting(self) -> None:
        """Let clicks that were made meanwhile be there."""
        for request in self._waiting:
            self.steps[request.object_slice] = request.steps

    def undo(self) -> Edit | None:
        """Take back the last thing that was done, or withdraw what waits last.

        Returns
        -------
        Edit or None
            As :meth:`Ledger.undo`; None if a request was withdrawn.
        """
        if not self._waiting:
            return super().undo()
        request = self._waiting[-1]
        self.drop(request.number)
        if request.options is not None:
            self.use(self.options.changed(*reversed(request.options)))
        self.changed.emit()
        return None

    def redo(self) -> Edit | None:
        """Do again what was taken back last, unless something waits; see `Ledger`."""
        return None if self._waiting else super().redo()
