"""Encoding what is shown before it is clicked on, so that a click costs a decode."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

from psygnal import Signal

from napari_simpleclick.annotation import ObjectSlice, ObjectStack

if TYPE_CHECKING:
    from napari_simpleclick.images import Plane, Viewport
    from napari_simpleclick.images.view import View
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.engine import Answer, PredictionEngine
    from napari_simpleclick.workflow.executor import Executor
    from napari_simpleclick.workflow.model_loader import ModelLoader
    from napari_simpleclick.workflow.prediction_queue import PredictionQueue
    from napari_simpleclick.workflow.propagator import Propagator

STEPS = (1, -1)
"""Neighbours that are encoded after the shown slice, in this order."""

LARGEST_NEIGHBOUR_PX = 2**24
"""Of larger slices none is read that nobody has asked for."""


class Wish(NamedTuple):
    """Something to encode.

    Parameters
    ----------
    view : View
        How the image is looked at.
    plane : Plane
        The slice.
    spacing : tuple of float
        Height and width of a pixel.
    viewport : Viewport or None
        What is seen of the slice; None for all of it.
    what : str
        The shown slice, a neighbour, or what the next click on an answer looks at.
    after : ObjectSlice or None
        Whose answer that is.
    """

    view: View
    plane: Plane
    spacing: tuple[float, float]
    viewport: Viewport | None = None
    what: Literal["shown", "neighbour", "next"] = "shown"
    after: ObjectSlice | None = None


class EncodeAhead:
    """Has the shown slice encoded in the background, and its neighbours after it.

    One crop is encoded at a time, and none while a click waits or a mask is carried
    through the volume. What is shown now comes first; wishes for what is not shown any
    more are dropped. Features go into the predictor's memory, which is bounded.

    Parameters
    ----------
    models : ModelLoader
        Gives the engine; one whose network encodes anew at each click is left alone.
    queue : PredictionQueue
        Clicks, which go first.
    propagator : Propagator
        Goes first, too.
    executor : Executor
        Encodes.

    Attributes
    ----------
    canvas : Canvas or None
        The image that is shown.
    """

    encoded = Signal(object)
    """A :class:`Wish` has come true."""

    def __init__(
        self,
        models: ModelLoader,
        queue: PredictionQueue,
        propagator: Propagator,
        executor: Executor,
    ) -> None:
        self.canvas: Canvas | None = None
        self._models, self._queue, self._propagator = models, queue, propagator
        self._executor = executor
        self._wishes: deque[Wish] = deque()
        self._shown: Wish | None = None
        self._working = self._propagating = False
        models.loaded.connect(self.renew)
        models.exchanged.connect(self.renew)
        queue.rested.connect(self._pump)
        queue.answered.connect(self._on_answer)
        propagator.changed.connect(self._on_propagation)

    def follow(self, canvas: Canvas | None) -> None:
        """Encode what another canvas shows from now on; None for nothing."""
        if self.canvas is not None:
            self.canvas.session.options_changed.disconnect(self.update)
        self.canvas = canvas
        if canvas is not None:
            canvas.session.options_changed.connect(self.update)
        self.renew()

    def renew(self) -> None:
        """Begin again, because the pixels or the model have changed."""
        self._shown = None
        self.update()

    def update(self) -> None:
        """Follow the display; nothing happens if it shows what it showed before."""
        shown = self._look()
        if shown is None:
            self._wishes.clear()
            self._shown = None
        elif self._shown is None or not _same(shown, self._shown):
            self._wishes = deque([shown, *self._neighbours(shown)])
            self._shown = shown
        self._pump()

    def _look(self) -> Wish | None:
        """Take a snapshot of what is shown; None where there is nothing to encode."""
        canvas, engine = self.canvas, self._models.engine
        if canvas is None or engine is None or not engine.predictor.encodes_once:
            return None
        try:
            plane = canvas.current_plane()
            seen = canvas.viewport(plane)
            return Wish(canvas.view(), plane, canvas.spacing(plane), seen)
        except ValueError:  # no slice is shown, or the layer is on its way out
            return None

    def _neighbours(self, shown: Wish) -> list[Wish]:
        canvas = self.canvas
        assert canvas is not None
        here, shape = canvas.session.object_slice(shown.plane), canvas.labels.shape
        stack = ObjectStack.containing(here, canvas.options.channel_axis)
        height, width = shown.plane.size(shape)
        if stack is None or height * width > LARGEST_NEIGHBOUR_PX:
            return []
        start = shown.plane.index[stack.axis]
        places = (start + step for step in STEPS)
        return [
            shown._replace(plane=stack.object_slice(place).plane, what="neighbour")
            for place in places
            if 0 <= place < shape[stack.axis]
        ]

    def _pump(self) -> None:
        """Start on the first wish, if nothing else goes on."""
        engine = self._models.engine
        if self._working or not self._wishes or engine is None or self._gives_way():
            return
        self._working = True
        wish = self._wishes[0]
        self._executor.start(
            partial(self._encode, engine, wish),
            partial(self._on_done, wish),
            partial(self._on_error, wish),
        )

    def _gives_way(self) -> bool:
        """Whether someone waits for an answer; asked from any thread."""
        return self._queue.working or self._propagator.run is not None

    def _encode(self, engine: PredictionEngine, wish: Wish) -> int | None:
        """Encode, in a worker; None if someone who waits has to go first.

        Returns
        -------
        int or None
            How many such crops can be remembered.
        """
        from napari_simpleclick.inference import ObjectState

        if wish.what != "neighbour":
            with engine.lock:
                if self._gives_way():
                    return None
                engine.show(wish.plane, wish.view, wish.spacing)
                engine.encode(wish.viewport, wish.after)
                return engine.predictor.encoder.capacity
        beside = engine.predictor.beside()
        picture, window = wish.view.read(wish.plane), wish.view.window()
        beside.set_image(picture, window, wish.spacing)
        with engine.lock:
            if self._gives_way():
                return None
            beside.encode(state=ObjectState(viewport=wish.viewport))
            return beside.encoder.capacity

    def _on_done(self, wish: Wish, capacity: int | None) -> None:
        self._working = False
        if capacity is not None:
            self._drop(wish)
            if wish is self._shown:
                self._keep_within(capacity - 1)
            self.encoded.emit(wish)
        self._pump()

    def _on_error(self, wish: Wish, error: Exception) -> None:
        """Go on with the next; a click there will tell the person what is wrong."""
        self._working = False
        self._drop(wish)
        self._pump()

    def _drop(self, wish: Wish) -> None:
        self._wishes = deque(one for one in self._wishes if one is not wish)

    def _keep_within(self, room: int) -> None:
        """Wish for no more neighbours than fit beside the shown slice."""
        while len(self._wishes) > max(0, room):
            self._wishes.pop()

    def _on_answer(self, answer: Answer) -> None:
        """Encode what the next click looks at, if it is on the new mask."""
        shown, where = self._shown, answer.request.object_slice
        if shown is not None and where.plane == shown.plane and answer.settings:
            self._wishes.appendleft(shown._replace(what="next", after=where))

    def _on_propagation(self) -> None:
        """Come back to the shown slice, as others have been looked at since."""
        before, self._propagating = self._propagating, self._propagator.run is not None
        if before and not self._propagating:
            self.renew()


def _same(one: Wish, other: Wish) -> bool:
    """Whether two snapshots are of the same pixels."""
    places = [(wish.plane, wish.spacing, wish.viewport) for wish in (one, other)]
    return (
        one.view.source is other.view.source
        and one.view.look == other.view.look
        and places[0] == places[1]
    )
