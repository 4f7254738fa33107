"""A viewer's images, mouse and keys, joined to the workflow."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from napari.layers import Image
from qtpy.QtCore import QTimer

from napari_simpleclick.errors import UserError
from napari_simpleclick.plugin import keys
from napari_simpleclick.plugin.drawing import Drawing
from napari_simpleclick.plugin.keys import Action
from napari_simpleclick.plugin.layers.camera import camera_of, grid_of
from napari_simpleclick.plugin.layers.canvas import LayerCanvas
from napari_simpleclick.plugin.layers.cut_stroke import CutStroke
from napari_simpleclick.plugin.layers.masked_image import KEY
from napari_simpleclick.plugin.layers.mouse import Mouse
from napari_simpleclick.plugin.layers.placement import OURS
from napari_simpleclick.plugin.workers import make_executor
from napari_simpleclick.prompts import Click
from napari_simpleclick.workflow import Tool, Workflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

    from napari_simpleclick.workflow import Executor
    from napari_simpleclick.workflow.engine import PredictionEngine
    from napari_simpleclick.workflow.session_file import RestoredSession

STROKE = "Draw across the object, from beyond one edge to beyond the other; Esc stops."

SIDE_BY_SIDE = "Clicks do nothing while pictures lie side by side; turn the grid off."

HELD = "Predict what was clicked with {}."


class Controller:
    """Joins a viewer to the workflow on the image that is chosen in it.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer; it needs no window.
    executor : Executor, optional
        Does the work; by default in threads, or as the environment says.

    Attributes
    ----------
    workflow : Workflow
        What happens when someone acts.
    actions : dict
        What each action does that a key can stand for.
    canvas : LayerCanvas or None
        The layers that are worked on.
    """

    def __init__(self, viewer: ViewerModel, executor: Executor | None = None) -> None:
        self.viewer = viewer
        self.workflow = flow = Workflow(executor or make_executor())
        self.canvas: LayerCanvas | None = None
        self.actions: dict[Action, Callable[[], None]] = {
            Action.POSITIVE: lambda: flow.use_sign(True),
            Action.NEGATIVE: lambda: flow.use_sign(False),
            Action.UNDO: flow.undo,
            Action.REDO: flow.redo,
            Action.NEW_OBJECT: flow.new_object,
            Action.NEXT_OBJECT: lambda: flow.object_list.step(True),
            Action.PREVIOUS_OBJECT: lambda: flow.object_list.step(False),
            Action.ISOLATE: flow.isolate,
            Action.PROPAGATE: flow.propagate,
            Action.PREDICT: flow.predict,
            Action.CHECK: flow.check_next,
            Action.ACCEPT: flow.accept,
            Action.FIND: flow.similar.find,
            Action.NEXT: flow.similar.go_on,
            Action.PREVIOUS: lambda: flow.similar.go_on(-1),
            Action.ACCEPT_PROPOSAL: flow.similar.accept,
            Action.REJECT_PROPOSAL: flow.similar.reject,
            Action.BOX: lambda: flow.use_tool(Tool.BOX),
            Action.SCRIBBLE: lambda: flow.use_tool(Tool.SCRIBBLE),
            Action.LASSO: lambda: flow.use_tool(Tool.LASSO),
            Action.CANCEL: self.cancel,
        }
        self._entering = False
        self._cutting = 0, False
        self._canvases: WeakSet[LayerCanvas] = WeakSet()
        self.drawing = Drawing(flow, self._ready)
        self.mouse = Mouse(
            viewer, self._wants_clicks, self._on_click, self.pick, self.drawing
        )
        self.cut = CutStroke(viewer, self._on_cut)
        viewer.layers.events.removed.connect(self._on_layer_removed)
        for event in self._view_events():
            event.connect(self._on_view)
        grid_of(viewer).events.enabled.connect(self._on_grid)
        flow.autosave.restored.connect(self._on_restored)
        flow.queue.held.connect(self._on_held)

    @property
    def engine(self) -> PredictionEngine | None:
        """What answers clicks; None until a model is loaded."""
        return self.workflow.engine

    @property
    def closed(self) -> bool:
        """Whether the viewer was let go of."""
        return self.workflow.closed

    # -- what the panel, the mouse and the keys ask for --------------------------

    def act(self, action: Action) -> None:
        """Do what a key stands for."""
        self.actions[action]()

    def use_image(self, image: Image | None) -> None:
        """Click on this image from now on; None for no image."""
        same = self.canvas is not None and image is self.canvas.image
        if same or self._entering or self.closed:
            return
        left = self.canvas
        self._leave_canvas()
        if image is None:
            return
        self._entering = True
        try:
            self._enter_canvas(
                self._old_canvas(image) or LayerCanvas(self.viewer, image)
            )
            self._put_away(left)
        except MemoryError:
            self._complain(
                f"There is not enough memory for a mask of '{image.name}'; crop it "
                "first."
            )
        finally:
            self._entering = False

    def image_of(self, layer: Any) -> Image | None:
        """Find the image that a layer is, or that its clicks or its mask belong to."""
        if isinstance(layer, Image):
            return layer if OURS not in layer.metadata else None
        for canvas in self._canvases:
            if layer in canvas.layers and canvas.image in self.viewer.layers:
                return canvas.image
        return None

    def pick(self, position: tuple[float, ...]) -> None:
        """Go on with the object at a position in world coordinates, if there is one."""
        if self.canvas is not None:
            self.workflow.pick(self.canvas.place(position))

    def click(self, position: tuple[float, ...], positive: bool) -> None:
        """Click at a position in world coordinates."""
        try:
            canvas = self._ready()
        except UserError as error:
            self.workflow.complain(error)
        else:
            self.workflow.attempt(partial(self._click, canvas, position, positive))

    def _click(
        self, canvas: LayerCanvas, position: tuple[float, ...], positive: bool
    ) -> None:
        place = canvas.place(position)
        self.workflow.meet(place)
        plane = canvas.plane(place)
        self.workflow.click(plane, Click(*plane.point(place), positive))

    def cancel(self) -> None:
        """Forget what is being drawn; or draw no more, but click."""
        self.cut.stop()
        if not self.drawing.cancel():
            self.workflow.use_tool(Tool.CLICK)

    def _ready(self) -> LayerCanvas:
        """Give the canvas, if it is one that can be clicked on now."""
        if self.canvas is None:
            raise UserError("Choose an image to click on first.")
        hidden = [one for one in self.canvas.layers[:2] if not one.visible]
        if hidden:
            raise UserError(
                f"'{hidden[0].name}' is hidden, so it is not clicked on; show it with "
                "the eye in the layer list, or choose another image."
            )
        return self.canvas

    def abandon(self) -> None:
        """Stop because the window is gone; its layers must not be touched any more."""
        if self.closed:
            return  # the panel alone was closed before, and another may be at work
        self.workflow.close()
        self.canvas = None
        self.workflow.leave()
        for canvas in self._canvases:
            canvas.recorder.close()

    def close(self) -> None:
        """Let go of the viewer; answers that are still to come are dropped."""
        if self.closed:
            return
        self.workflow.close()
        self._leave_canvas()
        self.viewer.layers.events.removed.disconnect(self._on_layer_removed)
        grid_of(self.viewer).events.enabled.disconnect(self._on_grid)
        for event in self._view_events():
            event.disconnect(self._on_view)
        self.mouse.close()

    # -- the canvas ----------------------------------------------------------------

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
        self.canvas = canvas
        self._canvases.add(canvas)
        for layer in canvas.points.values():
            layer.events.data.connect(self._on_points)
        canvas.shapes.changed.connect(self._on_shapes)
        canvas.shapes.made.connect(self._on_shapes_made)
        canvas.image.events.data.connect(self._on_image_data)
        for event in _look_events(canvas):
            event.connect(self._on_view)
        canvas.mask.events.data.connect(self._check_shape)
        canvas.refused.connect(self._complain)
        canvas.choose(canvas.session.label)
        keys.bind(canvas.layers, self.act)
        keys.bind((self.viewer,), self.act)  # for all other layers
        if self.viewer.layers.selection.active not in canvas.layers[1:]:
            self.viewer.layers.selection.active = canvas.points[True]
        self.workflow.enter(canvas)

    def _put_away(self, canvas: LayerCanvas | None) -> None:
        """Remove the layers of an image on which nothing was done."""
        if canvas is None or not canvas.is_whole() or not canvas.is_untouched():
            return
        active = self.viewer.layers.selection.active
        for layer in canvas.layers[1:]:
            self.viewer.layers.remove(layer)
        self.viewer.layers.selection.active = active

    def _leave_canvas(self) -> None:
        canvas, self.canvas = self.canvas, None
        if canvas is None:
            return
        self.cut.stop()
        for layer in canvas.points.values():
            layer.events.data.disconnect(self._on_points)
        self.drawing.cancel()
        canvas.shapes.changed.disconnect(self._on_shapes)
        canvas.shapes.made.disconnect(self._on_shapes_made)
        canvas.image.events.data.disconnect(self._on_image_data)
        for event in _look_events(canvas):
            event.disconnect(self._on_view)
        canvas.mask.events.data.disconnect(self._check_shape)
        canvas.refused.disconnect(self._complain)
        if canvas.is_whole():
            canvas.session.requests.withdraw()
        keys.unbind((*canvas.layers, self.viewer))
        keys.bind(canvas.layers[1:], canvas.act, keys.HISTORY)
        self.workflow.leave()

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

    def _on_restored(self, canvas: LayerCanvas, restored: RestoredSession) -> None:
        """Replace the canvas by one with the session that was read."""
        if self.closed or canvas is not self.canvas:
            restored.recorder.close()
            return
        image = canvas.image
        try:
            self.replace_canvas(
                lambda: LayerCanvas(self.viewer, image, restored=restored)
            )
        except MemoryError:
            restored.recorder.close()
            self._complain("There is not enough memory for the session's mask.")
            return
        last = restored.recorder.session.objects.last_prompted()
        if last is not None and self.canvas is not None:
            self.workflow.attempt(partial(self.canvas.show, last.plane))

    # -- events of napari ----------------------------------------------------------

    def _on_layer_removed(self, event: Any) -> None:
        if self.canvas is not None and event.value in self.canvas.layers:
            self._leave_canvas()
            self.workflow.status.emit("")
        for canvas in self._canvases:
            if event.value in canvas.layers:
                canvas.recorder.close()
            if event.value is canvas.image and canvas.is_untouched():
                QTimer.singleShot(0, partial(self._remove_rest, canvas))

    def _remove_rest(self, canvas: LayerCanvas) -> None:
        """Remove empty layers of an image that is gone."""
        if self.closed:
            return
        for layer in canvas.layers:
            if layer in self.viewer.layers and canvas.image not in self.viewer.layers:
                self.viewer.layers.remove(layer)

    def _on_image_data(self) -> None:
        if self.engine is not None:
            self.engine.forget()
        self._check_shape()
        self.workflow.encode_ahead.renew()
        self.workflow.autosave.know_pixels()

    def _view_events(self) -> tuple[Any, ...]:
        """Events of the viewer after which another part of a slice may be seen."""
        dims = self.viewer.dims.events
        camera = camera_of(self.viewer).events
        return dims.point, dims.order, dims.ndisplay, camera.center, camera.zoom

    def _on_view(self) -> None:
        """Have what is shown now encoded before it is clicked on."""
        self.workflow.encode_ahead.update()

    def _check_shape(self) -> None:
        """Work no more on an image whose mask does not fit it."""
        canvas = self.canvas
        if canvas is not None and not canvas.fits():
            self._leave_canvas()
            self._complain(
                f"'{canvas.image.name}' and its mask differ in shape now; start on it "
                "again for a new mask."
            )

    def _wants_clicks(self) -> bool:
        aside = grid_of(self.viewer).enabled or self.cut.waits
        return self.canvas is not None and not aside

    def _on_grid(self) -> None:
        if self.canvas is not None and grid_of(self.viewer).enabled:
            self._complain(SIDE_BY_SIDE)

    def begin_cut(self, label: int, all_slices: bool) -> None:
        """Cut an object along the next stroke; if one is waited for, do not."""
        if self.canvas is None or self.cut.waits:
            self.cut.stop()
            self.workflow.status.emit("")
            return
        self._cutting = label, all_slices
        self.cut.begin()
        self.workflow.status.emit(STROKE)

    def _on_cut(self, positions: list[tuple[float, ...]]) -> None:
        self.workflow.attempt(partial(self._cut, positions))

    def _cut(self, positions: list[tuple[float, ...]]) -> None:
        canvas = self.canvas
        if canvas is None:
            return
        places = [canvas.place(position) for position in positions]
        plane = canvas.plane(places[0])
        stroke = [plane.point(place) for place in places]
        label, all_slices = self._cutting
        self.workflow.object_actions.cut(label, plane, stroke, all_slices)

    def _on_click(self, position: tuple[float, ...], other: bool) -> None:
        self.click(position, self.workflow.positive != other)

    def _on_points(self, event: Any) -> None:
        if self.canvas is None or self.canvas.quiet:
            return
        if str(event.action) in ("added", "removed", "changed"):
            self.workflow.take_over_points(only_added=str(event.action) == "added")

    def _on_shapes(self, event: Any) -> None:
        if self.canvas is not None and not self.canvas.quiet:
            self.workflow.take_over_points()

    def _on_shapes_made(self, layer: Any) -> None:
        keys.bind((layer,), self.act)

    # -- what is said --------------------------------------------------------------

    def _on_held(self) -> None:
        self.workflow.status.emit(HELD.format(keys.TABLE.text(Action.PREDICT)))

    def _complain(self, sentence: str) -> None:
        self.workflow.complain(UserError(sentence))


def _look_events(canvas: LayerCanvas) -> tuple[Any, ...]:
    """Events of an image after which its slices may be looked at in another way."""
    events = canvas.image.events
    return events.contrast_limits, events.gamma
