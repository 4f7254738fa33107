"""What to begin with where there is no image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from napari.viewer import Viewer

NAMES = {
    "em": ("Neurons, electron microscopy", "Five sections of brain tissue"),
    "brain": ("Brain with a tumour, MRI", "Five slices of a head, with contrast agent"),
    "mri": ("Hippocampus, MRI", "A small T1 volume"),
}
"""Samples of the manifest: texts and tips of their buttons."""


class SampleButtons(QWidget):  # type: ignore[misc]
    """A button for each sample.

    Parameters
    ----------
    viewer : napari.Viewer
        Opens them.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self.buttons: dict[str, QPushButton] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for key, (text, tip) in NAMES.items():
            self.buttons[key] = button = QPushButton(text)
            button.setToolTip(tip)
            button.clicked.connect(
                lambda _=False, k=key: viewer.open_sample("napari-simpleclick", k)
            )
            layout.addWidget(button)
