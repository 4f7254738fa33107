"""The probability behind the mask on the displayed slice, as a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import Colormap

from napari_simpleclick.errors import UserError
from napari_simpleclick.plugin.layers.placement import OURS, data_shape, moved

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.annotation import ObjectSlice
    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.plugin.layers.canvas import LayerCanvas
    from napari_simpleclick.workflow.engine import RememberedAnswer

COLOURS = Colormap(
    [(0.1, 0.0, 0.3, 0.0), (0.5, 0.1, 0.6, 0.7), (1.0, 0.5, 0.1, 0.9), (1, 1, 0.6, 1)],
    name="probability",
    controls=[0.0, 0.3, 0.7, 1.0],
)
"""Nothing, violet, orange and light yellow."""


class ProbabilityLayer:
    """An Image layer of one slice that belongs to the tool and follows the answers.

    Parameters
    ----------
    controller : Controller
        Whose answers are shown.
    """

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self._layer: Any = None
        self._canvas: LayerCanvas | None = None
        self._latest: RememberedAnswer | None = None

    def follow(self) -> None:
        """Show the probability of the current object on the displayed slice."""
        canvas = self.controller.canvas
        if canvas is not self._canvas:
            self.remove()
        if canvas is None:
            return
        object_slice, latest = self._find(canvas)
        if self._layer is not None and latest is self._latest:
            return
        self._canvas, self._latest = canvas, latest
        if object_slice is None or latest is None:
            data, look = (
                np.zeros((1,) * canvas.image.ndim, np.float32),
                moved(canvas.image),
            )
        else:
            data, look = _placed(canvas, object_slice, latest)
        if self._layer is None:
            self._add(canvas, data, look)
        else:
            self._layer.data = data
            self._layer.translate = look["translate"]

    def _find(
        self, canvas: LayerCanvas
    ) -> tuple[ObjectSlice | None, RememberedAnswer | None]:
        """Find what is remembered of the mask in view."""
        engine = self.controller.engine
        if engine is None:
            return None, None
        try:
            object_slice = canvas.session.object_slice(canvas.current_plane())
        except UserError:
            return None, None
        latest = engine.latest(canvas.source(), object_slice)
        steps = canvas.session.objects.placed(object_slice)
        if latest is None or not steps or latest.steps != steps:
            return None, None
        return object_slice, latest

    def _add(
        self, canvas: LayerCanvas, data: NDArray[np.float32], look: dict[str, Any]
    ) -> None:
        image, layers = canvas.image, self._viewer.layers
        active = layers.selection.active
        self._layer = self._viewer.add_image(
            data,
            name=f"{image.name} probability",
            colormap=COLOURS,
            contrast_limits=(0, 1),
            opacity=0.7,
            blending="translucent",
            metadata={OURS: True},
            **look,
        )
        layers.move(layers.index(self._layer), layers.index(canvas.mask))
        layers.selection.active = active

    def is_gone(self) -> bool:
        """Whether the person deleted the layer."""
        return self._layer is not None and self._layer not in self._viewer.layers

    def remove(self) -> None:
        """Take the layer away."""
        layer, self._layer, self._latest = self._layer, None, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    @property
    def _viewer(self) -> Any:
        return self.controller.viewer


def _placed(
    canvas: LayerCanvas, object_slice: ObjectSlice, latest: RememberedAnswer
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Give a slice the image's number of axes, and its place in the world."""
    plane, channel_axis = object_slice.plane, canvas.options.channel_axis
    hidden = [axis for axis in range(len(plane.index)) if axis not in plane.axes]
    start: dict[int, float] = {axis: plane.index[axis] for axis in hidden}
    stretch: dict[int, float] = {}
    if channel_axis is not None:
        count = data_shape(canvas.image)[channel_axis]
        start[channel_axis], stretch[channel_axis] = (count - 1) / 2, count
    data = np.expand_dims(latest.probability(), tuple(hidden))
    return data, moved(canvas.image, start, stretch)
