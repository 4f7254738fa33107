"""The napari layers of one image: its mask, its clicks and its shapes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari_simpleclick.annotation import (
    MaskOptions,
    ObjectSlice,
    ObjectStack,
    PlacedPrompt,
    Session,
)
from napari_simpleclick.images.label_names import NAMES_KEY
from napari_simpleclick.images.source import SOURCE_KEY
from napari_simpleclick.plugin.keys import Action
from napari_simpleclick.plugin.layers import prompt_shapes
from napari_simpleclick.plugin.layers.click_markers import ClickMarkers
from napari_simpleclick.plugin.layers.click_points import ClickPoints, ShownClick
from napari_simpleclick.plugin.layers.colours import (
    colormap_of,
    label_names,
)
from napari_simpleclick.plugin.layers.masked_image import MaskedImage
from napari_simpleclick.plugin.layers.placement import (
    MOVES,
    NOT_RECORDED,
    default_options,
    mask_shape,
    session_image,
    transform,
)
from napari_simpleclick.plugin.layers.prompt_shapes import Drawn, PromptShapes
from napari_simpleclick.prompts import Click
from napari_simpleclick.sessions import SessionWriter
from napari_simpleclick.workflow.mask_array import empty_mask
from napari_simpleclick.workflow.session_file import new_store

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image, Shapes

    from napari_simpleclick.workflow.canvas import ShownPoint, ShownShape
    from napari_simpleclick.workflow.session_file import RestoredSession, SessionImage


def _new_recorder(image: Image, options: MaskOptions) -> SessionWriter:
    if NOT_RECORDED in image.metadata:
        return SessionWriter(Session(options=options), None)
    axis = options.channel_axis
    return SessionWriter(
        Session(options=options), lambda: new_store(session_image(image, axis))
    )


class LayerCanvas(MaskedImage):
    """An image layer with its two Points layers, its mask and its session.

    It is the :class:`napari_simpleclick.workflow.Canvas` of napari.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer that shows the image.
    image : napari.layers.Image
        The image; the new layers take over its transform and units.
    options : MaskOptions, optional
        What shapes the masks; by default it fits the image.
    restored : RestoredSession, optional
        Session to go on with.

    Attributes
    ----------
    recorder : SessionWriter
        Writes the session to its file.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        image: Image,
        options: MaskOptions | None = None,
        restored: RestoredSession | None = None,
    ) -> None:
        if restored is None:
            options = options or default_options(image)
            self.recorder = _new_recorder(image, options)
            labels = empty_mask(mask_shape(image, options.channel_axis))
        else:
            self.recorder, labels = restored.recorder, restored.mask
        super().__init__(viewer, image, self.recorder.session, labels)
        look = transform(image, self.options.channel_axis)
        self.clicks = ClickPoints(viewer, image, self._shape, look)
        self.points = self.clicks.layers
        self.shapes = PromptShapes(
            viewer, partial(self._make_shapes, viewer), self.session
        )
        self._markers = ClickMarkers(
            viewer, self.points, self.current_plane, self.session
        )
        for name in MOVES:
            getattr(image.events, name).connect(self._follow)
        self.session.changed.connect(self.show_steps)
        self.show_steps()
        self.choose(self.session.label)

    @property
    def layers(self) -> tuple[Any, ...]:
        """The image and the layers that belong to it."""
        shapes = () if self.shapes.layer is None else (self.shapes.layer,)
        return self.image, self.mask, self.points[True], self.points[False], *shapes

    def _make_shapes(self, viewer: ViewerModel) -> Shapes:
        """Add the layer of boxes, scribbles and lassos."""
        return viewer.add_shapes(
            ndim=self.image.ndim,
            name=f"{self.image.name} boxes and strokes",
            features=prompt_shapes.features(),
            feature_defaults=prompt_shapes.defaults(),
            **transform(self.image, self.options.channel_axis),
        )

    def is_whole(self) -> bool:
        """Whether all layers are still in the viewer."""
        return all(layer in self.viewer.layers for layer in self.layers)

    def is_untouched(self) -> bool:
        """Whether nothing was ever done on the image."""
        return self.session.last is None and not self.session.objects.labels()

    def about_image(self) -> SessionImage:
        """Tell what a session file says of the image."""
        return session_image(self.image, self.options.channel_axis)

    def _follow(self) -> None:
        """Move the clicks and the mask to where the image is."""
        look = transform(self.image, self.options.channel_axis)
        for layer in self.layers[1:]:
            for name in MOVES:
                setattr(layer, name, look[name])

    def act(self, action: Action) -> None:
        """Undo or redo the last thing that was done, also while no panel is open."""
        if action is Action.UNDO:
            self.session.undo()
        else:
            self.session.redo()

    def set_aside(self) -> None:
        """Keep a copy of the labels as a layer of its own, if there is one to keep."""
        if not self.session.objects.voxel_counts.labels():
            return
        look = transform(self.image, self.options.channel_axis)
        copy = self.viewer.add_labels(
            self.mask.data.copy(),
            name=f"{self.mask.name} before",
            opacity=self.mask.opacity,
            colormap=colormap_of(self.session),
            visible=False,
            **look,
        )
        copy.metadata[SOURCE_KEY] = self.mask.metadata[SOURCE_KEY]
        copy.metadata[NAMES_KEY] = partial(tuple, label_names(self.session))
        self.viewer.layers.selection.active = self.points[True]

    def shown_points(self) -> list[ShownPoint]:
        """All points that are shown now."""
        return self.clicks.shown()

    def fresh_points(self) -> list[ShownPoint]:
        """All points that are no clicks yet, copies of clicks among them."""
        return self.clicks.fresh()

    def show_click(self, object_slice: ObjectSlice, step: PlacedPrompt) -> None:
        """Show one more click, unless it is gone or shown already."""
        placed = self.session.objects.placed(object_slice)
        if any(one.order == step.order for one in placed):
            with self.silence():
                self.clicks.add(self._shown_click(object_slice, step))

    def tag(self, sign: bool, row: int, object_slice: ObjectSlice, order: int) -> None:
        """Write object, slice and order of a click that the person just added."""
        depth = self._slice_number(object_slice)
        with self.silence():
            self.clicks.tag(sign, row, (object_slice.label, depth, order))

    def shown_shapes(self) -> list[ShownShape]:
        """All shapes that are shown now."""
        return self.shapes.shown()

    def tag_shape(self, row: int, object_slice: ObjectSlice, order: int) -> None:
        """Write object and order of a shape that the person just added."""
        self.shapes.tag(row, object_slice.label, order)

    def _slice_number(self, object_slice: ObjectSlice) -> int:
        stack = ObjectStack.containing(object_slice, self.options.channel_axis)
        return 0 if stack is None else object_slice.plane.index[stack.axis]

    def show_steps(self) -> None:
        """Make the layers show the session's prompts."""
        drawn: list[Drawn] = []
        clicks: list[ShownClick] = []
        for object_slice, steps in self.session.objects.prompts.items():
            for step in steps:
                if isinstance(step.prompt, Click):
                    clicks.append(self._shown_click(object_slice, step))
                else:
                    plane, label = object_slice.plane, object_slice.label
                    drawn.append(Drawn(step.prompt, plane, label, step.order))
        self.shapes.show(drawn)
        with self.silence():
            self.clicks.show(clicks)

    def _shown_click(self, where: ObjectSlice, step: PlacedPrompt) -> ShownClick:
        click = step.prompt
        assert isinstance(click, Click)
        return ShownClick(
            click.positive,
            where.plane.position(click.row, click.column),
            (where.label, self._slice_number(where), step.order),
        )
