"""The section of the panel that shows the two slices across the displayed one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtGui import QColor
from qtpy.QtWidgets import QLabel

from napari_simpleclick.errors import UserError
from napari_simpleclick.plugin import settings
from napari_simpleclick.plugin.layers.colours import object_colour
from napari_simpleclick.plugin.layers.cross_sections import (
    Across,
    Look,
    Piece,
    fitted,
    flips,
    grey_or_colour,
    image_piece,
    labels_piece,
    painted,
)
from napari_simpleclick.plugin.sections.section import LiveSection
from napari_simpleclick.plugin.sections.slice_view import HEIGHT, SliceView
from napari_simpleclick.plugin.sections.views import SCAN, STACK
from napari_simpleclick.prompts import Click
from napari_simpleclick.workflow.mask_array import release

if TYPE_CHECKING:
    from napari_simpleclick.annotation import ObjectSlice, PlacedPrompt
    from napari_simpleclick.images import Plane
    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.plugin.layers.canvas import LayerCanvas


class _Kept:
    """Pixels of a view that were read, and what is being read for it."""

    def __init__(self) -> None:
        self.piece: Piece | None = None
        self.pixels: Any = None
        self.awaited: Piece | None = None


class ThreeViewsSection(LiveSection):
    """Small views across the displayed slice; open or closed as it was left.

    Parameters
    ----------
    controller : Controller
        Whose image is shown.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__("Three views", controller)
        self._canvas: LayerCanvas | None = None
        self._at: dict[int, float] = {}
        self._across: Across | None = None
        self.titles = QLabel(), QLabel()
        self.views = SliceView("First view across"), SliceView("Second view across")
        self._kept = _Kept(), _Kept()
        for number, (title, view) in enumerate(
            zip(self.titles, self.views, strict=True)
        ):
            view.setToolTip("Click to show this point; the cross is where you are")
            view.chosen.connect(partial(self._on_chosen, number))
            self.inside.addWidget(title)
            self.inside.addWidget(view)
        dims, flow = controller.viewer.dims.events, self.workflow
        self.follow(dims.point, dims.order, dims.ndisplay)
        for signal in (flow.changed, flow.queue.answered, flow.propagator.changed):
            signal.connect(self.later)
        flow.prompted.connect(self._on_prompt)
        if settings.load().three_views:
            self.expand()
        self.toggled.connect(self._on_opened)

    def leave(self) -> None:
        """Let go of the viewer."""
        super().leave()
        self._watch(None)

    def showEvent(self, event: Any) -> None:
        """Catch up with what has changed while nobody could see it."""
        super().showEvent(event)
        self.later()

    def resizeEvent(self, event: Any) -> None:
        """Fit the views into the new width."""
        super().resizeEvent(event)
        self.later()

    # -- events --------------------------------------------------------------------

    def _on_opened(self, opened: bool) -> None:
        settings.save(three_views=opened)

    def _on_prompt(self, object_slice: ObjectSlice, placed: PlacedPrompt) -> None:
        """Put the cross where the person has clicked."""
        prompt, axes = placed.prompt, object_slice.plane.axes
        if isinstance(prompt, Click):
            self._at |= dict(zip(axes, (prompt.row, prompt.column), strict=True))
            self.later()

    def _on_chosen(self, number: int, down: float, across: float) -> None:
        """Show the point that was clicked on in a small view."""
        here, canvas = self._across, self._canvas
        if here is None or canvas is None:
            return
        plane = here.planes[number]
        size, turned = plane.size(canvas.labels.shape), flips(canvas, plane)
        for axis, side, share, flip in zip(
            plane.axes, size, (down, across), turned, strict=True
        ):
            self._at[axis] = (1 - share if flip else share) * side - 0.5
        self._go(canvas, here.axis)
        self.later()

    def keep_point(self) -> None:
        """Show the slice through the cross, when others are shown than before."""
        canvas = self._canvas
        if canvas is None or not self.isExpanded():
            return
        for axis in range(canvas.labels.ndim):
            if axis in self._at and axis not in canvas.current_plane().axes:
                self._go(canvas, axis)
        self.later()

    def _go(self, canvas: LayerCanvas, axis: int) -> None:
        """Show the slice through the cross, along an axis that is not displayed."""
        shown, last = canvas.current_plane(), canvas.labels.shape[axis] - 1
        target = [*shown.index]
        target[axis] = min(max(round(self._at[axis]), 0), last)
        canvas.go_to(replace(shown, index=tuple(target)), axis)

    def _watch(self, canvas: LayerCanvas | None) -> None:
        """Follow the looks and the masks of another image."""
        old, self._canvas = self._canvas, canvas
        for one, join in ((old, False), (canvas, True)):
            if one is None:
                continue
            look = one.image.events
            signals = (one.session.happened, one.session.changed, one.painted)
            for signal in (*signals, look.contrast_limits, look.gamma, look.colormap):
                (signal.connect if join else signal.disconnect)(self.later)
        self._at, self._across = {}, None
        for kept in self._kept:
            kept.piece = kept.awaited = kept.pixels = None

    # -- what is shown -------------------------------------------------------------

    def refresh(self) -> None:
        """Show what is there now, if anyone sees it."""
        if self.controller.canvas is not self._canvas:
            self._watch(self.controller.canvas)
        if not self.isExpanded() or not self.isVisible() or self._canvas is None:
            return
        try:
            stack = self.workflow.propagator.where()[1]
            self._across = Across.through(self._canvas, self._at, stack.axis)
        except UserError as error:
            self._across = None
            for title, view in zip(self.titles, self.views, strict=True):
                title.setText("")
                view.show_text(str(error))
            return
        for axis, place in enumerate(self._across.point):
            self._at[axis] = place
        for number in range(len(self.views)):
            self._show(number, self._across.planes[number])

    def _show(self, number: int, plane: Plane) -> None:
        """Draw a view, or have its pixels read first."""
        canvas, kept = self._canvas, self._kept[number]
        assert canvas is not None
        self.titles[number].setText(_name(canvas, plane))
        try:
            piece = image_piece(canvas, plane)
        except UserError as error:
            self.views[number].show_text(str(error))
            return
        if piece.same(kept.piece):
            self._draw(number, plane)
        elif not piece.same(kept.awaited):
            kept.awaited = piece
            self.workflow.executor.start(
                piece.read,
                partial(self._on_read, number, piece),
                partial(self._on_error, number, piece),
            )

    def _on_read(self, number: int, piece: Piece, pixels: Any) -> None:
        kept = self._kept[number]
        if piece is kept.awaited and not self.controller.closed:
            kept.piece, kept.pixels, kept.awaited = piece, pixels, None
            self.later()

    def _on_error(self, number: int, piece: Piece, error: Exception) -> None:
        if piece is self._kept[number].awaited and not self.controller.closed:
            self.views[number].show_text(f"It could not be read: {error}")

    def _draw(self, number: int, plane: Plane) -> None:
        canvas, view = self._canvas, self.views[number]
        assert canvas is not None
        assert self._across is not None
        labels = labels_piece(canvas, plane).read()
        size = fitted(plane, canvas, (HEIGHT, max(view.width(), 1)))
        look = Look(size, flips(canvas, plane), _colours(canvas))
        colour = grey_or_colour(canvas, self._kept[number].pixels)
        shares = [
            (self._across.point[axis] + 0.5) / side
            for axis, side in zip(
                plane.axes, plane.size(canvas.labels.shape), strict=True
            )
        ]
        down, across = (
            1 - share if flip else share
            for share, flip in zip(shares, look.flips, strict=True)
        )
        view.show_pixels(painted(colour, labels, look), (down, across))
        release(canvas.labels)


def _name(canvas: LayerCanvas, plane: Plane) -> str:
    """Name a slice as the buttons do, with its number."""
    space = range(len(plane.index) - 3, len(plane.index))
    hidden = [axis for axis in space if axis not in plane.axes]
    if not canvas.is_volume or len(hidden) != 1:
        return ""
    names = SCAN if canvas.is_oriented else STACK
    return f"{names[hidden[0] - space[0]]}, slice {plane.index[hidden[0]]}"


def _colours(canvas: LayerCanvas) -> dict[int, tuple[int, int, int]]:
    """Colours of the objects that are shown."""
    if not canvas.mask.visible:
        return {}
    session = canvas.session
    found = {}
    for label in session.objects.labels():
        if not session.objects.style(label).hidden:
            red, green, blue, _ = QColor(object_colour(session, label)).getRgb()
            found[label] = (red, green, blue)
    return found
