"""How an image is looked at: slices, positions, intensities, channels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images import Plane, Viewport, Window
from napari_simpleclick.images.source import SOURCE_KEY, Source
from napari_simpleclick.images.view import DisplaySettings, View, VolumeWindows
from napari_simpleclick.plugin.layers.placement import (
    MOVES,
    channel_names,
    data_shape,
    mask_shape,
    pixel_sizes,
    sizes_mm,
)
from napari_simpleclick.plugin.layers.visible_part import visible_part
from napari_simpleclick.workflow.canvas import ImageAxes

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_simpleclick.annotation import MaskOptions, Session


class DisplayedImage:
    """An image layer in a viewer, as the current options and the display have it.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer that shows the image.
    image : napari.layers.Image
        The image.
    session : Session
        Its options count.
    """

    def __init__(self, viewer: ViewerModel, image: Image, session: Session) -> None:
        self.viewer, self.image, self.session = viewer, image, session
        self._shape = mask_shape(image, session.options.channel_axis)
        self._windows = VolumeWindows()
        image.events.data.connect(self._windows.forget)
        self._known_transform: tuple[NDArray[np.float64], ...] | None = None
        for name in MOVES:
            getattr(image.events, name).connect(self._forget_transform)

    @property
    def options(self) -> MaskOptions:
        """What shapes the answers."""
        return self.session.options

    def fits(self) -> bool:
        """Whether the image still has the shape that the mask was made for."""
        shape = mask_shape(self.image, self.options.channel_axis)
        return bool(shape == self._shape)

    def source(self) -> Any:
        """Give the image's data at full resolution."""
        return self.image.data[0] if self.image.multiscale else self.image.data

    def place(self, position: tuple[float, ...]) -> tuple[float, ...]:
        """Image coordinates of a position in the world; 0 on the axis of channels.

        As napari shows slices: the hidden axes are taken back by their part of the
        transform alone, and the shown ones by theirs, even where an affine mixes the
        two.

        Raises
        ------
        UserError
            If the viewer has fewer axes than the image, which is not in it any more.
        """
        data = self._place(position)
        if self.options.channel_axis is not None:
            data[self.options.channel_axis] = 0
        return tuple(float(value) for value in data)

    def _place(self, position: tuple[float, ...]) -> NDArray[np.float64]:
        image, dims = self.image, self.viewer.dims
        count = image.ndim
        if len(position) < count:  # while layers are taken away one by one
            raise UserError(f"'{image.name}' is not displayed; choose it again.")
        world = np.asarray(position, float)[-count:] * _unit_factors(dims, image)
        origin, forward, back = self._transform()
        skipped = dims.ndim - count
        hidden = [a - skipped for a in dims.not_displayed if a >= skipped]
        shown = [a - skipped for a in dims.displayed if a >= skipped]
        data = np.empty(count)
        data[hidden] = back[np.ix_(hidden, hidden)] @ world[hidden]
        data[hidden] -= (back @ origin)[hidden]
        part = forward[np.ix_(shown, shown)]
        try:
            data[shown] = np.linalg.solve(part, world[shown] - origin[shown])
        except np.linalg.LinAlgError as error:
            raise UserError(
                f"'{image.name}' is turned so that this view cuts it along none of its "
                "planes; show two other axes."
            ) from error
        return data

    def _transform(self) -> tuple[NDArray[np.float64], ...]:
        """Give the image's place in the world: origin, matrix and its inverse."""
        if self._known_transform is None:
            image, count = self.image, self.image.ndim
            origin = np.array(image.data_to_world(np.zeros(count)))
            columns = [
                np.array(image.data_to_world(axis)) - origin for axis in np.eye(count)
            ]
            forward = np.stack(columns, axis=1)
            self._known_transform = origin, forward, np.linalg.inv(forward)
        return self._known_transform

    def _forget_transform(self) -> None:
        self._known_transform = None

    def viewport(self, plane: Plane) -> Viewport | None:
        """Tell what is in sight of a slice that is displayed, unless it does not count.

        See :class:`napari_simpleclick.annotation.MaskOptions`, ``first_look``.
        """
        if self.options.first_look == "slice":
            return None
        return visible_part(self.viewer, plane, plane.size(self._shape), self.place)

    def plane(self, position: tuple[float, ...]) -> Plane:
        """Find the displayed slice through a position in image coordinates.

        Raises
        ------
        UserError
            If the view is 3-D, or does not show two axes of the image.
        """
        if self.viewer.dims.ndisplay != 2:
            raise UserError("Switch to the 2-D view to click (Ctrl+Y).")
        skipped = self.viewer.dims.ndim - self.image.ndim
        axes = tuple(axis - skipped for axis in self.viewer.dims.displayed)
        if self.options.channel_axis in axes:
            raise UserError("This view shows the channels as an axis; show two others.")
        return Plane.at(self._shape, axes, position)

    def current_plane(self) -> Plane:
        """Find the displayed slice."""
        return self.plane(self.place(self.viewer.dims.point))

    def position(self) -> tuple[int, ...]:
        """Tell where the view is on all axes; in 3-D, hidden ones alone count."""
        here = np.round(self.place(self.viewer.dims.point))
        last = np.array(self._shape) - 1
        return tuple(int(at) for at in np.clip(here, 0, last))

    def go_to(self, plane: Plane, axis: int) -> None:
        """Show a slice that differs from the displayed one on this axis only."""
        dims = self.viewer.dims
        slider = axis + dims.ndim - self.image.ndim
        point = list(dims.point)
        here = self.place(tuple(point))[axis]
        point[slider] += 1
        pace = self.place(tuple(point))[axis] - here
        dims.set_point(slider, dims.point[slider] + (plane.index[axis] - here) / pace)

    def show(self, plane: Plane) -> None:
        """Show a slice, whatever is displayed now."""
        dims = self.viewer.dims
        skipped = dims.ndim - self.image.ndim
        shown = [axis + skipped for axis in plane.axes]
        dims.ndisplay = 2
        if set(dims.displayed) != set(shown):
            dims.order = (*(axis for axis in dims.order if axis not in shown), *shown)
            self.viewer.reset_view()
        for axis in range(self.image.ndim):
            if axis not in (*plane.axes, self.options.channel_axis):
                self.go_to(plane, axis)

    @property
    def is_volume(self) -> bool:
        """Whether the last three axes are those of space."""
        return self.image.ndim > 2 and self.options.channel_axis not in (
            *range(self.image.ndim - 3, self.image.ndim),
        )

    @property
    def is_oriented(self) -> bool:
        """Whether the image was turned upright, as its file says where up is."""
        source = self.image.metadata.get(SOURCE_KEY)
        return isinstance(source, Source) and source.affine is not None

    def show_slices_along(self, number: int) -> None:
        """Show the slices along one of the last three axes, the others upright.

        Parameters
        ----------
        number : int
            0 is the first of the three: axial slices of a scan; 1 coronal, 2 sagittal.
        """
        dims = self.viewer.dims
        *others, first, second, third = range(dims.ndim)
        space = [first, second, third]
        hidden = space.pop(number)
        dims.ndisplay = 2
        dims.order = (*others, hidden, *space)
        self.viewer.reset_view()

    def stack_axis(self) -> int:
        """Axis that the slices follow: the last one that is not displayed, or 0.

        Never the axis of channels.
        """
        skipped = self.viewer.dims.ndim - self.image.ndim
        hidden = {axis - skipped for axis in self.viewer.dims.not_displayed}
        slices = hidden - {self.options.channel_axis}
        return max((axis for axis in slices if axis >= 0), default=0)

    def spacing(self, plane: Plane) -> tuple[float, float]:
        """Height and width of a pixel; square where the units cannot be compared."""
        return plane.spacing(pixel_sizes(self.image))

    def axes(self) -> ImageAxes:
        """Tell what the axes of the image are called, and how long its voxels are."""
        axis = self.options.channel_axis
        names = tuple(map(str, self.image.axis_labels))
        channels = () if axis is None else channel_names(self.image, axis)
        return ImageAxes(names, sizes_mm(self.image), channels)

    def window(self) -> Window | None:
        """Tell what the layer shows as black and white; None for colour."""
        if self.image.rgb:
            return None
        low, high = self.image.contrast_limits
        return Window(float(low), float(high), float(self.image.gamma))

    def channel(self) -> int:
        """Tell which channel is displayed."""
        axis = self.options.channel_axis
        if axis is None:
            return 0
        here = self._place(self.viewer.dims.point)[axis]
        return int(np.clip(np.round(here), 0, data_shape(self.image)[axis] - 1))

    def view(self) -> View:
        """Take a snapshot of how the image is looked at."""
        source, image = self.source(), self.image
        overview = image.data[-1] if image.multiscale else source
        return View(source, self._look(), self._windows, overview, image.ndim)

    def _look(self) -> DisplaySettings:
        options = self.options
        if self.image.rgb:
            return DisplaySettings(rgb=True)
        chosen = options.channels
        if options.channel_axis is not None and sum(c >= 0 for c in chosen) < 2:
            chosen = tuple(c for c in chosen if c >= 0) or (self.channel(),)
        look = DisplaySettings(
            False, options.intensities, None, options.channel_axis, chosen
        )
        displayed = options.intensities == "displayed" and not look.combined
        return replace(look, shown=self.window()) if displayed else look


def _unit_factors(dims: Any, image: Image) -> NDArray[np.float64]:
    """Factors from the viewer's units, where it has them, to the image's."""
    factors = np.ones(image.ndim)
    for axis, (shown, own) in enumerate(
        zip(
            (getattr(dims, "units", None) or ())[-image.ndim :],
            image.units,
            strict=False,
        )
    ):
        if shown.is_compatible_with(own):
            factors[axis] = (1 * shown).to(own).magnitude
    return factors
