"""One button for each of the three ways through a volume, upright."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

if TYPE_CHECKING:
    from napari_simpleclick.plugin.controller import Controller

SCAN = ("Axial", "Coronal", "Sagittal")
"""Slices along the last three axes of a scan with an orientation."""

STACK = ("XY", "XZ", "YZ")
"""The same of other stacks."""


class ViewButtons(QWidget):  # type: ignore[misc]
    """Shows the slices along one of the last three axes.

    Parameters
    ----------
    controller : Controller
        Whose image is shown.
    """

    turned = Signal()
    """Slices along another axis are shown."""

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.controller = controller
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.buttons: list[QPushButton] = []
        for number in range(len(SCAN)):
            button = QPushButton()
            button.clicked.connect(lambda _=False, n=number: self._show(n))
            layout.addWidget(button)
            self.buttons.append(button)
        controller.workflow.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Name the buttons after the image; there are none for a single slice."""
        canvas = self.controller.canvas
        self.setVisible(canvas is not None and canvas.is_volume)
        if canvas is None:
            return
        names = SCAN if canvas.is_oriented else STACK
        for button, name in zip(self.buttons, names, strict=True):
            button.setText(name)
            button.setToolTip(f"Show {name.lower()} slices" if names is SCAN else name)

    def _show(self, number: int) -> None:
        if self.controller.canvas is not None:
            self.controller.canvas.show_slices_along(number)
            self.turned.emit()
