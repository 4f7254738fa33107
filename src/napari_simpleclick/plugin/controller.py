"""From a click in the viewer to pixels in the mask, and back again."""

from __future__ import annotations

import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.qt.threading import create_worker
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_simpleclick.clicks import Click, check_clicks
from napari_simpleclick.plugin import keys
from napari_simpleclick.plugin.keys import Action
from napari_simpleclick.plugin.layers import KEY, Bench, FoundPoint, data_shape
from napari_simpleclick.plugin.mouse import STROKE_MS, Mouse, is_painting

if TYPE_CHECKING:
    from napari.layers import Image
    from napari.viewer import Viewer

    from napari_simpleclick.plugin.worker import Answer, Engine


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

    answered = Signal(object)
    """An :class:`Answer` is in the mask."""

    asked = Signal(object)
    """An :class:`Action` of propagation was asked for."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.bench: Bench | None = None
        self.engine: Engine | None = None
        self.positive = True
        self.model = self._loaded = ""
        self.closed = self._working = self._entering = False
        self.mouse = Mouse(viewer, self._wants_clicks, self._on_click)
        viewer.layers.events.removed.connect(self._on_layer_removed)

    # -- what the panel and the keys ask for -------------------------------------

    def use_image(self, image: Image | None) -> None:
        """Click on this image from now on; None for no image."""
        same = self.bench is not None and image is self.bench.image
        if same or self._entering:
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
        """Load a model, by catalogue name or path, in the background.

        The present one stays in use until the new one is there.
        """
        self.model = name
        self.status.emit("Loading the model…")
        create_worker(
            _load_engine,
            name,
            _progress={"desc": "Loading the model"},
            _connect={
                "returned": partial(self._on_engine, name),
                "errored": partial(self._on_model_error, name),
            },
        )

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
        self._pump()

    def new_object(self) -> None:
        """Go on with the next free label."""
        if self.bench is None:
            return
        self.bench.mask.selected_label = self.bench.session.free_label()

    def click(self, position: tuple[float, ...], positive: bool) -> None:
        """Click at a position in world coordinates."""
        if self.bench is None:
            self.complain("Choose an image to click on first.")
            return
        self.bench.points[positive].add([self.bench.place(position)])

    def close(self) -> None:
        """Let go of the viewer; answers that are still to come are dropped."""
        if self.closed:
            return
        self.closed = True
        self._leave_bench()
        self.viewer.layers.events.removed.disconnect(self._on_layer_removed)
        self.mouse.close()

    # -- the bench -----------------------------------------------------------------

    def _old_bench(self, image: Image) -> Bench | None:
        """Find the bench of an image that was clicked on before."""
        for layer in self.viewer.layers:
            bench = layer.metadata.get(KEY)
            if isinstance(bench, Bench) and bench.image is image and bench.is_whole():
                return bench
        return None

    def _enter_bench(self, bench: Bench) -> None:
        self.bench = bench
        for layer in bench.points.values():
            layer.events.data.connect(self._on_points)
        bench.mask.events.selected_label.connect(self._on_label)
        bench.image.events.data.connect(self._on_image_data)
        bench.mask.selected_label = bench.session.label
        keys.bind(bench.layers, self.act)
        self.viewer.layers.selection.active = bench.points[True]
        self._take_over_points(bench)
        self.changed.emit()

    def _leave_bench(self) -> None:
        bench, self.bench = self.bench, None
        if bench is None:
            return
        for layer in bench.points.values():
            layer.events.data.disconnect(self._on_points)
        bench.mask.events.selected_label.disconnect(self._on_label)
        bench.image.events.data.disconnect(self._on_image_data)
        if bench.is_whole():
            bench.session.withdraw()
        keys.unbind(bench.layers)
        keys.bind(bench.layers[1:], bench.act, keys.HISTORY)
        self.changed.emit()

    def _on_layer_removed(self, event: Any) -> None:
        if self.bench is not None and event.value in self.bench.layers:
            self._leave_bench()
            self.status.emit("")

    def _on_image_data(self) -> None:
        if self.engine is not None:
            self.engine.forget()
        bench = self.bench
        if bench is not None and data_shape(bench.image) != bench.mask.data.shape:
            self._leave_bench()
            self.complain(
                f"'{bench.image.name}' has another shape now; start on it again for a "
                "new mask."
            )

    def _on_label(self) -> None:
        if self.bench is not None and self.bench.mask.selected_label > 0:
            self.bench.session.label = int(self.bench.mask.selected_label)
            self.changed.emit()

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
        orders: dict[int, FoundPoint] = {}
        fresh: list[FoundPoint] = []
        for point in bench.found_points():
            if point.order and point.order not in orders:
                orders[point.order] = point
            else:
                fresh.append(point)
        try:
            self._move_clicks(bench, orders)
            for point in fresh:
                self._add_click(bench, point)
        except ValueError as error:
            bench.show_steps()
            self.complain(str(error))
        self._pump()

    def _move_clicks(self, bench: Bench, orders: dict[int, FoundPoint]) -> None:
        strayed = False
        for spot, steps in list(bench.session.steps.items()):
            places = {}
            for step in steps:
                point = orders.get(step.order)
                if point is not None:
                    strayed = strayed or not spot.plane.holds(point.position)
                    row, column = spot.plane.point(point.position)
                    places[step.order] = Click(row, column, point.sign)
            if not bench.session.is_moved(spot, places):
                continue  # the usual case, and reading a mask takes time
            if places:
                check_clicks(places.values(), spot.plane.size(bench.mask.data.shape))
            mask = bench.object_mask(spot.plane, spot.label)
            bench.session.move(spot, places, mask)
        if strayed:
            bench.show_steps()

    def _add_click(self, bench: Bench, point: FoundPoint) -> None:
        plane = bench.plane(point.position)
        click = Click(*plane.point(point.position), point.sign)
        check_clicks([click], plane.size(bench.mask.data.shape))
        spot = bench.session.spot(plane)
        mask = bench.object_mask(plane, spot.label)
        step = bench.session.add(spot, click, mask)
        bench.tag(point.sign, point.row, spot, step.order)
        self.clicked.emit(spot, step)

    # -- predictions ---------------------------------------------------------------

    def _on_engine(self, name: str, engine: Engine) -> None:
        if self.closed or name != self.model:
            return
        self.engine, self._loaded = engine, name
        self.status.emit(f"Ready: {engine.card.name}")
        self.changed.emit()
        self._pump()

    def _on_model_error(self, name: str, error: Exception) -> None:
        if not self.closed and name == self.model:
            self.model = self._loaded
            self.status.emit(f"Still with {self.model}" if self.model else "No model")
            self.complain(str(error), error)
            self.changed.emit()

    def _pump(self) -> None:
        """Start on the next request, if nothing is being worked on."""
        bench, engine = self.bench, self.engine
        if self._working or bench is None or engine is None:
            return
        request = bench.session.pending
        if request is None:
            return
        from napari_simpleclick.plugin.worker import Job

        rgb, spacing = bool(bench.image.rgb), bench.spacing(request.spot.plane)
        job = Job(request, bench.source(), rgb, bench.window(), spacing)
        self._working = True
        create_worker(
            engine.answer,
            job,
            _connect={
                "returned": partial(self._on_answer, bench),
                "errored": partial(self._on_error, bench),
            },
        )

    def _on_answer(self, bench: Bench, answer: Answer) -> None:
        if is_painting(bench.mask):
            QTimer.singleShot(STROKE_MS, partial(self._on_answer, bench, answer))
            return
        self._working = False
        if not self.closed and bench is self.bench:
            self._show(bench, answer)
        self._pump()

    def _show(self, bench: Bench, answer: Answer) -> None:
        """Put an answer into the mask, unless it was withdrawn or painted over."""
        request = answer.request
        spot = request.spot
        if not bench.session.is_pending(request):
            return
        present = bench.object_mask(spot.plane, spot.label)
        if bench.session.is_outdated(request, present):
            bench.session.restart(request, present)
            return
        bench.session.finish(request)
        try:
            with bench.silence():
                bench.write(spot.plane, spot.label, answer.mask)
        except Exception as error:
            self.complain(f"The mask could not be written: {error}.", error)
        now = bench.object_mask(spot.plane, spot.label)
        bench.session.record(request, bench.wrote, now)
        self.answered.emit(answer)

    def _on_error(self, bench: Bench, error: Exception) -> None:
        self._working = False
        if not self.closed and bench is self.bench:
            bench.session.withdraw()
            self.complain(str(error), error)
        self._pump()

    def complain(self, sentence: str, error: Exception | None = None) -> None:
        """Tell the person what went wrong."""
        details = "".join(traceback.format_exception(error)) if error else sentence
        self.trouble.emit(sentence, details)


def _load_engine(name: str) -> Engine:
    """Load a model; runs in a worker, as torch takes seconds to import."""
    from napari_simpleclick.plugin.worker import Engine
    from napari_simpleclick.predict import Predictor
    from napari_simpleclick.weights import load_weights

    network, card = load_weights(name)
    return Engine(Predictor(network), card)
