"""The section of the panel that shapes the outline of a mask."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSlider,
)

from napari_simpleclick.annotation import MaskOptions
from napari_simpleclick.plugin.key_button import KeyButton
from napari_simpleclick.plugin.keys import TABLE, Action
from napari_simpleclick.plugin.layers.probability import ProbabilityLayer
from napari_simpleclick.plugin.sections.section import LiveSection

if TYPE_CHECKING:
    from qtpy.QtGui import QWheelEvent

    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.plugin.layers.canvas import LayerCanvas
    from napari_simpleclick.workflow.engine import Answer

STEPS = 100
"""Of the slider; its ends are left out."""

BOXES = {
    "smooth": (
        "Smooth outline",
        "Round off steps and teeth of about three pixels; what is thinner stays",
    ),
    "fill_holes": (
        "Fill holes",
        "Fill holes in the mask, but none with a click that removes in it",
    ),
    "only_clicked": (
        "Only what was clicked",
        "Drop separate parts without a click that adds",
    ),
    "overwrite": (
        "May cover other objects",
        "Take pixels of other objects; else they keep theirs",
    ),
}
"""Options with a check box: its text and tip."""

KEEP = {
    "earlier": (
        "keep earlier masks",
        "A click on a mask that was painted, propagated or opened before changes only "
        "the part that the click is about",
    ),
    "always": (
        "always keep the rest",
        "From the second click on, each changes only the part that it is about",
    ),
    "never": ("change any part", "Each click may change the whole mask"),
}
"""What corrections do: text and tip."""

LATER = "This mask was drawn by hand last, so changes count from the next click on."

UNCHANGED = (
    "That click changed nothing: the mask agrees with it already. To let it change "
    "more, see Corrections under Outline."
)


class Slider(QSlider):  # type: ignore[misc]
    """A slider that leaves the mouse wheel to the panel."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Pass it on, so that scrolling the panel changes no mask."""
        event.ignore()


class OutlineSection(LiveSection):
    """Threshold, smoothing, and when and how much of a mask a click changes.

    Parameters
    ----------
    controller : Controller
        Whose masks are shaped.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__("Outline", controller)
        self.retouch = self.workflow.retouch
        self._probability = ProbabilityLayer(controller)
        self._canvas: LayerCanvas | None = None
        self._carried: MaskOptions | None = None
        self._idle = False
        self.threshold, self.value = Slider(Qt.Orientation.Horizontal), QLabel()
        self.boxes = {name: QCheckBox(text) for name, (text, _) in BOXES.items()}
        self.keep = QComboBox()
        self.probability = QCheckBox("Show probability")
        self.auto = QCheckBox("Predict after each click")
        self.predict = KeyButton("Predict", Action.PREDICT.value, Action.PREDICT)
        self.note = QLabel(LATER)
        self._lay_out()
        self._connect()
        self._show_options()
        self._on_controller()

    # -- building ------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.threshold.setRange(1, STEPS - 1)
        self.threshold.setToolTip(
            "How sure the network must be of a pixel. Left: the mask grows. Right: it "
            f"shrinks. {MaskOptions().threshold:.2f} is usual."
        )
        self.value.setMinimumWidth(self.value.fontMetrics().horizontalAdvance("0.00 "))
        line = QHBoxLayout()
        line.addWidget(self.threshold)
        line.addWidget(self.value)
        form = QFormLayout()
        form.addRow("Threshold", line)
        for number, (keep, (text, tip)) in enumerate(KEEP.items()):
            self.keep.addItem(text, keep)
            self.keep.setItemData(number, tip, Qt.ItemDataRole.ToolTipRole)
        self.keep.setToolTip("\n".join(f"{text}: {tip}" for text, tip in KEEP.values()))
        form.addRow("Corrections", self.keep)
        self.inside.addLayout(form)
        for name, box in self.boxes.items():
            box.setToolTip(BOXES[name][1])
            self.inside.addWidget(box)
        self.probability.setToolTip(
            "A layer with how sure the network is of each pixel of this slice"
        )
        self.auto.setToolTip(
            "Otherwise clicks gather until you ask for the mask with "
            f"{TABLE.text(Action.PREDICT)}"
        )
        self.predict.setToolTip(Action.PREDICT.value)
        self.note.setWordWrap(True)
        for widget in (self.probability, self.auto, self.predict, self.note):
            self.inside.addWidget(widget)

    def _connect(self) -> None:
        controller, dims = self.controller, self.controller.viewer.dims
        self.threshold.sliderPressed.connect(self.retouch.begin)
        self.threshold.valueChanged.connect(self._on_threshold)
        self.threshold.sliderReleased.connect(self.retouch.end)
        for name, box in self.boxes.items():
            box.toggled.connect(lambda on, name=name: self._change(**{name: on}))
        self.keep.activated.connect(
            lambda _: self._change(keep=self.keep.currentData())
        )
        self.probability.toggled.connect(self._on_probability)
        self.auto.toggled.connect(self._on_auto)
        self.predict.clicked.connect(self.workflow.predict)
        self.workflow.changed.connect(self._on_controller)
        self.workflow.queue.answered.connect(self._on_answer)
        removed = controller.viewer.layers.events.removed
        self.follow(removed, dims.events.point, dims.events.order, dims.events.ndisplay)

    def leave(self) -> None:
        """Let go of the viewer."""
        super().leave()
        self._follow(None)
        self._probability.remove()

    # -- what the person does ------------------------------------------------------

    def _change(self, **values: Any) -> None:
        canvas = self.controller.canvas
        if canvas is not None:
            self.retouch.begin()
            self.retouch.change(replace(canvas.options, **values))

    def _on_threshold(self, value: int) -> None:
        canvas = self.controller.canvas
        if canvas is not None:
            options = replace(canvas.options, threshold=value / STEPS)
            self.retouch.change(options, self.threshold.isSliderDown())

    def _on_auto(self, on: bool) -> None:
        canvas = self.controller.canvas
        if canvas is not None:
            canvas.session.use(replace(canvas.options, auto=on))
            self.workflow.queue.pump()

    def _on_probability(self, shown: bool) -> None:
        if not shown:
            self._probability.remove()
        self.later()

    def _on_answer(self, answer: Answer) -> None:
        """Say why a click had no effect, where that is meant."""
        from napari_simpleclick.workflow.merging import merging

        self.later()
        steps, canvas = answer.request.prompts, self.controller.canvas
        if canvas is None or not steps or answer.request.options:
            return
        last = canvas.session.last
        if last is None or last.change is not None:
            return
        holding = merging(steps, canvas.options)
        self._idle = holding is not None and holding.steps[-1]

    # -- following -----------------------------------------------------------------

    def _on_controller(self) -> None:
        if self.controller.canvas is not self._canvas:
            self._follow(self.controller.canvas)
        self.later()

    def _follow(self, canvas: LayerCanvas | None) -> None:
        """Show the options of another image; one without clicks takes over these."""
        if self._canvas is not None:
            self._carried = self._canvas.options
            self._canvas.session.options_changed.disconnect(self._show_options)
            self._canvas.session.changed.disconnect(self.later)
            self._canvas.painted.disconnect(self.later)
        if canvas is not None:
            if self._carried is not None and not canvas.session.objects.prompts:
                canvas.session.use(_shaped_as(canvas.options, self._carried))
            canvas.session.options_changed.connect(self._show_options)
            canvas.session.changed.connect(self.later)
            canvas.painted.connect(self.later)
        self._canvas = canvas
        self._show_options()

    def _show_options(self) -> None:
        options = self._carried or MaskOptions()
        if self._canvas is not None:
            options = self._canvas.options
        widgets = (self.threshold, self.auto, *self.boxes.values())
        before = [widget.blockSignals(True) for widget in widgets]
        if not self.threshold.isSliderDown():
            self.threshold.setValue(round(options.threshold * STEPS))
        self.value.setText(f"{options.threshold:.2f}")
        for name, box in self.boxes.items():
            box.setChecked(getattr(options, name))
        self.keep.setCurrentIndex(self.keep.findData(options.keep))
        self.auto.setChecked(options.auto)
        self.predict.setVisible(not options.auto)
        for widget, blocked in zip(widgets, before, strict=True):
            widget.blockSignals(blocked)

    def refresh(self) -> None:
        """Show what is there now."""
        if self._idle:  # not before the panel has told the number of clicks
            self._idle = False
            self.workflow.status.emit(UNCHANGED)
        if self._probability.is_gone():
            self.probability.setChecked(False)
        if self.probability.isChecked():
            self._probability.follow()
        here = self._canvas is not None
        for widget in (*self.boxes.values(), self.threshold, self.keep, self.auto):
            widget.setEnabled(here)
        self.probability.setEnabled(here or self.probability.isChecked())
        if self.isExpanded():
            self.note.setVisible(self.retouch.is_drawn())


def _shaped_as(options: MaskOptions, other: MaskOptions) -> MaskOptions:
    """Take over what does not depend on the image."""
    return replace(
        other,
        intensities=options.intensities,
        channel_axis=options.channel_axis,
        channels=options.channels,
    )
