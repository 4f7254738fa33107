"""The section of the panel that says what the network sees of the image."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QPushButton, QWidget

from napari_simpleclick.plugin.background import start
from napari_simpleclick.plugin.layers import Bench
from napari_simpleclick.plugin.look import channel_names, data_shape
from napari_simpleclick.plugin.section import LiveSection
from napari_simpleclick.volumes.channels import possible_axes, preferred
from napari_simpleclick.volumes.intensity import (
    CT_CENTRE_AND_WIDTH,
    CT_WINDOWS,
    Window,
    percentile_window,
)

if TYPE_CHECKING:
    from napari_simpleclick.annotate import Options
    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.volumes import Plane
    from napari_simpleclick.volumes.view import View

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

COLOURS = ("Red", "Green", "Blue")

NONE = -1
"""No channel; in the choice of the axis, no axis."""

TOO_LATE = (
    "The mask has its channels already; choose them before the first click, or remove "
    "the mask layer to begin anew."
)


class Seen(LiveSection):
    """Choice of intensities and channels.

    Parameters
    ----------
    controller : Controller
        Whose image is looked at.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__("What the network sees", controller)
        self._bench: Bench | None = None
        self.choice, self.axis = QComboBox(), QComboBox()
        self.colours = [QComboBox() for _ in COLOURS]
        self.hint = QLabel()
        self.display = QPushButton("Display it like this")
        self.channels = QWidget()
        self._lay_out()
        self._connect()
        self._on_controller()

    # -- building ------------------------------------------------------------------

    def _lay_out(self) -> None:
        for number, (name, (text, tip)) in enumerate(CHOICES.items()):
            self.choice.addItem(text, name)
            self.choice.setItemData(number, tip, Qt.ItemDataRole.ToolTipRole)
        self.choice.setToolTip("Which intensities are black and white to the network")
        self.display.setToolTip("Set the layer's contrast limits to what is seen")
        self.axis.setToolTip(
            "The axis whose entries are channels of one picture; all of them share "
            "clicks and mask"
        )
        form = QFormLayout()
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
        controller, dims = self.controller, self.controller.viewer.dims
        self.choice.activated.connect(self._on_choice)
        self.display.clicked.connect(self._on_display)
        self.axis.activated.connect(self._on_axis)
        for box in self.colours:
            box.activated.connect(self._on_colour)
        controller.changed.connect(self._on_controller)
        self.follow(dims.events.order, dims.events.ndisplay)

    def leave(self) -> None:
        """Let go of the viewer."""
        super().leave()
        self._follow(None)

    # -- what the person does ------------------------------------------------------

    def _on_choice(self) -> None:
        bench = self._bench
        if bench is None:
            return
        bench.session.use(replace(bench.options, intensities=self.choice.currentData()))
        if bench.options.intensities == "volume":  # before the first click needs it
            start(bench.view().window, failed=self._complain)

    def _on_display(self) -> None:
        """Show the layer as the network sees the displayed slice."""
        bench = self._bench
        if bench is None:
            return
        try:
            plane = bench.current_plane()
        except ValueError as error:
            self.controller.complain(str(error))
            return
        work = partial(_window, bench.view(), plane)
        start(work, partial(self._set_limits, bench), self._complain)

    def _complain(self, error: Exception) -> None:
        self.controller.complain(str(error), error)

    def _set_limits(self, bench: Bench, window: Window | None) -> None:
        if window is None or bench is not self._bench or window.low >= window.high:
            return
        bench.image.contrast_limits = window.low, window.high
        bench.image.gamma = window.gamma

    def _on_axis(self) -> None:
        """Give the image layers for clicks and a mask that have these channels."""
        bench, axis = self._bench, self.axis.currentData()
        axis = None if axis == NONE else axis
        if bench is None or axis == bench.options.channel_axis:
            return
        if bench.session.free_label() > 1 or bench.session.pending is not None:
            self.controller.complain(TOO_LATE)
            self._show_options()
            return
        image, viewer = bench.image, self.controller.viewer
        channels = preferred(channel_names(image, axis))
        options = replace(bench.options, channel_axis=axis, channels=channels)
        self.controller.replace_bench(lambda: Bench(viewer, image, options))

    def _on_colour(self) -> None:
        bench = self._bench
        if bench is not None:
            chosen = tuple(int(box.currentData()) for box in self.colours)
            chosen = chosen if any(channel != NONE for channel in chosen) else ()
            bench.session.use(replace(bench.options, channels=chosen))

    # -- following -----------------------------------------------------------------

    def _on_controller(self) -> None:
        if self.controller.bench is not self._bench:
            self._follow(self.controller.bench)

    def _follow(self, bench: Bench | None) -> None:
        if self._bench is not None:
            self._bench.session.options_changed.disconnect(self._show_options)
        self._bench = bench
        if bench is not None:
            bench.session.options_changed.connect(self._show_options)
        self.later()

    def refresh(self) -> None:
        """List what this image and view have to choose from."""
        bench = self._bench
        self.axis.clear()
        self.axis.addItem("none", NONE)
        names: tuple[str, ...] = ()
        if bench is not None:
            for axis in _axes(bench):
                self.axis.addItem(_axis_text(bench, axis), axis)
            names = channel_names(bench.image, bench.options.channel_axis)
        for box in self.colours:
            box.clear()
            box.addItem("\N{EM DASH}", NONE)
            for number, name in enumerate(names):
                box.addItem(name, number)
        self._show_options()

    def _show_options(self) -> None:
        bench = self._bench
        colour = bench is not None and bool(bench.image.rgb)
        self.choice.setEnabled(bench is not None and not colour)
        self.channels.setVisible(self.axis.count() > 1)
        self.display.setVisible(False)
        if bench is None or colour:
            self.hint.setText("Colour images are shown as they are." if colour else "")
            self.hint.setVisible(colour)
            return
        options = bench.options
        combined = sum(channel != NONE for channel in options.channels) > 1
        self.choice.setCurrentIndex(self.choice.findData(options.intensities))
        text = _hint(bench, combined)
        self.hint.setText(text)
        self.hint.setVisible(bool(text))
        self.display.setVisible(options.intensities != "displayed" and not combined)
        axis = options.channel_axis
        self.axis.setCurrentIndex(self.axis.findData(NONE if axis is None else axis))
        for number, box in enumerate(self.colours):
            chosen = options.channels[number : number + 1] or (NONE,)
            box.setCurrentIndex(box.findData(chosen[0]))
            _show_row(self._rows, box, axis is not None)


def _axes(bench: Bench) -> list[int]:
    """Axes that may hold channels: the present one, and short ones out of view."""
    image, dims = bench.image, bench.viewer.dims
    skipped = dims.ndim - image.ndim
    shown = {axis - skipped for axis in dims.displayed}
    found = possible_axes(data_shape(image), bool(image.rgb))
    now = bench.options.channel_axis
    return [axis for axis in found if axis == now or axis not in shown]


def _axis_text(bench: Bench, axis: int) -> str:
    """Name an axis as its slider does."""
    count = data_shape(bench.image)[axis]
    label = str(bench.image.axis_labels[axis])
    name = f"axis {axis}" if label.startswith("axis") else label
    return f"{name} ({count})"


def _hint(bench: Bench, combined: bool) -> str:
    """Say what is not plain from the choice itself."""
    options: Options = bench.options
    window = CT_WINDOWS.get(options.intensities)
    if combined and options.intensities == "displayed":
        return "Several channels are each stretched by themselves."
    if window is None:
        return ""
    text = f"Black below {window.low:g}, white above {window.high:g} HU."
    if np.dtype(bench.source().dtype) == np.uint8:
        text += " This image has 8-bit values, which are no Hounsfield units."
    return text


def _window(view: View, plane: Plane) -> Window | None:
    """Find the window of a slice in gray; runs in a worker."""
    return percentile_window(view.gray(plane)) if view.look.by_slice else view.window()


def _show_row(rows: QFormLayout, box: QWidget, shown: bool) -> None:
    """Show or hide a choice with its title."""
    rows.labelForField(box).setVisible(shown)
    box.setVisible(shown)
