"""The napari layers of one image: its clicks and its mask."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap

from napari_simpleclick.annotate import (
    Change,
    Options,
    Recorder,
    Session,
    Spot,
    Step,
)
from napari_simpleclick.plugin.dots import Dots
from napari_simpleclick.plugin.kept import Restored, empty_mask, new_store
from napari_simpleclick.plugin.keys import Action
from napari_simpleclick.plugin.look import (
    MOVES,
    data_shape,
    default_options,
    mask_shape,
    mask_source,
    pixel_sizes,
    transform,
)
from napari_simpleclick.plugin.strokes import painted
from napari_simpleclick.volumes import Plane, Window
from napari_simpleclick.volumes.source import SOURCE_KEY
from napari_simpleclick.volumes.view import Look, View, VolumeWindows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.layers import Image, Labels, Points
    from napari.viewer import Viewer
    from numpy.typing import NDArray

COLOURS = {True: "#2ecc40", False: "#ff4136"}
"""Green for positive, red for negative clicks."""

OBJECT_COLOURS = (
    "#ff9f1c",
    "#2ec4ff",
    "#e056fd",
    "#ffe119",
    "#00d1b2",
    "#ff6f91",
    "#9bff4d",
    "#7c83ff",
)
"""Masks in turn; bright on gray images, and none is that of a click."""

PLAIN_COLOURS = CyclicLabelColormap(colors=["transparent", *OBJECT_COLOURS])

NAMES = {True: "positive clicks", False: "negative clicks"}

KEY = "napari-simpleclick"
"""Key under which a mask layer's metadata hold its bench."""


def _new_recorder(image: Image, options: Options) -> Recorder:
    opening = partial(new_store, image, options.channel_axis)
    return Recorder(Session(options=options), opening)


class FoundPoint(NamedTuple):
    """A point in one of the Points layers.

    Parameters
    ----------
    sign : bool
        Whether it is in the positive layer.
    row : int
        Its row in the layer's data.
    position : tuple of float
        In image coordinates, px.
    order : int
        Number of its click; 0 if it was added by hand.
    """

    sign: bool
    row: int
    position: tuple[float, ...]
    order: int


class Bench:
    """An image layer with its two Points layers, its mask and its session.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer that shows the image.
    image : napari.layers.Image
        The image; the new layers take over its transform and units.
    options : Options, optional
        What shapes the masks; by default it fits the image.
    restored : Restored, optional
        Session to go on with.

    Attributes
    ----------
    recorder : Recorder
        Writes the session to its file.
    """

    def __init__(
        self,
        viewer: Viewer,
        image: Image,
        options: Options | None = None,
        restored: Restored | None = None,
    ) -> None:
        self.viewer, self.image = viewer, image
        self.recorder = (
            restored.recorder
            if restored is not None
            else _new_recorder(image, options or default_options(image))
        )
        self.session = self.recorder.session
        self._windows = VolumeWindows()
        self.quiet = False
        axis = self.options.channel_axis
        look = transform(image, axis)
        shape = mask_shape(image, axis)
        self.mask: Labels = viewer.add_labels(
            empty_mask(shape) if restored is None else restored.mask,
            name=f"{image.name} mask",
            opacity=0.5,
            colormap=PLAIN_COLOURS,
            **look,
        )
        self.mask.metadata[KEY] = self
        self.mask.metadata[SOURCE_KEY] = mask_source(image, axis)
        self.points: dict[bool, Points] = {
            sign: viewer.add_points(
                np.zeros((0, image.ndim)),
                ndim=image.ndim,
                name=f"{image.name} {NAMES[sign]}",
                face_color=COLOURS[sign],
                border_color="white",
                size=_point_size(shape),
                symbol="disc",
                features=_features([]),
                feature_defaults=_features([(0, 0, 0)]),
                **look,
            )
            for sign in (False, True)
        }

        self._dots = Dots(viewer, self.points.values(), self.current_plane)
        self.mask.events.paint.connect(self._on_paint)
        for name in MOVES:
            getattr(image.events, name).connect(self._follow)
        image.events.data.connect(self._windows.forget)
        self.session.changed.connect(self.show_steps)
        self.session.changed.connect(self.show_colours)
        self._colours: dict[int, str] = {}
        self.show_steps()
        self.show_colours()

    @property
    def layers(self) -> tuple[Any, ...]:
        """The image and the three layers that belong to it."""
        return self.image, self.mask, self.points[True], self.points[False]

    def is_whole(self) -> bool:
        """Whether all layers are still in the viewer."""
        return all(layer in self.viewer.layers for layer in self.layers)

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Change layers without taking the change for the person's."""
        before, self.quiet = self.quiet, True
        try:
            yield
        finally:
            self.quiet = before

    def _on_paint(self, event: Any) -> None:
        """Put what the person painted on the session's undo stack."""
        if not self.quiet:
            self.session.paint(painted(event.value, self.mask.data.shape))

    def _follow(self) -> None:
        """Move the clicks and the mask to where the image is."""
        look = transform(self.image, self.options.channel_axis)
        for layer in self.layers[1:]:
            for name in MOVES:
                setattr(layer, name, look[name])

    def fits(self) -> bool:
        """Whether the image still has the shape that the mask was made for."""
        shape = mask_shape(self.image, self.options.channel_axis)
        return bool(shape == self.mask.data.shape)

    @property
    def options(self) -> Options:
        """What shapes the answers."""
        return self.session.options

    def act(self, action: Action) -> None:
        """Undo or redo the last thing that was done."""
        undo = action is Action.UNDO
        edit = self.session.undo() if undo else self.session.redo()
        if edit is not None and edit.change is not None:
            edit.change.apply(self.mask.data, undo)
            self.mask.refresh()

    def take_back(self) -> None:
        """Take the last edit back for good, to put another in its place."""
        change = self.session.retract().change
        if change is not None:
            change.apply(self.mask.data, undo=True)
            self.mask.refresh()

    def place(self, position: tuple[float, ...]) -> tuple[float, ...]:
        """Image coordinates of a position in the world; 0 on the axis of channels.

        As napari shows slices: the hidden axes are taken back by their part of the
        transform alone, and the shown ones by theirs, even where an affine mixes the
        two.
        """
        data = self._place(position)
        if self.options.channel_axis is not None:
            data[self.options.channel_axis] = 0
        return tuple(float(value) for value in data)

    def _place(self, position: tuple[float, ...]) -> NDArray[np.float64]:
        image, dims = self.image, self.viewer.dims
        count = image.ndim
        world = np.asarray(position, float)[-count:] * _unit_factors(dims, image)
        origin = np.array(image.data_to_world(np.zeros(count)))
        columns = [
            np.array(image.data_to_world(axis)) - origin for axis in np.eye(count)
        ]
        forward = np.stack(columns, axis=1)
        back = np.linalg.inv(forward)
        skipped = dims.ndim - count
        hidden = [a - skipped for a in dims.not_displayed if a >= skipped]
        shown = [a - skipped for a in dims.displayed if a >= skipped]
        data = np.empty(count)
        data[hidden] = back[np.ix_(hidden, hidden)] @ world[hidden]
        data[hidden] -= (back @ origin)[hidden]
        part = forward[np.ix_(shown, shown)]
        data[shown] = np.linalg.solve(part, world[shown] - origin[shown])
        return data

    def plane(self, position: tuple[float, ...]) -> Plane:
        """Find the displayed slice through a position in image coordinates.

        Raises
        ------
        ValueError
            If the view is 3-D, or does not show two axes of the image.
        """
        if self.viewer.dims.ndisplay != 2:
            raise ValueError("Switch to the 2-D view to click (Ctrl+Y).")
        skipped = self.viewer.dims.ndim - self.image.ndim
        axes = tuple(axis - skipped for axis in self.viewer.dims.displayed)
        if self.options.channel_axis in axes:
            raise ValueError(
                "This view shows the channels as an axis; show two others."
            )
        return Plane.at(self.mask.data.shape, axes, position)

    def current_plane(self) -> Plane:
        """Find the displayed slice."""
        return self.plane(self.place(self.viewer.dims.point))

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

    def _look(self) -> Look:
        options = self.options
        if self.image.rgb:
            return Look(rgb=True)
        chosen = options.channels
        if options.channel_axis is not None and sum(c >= 0 for c in chosen) < 2:
            chosen = tuple(c for c in chosen if c >= 0) or (self.channel(),)
        look = Look(False, options.intensities, None, options.channel_axis, chosen)
        displayed = options.intensities == "displayed" and not look.combined
        return replace(look, shown=self.window()) if displayed else look

    def spacing(self, plane: Plane) -> tuple[float, float]:
        """Height and width of a pixel; square where the units cannot be compared."""
        height, width = (pixel_sizes(self.image)[axis] for axis in plane.axes)
        return (height, width) if height and width else (1.0, 1.0)

    def go_to(self, plane: Plane, axis: int) -> None:
        """Show a slice that differs from the displayed one on this axis only."""
        dims = self.viewer.dims
        slider = axis + dims.ndim - self.image.ndim
        point = list(dims.point)
        here = self.place(tuple(point))[axis]
        point[slider] += 1
        pace = self.place(tuple(point))[axis] - here
        dims.set_point(slider, dims.point[slider] + (plane.index[axis] - here) / pace)

    def source(self) -> Any:
        """Give the image's data at full resolution."""
        return self.image.data[0] if self.image.multiscale else self.image.data

    def object_mask(self, plane: Plane, label: int) -> NDArray[np.bool_]:
        """(H, W) bool mask of an object on a slice."""
        return np.asarray(plane.read(self.mask.data) == label)

    def write(
        self, plane: Plane, label: int, mask: NDArray[np.bool_], show: bool = True
    ) -> Change | None:
        """Write an object's mask on a slice; other objects keep their pixels.

        Parameters
        ----------
        plane : Plane
            The slice.
        label : int
            The object.
        mask : ndarray
            (H, W) bool, its new mask.
        show : bool
            Whether to draw it; if not, the mask layer is to be refreshed afterwards.

        Returns
        -------
        Change or None
            What has changed, for the session.
        """
        overwrite = self.options.overwrite
        change = Change.of_object(self.mask.data, plane, label, mask, overwrite)
        if change is not None:
            self.put(change, show)
        return change

    def put(self, change: Change, show: bool = True) -> None:
        """Make a change in the mask layer."""
        if show:
            flat, _, values = change.voxels()
            self.mask.visible = True  # napari writes through its view of the layer
            with self.silence():
                self.mask.data_setitem(np.unravel_index(flat, change.shape), values)
        else:
            change.apply(self.mask.data)

    def stack_axis(self) -> int:
        """Axis that the slices follow: the last one that is not displayed, or 0."""
        skipped = self.viewer.dims.ndim - self.image.ndim
        hidden = [axis - skipped for axis in self.viewer.dims.not_displayed]
        return max((axis for axis in hidden if axis >= 0), default=0)

    def plain_name(self, label: int) -> str:
        """Name an object that was given no name."""
        return f"Object {label}"

    def object_name(self, label: int) -> str:
        """Name an object."""
        return self.session.style(label).name or self.plain_name(label)

    def object_colour(self, label: int) -> str:
        """Tell the colour of an object, as ``#rrggbb``."""
        plain = OBJECT_COLOURS[(label - 1) % len(OBJECT_COLOURS)]
        return self.session.style(label).colour or plain

    def show_colours(self) -> None:
        """Give the mask layer the colours of the objects."""
        chosen = {k: style.colour for k, style in self.session.styles.items()}
        if chosen == self._colours:
            return
        self._colours = chosen
        if not any(chosen.values()):
            self.mask.colormap = PLAIN_COLOURS
            return
        highest = max(*chosen, *self.session.labels(), len(OBJECT_COLOURS))
        colours: dict[int | None, Any] = {None: OBJECT_COLOURS[0], 0: "transparent"}
        colours |= {k: self.object_colour(k) for k in range(1, highest + 1)}
        self.mask.colormap = DirectLabelColormap(color_dict=colours)

    def delete(self, label: int) -> None:
        """Delete an object, its clicks and its pixels, as one undo step."""
        labels, changes = self.mask.data, []
        for place in np.flatnonzero(self.session.tally.areas(label, 0)):
            inside = np.nonzero(labels[place] == label)
            indices = (np.full(inside[0].shape, place), *inside)
            changes.append(Change.of(labels.shape, indices, label, 0))
            changes[-1].apply(labels)
        self.session.delete(label, Change.joined(changes))
        self.mask.refresh()

    def found_points(self) -> list[FoundPoint]:
        """All points that are in the layers now."""
        return [
            FoundPoint(sign, row, tuple(float(x) for x in place), int(order))
            for sign, layer in self.points.items()
            for row, (place, order) in enumerate(
                zip(layer.data, layer.features["order"], strict=True)
            )
        ]

    def tag(self, sign: bool, row: int, spot: Spot, order: int) -> None:
        """Write object, slice and order of a click that the person just added."""
        layer = self.points[sign]
        table = layer.features.copy()
        table.loc[row] = (spot.label, _slice_number(spot.plane), order)
        with self.silence():
            layer.features = table.astype(int)

    def show_steps(self) -> None:
        """Make the Points layers show the session's clicks."""
        rows: dict[bool, list[tuple[tuple[float, ...], Step, int, int]]]
        rows = {True: [], False: []}
        for spot, steps in self.session.steps.items():
            depth = _slice_number(spot.plane)
            for step in steps:
                place = spot.plane.position(step.click.row, step.click.column)
                rows[step.click.positive].append((place, step, spot.label, depth))
        with self.silence():
            for sign, layer in self.points.items():
                layer.selected_data = set()
                places = [row[0] for row in rows[sign]]
                if places or len(layer.data):
                    layer.data = np.array(places).reshape(-1, self.image.ndim)
                layer.features = _features(
                    [(label, depth, step.order) for _, step, label, depth in rows[sign]]
                )


def _slice_number(plane: Plane) -> int:
    others = [i for axis, i in enumerate(plane.index) if axis not in plane.axes]
    return others[-1] if others else 0


def _features(rows: list[tuple[int, int, int]]) -> dict[str, NDArray[np.int64]]:
    """Feature table of points: object, slice and order of the click."""
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return dict(zip(("object", "slice", "order"), table.T, strict=True))


def _point_size(shape: tuple[int, ...]) -> float:
    return max(1.0, min(12.0, min(shape[-2:]) / 40))


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
