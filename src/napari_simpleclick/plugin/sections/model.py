"""The section of the panel with the model and what it computes on."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
)

from napari_simpleclick.plugin import settings
from napari_simpleclick.plugin.download_bar import DownloadBar
from napari_simpleclick.plugin.sections.section import Section
from napari_simpleclick.weights import (
    Card,
    catalogue,
    descriptions,
    find_card,
    is_local,
)
from napari_simpleclick.weights.store import described
from napari_simpleclick.workflow import ModelChoice

if TYPE_CHECKING:
    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.workflow.engine import Answer

OPEN_FILE = "Open a weights file…"
PRECISIONS = ("auto", "float32", "bfloat16")
MODES = {"Fast": "fast", "Exact": "exact"}
RECENT = 5
"""Answers whose time is shown."""


class ModelSection(Section):
    """Choice of model, device and precision; they are saved for the next time.

    Parameters
    ----------
    controller : Controller
        Whose model is chosen.
    """

    needs_image = False

    def __init__(self, controller: Controller) -> None:
        super().__init__("Model and device", controller)
        self.models = self.workflow.models
        self.bar = DownloadBar(self.models)
        self.model, self.device, self.precision = QComboBox(), QComboBox(), QComboBox()
        self.about, self.speed, self.waiting = QLabel(), QLabel(), QLabel()
        self.words, self.timing, self.computes = QLabel(), QLabel(), QLabel()
        self.mode = QComboBox()
        self.cancel = QPushButton("Cancel")
        self._times: deque[float] = deque(maxlen=RECENT)
        self._fill()
        self._lay_out()
        self._connect()

    def leave(self) -> None:
        """Take the bar of a download away."""
        self.bar.close()

    # -- building ------------------------------------------------------------------

    def _fill(self) -> None:
        for card in catalogue().values():
            self.model.addItem(card.title or card.name, card.name)
            row = self.model.count() - 1
            tip = in_words(card)
            self.model.setItemData(row, tip, Qt.ItemDataRole.ToolTipRole)
        self.model.addItem(OPEN_FILE, OPEN_FILE)
        for shown, name in MODES.items():
            self.mode.addItem(shown, name)
        self.precision.addItems(PRECISIONS)
        self.model.setToolTip("The network and its weights")
        self.device.setToolTip(
            "What computes: auto takes the graphics processor if there is one"
        )
        self.mode.setToolTip(
            "Fast computes as fast as this computer can; Exact is the published "
            "protocol: float32, averaged with the mirrored image, which takes 2 to 14 "
            "times as long"
        )
        self.precision.setToolTip(
            "Number type of matrix products when fast: auto takes bfloat16 where that "
            "is fast"
        )
        self.cancel.setToolTip("Stop loading; the model in use stays")

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Model", self.model)
        form.addRow("Mode", self.mode)
        numbers = QFormLayout()
        numbers.addRow("Device", self.device)
        numbers.addRow("Precision", self.precision)
        self.inside.addLayout(form)
        texts = (self.about, self.words, self.timing, self.computes)
        for label in texts:  # a form would cut off their second lines
            self.inside.addWidget(label)
        self.inside.addLayout(numbers)
        for label in (*texts, self.waiting, self.speed):
            label.setWordWrap(True)
            policy = label.sizePolicy()  # which knows that height depends on width
            policy.setHorizontalPolicy(QSizePolicy.Policy.Ignored)
            label.setSizePolicy(policy)  # its text must not make the dock wider
        for widget in (self.speed, self.waiting, self.cancel):
            self.inside.addWidget(widget)
        self.speed.setToolTip(f"Median of the last {RECENT} clicks")
        self.speed.hide()
        self._on_end()

    def _connect(self) -> None:
        self.model.activated.connect(self._on_model)
        self.device.activated.connect(self._on_numbers)
        self.precision.activated.connect(self._on_numbers)
        self.mode.activated.connect(self._on_numbers)
        self.cancel.clicked.connect(self.models.cancel)
        self.models.loading.connect(self._on_loading)
        self.models.downloading.connect(self._on_download)
        self.models.loaded.connect(self._on_loaded)
        self.models.failed.connect(self._on_end)
        self.models.cancelled.connect(self._on_end)
        self.models.measured.connect(self._show_timing)
        self.models.accelerated.connect(self._on_accelerated)
        self.toggled.connect(self._measure)
        self.workflow.queue.answered.connect(self._on_answer)

    # -- events --------------------------------------------------------------------

    def _on_model(self) -> None:
        name = self.model.currentData()
        if name == OPEN_FILE:
            name, _ = QFileDialog.getOpenFileName(
                self, "Open weights", "", "Weights (*.safetensors *.pth)"
            )
        if name:
            self.workflow.use_model(name)
        else:
            self._show()

    def _on_numbers(self) -> None:
        device, precision = self.device.currentText(), self.precision.currentText()
        numbers = device, precision, self.mode.currentData()
        self.workflow.choose_model(ModelChoice(self.models.name, *numbers))

    def _on_loading(self) -> None:
        self.waiting.setText("Loading…")
        self.waiting.show()
        self.cancel.setVisible(self.models.engine is not None)
        self._show()

    def _on_download(self, done: int, total: int) -> None:
        self.waiting.setText(f"{done / 1e6:.1f} of {total / 1e6:.1f} MB")
        self.cancel.show()

    def _on_loaded(self) -> None:
        self._times.clear()
        self.speed.hide()
        self._on_end()
        settings.save(**self.models.choice._asdict())
        self._measure(self.isExpanded())

    def _on_accelerated(self) -> None:
        """Say what computes, and how fast it is now."""
        self._show_timing()
        self._measure(self.isExpanded())

    def _measure(self, opened: bool) -> None:
        """Time the model in use, when somebody wants to know."""
        if opened:
            self.models.measure()

    def _on_end(self) -> None:
        self.waiting.hide()
        self.cancel.hide()
        self._show()

    def _on_answer(self, answer: Answer) -> None:
        self._times.append(answer.milliseconds)
        self.speed.setText(f"{median(self._times):.0f} ms per click")
        self.speed.show()

    def _show(self) -> None:
        """Show what is in use, or being loaded."""
        choice = self.models.choice
        card = find_card(choice.model)
        name = card.name if card else choice.model
        if self.model.findData(name) < 0:
            self.model.insertItem(0, Path(name).name, name)
            self.model.setItemData(0, name, Qt.ItemDataRole.ToolTipRole)
        self.model.setCurrentIndex(self.model.findData(name))
        devices = list(dict.fromkeys([*(self.models.devices or ("auto", "cpu"))]))
        if choice.device not in devices:
            devices.append(choice.device)
        self.device.clear()
        self.device.addItems(devices)
        self.device.setCurrentText(choice.device)
        self.precision.setCurrentText(choice.precision)
        self.precision.setEnabled(choice.mode != "exact")
        self.mode.setCurrentIndex(self.mode.findData(choice.mode))
        if card is None and self.models.engine is not None:
            card = self.models.engine.card if not self.models.is_loading else None
        text, licence = _describe(card, choice.model)
        self.about.setText(f"{text}. Licence: {licence.replace('; ', ', ')}.")
        self.words.setText("" if card is None else in_words(card, terms=False))
        self.words.setVisible(card is not None)
        self._show_timing()

    def _show_timing(self) -> None:
        """Show how fast the chosen model is here, if measured, and what computes."""
        self.computes.setText(self.models.computing)
        self.computes.setVisible(bool(self.models.computing))
        speed = self.models.speeds.get(self.models.choice)
        self.timing.setVisible(speed is not None)
        if speed is not None:
            self.timing.setText(
                f"On this computer: {_seconds(speed.encode_s)} to look at a slice, "
                f"{_seconds(speed.click_s)} a click."
            )


def in_words(card: Card, terms: bool = True) -> str:
    """Say what a model is, its size, what it is good for and what it was trained on.

    Parameters
    ----------
    card : Card
        The model.
    terms : bool
        Say the licence, too.
    """
    described = descriptions().get(card.network)
    lines = [f"Trained on: {card.training_data}."]
    if described is not None:
        good_for = f"Good for: {described.good_for}."
        lines = [f"{described.about}; {described.millions}.", good_for, *lines]
    if terms:
        lines.append(f"Licence: {card.terms}.")
    return "\n".join(lines)


def _seconds(spent: float) -> str:
    return f"{1000 * spent:.0f} ms" if spent < 1 else f"{spent:.1f} s"


def _describe(card: Card | None, name: str) -> tuple[str, str]:
    """Say how large a model is and whether it is here, and give its licence."""
    path = Path(name)
    if card is None or card.name not in catalogue():
        size = path.stat().st_size if path.is_file() else 0
        here, licence = "a file", card.terms if card else "unknown"
    else:
        size = described(card).bytes
        here = "on this computer" if is_local(card) else "not on this computer"
        licence = card.terms
    megabytes = f"{size / 1e6:.1f} MB" if size else "size unknown"
    return f"{megabytes}, {here}", licence
