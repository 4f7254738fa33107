"""What happens when someone acts on an image: the parts, joined."""

from __future__ import annotations

import traceback
from enum import Enum
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_simpleclick.annotation import ObjectStack
from napari_simpleclick.errors import UserError
from napari_simpleclick.workflow.autosave import Autosave
from napari_simpleclick.workflow.case_reporter import CaseReporter
from napari_simpleclick.workflow.encode_ahead import EncodeAhead
from napari_simpleclick.workflow.explain import explain
from napari_simpleclick.workflow.mask_array import free_label
from napari_simpleclick.workflow.mask_choice import MaskChoice
from napari_simpleclick.workflow.measures import Measures
from napari_simpleclick.workflow.model_loader import ModelLoader
from napari_simpleclick.workflow.object_actions import ObjectActions
from napari_simpleclick.workflow.object_list import ObjectList
from napari_simpleclick.workflow.object_sizes import ObjectSizes
from napari_simpleclick.workflow.placing import (
    add_prompt,
    fresh_places,
    take_over,
)
from napari_simpleclick.workflow.prediction_queue import PredictionQueue
from napari_simpleclick.workflow.propagator import Propagator
from napari_simpleclick.workflow.retouch import Retouch
from napari_simpleclick.workflow.review import Review
from napari_simpleclick.workflow.shown_diameters import ShownDiameters
from napari_simpleclick.workflow.similar import Similar
from napari_simpleclick.workflow.surfaces import SurfaceMaker
from napari_simpleclick.workflow.teaching import Teaching
from napari_simpleclick.workflow.volume_encoder import VolumeEncoder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_simpleclick.images import Plane
    from napari_simpleclick.prompts import Click
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.engine import PredictionEngine
    from napari_simpleclick.workflow.executor import Executor
    from napari_simpleclick.workflow.model_loader import ModelChoice


STILL_REMOVING = "Clicks still remove from the object; + Add lets them add again."


class Tool(Enum):
    """What a drag on the image draws; a click stays a click."""

    CLICK = "nothing"
    BOX = "a box"
    SCRIBBLE = "a scribble"
    LASSO = "a lasso"


class Workflow:
    """Joins the session of an image, the model, and who does the work.

    Parameters
    ----------
    executor : Executor
        Does what takes time.

    Attributes
    ----------
    canvas : Canvas or None
        The image that is worked on.
    positive : bool
        Whether a click with the left button adds to the object.
    tool : Tool
        What a drag draws.
    only_clicks : bool
        Whether nothing can be drawn, as in a study.
    models, queue, autosave, propagator, review, retouch, similar, encode_ahead,
    encode_all, teaching, object_actions, object_list, masks, measures,
    surfaces, diameters, reporter
        The parts.
    """

    status = Signal(str)
    """What is going on, in a few words."""

    trouble = Signal(str, str)
    """A sentence for the person, and the details behind it."""

    began = Signal()
    """The person goes on with something else; what was in the way before is over."""

    changed = Signal()
    """Image, sign, object or model have changed."""

    prompted = Signal(object, object)
    """An :class:`ObjectSlice` has a new :class:`PlacedPrompt`, not answered yet."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.canvas: Canvas | None = None
        self.positive = True
        self.tool = Tool.CLICK
        self.only_clicks = False
        self.closed = False
        self.models = ModelLoader(executor)
        self.queue = PredictionQueue(self.models, executor)
        self.autosave = Autosave(executor)
        self.propagator = Propagator(self.models, self.queue, executor)
        self.review = Review(self.propagator)
        self.retouch = Retouch(self.queue)
        self.object_actions = ObjectActions(self.queue, self.attempt)
        self.object_list = ObjectList(self.queue)
        self.masks = MaskChoice(self.queue, executor)
        self.similar = Similar(self.models, self.queue, executor)
        self.encode_ahead = EncodeAhead(
            self.models, self.queue, self.propagator, executor
        )
        self.encode_all = VolumeEncoder(self.models, executor)
        self.teaching = Teaching(self.models, executor)
        self.measures = Measures(executor)
        self.surfaces = SurfaceMaker(self.measures, executor)
        self.diameters = ShownDiameters(executor)
        self.reporter = CaseReporter(self.measures, self.models, executor)
        self.autosave.restored.connect(self.teaching.on_restored)
        self._sizes = ObjectSizes(self.queue)
        self._followers = (
            self.queue,
            self._sizes,
            self.autosave,
            self.propagator,
            self.encode_ahead,
            self.encode_all,
            self.similar,
            self.teaching,
            self.measures,
            self.diameters,
        )
        self.models.loading.connect(self._on_loading)
        self.models.loaded.connect(self._on_model)
        self.models.exchanged.connect(self._on_model)
        self.models.failed.connect(self._on_model_error)
        complaining = (self.queue, self.autosave, self.propagator, self.similar)
        makers = (self.surfaces, self.reporter)
        for part in (*complaining, self.encode_all, self.teaching, self.masks, *makers):
            part.failed.connect(self.complain)
        lists = (self.object_actions, self.object_list)
        for teller in (
            self.propagator,
            self.review,
            self.similar,
            self.masks,
            *makers,
            *lists,
        ):
            teller.status.connect(self.status.emit)
        self.object_actions.changed.connect(self.propagator.look_again)
        self.masks.taken.connect(self.propagator.look_again)
        self.propagator.began.connect(self.began.emit)
        self.similar.began.connect(self.began.emit)

    @property
    def engine(self) -> PredictionEngine | None:
        """What answers clicks; None until a model is loaded."""
        return self.models.engine

    # -- the image -----------------------------------------------------------------

    def enter(self, canvas: Canvas) -> None:
        """Work on an image from now on."""
        self.canvas = canvas
        canvas.session.happened.connect(self._on_event)
        for part in self._followers:
            part.follow(canvas)
        self.take_over_points()
        self.changed.emit()

    def leave(self) -> None:
        """Work on no image any more; answers that are still to come are dropped."""
        canvas, self.canvas = self.canvas, None
        if canvas is None:
            return
        canvas.session.happened.disconnect(self._on_event)
        for part in self._followers:
            part.follow(None)
        self.changed.emit()

    def restore(self, path: Path) -> None:
        """Go on with a session of the image, in place of the present one."""
        self.attempt(lambda: self.autosave.restore(path))

    def save_copy(self, path: Path) -> None:
        """Write the session to a file that can be taken elsewhere."""
        self.attempt(lambda: self.autosave.save_copy(path))

    def close(self) -> None:
        """Do nothing any more, and let go of the model."""
        self.closed = True
        self.teaching.close()
        self.models.close()

    # -- prompts -------------------------------------------------------------------

    def use_tool(self, tool: Tool) -> None:
        """Let a drag draw something, or move the view again; the same tool ends it."""
        if self.only_clicks and tool is not Tool.CLICK:
            self.complain(UserError("Here clicks are counted; nothing is drawn."))
            return
        self.tool = Tool.CLICK if tool is self.tool else tool
        self.changed.emit()

    def use_sign(self, positive: bool) -> None:
        """Let the left button make positive or negative clicks."""
        self.positive = positive
        self.changed.emit()

    def click(self, plane: Plane, click: Click) -> None:
        """Click on the current object; what is asked is drawn while it is answered."""
        canvas = self.canvas
        if canvas is None:
            return
        try:
            self.similar.take_under(plane, click.row, click.column)
            object_slice, step = add_prompt(canvas, self._sizes, plane, click)
        except UserError as error:
            self.complain(error)
            return
        self.prompted.emit(object_slice, step)
        self.queue.pump()
        canvas.show_click(object_slice, step)

    def take_over_points(self, only_added: bool = False) -> None:
        """Make the session's prompts those of the points and shapes that are shown.

        Parameters
        ----------
        only_added : bool
            Whether all that has happened is that points were added.
        """
        canvas = self.canvas
        if canvas is None:
            return
        try:
            for plane, row, column in fresh_places(canvas):
                self.similar.take_under(plane, row, column)
            for object_slice, step in take_over(canvas, self._sizes, only_added):
                self.prompted.emit(object_slice, step)
        except UserError as error:
            canvas.show_steps()
            self.complain(error)
        self.queue.pump()

    def predict(self) -> None:
        """Predict the clicks that wait."""
        self.queue.predict()

    def clear(self) -> None:
        """Remove the current object's clicks and mask on the displayed slice."""
        self.attempt(self._clear)

    def _clear(self) -> None:
        if self.canvas is not None:
            session = self.canvas.session
            session.requests.clear(session.object_slice(self.canvas.current_plane()))
            self.queue.predict()

    def undo(self) -> None:
        """Take back the last thing that was done."""
        if self.canvas is not None:
            edit = self.canvas.session.undo()
            self.status.emit("Undo: done" if edit is None else f"Undone: {edit.name}")

    def redo(self) -> None:
        """Do again what was taken back last."""
        if self.canvas is not None:
            edit = self.canvas.session.redo()
            self.status.emit("Redo: done" if edit is None else f"Redone: {edit.name}")

    # -- objects -------------------------------------------------------------------

    def new_object(self) -> None:
        """Go on with the next free label."""
        if self.canvas is not None:
            try:
                self.canvas.choose(free_label(self.canvas.session.objects))
            except UserError as error:
                self.complain(error)

    def choose(self, label: int) -> None:
        """Go on with an object."""
        if self.canvas is not None:
            self.canvas.choose(label)

    def show_object(self, label: int) -> None:
        """Go on with an object, on the slice where it is largest."""
        self.choose(label)
        self.attempt(self._show_largest)

    def _show_largest(self) -> None:
        canvas = self.canvas
        if canvas is None:
            return
        here = canvas.session.object_slice(canvas.current_plane())
        stack = ObjectStack.containing(here, canvas.options.channel_axis)
        if stack is not None and (areas := canvas.areas(stack)).any():
            canvas.go_to(stack.object_slice(int(areas.argmax())).plane, stack.axis)

    def delete_object(self, label: int) -> None:
        """Delete an object; requests that still wait are withdrawn."""
        self.object_actions.delete((label,))

    def isolate(self) -> None:
        """Show the current object alone, or all again."""
        if self.canvas is not None:
            self.object_list.isolate([self.canvas.session.label])

    def pick(self, position: tuple[float, ...]) -> None:
        """Go on with the object seen at a position in image coordinates, if any is."""
        if self.canvas is None:
            return
        labels, place = self.canvas.labels, tuple(round(value) for value in position)
        if all(0 <= at < side for at, side in zip(place, labels.shape, strict=True)):
            label = int(labels[place])
            if label and not self.canvas.session.objects.style(label).hidden:
                self.choose(label)

    def meet(self, position: tuple[float, ...]) -> None:
        """Go on with what is there, where a new object would begin on it.

        That is an object which nobody has clicked on, as in a mask from elsewhere. It
        would keep its pixels, so that the click would have no effect.
        """
        if self.canvas is None or self.canvas.options.overwrite:
            return
        session, before = self.canvas.session, self.canvas.session.label
        if session.objects.exists(before):
            return
        self.pick(position)
        if session.label != before and session.objects.is_prompted(session.label):
            self.choose(before)

    # -- slices --------------------------------------------------------------------

    def propagate(self, down: bool = True, up: bool = True) -> None:
        """Carry the object's mask to the next slices, each way."""
        self.propagator.propagate(down, up)

    def check_next(self) -> None:
        """Show the propagated slice whose correction is likely to mend most."""
        self.attempt(self.review.go_on)

    def accept(self) -> None:
        """Take the displayed slice for annotated as it is."""
        self.attempt(self.review.accept)
        if not self.positive:
            self.queue.advised.emit(STILL_REMOVING)

    def end_here(self) -> None:
        """Say that the object is neither on the displayed slice nor beyond."""
        self.attempt(self.review.end_here)

    # -- models --------------------------------------------------------------------

    def use_model(self, name: str) -> None:
        """Load a model in the background, by catalogue name or path."""
        self.choose_model(self.models.choice._replace(model=name))

    def choose_model(self, choice: ModelChoice) -> None:
        """Load a model onto a device in the background, for the person wants it."""
        self.began.emit()
        self.models.choose(choice)

    def _on_loading(self) -> None:
        self.status.emit("Loading the model…")

    def _on_model(self) -> None:
        if self.engine is not None:
            card = self.engine.card
            self.status.emit(f"Ready: {card.title or card.name}")
        self.changed.emit()
        self.queue.pump()

    def _on_model_error(self, error: Exception) -> None:
        name = self.models.name
        self.status.emit(f"Still with {name}" if self.engine else "No model")
        self.complain(error)
        self.changed.emit()

    # -- trouble -------------------------------------------------------------------

    def attempt(self, act: Callable[[], None]) -> None:
        """Do something, and tell the person why if it cannot be done."""
        self.began.emit()
        try:
            act()
        except Exception as error:
            self.complain(error)

    def complain(self, error: Exception) -> None:
        """Tell the person what went wrong; what is no one's mistake is a bug.

        See :func:`.explain.explain`.
        """
        if self.closed:
            return
        sentence = explain(error)
        plain = isinstance(error, UserError) and error.__cause__ is None
        details = sentence if plain else "".join(traceback.format_exception(error))
        self.trouble.emit(sentence, details)

    def _on_event(self, kind: str) -> None:
        if kind == "chosen":
            self.changed.emit()
