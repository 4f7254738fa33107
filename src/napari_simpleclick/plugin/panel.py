"""The dock widget: a view of the controller."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import create_widget
from napari.layers import Image
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
)

from napari_simpleclick.plugin.controller import Controller
from napari_simpleclick.plugin.docked import Docked
from napari_simpleclick.plugin.intensities import Seen
from napari_simpleclick.plugin.keys import KEY_OF, Action
from napari_simpleclick.plugin.layers import COLOURS
from napari_simpleclick.plugin.objects import Objects
from napari_simpleclick.plugin.outline import Outline
from napari_simpleclick.plugin.probability import OURS
from napari_simpleclick.plugin.reference import Reference
from napari_simpleclick.plugin.sessions import OfferBanner, Sessions
from napari_simpleclick.plugin.through import Through
from napari_simpleclick.weights.catalogue import catalogue

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_simpleclick.answer import Answer

OPEN_FILE = "Open a weights file…"
NO_IMAGE = "Open an image, or try one from File ▸ Open Sample ▸ SimpleClick."
FIRST_CLICK = "Click on the object. Right-click on what does not belong to it."
STOPPED = "A layer of this tool was removed, so clicks do nothing now."
LINK = re.compile(r"https://[^\s;,]+")


class Panel(Docked):
    """Choice of image and model, the sign of clicks, undo, clear, next object.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer it is docked in.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.controller = controller = Controller(napari_viewer)
        self.image_choice = create_widget(
            annotation=Image, name="image", options={"choices": self._images}
        )
        self.model_choice = self._make_model_choice()
        self.positive, self.negative = self._make_signs()
        self.undo = self._button("Undo", "Take back the last click", Action.UNDO)
        self.clear = QPushButton("Clear slice")
        self.clear.setToolTip("Remove this object's clicks and mask on this slice")
        self.new_object = self._button(
            "New object", "Go on with the next object", Action.NEW_OBJECT
        )
        self.hint, self.status = QLabel(), QLabel()
        self.trouble = QLabel()
        self.copy_details = QPushButton("Copy details")
        self.start = QPushButton("Start on this image")
        self.offer, self.objects = OfferBanner(controller), Objects(controller)
        self.through, self.reference = Through(controller), Reference(controller)
        self.sessions = Sessions(controller)
        self.outline, self.intensities = Outline(controller), Seen(controller)
        self._details = ""
        self._offered: Image | None = None
        self._lay_out()
        self._connect()
        controller.use_model("bundled")
        self._on_image()
        self.destroyed.connect(lambda: controller.close())

    def reset_choices(self, event: Any = None) -> None:
        """Follow the viewer's layers; napari calls this when they change."""
        if not self.controller.closed:
            self.image_choice.reset_choices()
            self.reference.choice.reset_choices()
            QTimer.singleShot(0, self._follow)  # when all layers have come or gone

    def _images(self, _: Any) -> list[Image]:
        """Images that can be clicked on, without those that this tool has made."""
        layers = self.controller.viewer.layers
        found = [getattr(layer, "__wrapped__", layer) for layer in layers]
        return [
            one for one in found if isinstance(one, Image) and OURS not in one.metadata
        ]

    def _follow(self) -> None:
        if self.controller.closed:
            return
        if self.image_choice.value is not self._offered:
            self._on_image()
        self._on_changed()

    def showEvent(self, event: Any) -> None:
        """Find the viewer's images as soon as the panel has a window."""
        super().showEvent(event)
        self.reset_choices()

    def leave(self) -> None:
        """Let go of the viewer."""
        for section in (self.through, self.outline, self.intensities):
            section.leave()
        self.controller.close()

    # -- building ------------------------------------------------------------------

    def _make_model_choice(self) -> QComboBox:
        box = QComboBox()
        for card in catalogue().values():
            box.addItem(card.name, card.name)
            tip = f"{card.network}\n{card.training_data}\nLicence: {card.licence}"
            box.setItemData(box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        box.addItem(OPEN_FILE, OPEN_FILE)
        box.setToolTip("The network and its weights")
        return box

    def _make_signs(self) -> tuple[QPushButton, QPushButton]:
        self._group = QButtonGroup(self)
        made = []
        for sign, text in ((True, "+ Add"), (False, "\N{MINUS SIGN} Remove")):
            action = Action.POSITIVE if sign else Action.NEGATIVE
            button = self._button(text, action.value, action)
            button.setCheckable(True)
            button.setStyleSheet(
                f"QPushButton:checked {{ border: 2px solid {COLOURS[sign]}; }}"
            )
            self._group.addButton(button)
            made.append(button)
        made[0].setChecked(True)
        return made[0], made[1]

    def _button(self, text: str, tip: str, action: Action) -> QPushButton:
        button = QPushButton(f"{text}  ({KEY_OF[action]})")
        button.setToolTip(f"{tip} ({KEY_OF[action]})")
        button.clicked.connect(lambda: self.controller.act(action))
        return button

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Image", self.image_choice.native)
        form.addRow("Model", self.model_choice)
        layout = QVBoxLayout(self)
        layout.addWidget(self.offer)
        layout.addLayout(form)
        layout.addWidget(self.objects)
        for row in ((self.positive, self.negative), (self.undo, self.clear)):
            line = QHBoxLayout()
            for button in row:
                line.addWidget(button)
            layout.addLayout(line)
        layout.addWidget(self.new_object)
        layout.addWidget(self.start)
        for label in (self.hint, self.status, self.trouble):
            label.setWordWrap(True)
            layout.addWidget(label)
        self.trouble.setStyleSheet("color: #ff6b5e;")
        self.trouble.setOpenExternalLinks(True)
        layout.addWidget(self.copy_details)
        layout.addWidget(self.through)
        layout.addWidget(self.sessions)
        layout.addWidget(self.outline)
        layout.addWidget(self.intensities)
        layout.addWidget(self.reference)
        layout.addStretch()
        self._forgive()

    def _connect(self) -> None:
        controller = self.controller
        self.image_choice.changed.connect(self._on_image)
        self.model_choice.activated.connect(self._on_model)
        self.clear.clicked.connect(controller.clear)
        self.start.clicked.connect(self._on_image)
        self.copy_details.clicked.connect(self._on_copy)
        controller.status.connect(self._on_status)
        controller.trouble.connect(self._on_trouble)
        controller.changed.connect(self._on_changed)
        controller.answers.answered.connect(self._on_answer)
        self.through.propagator.began.connect(self._forgive)

    # -- events --------------------------------------------------------------------

    def _on_image(self) -> None:
        self._offered = self.image_choice.value
        self.controller.use_image(self._offered)
        self._on_changed()

    def _on_model(self) -> None:
        self._forgive()
        name = self.model_choice.currentData()
        if name == OPEN_FILE:
            name, _ = QFileDialog.getOpenFileName(
                self, "Open weights", "", "Weights (*.safetensors *.pth)"
            )
            if not name:
                self._on_changed()
                return
            self.model_choice.insertItem(0, Path(name).name, name)
        self.controller.use_model(name)

    def _on_changed(self) -> None:
        bench = self.controller.bench
        for button in (self.positive, self.negative, self.undo, self.clear):
            button.setEnabled(bench is not None)
        self.new_object.setEnabled(bench is not None)
        chosen = self.positive if self.controller.positive else self.negative
        chosen.setChecked(True)
        known = self.model_choice.findData(self.controller.models.name)
        self.model_choice.setCurrentIndex(max(0, known))
        self.objects.setVisible(bench is not None)
        waiting = bench is None and self._offered is not None
        self.start.setVisible(waiting)
        self.hint.setText(FIRST_CLICK if bench else STOPPED if waiting else NO_IMAGE)

    def _on_answer(self, answer: Answer) -> None:
        self._forgive()
        engine, count = self.controller.engine, len(answer.request.steps)
        device = engine.predictor.device.type if engine else ""
        clicks = "1 click" if count == 1 else f"{count} clicks"
        self.status.setText(f"{clicks} · {answer.milliseconds:.0f} ms · {device}")

    def _on_status(self, text: str) -> None:
        self.status.setText(text)

    def _on_trouble(self, sentence: str, details: str) -> None:
        self._details = details
        self.trouble.setText(LINK.sub(r'<a href="\g<0>">the page</a>', sentence))
        self.trouble.show()
        self.copy_details.show()

    def _forgive(self) -> None:
        self.trouble.hide()
        self.copy_details.hide()

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._details)
