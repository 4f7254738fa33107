"""One case of a study in the viewer: its layers, and a note of every click."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_simpleclick.images.intensity import default_window
from napari_simpleclick.plugin.layers.camera import camera_of
from napari_simpleclick.plugin.layers.placement import NOT_RECORDED
from napari_simpleclick.workflow import Tool

if TYPE_CHECKING:
    from napari.layers import Shapes
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_simpleclick.annotation import ObjectSlice, PlacedPrompt
    from napari_simpleclick.evaluation.datasets import Case
    from napari_simpleclick.evaluation.study import Study
    from napari_simpleclick.plugin.layers.canvas import LayerCanvas
    from napari_simpleclick.plugin.panel import Panel
    from napari_simpleclick.workflow.engine import Answer

RING = {"face_color": "transparent", "edge_color": "#ffdc00", "edge_width": 2}
ROOM = 0.6
"""Of the ring around an object, as a share of its extent on each side."""


class CaseView:
    """A case in front of a person.

    Parameters
    ----------
    viewer : napari.Viewer
        Where it is shown.
    panel : Panel
        The panel that is clicked with.
    study : Study
        Records what happens.
    case : Case
        The current one.

    Raises
    ------
    UserError
        If the image or its mask cannot be read any more.
    """

    settled = Signal()
    """Every click has been answered and recorded."""

    def __init__(self, viewer: Viewer, panel: Panel, study: Study, case: Case) -> None:
        picture, self._truth = case.load()
        self.ringed = len(case.labels_there()) > 1
        self.viewer, self.panel, self.study, self.case = viewer, panel, study, case
        self._times: dict[int, float] = {}
        self._object_slice: ObjectSlice | None = None
        self._ring: Shapes | None = None
        self._resting: LayerCanvas | None = None
        name = f"case {len(study.finished) + 1}"
        look = {
            "name": name,
            "rgb": picture.ndim == 3,
            "metadata": {NOT_RECORDED: True},
        }
        if picture.ndim == 2:  # as the robot sees it
            window = default_window(picture)
            look["contrast_limits"] = (window.low, max(window.high, window.low + 1e-6))
        self._image = viewer.add_image(picture, **look)
        if self.ringed:
            self._ring = viewer.add_shapes(
                [_ring(self._truth == 1)],
                shape_type="ellipse",
                name=f"{name} object",
                **RING,
            )
        self._enter()
        if self.canvas is not None:  # as the robot looks at it, too
            session = self.canvas.session
            session.use(replace(session.options, first_look="slice"))
        viewer.reset_view()
        study.begin()

    @property
    def canvas(self) -> LayerCanvas | None:
        """The canvas of the case, while it is clicked on."""
        canvas = self.panel.controller.canvas
        return canvas if canvas is not None and canvas.image is self._image else None

    @property
    def waiting(self) -> bool:
        """Whether a click has no answer yet."""
        return (
            self.canvas is not None and self.canvas.session.requests.pending is not None
        )

    def _enter(self) -> None:
        """Let clicks on the image count."""
        controller = self.panel.controller
        self.panel.image_choice.value = self._image
        controller.use_image(self._image)
        self.viewer.layers.selection.active = self._image
        self.panel.workflow.use_tool(Tool.CLICK)
        self.panel.workflow.only_clicks = True
        self.panel.workflow.prompted.connect(self._on_click)
        self.panel.workflow.queue.answered.connect(self._on_answer)
        if self.canvas is not None:
            self.canvas.session.changed.connect(self._on_changed)

    def _leave(self) -> LayerCanvas | None:
        """Let no click count any more."""
        canvas = self.canvas
        self.panel.workflow.only_clicks = False
        self.panel.workflow.prompted.disconnect(self._on_click)
        self.panel.workflow.queue.answered.disconnect(self._on_answer)
        if canvas is not None:
            canvas.session.changed.disconnect(self._on_changed)
        return canvas

    def pause(self) -> None:
        """Stop the clock, hide the case and accept no clicks."""
        self.study.pause()
        self._resting = self._leave()
        self.panel.controller.use_image(None)
        self.panel.setEnabled(False)
        self._show(False)

    def resume(self) -> None:
        """Go on."""
        self._show(True)
        self._resting = None
        self.panel.setEnabled(True)
        self._enter()
        self.study.resume()

    def _show(self, visible: bool) -> None:
        for layer in self._layers(self._resting):
            layer.visible = visible

    def take_away(self) -> None:
        """Remove the layers of the case."""
        canvas = self._resting or self._leave()
        self.panel.setEnabled(True)
        for layer in self._layers(canvas):
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    def _layers(self, canvas: LayerCanvas | None) -> list[Any]:
        ring = [] if self._ring is None else [self._ring]
        return [*(canvas.layers if canvas is not None else (self._image,)), *ring]

    def final_iou(self) -> float:
        """IoU of the mask as it is now, painting included."""
        if self._object_slice is None or self.canvas is None:
            return 0.0
        from napari_simpleclick.evaluation.metrics import iou

        here = self._object_slice
        mask = self.canvas.object_mask(here.plane, here.label)
        return iou(mask, self._truth)

    def _on_click(self, object_slice: ObjectSlice, step: PlacedPrompt) -> None:
        if self.canvas is not None:
            self._times[step.order] = self.study.seconds

    def _on_changed(self) -> None:
        """Note an undo, a redo, a moved click or a cleared slice."""
        if self.canvas is not None and self._object_slice is not None:
            left = len(self.canvas.session.objects.placed(self._object_slice))
            self.study.note("changed", clicks=left, seconds=self.study.seconds)

    def _on_answer(self, answer: Answer) -> None:
        steps = answer.request.prompts
        seconds = self._times.pop(steps[-1].order, None) if steps else None
        if seconds is not None and self.canvas is not None:
            from napari_simpleclick.evaluation.metrics import iou

            self._object_slice, click = answer.request.object_slice, steps[-1].click
            self.study.click(
                round(click.row),
                round(click.column),
                click.positive,
                answer.mask,
                iou(answer.mask, self._truth),
                seconds,
                slice=self.case.index,
                zoom=float(camera_of(self.viewer).zoom),
                object=answer.request.object_slice.label,
                clicks=len(steps),
            )
        if not self.waiting:
            self.settled.emit()


def _ring(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Corners (4, 2) of the box of a wide ellipse around an object."""
    places = np.argwhere(mask)
    low, high = places.min(0), places.max(0)
    margin = ROOM * np.maximum(high - low, 20)
    (top, left), (bottom, right) = low - margin, high + margin
    return np.array([(top, left), (top, right), (bottom, right), (bottom, left)])
