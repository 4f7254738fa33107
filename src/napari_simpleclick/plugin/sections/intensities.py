"""The section of the panel that says what the network sees of the image."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QPushButton, QWidget

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.channels import possible_axes, preferred
from napari_simpleclick.images.intensity import (
    CT_CENTRE_AND_WIDTH,
    CT_WINDOWS,
    Window,
    percentile_window,
)
from napari_simpleclick.plugin.layers.canvas import LayerCanvas
from napari_simpleclick.plugin.layers.placement import channel_names, data_shape
from napari_simpleclick.plugin.sections.section import LiveSection

if TYPE_CHECKING:
    from napari_simpleclick.annotation import MaskOptions
    from napari_simpleclick.images import Plane
    from napari_simpleclick.images.view import View
    from napari_simpleclick.plugin.controller import Controller

CHOICES = {
    "displayed": ("As displayed", "The contrast limits and gamma of the layer"),
    "slice": ("Stretched on each slice", "Without the darkest and brightest 0.5 %"),
    "volume": (
        "Stretched on the volume",
        "Without the darkest and brightest 0.5 % of a few of its slices",
    ),
    **{
        name: (f"CT: {name}", f"Level {centre}, width {width} HU")
        for name, (centre, width) in CT_CENTRE_AND_WIDTH.items()
    },
}
"""Intensities: text and tip."""

FIRST_LOOKS = {
    "view": (
        "What I see",
        "The part of the slice that is in sight: zoom in on a small object before you "
        "click on it",
    ),
    "slice": ("The whole slice", "As in published evaluations"),
}
"""First looks: text and tip."""

COLOURS = ("Red", "Green", "Blue")

NONE = -1
"""No channel; in the choice of the axis, no axis."""

TOO_LATE = (
    "The mask has its channels already; choose them before the first click, or remove "
    "the mask layer to begin anew."
)


class IntensitiesSection(LiveSection):
    """Choice of intensities and channels.

    Parameters
    ----------
    controller : Controller
        Whose image is looked at.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__("What the network sees", controller)
        self._canvas: LayerCanvas | None = None
        self.choice, self.axis = QComboBox(), QComboBox()
        self.first_look = QComboBox()
        self.colours = [QComboBox() for _ in COLOURS]
        self.hint = QLabel()
        self.display = QPushButton("Display it like this")
        self.channels = QWidget()
        self._lay_out()
        self._connect()
        self._on_controller()

    # -- building ------------------------------------------------------------------

    def _lay_out(self) -> None:
        for box, choices in ((self.choice, CHOICES), (self.first_look, FIRST_LOOKS)):
            for number, (name, (text, tip)) in enumerate(choices.items()):
                box.addItem(text, name)
                box.setItemData(number, tip, Qt.ItemDataRole.ToolTipRole)
        self.choice.setToolTip("Which intensities are black and white to the network")
        self.first_look.setToolTip(
            "What the network is shown of a new object, before there is a mask"
        )
        self.display.setToolTip("Set the layer's contrast limits to what is seen")
        self.axis.setToolTip(
            "The axis whose entries are channels of one picture; all of them share "
            "clicks and mask"
        )
        form = QFormLayout()
        form.addRow("First look", self.first_look)
        form.addRow("Intensities", self.choice)
        self.inside.addLayout(form)
        self.hint.setWordWrap(True)
        for widget in (self.hint, self.display, self.channels):
            self.inside.addWidget(widget)
        rows = QFormLayout(self.channels)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addRow("Channels", self.axis)
        for name, box in zip(COLOURS, self.colours, strict=True):
            box.setToolTip(
                f"Shown to the network as {name.lower()}; with fewer than two channels "
                "it sees one in gray"
            )
            rows.addRow(name, box)
        self._rows = rows

    def _connect(self) -> None:
        dims = self.controller.viewer.dims
        self.choice.activated.connect(self._on_choice)
        self.first_look.activated.connect(self._on_first_look)
        self.display.clicked.connect(self._on_display)
        self.axis.activated.connect(self._on_axis)
        for box in self.colours:
            box.activated.connect(self._on_colour)
        self.workflow.changed.connect(self._on_controller)
        self.follow(dims.events.order, dims.events.ndisplay)

    def leave(self) -> None:
        """Let go of the viewer."""
        super().leave()
        self._follow(None)

    # -- what the person does ------------------------------------------------------

    def _on_choice(self) -> None:
        canvas = self._canvas
        if canvas is None:
            return
        canvas.session.use(
            replace(canvas.options, intensities=self.choice.currentData())
        )
        if canvas.options.intensities == "volume":  # before the first click needs it
            self.workflow.executor.start(
                canvas.view().window, failed=self.workflow.complain
            )

    def _on_first_look(self) -> None:
        if self._canvas is not None:
            chosen = self.first_look.currentData()
            self._canvas.session.use(replace(self._canvas.options, first_look=chosen))

    def _on_display(self) -> None:
        """Show the layer as the network sees the displayed slice."""
        canvas = self._canvas
        if canvas is None:
            return
        try:
            plane = canvas.current_plane()
        except UserError as error:
            self.workflow.complain(error)
            return
        work = partial(_window, canvas.view(), plane)
        self.workflow.executor.start(
            work, partial(self._set_limits, canvas), self.workflow.complain
        )

    def _set_limits(self, canvas: LayerCanvas, window: Window | None) -> None:
        if window is None or canvas is not self._canvas or window.low >= window.high:
            return
        canvas.image.contrast_limits = window.low, window.high
        canvas.image.gamma = window.gamma

    def _on_axis(self) -> None:
        """Give the image layers for clicks and a mask that have these channels."""
        canvas, axis = self._canvas, self.axis.currentData()
        axis = None if axis == NONE else axis
        if canvas is None or axis == canvas.options.channel_axis:
            return
        if not canvas.is_untouched():
            self.workflow.complain(UserError(TOO_LATE))
            self._show_options()
            return
        image, viewer = canvas.image, self.controller.viewer
        channels = preferred(channel_names(image, axis))
        options = replace(canvas.options, channel_axis=axis, channels=channels)
        self.controller.replace_canvas(lambda: LayerCanvas(viewer, image, options))

    def _on_colour(self) -> None:
        canvas = self._canvas
        if canvas is not None:
            chosen = tuple(int(box.currentData()) for box in self.colours)
            chosen = chosen if any(channel != NONE for channel in chosen) else ()
            canvas.session.use(replace(canvas.options, channels=chosen))

    # -- following -----------------------------------------------------------------

    def _on_controller(self) -> None:
        if self.controller.canvas is not self._canvas:
            self._follow(self.controller.canvas)

    def _follow(self, canvas: LayerCanvas | None) -> None:
        if self._canvas is not None:
            self._canvas.session.options_changed.disconnect(self._show_options)
        self._canvas = canvas
        if canvas is not None:
            canvas.session.options_changed.connect(self._show_options)
        self.later()

    def refresh(self) -> None:
        """List what this image and view have to choose from."""
        canvas = self._canvas
        self.axis.clear()
        self.axis.addItem("none", NONE)
        names: tuple[str, ...] = ()
        if canvas is not None:
            for axis in _axes(canvas):
                self.axis.addItem(_axis_text(canvas, axis), axis)
            names = channel_names(canvas.image, canvas.options.channel_axis)
        for box in self.colours:
            box.clear()
            box.addItem("\N{EM DASH}", NONE)
            for number, name in enumerate(names):
                box.addItem(name, number)
        self._show_options()

    def _show_options(self) -> None:
        canvas = self._canvas
        colour = canvas is not None and bool(canvas.image.rgb)
        self.choice.setEnabled(canvas is not None and not colour)
        self.first_look.setEnabled(canvas is not None)
        if canvas is not None:
            look = self.first_look.findData(canvas.options.first_look)
            self.first_look.setCurrentIndex(look)
        self.channels.setVisible(self.axis.count() > 1)
        self.display.setVisible(False)
        if canvas is None or colour:
            self.hint.setText("Colour images are shown as they are." if colour else "")
            self.hint.setVisible(colour)
            return
        options = canvas.options
        combined = sum(channel != NONE for channel in options.channels) > 1
        self.choice.setCurrentIndex(self.choice.findData(options.intensities))
        text = _hint(canvas, combined)
        self.hint.setText(text)
        self.hint.setVisible(bool(text))
        self.display.setVisible(options.intensities != "displayed" and not combined)
        axis = options.channel_axis
        self.axis.setCurrentIndex(self.axis.findData(NONE if axis is None else axis))
        for number, box in enumerate(self.colours):
            chosen = options.channels[number : number + 1] or (NONE,)
            box.setCurrentIndex(box.findData(chosen[0]))
            _show_row(self._rows, box, axis is not None)


def _axes(canvas: LayerCanvas) -> list[int]:
    """Axes that may hold channels: the present one, and short ones out of view."""
    image, dims = canvas.image, canvas.viewer.dims
    skipped = dims.ndim - image.ndim
    shown = {axis - skipped for axis in dims.displayed}
    found = possible_axes(data_shape(image), bool(image.rgb))
    now = canvas.options.channel_axis
    return [axis for axis in found if axis == now or axis not in shown]


def _axis_text(canvas: LayerCanvas, axis: int) -> str:
    """Name an axis as its slider does."""
    count = data_shape(canvas.image)[axis]
    label = str(canvas.image.axis_labels[axis])
    name = f"axis {axis}" if label.startswith("axis") else label
    return f"{name} ({count})"


def _hint(canvas: LayerCanvas, combined: bool) -> str:
    """Say what is not plain from the choice itself."""
    options: MaskOptions = canvas.options
    window = CT_WINDOWS.get(options.intensities)
    if combined and options.intensities == "displayed":
        return "Several channels are each stretched by themselves."
    if window is None:
        return ""
    text = f"Black below {window.low:g}, white above {window.high:g} HU."
    if np.dtype(canvas.source().dtype) == np.uint8:
        text += " This image has 8-bit values, which are no Hounsfield units."
    return text


def _window(view: View, plane: Plane) -> Window | None:
    """Find the window of a slice in gray; runs in a worker."""
    return percentile_window(view.gray(plane)) if view.look.by_slice else view.window()


def _show_row(rows: QFormLayout, box: QWidget, shown: bool) -> None:
    """Show or hide a choice with its title."""
    rows.labelForField(box).setVisible(shown)
    box.setVisible(shown)
