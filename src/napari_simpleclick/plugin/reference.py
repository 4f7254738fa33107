"""How good the mask is, click by click, where the truth is known."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
from magicgui.widgets import create_widget
from napari.layers import Labels
from qtpy.QtWidgets import QCheckBox, QFormLayout, QLabel, QVBoxLayout, QWidget
from superqt import QCollapsible

if TYPE_CHECKING:
    from napari_simpleclick.annotate import Spot, Step
    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.plugin.worker import Answer


class Reference(QCollapsible):
    """Choice of a reference mask, and IoU, Dice, clicks and seconds against it.

    The object is that of the reference under the first positive click.

    Parameters
    ----------
    controller : Controller
        Whose answers are measured.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__("Compare with a reference")
        self.controller = controller
        self.choice = create_widget(annotation=Labels | None, name="reference")
        self.hide = QCheckBox("Hide it while annotating")
        self.score = QLabel("Choose a labels layer with the true mask.")
        self.score.setWordWrap(True)
        self._began: dict[Spot, float] = {}
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(0, 0, 0, 0)
        form = QFormLayout()
        form.addRow("Reference", self.choice.native)
        layout.addLayout(form)
        layout.addWidget(self.hide)
        layout.addWidget(self.score)
        self.setContent(inner)
        self.choice.changed.connect(self._on_choice)
        self.hide.toggled.connect(self._on_hide)
        controller.clicked.connect(self._on_click)
        controller.answered.connect(self._on_answer)

    def _on_choice(self) -> None:
        self._on_hide(self.hide.isChecked())
        self.score.setText("Click on an object." if self.choice.value else "")

    def _on_hide(self, hidden: bool) -> None:
        if self.choice.value is not None:
            self.choice.value.visible = not hidden

    def _on_click(self, spot: Spot, step: Step) -> None:
        bench = self.controller.bench
        if bench is not None and bench.session.clicks(spot) == (step,):
            self._began[spot] = monotonic()

    def _on_answer(self, answer: Answer) -> None:
        reference, bench = self.choice.value, self.controller.bench
        if reference is None or bench is None:
            return
        request = answer.request
        if reference.data.shape != bench.mask.data.shape:
            self.score.setText(
                f"The reference has shape {reference.data.shape}, the mask "
                f"{bench.mask.data.shape}; choose a reference of the same shape."
            )
            return
        inside = [s.click for s in request.steps if s.click.positive]
        labels = np.asarray(request.spot.plane.read(reference.data))
        label = labels[int(inside[0].row), int(inside[0].column)] if inside else 0
        if label == 0:
            self.score.setText("The reference has no object under the first click.")
            return
        from napari_simpleclick.evaluate.metrics import dice, iou

        overlap = iou(answer.mask, (labels == label).astype(np.int32))
        count = len(request.steps)
        seconds = monotonic() - self._began.get(request.spot, monotonic())
        self.score.setText(
            f"IoU {overlap:.3f} · Dice {dice(overlap):.3f} · "
            f"{count} click{'s' * (count != 1)} · {seconds:.0f} s"
        )
