"""Prompts that wait for their answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_simpleclick.annotation.history import EditState, OptionsChange
from napari_simpleclick.annotation.object_slice import (
    Mask,
    ObjectSlice,
    fingerprint,
    whole,
)
from napari_simpleclick.annotation.placed_prompt import (
    PlacedPrompt,
    PlacedPrompts,
    are_moved,
    matched,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_simpleclick.annotation.mask_options import MaskOptions
    from napari_simpleclick.annotation.objects import Objects
    from napari_simpleclick.images.local_map import LocalMap
    from napari_simpleclick.images.viewport import Viewport
    from napari_simpleclick.prompts import Prompt


@dataclass(frozen=True, eq=False)
class Request:
    """Prompts that need an answer.

    Parameters
    ----------
    number : int
        Counts up; an answer to a withdrawn number is dropped.
    object_slice : ObjectSlice
        Where.
    before, prompts : tuple of PlacedPrompt
        The prompts there without and with the change.
    rest : ndarray or None
        (H, W) bool mask to leave if no prompt is left; None for an empty one.
    options : tuple of MaskOptions or None
        Options before and after, if they have changed and not the prompts.
    """

    number: int
    object_slice: ObjectSlice
    before: PlacedPrompts
    prompts: PlacedPrompts
    rest: Mask | None = None
    options: OptionsChange | None = None


class Requests:
    """The queue of requests, the oldest first, and what puts them there.

    Requests are answered one after the other and never merged, so that each prompt
    has its own mask and its own undo step, and the same prompts always give the same
    masks.

    Parameters
    ----------
    objects : Objects
        Prompts are there from the moment that they are asked about.
    """

    changed = Signal()
    """As of a :class:`Session`."""

    happened = Signal(str, object)
    """``asked`` and a :class:`Request`, ``dropped`` and the number of one."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._waiting: list[Request] = []
        self._number = 0

    def __iter__(self) -> Iterator[Request]:
        """Go through the requests that wait, also while some are taken away."""
        return iter(self._waiting.copy())

    # -- asking ----------------------------------------------------------------------

    def add(
        self,
        object_slice: ObjectSlice,
        prompt: Prompt,
        mask: Mask | LocalMap,
        viewport: Viewport | None = None,
    ) -> PlacedPrompt:
        """Add a prompt and queue its request.

        Parameters
        ----------
        object_slice : ObjectSlice
            Where.
        prompt : Click, Box, Scribble or Lasso
            The prompt.
        mask : ndarray or LocalMap
            (H, W) bool, the object's present mask on the slice. The prompt starts from
            it if it is not what the prompt before was answered with.
        viewport : Viewport or None
            What is seen of the slice; None for all of it.

        Raises
        ------
        UserError
            If the object is locked or hidden.
        """
        self._objects.check_unlocked(object_slice.label)
        self._objects.check_shown(object_slice.label)
        base = whole(mask) if self._is_new(object_slice, mask) else None
        placed = PlacedPrompt(self._objects.last_order + 1, prompt, base, viewport)
        self._queue(object_slice, (*self._objects.placed(object_slice), placed))
        return placed

    def clear(self, object_slice: ObjectSlice) -> None:
        """Remove all prompts of an object on a slice, and its mask.

        Raises
        ------
        UserError
            If the object is locked.
        """
        self._objects.check_unlocked(object_slice.label)
        self._queue(object_slice, ())
        self.changed.emit()

    def is_moved(
        self, object_slice: ObjectSlice, prompts: Mapping[int, Prompt]
    ) -> bool:
        """Whether what is shown, by its order, differs from the prompts."""
        return are_moved(self._objects.placed(object_slice), prompts)

    def move(
        self,
        object_slice: ObjectSlice,
        prompts: Mapping[int, Prompt],
        mask: Mask | LocalMap,
    ) -> None:
        """Match the prompts on a slice to what was moved or deleted by hand.

        Parameters
        ----------
        object_slice : ObjectSlice
            Where.
        prompts : dict
            Order to prompt of what is there now.
        mask : ndarray or LocalMap
            (H, W) bool, the object's present mask on the slice.

        Raises
        ------
        UserError
            If the object is locked.
        """
        if not self.is_moved(object_slice, prompts):
            return
        self._objects.check_unlocked(object_slice.label)
        kept, base = matched(self._objects.placed(object_slice), prompts)
        if self._is_new(object_slice, mask):
            base = whole(mask)
            kept = (*kept[:-1], *(replace(one, base=base) for one in kept[-1:]))
        self._queue(object_slice, kept, rest=base)
        self.changed.emit()

    def ask_again(
        self, object_slice: ObjectSlice, before: MaskOptions, after: MaskOptions
    ) -> Request:
        """Ask for the answer to the same prompts with other options."""
        placed = self._objects.placed(object_slice)
        return self._queue(object_slice, placed, options=(before, after))

    def _is_new(self, object_slice: ObjectSlice, mask: Mask | LocalMap) -> bool:
        """Whether a prompt has to start from a mask of which those before know nothing.

        Prompts that wait may have started from it already.
        """
        if not self._objects.is_painted(object_slice, mask):
            return False
        placed = self._objects.placed(object_slice)
        bases = [one.base for one in placed if one.base is not None]
        known = bool(bases) and fingerprint(bases[-1]) == fingerprint(mask)
        return not (known and self.waits(object_slice))

    def _queue(
        self,
        object_slice: ObjectSlice,
        prompts: PlacedPrompts,
        rest: Mask | None = None,
        options: OptionsChange | None = None,
    ) -> Request:
        number, before = self._number + 1, self._objects.placed(object_slice)
        request = Request(number, object_slice, before, prompts, rest, options)
        self.ask(request)
        return request

    def ask(self, request: Request) -> None:
        """Queue a request."""
        self._number = request.number
        self._waiting.append(request)
        self._objects.take(EditState({request.object_slice: request.prompts}))
        self.happened.emit("asked", request)

    # -- answering -------------------------------------------------------------------

    @property
    def pending(self) -> Request | None:
        """The request to answer next; it stays until it is finished or withdrawn."""
        return self._waiting[0] if self._waiting else None

    @property
    def last(self) -> Request | None:
        """The request that was made last, if it waits."""
        return self._waiting[-1] if self._waiting else None

    def waits(self, object_slice: ObjectSlice) -> bool:
        """Whether a request for an object on a slice waits."""
        return any(request.object_slice == object_slice for request in self._waiting)

    def is_pending(self, request: Request) -> bool:
        """Whether an answer is still wanted; if not, it must not be shown."""
        return bool(self._waiting) and self._waiting[0].number == request.number

    def is_outdated(self, request: Request, mask: Mask | LocalMap) -> bool:
        """Whether someone painted while the answer was on its way.

        Parameters
        ----------
        request : Request
            The pending request.
        mask : ndarray or LocalMap
            (H, W) bool, the present mask of the object on the slice.
        """
        if not request.prompts:
            return False
        if not self._objects.is_painted(request.object_slice, mask):
            return False
        base = request.prompts[-1].base
        return base is None or fingerprint(base) != fingerprint(mask)

    def restart(self, request: Request, mask: Mask | LocalMap) -> None:
        """Ask again from a mask that was painted while the answer was on its way.

        Parameters
        ----------
        request : Request
            The pending request.
        mask : ndarray or LocalMap
            (H, W) bool, the present mask.
        """
        old = request.prompts[-1]
        new = replace(old, base=whole(mask))

        def swap(placed: PlacedPrompts) -> PlacedPrompts:
            return tuple(new if one is old else one for one in placed)

        waiting, self._waiting = self._waiting, []
        for one in waiting:
            self.happened.emit("dropped", one.number)
        for one in waiting:
            before, prompts = swap(one.before), swap(one.prompts)
            number = self._number + 1
            self.ask(replace(one, number=number, before=before, prompts=prompts))

    def forget(self, number: int) -> None:
        """Take a request off the queue, because it is answered."""
        self._waiting = [one for one in self._waiting if one.number != number]

    def keep(self) -> None:
        """Let the prompts that wait be there, whatever an edit has made of them."""
        for request in self._waiting:
            self._objects.prompts[request.object_slice] = request.prompts

    # -- withdrawing -----------------------------------------------------------------

    def fail(self, request: Request) -> None:
        """Withdraw the pending request alone, because it cannot be answered.

        Its prompts are as they were before, also in the requests that wait.

        Parameters
        ----------
        request : Request
            The pending request.
        """
        before = {one.order: one for one in request.before}
        lost = {
            one: before.get(one.order)
            for one in request.prompts
            if before.get(one.order) is not one
        }

        def without(placed: PlacedPrompts) -> PlacedPrompts:
            found = [lost.get(one, one) for one in placed]
            return tuple(one for one in found if one is not None)

        rest, self._waiting = self._waiting[1:], []
        self._objects.take(EditState({request.object_slice: request.before}))
        for one in reversed((request, *rest)):
            self.happened.emit("dropped", one.number)
        for one in rest:
            old, new = without(one.before), without(one.prompts)
            number = self._number + 1
            self.ask(replace(one, number=number, before=old, prompts=new))
        self.changed.emit()

    def drop(self, number: int) -> None:
        """Withdraw a request, if it still waits; its prompts go."""
        for request in [one for one in self._waiting if one.number == number]:
            self._waiting.remove(request)
            self._objects.take(EditState({request.object_slice: request.before}))
            self.keep()
            self.happened.emit("dropped", number)

    def withdraw(self, label: int | None = None) -> None:
        """Withdraw the requests of an object; their prompts go, unanswered.

        Parameters
        ----------
        label : int or None
            None for all objects.
        """
        for request in reversed(self._waiting.copy()):
            if label in (None, request.object_slice.label):
                self.drop(request.number)
        self.changed.emit()
