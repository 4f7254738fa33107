"""The section of the panel that carries a mask through the volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QPushButton,
    QSpinBox,
)

from napari_simpleclick.errors import UserError
from napari_simpleclick.plugin.key_button import KeyButton
from napari_simpleclick.plugin.keys import Action
from napari_simpleclick.plugin.layers.neighbour_outlines import (
    NAME,
    WIDTH_PX,
    neighbour_outlines,
)
from napari_simpleclick.plugin.layers.outline_layer import OutlineLayer
from napari_simpleclick.plugin.sections.confidence_plot import ConfidencePlot
from napari_simpleclick.plugin.sections.section import LiveSection
from napari_simpleclick.workflow.displayed_stack import ways
from napari_simpleclick.workflow.propagator import Whom

if TYPE_CHECKING:
    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.known_slices import Profile

SIDES = {
    "back": ("\N{BLACK LEFT-POINTING TRIANGLE} Back", "towards slice 0", True, False),
    "both": ("Both", "both ways", True, True),
    "forward": (
        "Forward \N{BLACK RIGHT-POINTING TRIANGLE}",
        "away from slice 0",
        False,
        True,
    ),
}
"""Buttons: text, tip, and whether they go down and up."""


class PropagationSection(LiveSection):
    """Buttons, limits, the plot of confidence and the outlines of the neighbours.

    Parameters
    ----------
    controller : Controller
        Whose object is carried through the slices.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__("Through the volume", controller)
        self.propagator = self.workflow.propagator
        self._outlines = OutlineLayer(controller.viewer, NAME, WIDTH_PX)
        self.back, self.both, self.forward = (
            self._make_side(*side) for side in SIDES.values()
        )
        self.sides = self.back, self.both, self.forward
        self.whom, self.axis = QComboBox(), QComboBox()
        self.reach, self.least = QSpinBox(), QDoubleSpinBox()
        self.interpolate = QPushButton("Interpolate")
        self.check = KeyButton("Check next", Action.CHECK.value, Action.CHECK)
        self.accept = KeyButton("Accept", Action.ACCEPT.value, Action.ACCEPT)
        self.end = QPushButton("Ends here")
        self.cancel = QPushButton("Cancel")
        self.ghost = QCheckBox("Show neighbours' outlines")
        self.plot = ConfidencePlot()
        self.outcome = QLabel()
        self._lay_out()
        self._connect()

    # -- building ------------------------------------------------------------------

    def _make_side(self, text: str, tip: str, down: bool, up: bool) -> QPushButton:
        tip = f"Carry the object's mask to the next slices, {tip}"
        if down and up:
            button: QPushButton = KeyButton(text, tip, Action.PROPAGATE)
        else:
            button = QPushButton(text)
            button.setToolTip(tip)
        button.clicked.connect(lambda: self.workflow.propagate(down, up))
        return button

    def _lay_out(self) -> None:
        for whom in Whom:
            self.whom.addItem(whom.value, whom)
        self.whom.setToolTip(
            "What is carried: objects that touch are kept apart, and all of it is one "
            "undo step"
        )
        self.axis.setToolTip("The slider to go along, such as that of depth or of time")
        self.reach.setRange(0, 9999)
        self.reach.setSpecialValueText("all slices")
        self.reach.setSuffix(" slices")
        self.reach.setMinimumWidth(110)
        self.reach.setToolTip("It stops by itself where the object ends")
        self.least.setRange(0.0, 1.0)
        self.least.setSingleStep(0.05)
        self.least.setValue(self.propagator.least_confidence)
        self.least.setToolTip("Confidence below which it gives up, 0 to 1")
        self.interpolate.setToolTip(
            "Fill in between the annotated slices around this one, from their shapes "
            "alone"
        )
        self.end.setToolTip(
            "The object is not on this slice: clear it, and what was propagated beyond"
        )
        self.cancel.setToolTip("Stop; what was reached is kept")
        self.ghost.setToolTip("White: the slice before. Yellow: the slice after.")
        self.row(self.back, self.both, self.forward)
        self._form = form = QFormLayout()
        form.addRow("Carry", self.whom)
        form.addRow("Along", self.axis)
        form.addRow("At most", self.reach)
        form.addRow("Stop below", self.least)
        self.inside.addLayout(form)
        self.row(self.check, self.accept)
        self.row(self.interpolate, self.end)
        self.outcome.setWordWrap(True)
        for widget in (self.cancel, self.ghost, self.plot, self.outcome):
            self.inside.addWidget(widget)
        self.cancel.hide()

    def _connect(self) -> None:
        propagator, dims = self.propagator, self.controller.viewer.dims
        self.interpolate.clicked.connect(propagator.interpolate)
        self.check.clicked.connect(self.workflow.check_next)
        self.accept.clicked.connect(self.workflow.accept)
        self.end.clicked.connect(self.workflow.end_here)
        self.whom.activated.connect(self._on_limits)
        self.axis.activated.connect(self._on_axis)
        self.reach.valueChanged.connect(self._on_limits)
        self.least.valueChanged.connect(self._on_limits)
        self.cancel.clicked.connect(self._on_cancel)
        self.plot.chosen.connect(propagator.go_to)
        self.ghost.toggled.connect(self._on_ghost)
        propagator.changed.connect(self.later)
        propagator.began.connect(self._on_began)
        removed = self.controller.viewer.layers.events.removed
        self.follow(
            removed,
            dims.events.point,
            dims.events.order,
            dims.events.ndisplay,
            dims.events.axis_labels,
        )

    def leave(self) -> None:
        """Let go of the viewer."""
        super().leave()
        self._outlines.remove()

    # -- events --------------------------------------------------------------------

    def _on_limits(self) -> None:
        self.propagator.whom = self.whom.currentData()
        self.propagator.reach = self.reach.value()
        self.propagator.least_confidence = self.least.value()

    def _on_axis(self) -> None:
        self.propagator.axis = self.axis.currentData()
        self.propagator.look_again()

    def _on_began(self) -> None:
        """Show what is going on, if a key has begun it."""
        if not self.isExpanded():
            self.expand()

    def _on_cancel(self) -> None:
        self.propagator.cancel()
        self.cancel.setEnabled(False)

    def _on_ghost(self, shown: bool) -> None:
        if not shown:
            self._outlines.remove()
        self.later()

    def refresh(self) -> None:
        """Show what is there now."""
        if self._outlines.is_gone():
            self.ghost.setChecked(False)
        canvas = self.controller.canvas
        if canvas is None:
            self._outlines.remove()
        elif self.ghost.isChecked():
            outlines = neighbour_outlines(canvas, self.propagator.axis)
            self._outlines.show(canvas, outlines)
        if self.isExpanded():
            self._show()

    def _show(self) -> None:
        """Show what is known of the slices, or why there is nothing to go through."""
        profile: Profile | None = None
        try:
            profile = self.propagator.profile()
            text = profile.sentence
        except UserError as error:
            text = str(error)
        self._show_axes()
        running = self.propagator.run is not None
        for button in (*self.sides, self.accept, self.end, self.interpolate):
            button.setEnabled(profile is not None and not running)
        self.check.setEnabled(profile is not None and bool(profile.confidence))
        if running != self.cancel.isVisibleTo(self.content()):
            self.cancel.setVisible(running)
            self.cancel.setEnabled(True)
        self.plot.setVisible(profile is not None)
        self.ghost.setEnabled(profile is not None)
        self.plot.show_profile(profile)
        self.outcome.setText(text)
        self.outcome.setVisible(bool(text))

    def _show_axes(self) -> None:
        """Offer the axes that can be gone through, where there are several."""
        axes: list[tuple[int, str]] = []
        chosen: int | None = None
        try:
            canvas, stack, _ = self.propagator.where()
            axes, chosen = self._named(ways(canvas), canvas), stack.axis
        except UserError:
            pass  # nothing to go through
        offered = [
            (self.axis.itemData(place), self.axis.itemText(place))
            for place in range(self.axis.count())
        ]
        if offered != axes:
            self.axis.clear()
            for axis, name in axes:
                self.axis.addItem(name, axis)
        self.axis.setCurrentIndex(self.axis.findData(chosen))
        for widget in (self.axis, self._form.labelForField(self.axis)):
            widget.setVisible(len(axes) > 1)

    def _named(self, axes: list[int], canvas: Canvas) -> list[tuple[int, str]]:
        """Name axes as their sliders are named, with their lengths."""
        shape, dims = canvas.labels.shape, self.controller.viewer.dims
        skipped = dims.ndim - len(shape)
        return [
            (axis, f"{dims.axis_labels[axis + skipped]} ({shape[axis]} slices)")
            for axis in axes
        ]
