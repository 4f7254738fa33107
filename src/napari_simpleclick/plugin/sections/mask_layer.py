"""The choice of the mask that is worked on: a new one, or one that is there."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Labels
from qtpy.QtWidgets import QComboBox, QFileDialog, QMessageBox

from napari_simpleclick.images.files import READABLE
from napari_simpleclick.plugin.layers.placement import found_mask

if TYPE_CHECKING:
    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.workflow.mask_choice import Question

NEW, FILE = "New mask", "From a file…"


class MaskLayerChoice(QComboBox):  # type: ignore[misc]
    """Lists the Labels layers of the viewer; what is chosen is gone on with.

    Parameters
    ----------
    controller : Controller
        Whose mask is chosen.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.controller, self.masks = controller, controller.workflow.masks
        self.question: QMessageBox | None = None
        self._layer: Labels | None = None
        self.setToolTip(
            "The mask that clicks go to: go on with any labels layer or file. It is "
            "copied, and stays as it is"
        )
        self.setAccessibleName("Mask")
        adjust = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self.setSizeAdjustPolicy(adjust)
        self.setMinimumContentsLength(12)
        self.activated.connect(self._on_activated)
        self.masks.asked.connect(self._on_asked)
        self.masks.taken.connect(self._on_taken)
        controller.workflow.changed.connect(self.refill)
        self.refill()

    def showPopup(self) -> None:
        """List what there is now."""
        self.refill()
        super().showPopup()

    def refill(self) -> None:
        """List the present mask, and those that can take its place."""
        canvas = self.controller.canvas
        self.blockSignals(True)
        self.clear()
        if canvas is not None:
            self.addItem(canvas.mask.name)
            self.addItem(NEW, NEW)
            self.addItem(FILE, FILE)
            others = [
                one
                for one in self.controller.viewer.layers
                if isinstance(one, Labels) and one is not canvas.mask
            ]
            if others:
                self.insertSeparator(self.count())
            for layer in others:
                self.addItem(layer.name, layer)
        self.setCurrentIndex(0)
        self.blockSignals(False)

    def _on_activated(self, index: int) -> None:
        wanted = self.itemData(index)
        self.setCurrentIndex(0)
        self._layer = None
        if wanted == NEW:
            self.controller.workflow.attempt(self.masks.begin)
        elif wanted == FILE:
            self._open()
        elif wanted is not None:
            self._layer = wanted
            attempt = self.controller.workflow.attempt
            attempt(lambda: self.masks.take(found_mask(wanted)))

    def _open(self) -> None:
        endings = " ".join(f"*{suffix}" for suffix in READABLE)
        name, _ = QFileDialog.getOpenFileName(
            self, "Go on with a mask", "", f"Masks ({endings});;All files (*)"
        )
        if name:
            self.controller.workflow.attempt(partial(self.masks.open, Path(name)))

    def _on_asked(self, question: Question) -> None:
        buttons = QMessageBox.StandardButton
        box = QMessageBox(
            QMessageBox.Icon.Question,
            "Another grid",
            f"{question.text} Put it onto the image?",
            buttons.Yes | buttons.Cancel,
            self,
        )
        box.button(buttons.Yes).setText("Put it onto the image")

        def finish(answer: Any) -> None:
            self.question = None
            if answer == buttons.Yes:
                question.go_on()

        box.finished.connect(finish)
        self.question = box
        box.open()

    def _on_taken(self) -> None:
        """Hide the layer that was copied, so that one mask is seen and not two."""
        layer, self._layer = self._layer, None
        canvas = self.controller.canvas
        if layer is not None:
            layer.visible = False
        if canvas is not None:
            self.controller.viewer.layers.selection.active = canvas.points[True]
