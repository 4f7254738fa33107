"""From a click in the viewer to pixels in the mask, and back again."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from psygnal import Signal

from napari_simpleclick.annotate import Stack
from napari_simpleclick.plugin import keys
from napari_simpleclick.plugin.answers import Answers
from napari_simpleclick.plugin.keys import Action
from napari_simpleclick.plugin.layers import KEY, Bench
from napari_simpleclick.plugin.models import Models
from napari_simpleclick.plugin.mouse import Mouse
from napari_simpleclick.plugin.points import take_over
from napari_simpleclick.plugin.saving import Saving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_simpleclick.answer import Engine
    from napari_simpleclick.plugin.kept import Restored


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
    """A :class:`Spot` has a new :class:`Step`; its answer is still to come."""

    asked = Signal(object)
    """An :class:`Action` of propagation was asked for."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.bench: Bench | None = None
        self.models = Models()
        self.answers = Answers(self.models)
        self.saving = Saving()
        self.positive = True
        self.closed = self._entering = False
        self._benches: WeakSet[Bench] = WeakSet()
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
    def engine(self) -> Engine | None:
        """What answers clicks; None until a model is loaded."""
        return self.models.engine

    # -- what the panel and the keys ask for -------------------------------------

    def use_image(self, image: Image | None) -> None:
        """Click on this image from now on; None for no image."""
        same = self.bench is not None and image is self.bench.image
        if same or self._entering or self.closed:
            return
        self._leave_bench()
        if image is None:
            return
        if image.ndim < 2:
            self.complain(f"'{image.name}' is not an image with two axes to show.")
            return
        self._entering = True
        try:
            self._enter_bench(self._old_bench(image) or Bench(self.viewer, image))
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
        elif self.bench is not None and action in keys.HISTORY:
            self.bench.act(action)
            self.status.emit(f"{action.value}: done")
        elif action is Action.NEW_OBJECT:
            self.new_object()
        else:
            self.asked.emit(action)

    def clear(self) -> None:
        """Remove the current object's clicks and mask on the displayed slice."""
        if self.bench is None:
            return
        try:
            spot = self.bench.session.spot(self.bench.current_plane())
        except ValueError as error:
            self.complain(str(error))
            return
        self.bench.session.clear(spot)
        self.answers.predict()

    def new_object(self) -> None:
        """Go on with the next free label."""
        if self.bench is None:
            return
        self.bench.mask.selected_label = self.bench.session.free_label()

    def choose(self, label: int) -> None:
        """Go on with an object."""
        if self.bench is not None:
            self.bench.mask.selected_label = label

    def show_object(self, label: int) -> None:
        """Go on with an object, on the slice where it is largest."""
        bench = self.bench
        if bench is None:
            return
        self.choose(label)
        try:
            stack = Stack.through(
                bench.session.spot(bench.current_plane()), bench.options.channel_axis
            )
        except ValueError as error:
            self.complain(str(error))
            return
        if stack is not None and (areas := bench.areas(stack)).any():
            bench.go_to(stack.spot(int(areas.argmax())).plane, stack.axis)

    def delete_object(self, label: int) -> None:
        """Delete an object; requests that still wait are withdrawn."""
        if self.bench is not None:
            self.bench.session.withdraw(label)
            self.bench.delete(label)
            self.status.emit("Deleted; Undo brings it back")

    def pick(self, position: tuple[float, ...]) -> None:
        """Go on with the object at a position in world coordinates, if there is one."""
        bench = self.bench
        if bench is None:
            return
        place = tuple(round(value) for value in bench.place(position))
        shape = bench.mask.data.shape
        if all(0 <= at < side for at, side in zip(place, shape, strict=True)):
            label = int(bench.mask.data[place])
            if label:
                self.choose(label)

    def click(self, position: tuple[float, ...], positive: bool) -> None:
        """Click at a position in world coordinates."""
        if self.bench is None:
            self.complain("Choose an image to click on first.")
            return
        self.bench.points[positive].add([self.bench.place(position)])

    def abandon(self) -> None:
        """Stop because the window is gone; its layers must not be touched any more."""
        if self.closed:
            return  # the panel alone was closed before, and another may be at work
        self.closed = True
        self.models.close()
        self.bench = self.answers.bench = None
        for bench in self._benches:
            bench.recorder.close()

    def close(self) -> None:
        """Let go of the viewer; answers that are still to come are dropped."""
        if self.closed:
            return
        self.closed = True
        self._leave_bench()
        self.models.close()
        self.viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self.mouse.close()

    # -- the bench -----------------------------------------------------------------

    def _old_bench(self, image: Image) -> Bench | None:
        """Find the bench of an image that was clicked on before."""
        for layer in self.viewer.layers:
            bench = layer.metadata.get(KEY)
            if (
                isinstance(bench, Bench)
                and bench.image is image
                and bench.is_whole()
                and bench.fits()
            ):
                return bench
        return None

    def _enter_bench(self, bench: Bench) -> None:
        self.bench = self.answers.bench = bench
        self._benches.add(bench)
        for layer in bench.points.values():
            layer.events.data.connect(self._on_points)
        bench.mask.events.selected_label.connect(self._on_label)
        bench.image.events.data.connect(self._on_image_data)
        bench.mask.selected_label = bench.session.label
        keys.bind(bench.layers, self.act)
        keys.bind((self.viewer,), self.act, keys.HISTORY)  # for all other layers
        self.viewer.layers.selection.active = bench.points[True]
        self._take_over_points(bench)
        self.saving.follow(bench)
        self.changed.emit()

    def _leave_bench(self) -> None:
        bench, self.bench, self.answers.bench = self.bench, None, None
        if bench is None:
            return
        for layer in bench.points.values():
            layer.events.data.disconnect(self._on_points)
        bench.mask.events.selected_label.disconnect(self._on_label)
        bench.image.events.data.disconnect(self._on_image_data)
        if bench.is_whole():
            bench.session.withdraw()
        self.saving.follow(None)
        keys.unbind((*bench.layers, self.viewer))
        keys.bind(bench.layers[1:], bench.act, keys.HISTORY)
        self.changed.emit()

    def _on_layer_removed(self, event: Any) -> None:
        if self.bench is not None and event.value in self.bench.layers:
            self._leave_bench()
            self.status.emit("")
        for bench in self._benches:
            if event.value in bench.layers:
                bench.recorder.close()

    def _on_image_data(self) -> None:
        if self.engine is not None:
            self.engine.forget()
        bench = self.bench
        if bench is not None and not bench.fits():
            self._leave_bench()
            self.complain(
                f"'{bench.image.name}' has another shape now; start on it again for a "
                "new mask."
            )

    def _on_label(self) -> None:
        if self.bench is not None and self.bench.mask.selected_label > 0:
            self.bench.show_colours()
            self.bench.session.choose(int(self.bench.mask.selected_label))
            self.changed.emit()

    def restore(self, path: Path) -> None:
        """Go on with a session of the image, in place of the present one."""
        if self.bench is None:
            self.complain("Open the image of the session first.")
        else:
            self.saving.restore(path, self.bench.image)

    def _on_restored(self, image: Image, restored: Restored) -> None:
        """Replace the bench by one with the session that was read."""
        if self.closed or self.bench is None or self.bench.image is not image:
            restored.recorder.close()
            return
        try:
            self.replace_bench(lambda: Bench(self.viewer, image, restored=restored))
        except MemoryError as error:
            restored.recorder.close()
            self.complain("There is not enough memory for the session's mask.", error)
        self.answers.pump()

    def replace_bench(self, make: Callable[[], Bench]) -> None:
        """Put another bench of the same image in the place of the present one."""
        old = self.bench
        assert old is not None
        self._leave_bench()
        self._entering = True
        try:
            for layer in old.layers[1:]:
                self.viewer.layers.remove(layer)
            old.recorder.close()
            self._enter_bench(make())
        finally:
            self._entering = False

    # -- clicks --------------------------------------------------------------------

    def _wants_clicks(self) -> bool:
        return self.bench is not None

    def _on_click(self, position: tuple[float, ...], other: bool) -> None:
        self.click(position, self.positive != other)

    def _on_points(self, event: Any) -> None:
        bench = self.bench
        if bench is None or bench.quiet:
            return
        if str(event.action) in ("added", "removed", "changed"):
            self._take_over_points(bench)

    def _take_over_points(self, bench: Bench) -> None:
        """Make the session's clicks those of the Points layers."""
        try:
            for spot, step in take_over(bench):
                self.clicked.emit(spot, step)
        except ValueError as error:
            bench.show_steps()
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
