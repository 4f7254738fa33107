"""How objects appear, what they are, and which one is gone on with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psygnal import Signal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_simpleclick.annotation import Session
    from napari_simpleclick.workflow.prediction_queue import PredictionQueue


class ObjectList:
    """Shows, hides, locks, orders and classifies objects; each is an undo step.

    Parameters
    ----------
    queue : PredictionQueue
        Whose canvas is meant; answers the clicks that were made before a lock.
    """

    status = Signal(str)
    """What was done."""

    def __init__(self, queue: PredictionQueue) -> None:
        self._queue = queue

    @property
    def _session(self) -> Session | None:
        return None if self._queue.canvas is None else self._queue.canvas.session

    def lock(self, labels: Iterable[int], locked: bool = True) -> None:
        """Let nothing change the pixels of objects, or let it again."""
        name, wanted = "lock" if locked else "unlock", tuple(labels)
        self._queue.when_none_waits(lambda: self._give(wanted, name, locked=locked))

    def show(self, labels: Iterable[int], shown: bool = True) -> None:
        """Draw objects, or do not."""
        self._give(labels, "show" if shown else "hide", hidden=not shown)

    def isolate(self, labels: Iterable[int]) -> None:
        """Draw these objects and no others; if it is so already, draw all again."""
        session = self._session
        if session is None:
            return
        wanted, known = set(labels), session.objects.labels()
        styles = {k: session.objects.style(k) for k in known}
        alone = all(one.hidden == (k not in wanted) for k, one in styles.items())
        if alone:
            self.show_all()
            return
        new = {k: replace(one, hidden=k not in wanted) for k, one in styles.items()}
        session.give_styles(new, "isolate")
        self.status.emit("The other objects are hidden; do it again to show all")

    def show_all(self) -> None:
        """Draw all objects."""
        if self._session is not None:
            self.show(self._session.objects.labels())

    def set_opacity(self, labels: Iterable[int], opacity: float) -> None:
        """Draw objects more or less opaque, 0 to 1."""
        self._give(labels, "opacity", opacity=opacity)

    def colour(self, labels: Iterable[int], colour: str) -> None:
        """Draw objects in a colour, as ``#rrggbb``."""
        self._give(labels, "colour", colour=colour)

    def classify(self, labels: Iterable[int], category: str) -> None:
        """Say what kind of thing objects are; empty for none."""
        self._give(labels, "class", category=" ".join(category.split()))

    def move(self, labels: Iterable[int], down: bool) -> None:
        """Move objects up or down in the list by one place."""
        session, wanted = self._session, set(labels)
        if session is None:
            return
        listed = session.objects.listed()
        if down:
            listed.reverse()
        for place in range(1, len(listed)):
            before, here = listed[place - 1 : place + 1]
            if here in wanted and before not in wanted:
                listed[place - 1 : place + 1] = here, before
        if down:
            listed.reverse()
        if listed != session.objects.listed():
            session.reorder(listed)

    def step(self, forward: bool) -> None:
        """Go on with the next or the previous object of the list that is shown."""
        canvas = self._queue.canvas
        if canvas is None:
            return
        objects = canvas.session.objects
        listed = [k for k in objects.listed() if not objects.style(k).hidden]
        if not listed:
            return
        here = canvas.session.label
        if here in listed:
            place = listed.index(here) + (1 if forward else -1)
        else:
            place = 0 if forward else -1
        label = listed[place % len(listed)]
        canvas.choose(label)
        self.status.emit(f"Goes on with {objects.name(label)}")

    def _give(self, labels: Iterable[int], name: str, **style: Any) -> None:
        session = self._session
        if session is not None:
            objects = session.objects
            new = {k: replace(objects.style(k), **style) for k in labels}
            session.give_styles(new, name)
