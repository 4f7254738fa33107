"""From a click in the viewer to pixels in the mask, and back again."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from psygnal import Signal

from napari_simpleclick.annotation import ObjectStack
from napari_simpleclick.errors import UserError
from napari_simpleclick.plugin import keys
from napari_simpleclick.plugin.autosave import Autosave
from napari_simpleclick.plugin.keys import Action
from napari_simpleclick.plugin.layers.canvas import KEY, LayerCanvas
from napari_simpleclick.plugin.layers.mouse import Mouse
from napari_simpleclick.plugin.layers.points import take_over
from napari_simpleclick.plugin.model_loader import ModelLoader
from napari_simpleclick.plugin.prediction_queue import PredictionQueue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_simpleclick.plugin.layers.session_mask import RestoredSession
    from napari_simpleclick.workflow import PredictionEngine


HELD = "Predict what was clicked with {}."


class Controller:
    """Joins a viewer, the session of its image and the model.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer.
    """

    status = Signal(str)
    """What is going on, in a few words."""

    trouble = Signal(str, str)
    """A sentence for the person, and the details behind it."""

    changed = Signal()
    """Sign, object or model have changed."""

    clicked = Signal(object, object)
    """An :class:`ObjectSlice` has a new :class:`PlacedPrompt`, not answered yet."""

    asked = Signal(object)
    """An :class:`Action` of propagation was asked for."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.canvas: LayerCanvas | None = None
        self.models = ModelLoader()
        self.answers = PredictionQueue(self.models)
        self.saving = Autosave()
        self.positive = True
        self.closed = self._entering = False
        self._canvases: WeakSet[LayerCanvas] = WeakSet()
        self.mouse = Mouse(viewer, self._wants_clicks, self._on_click, self.pick)
        viewer.layers.events.removed.connect(self._on_layer_removed)
        self.models.loading.connect(lambda: self.status.emit("Loading the model…"))
        self.models.loaded.connect(self._on_model)
        self.models.failed.connect(self._on_model_error)
        for part in (self.answers, self.saving):
            part.failed.connect(self.complain)
        self.saving.restored.connect(self._on_restored)
        self.answers.held.connect(
            lambda: self.status.emit(HELD.format(keys.TABLE.text(Action.PREDICT)))
        )

    @property
    def engine(self) -> PredictionEngine | None:
        """What answers clicks; None until a model is loaded."""
        return self.models.engine

    # -- what the panel and the keys ask for -------------------------------------

    def use_image(self, image: Image | None) -> None:
        """Click on this image from now on; None for no image."""
        same = self.canvas is not None and image is self.canvas.image
        if same or self._entering or self.closed:
            return
        self._leave_canvas()
        if image is None:
            return
        if image.ndim < 2:
            self.complain(f"'{image.name}' is not an image with two axes to show.")
            return
        self._entering = True
        try:
            self._enter_canvas(
                self._old_canvas(image) or LayerCanvas(self.viewer, image)
            )
        except MemoryError:
            self.complain(
                f"There is not enough memory for a mask of '{image.name}'; crop it "
                "first."
            )
        finally:
            self._entering = False

    def use_model(self, name: str) -> None:
        """Load a model, by catalogue name or path, in the background."""
        self.models.use(name)

    def use_sign(self, positive: bool) -> None:
        """Let the left button make positive or negative clicks."""
        self.positive = positive
        self.changed.emit()

    def act(self, action: Action) -> None:
        """Do what a key stands for."""
        if action is Action.POSITIVE:
            self.use_sign(True)
        elif action is Action.NEGATIVE:
            self.use_sign(False)
        elif self.canvas is not None and action in keys.HISTORY:
            self.canvas.act(action)
            self.status.emit(f"{action.value}: done")
        elif action is Action.NEW_OBJECT:
            self.new_object()
        else:
            self.asked.emit(action)

    def clear(self) -> None:
        """Remove the current object's clicks and mask on the displayed slice."""
        if self.canvas is None:
            return
        try:
            object_slice = self.canvas.session.object_slice(self.canvas.current_plane())
        except UserError as error:
            self.complain(str(error))
            return
        self.canvas.session.requests.clear(object_slice)
        self.answers.predict()

    def new_object(self) -> None:
        """Go on with the next free label."""
        if self.canvas is None:
            return
        self.canvas.mask.selected_label = self.canvas.session.objects.free_label()

    def choose(self, label: int) -> None:
        """Go on with an object."""
        if self.canvas is not None:
            self.canvas.mask.selected_label = label

    def show_object(self, label: int) -> None:
        """Go on with an object, on the slice where it is largest."""
        canvas = self.canvas
        if canvas is None:
            return
        self.choose(label)
        try:
            stack = ObjectStack.containing(
                canvas.session.object_slice(canvas.current_plane()),
                canvas.options.channel_axis,
            )
        except UserError as error:
            self.complain(str(error))
            return
        if stack is not None and (areas := canvas.areas(stack)).any():
            canvas.go_to(stack.object_slice(int(areas.argmax())).plane, stack.axis)

    def delete_object(self, label: int) -> None:
        """Delete an object; requests that still wait are withdrawn."""
        if self.canvas is not None:
            self.canvas.session.requests.withdraw(label)
            self.canvas.delete(label)
            self.status.emit("Deleted; Undo brings it back")

    def pick(self, position: tuple[float, ...]) -> None:
        """Go on with the object at a position in world coordinates, if there is one."""
        canvas = self.canvas
        if canvas is None:
            return
        place = tuple(round(value) for value in canvas.place(position))
        shape = canvas.mask.data.shape
        if all(0 <= at < side for at, side in zip(place, shape, strict=True)):
            label = int(canvas.mask.data[place])
            if label:
                self.choose(label)

    def click(self, position: tuple[float, ...], positive: bool) -> None:
        """Click at a position in world coordinates."""
        if self.canvas is None:
            self.complain("Choose an image to click on first.")
            return
        self.canvas.points[positive].add([self.canvas.place(position)])

    def abandon(self) -> None:
        """Stop because the window is gone; its layers must not be touched any more."""
        if self.closed:
            return  # the panel alone was closed before, and another may be at work
        self.closed = True
        self.models.close()
        self.canvas = self.answers.canvas = None
        for canvas in self._canvases:
            canvas.recorder.close()

    def close(self) -> None:
        """Let go of the viewer; answers that are still to come are dropped."""
        if self.closed:
            return
        self.closed = True
        self._leave_canvas()
        self.models.close()
        self.viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self.mouse.close()

    # -- the bench -----------------------------------------------------------------

    def _old_canvas(self, image: Image) -> LayerCanvas | None:
        """Find the canvas of an image that was clicked on before."""
        for layer in self.viewer.layers:
            canvas = layer.metadata.get(KEY)
            if (
                isinstance(canvas, LayerCanvas)
                and canvas.image is image
                and canvas.is_whole()
                and canvas.fits()
            ):
                return canvas
        return None

    def _enter_canvas(self, canvas: LayerCanvas) -> None:
        self.canvas = self.answers.canvas = canvas
        self._canvases.add(canvas)
        for layer in canvas.points.values():
            layer.events.data.connect(self._on_points)
        canvas.mask.events.selected_label.connect(self._on_label)
        canvas.image.events.data.connect(self._on_image_data)
        canvas.mask.selected_label = canvas.session.label
        keys.bind(canvas.layers, self.act)
        keys.bind((self.viewer,), self.act, keys.HISTORY)  # for all other layers
        self.viewer.layers.selection.active = canvas.points[True]
        self._take_over_points(canvas)
        self.saving.follow(canvas)
        self.changed.emit()

    def _leave_canvas(self) -> None:
        canvas, self.canvas, self.answers.canvas = self.canvas, None, None
        if canvas is None:
            return
        for layer in canvas.points.values():
            layer.events.data.disconnect(self._on_points)
        canvas.mask.events.selected_label.disconnect(self._on_label)
        canvas.image.events.data.disconnect(self._on_image_data)
        if canvas.is_whole():
            canvas.session.requests.withdraw()
        self.saving.follow(None)
        keys.unbind((*canvas.layers, self.viewer))
        keys.bind(canvas.layers[1:], canvas.act, keys.HISTORY)
        self.changed.emit()

    def _on_layer_removed(self, event: Any) -> None:
        if self.canvas is not None and event.value in self.canvas.layers:
            self._leave_canvas()
            self.status.emit("")
        for canvas in self._canvases:
            if event.value in canvas.layers:
                canvas.recorder.close()

    def _on_image_data(self) -> None:
        if self.engine is not None:
            self.engine.forget()
        canvas = self.canvas
        if canvas is not None and not canvas.fits():
            self._leave_canvas()
            self.complain(
                f"'{canvas.image.name}' has another shape now; start on it again for a "
                "new mask."
            )

    def _on_label(self) -> None:
        if self.canvas is not None and self.canvas.mask.selected_label > 0:
            self.canvas.show_colours()
            self.canvas.session.choose(int(self.canvas.mask.selected_label))
            self.changed.emit()

    def restore(self, path: Path) -> None:
        """Go on with a session of the image, in place of the present one."""
        if self.canvas is None:
            self.complain("Open the image of the session first.")
        else:
            self.saving.restore(path, self.canvas.image)

    def _on_restored(self, image: Image, restored: RestoredSession) -> None:
        """Replace the canvas by one with the session that was read."""
        if self.closed or self.canvas is None or self.canvas.image is not image:
            restored.recorder.close()
            return
        try:
            self.replace_canvas(
                lambda: LayerCanvas(self.viewer, image, restored=restored)
            )
        except MemoryError as error:
            restored.recorder.close()
            self.complain("There is not enough memory for the session's mask.", error)
        self.answers.pump()

    def replace_canvas(self, make: Callable[[], LayerCanvas]) -> None:
        """Put another canvas of the same image in the place of the present one."""
        old = self.canvas
        assert old is not None
        self._leave_canvas()
        self._entering = True
        try:
            for layer in old.layers[1:]:
                self.viewer.layers.remove(layer)
            old.recorder.close()
            self._enter_canvas(make())
        finally:
            self._entering = False

    # -- clicks --------------------------------------------------------------------

    def _wants_clicks(self) -> bool:
        return self.canvas is not None

    def _on_click(self, position: tuple[float, ...], other: bool) -> None:
        self.click(position, self.positive != other)

    def _on_points(self, event: Any) -> None:
        canvas = self.canvas
        if canvas is None or canvas.quiet:
            return
        if str(event.action) in ("added", "removed", "changed"):
            self._take_over_points(canvas)

    def _take_over_points(self, canvas: LayerCanvas) -> None:
        """Make the session's clicks those of the Points layers."""
        try:
            for object_slice, step in take_over(canvas):
                self.clicked.emit(object_slice, step)
        except UserError as error:
            canvas.show_steps()
            self.complain(str(error))
        self.answers.pump()

    # -- models --------------------------------------------------------------------

    def _on_model(self) -> None:
        if self.engine is not None:
            self.status.emit(f"Ready: {self.engine.card.name}")
        self.changed.emit()
        self.answers.pump()

    def _on_model_error(self, error: Exception) -> None:
        name = self.models.name
        self.status.emit(f"Still with {name}" if self.engine else "No model")
        self.complain(str(error), error)
        self.changed.emit()

    def complain(self, sentence: str, error: Exception | None = None) -> None:
        """Tell the person what went wrong."""
        if self.closed:
            return
        details = "".join(traceback.format_exception(error)) if error else sentence
        self.trouble.emit(sentence, details)
