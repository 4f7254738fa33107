"""The dock widget: a view of the controller."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import create_widget
from napari.layers import Image
from qtpy.QtCore import QTimer
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import (
    QButtonGroup,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_simpleclick.plugin import settings
from napari_simpleclick.plugin.controller import Controller
from napari_simpleclick.plugin.docked import Docked, without_proxy
from napari_simpleclick.plugin.key_button import KeyButton
from napari_simpleclick.plugin.keys import TABLE, Action
from napari_simpleclick.plugin.layers.click_markers import COLOURS
from napari_simpleclick.plugin.layers.placement import OURS
from napari_simpleclick.plugin.links import link
from napari_simpleclick.plugin.scroll import Scroll
from napari_simpleclick.plugin.sections import SECTIONS
from napari_simpleclick.plugin.sections.drawing import DrawingButtons
from napari_simpleclick.plugin.sections.export import ExportButton
from napari_simpleclick.plugin.sections.help import Help
from napari_simpleclick.plugin.sections.mask_layer import MaskLayerChoice
from napari_simpleclick.plugin.sections.object_tools import ObjectTools
from napari_simpleclick.plugin.sections.objects import ObjectsSection
from napari_simpleclick.plugin.sections.samples import SampleButtons
from napari_simpleclick.plugin.sections.save_mask import SaveMask
from napari_simpleclick.plugin.sections.sessions import OfferBanner
from napari_simpleclick.plugin.sections.teaching import TeachOffer
from napari_simpleclick.plugin.sections.tour import Tour
from napari_simpleclick.plugin.sections.views import ViewButtons
from napari_simpleclick.workflow import ModelChoice

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_simpleclick.plugin.sections.section import Section
    from napari_simpleclick.workflow.engine import Answer

NO_IMAGE = "Open an image: drop a file into the window. Or try a sample:"
FIRST_CLICK = "Click on the object. Right-click on what does not belong to it."
STOPPED = "Clicks do nothing now: layers of this tool were removed, or do not fit."
TROUBLE = "border-left: 3px solid #e5484d; padding-left: 6px;"
"""The words stay in the colour of the theme, to be read in each."""

LINK = re.compile(r"https://[^\s;,]+")


class Panel(Docked):
    """Choice of image, the sign of clicks, undo, clear, next object, sections, help.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer it is docked in.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        TABLE.load()
        viewer = without_proxy(napari_viewer)
        self.controller = controller = Controller(viewer)
        self.image_choice = create_widget(
            annotation=Image, name="image", options={"choices": self._images}
        )
        self.workflow = controller.workflow
        self.positive, self.negative = self._make_signs()
        self.drawing = DrawingButtons(controller)
        self.undo = self._button("Undo", "Take back the last click", Action.UNDO)
        self.clear = QPushButton("Clear slice")
        self.clear.setToolTip("Remove this object's clicks and mask on this slice")
        self.new_object = self._button(
            "New object", "Go on with the next object", Action.NEW_OBJECT
        )
        self.hint, self.status = QLabel(), QLabel()
        self.advice, self.trouble = QLabel(), QLabel()
        self.copy_details = QPushButton("Copy details")
        self.start = QPushButton("Start on this image")
        self.offer, self.objects = OfferBanner(controller), ObjectsSection(controller)
        self.object_tools = ObjectTools(controller, self.objects)
        self.mask_choice = MaskLayerChoice(controller)
        self.samples = SampleButtons(viewer)
        self.views, self.save_mask = ViewButtons(controller), SaveMask(controller)
        self.export = ExportButton(controller)
        self.tour, self.help = Tour(controller), Help()
        self.teach_offer = TeachOffer(controller)
        self.sections = {name: make(controller) for name, make in SECTIONS.items()}
        self._details = ""
        self._offered: Image | None = None
        self._lay_out()
        self._connect()
        saved = settings.load()
        numbers = saved.device, saved.precision, saved.mode
        chosen = ModelChoice(saved.model, *numbers)
        self.workflow.models.choose(chosen)
        self._on_image()
        if saved.tour:
            self.tour.begin()
        self.destroyed.connect(lambda: controller.abandon())

    def reset_choices(self, event: Any = None) -> None:
        """Follow the viewer's layers; napari calls this when they change."""
        if not self.controller.closed:
            self._reset_images()
            for section in self.sections.values():
                section.reset_choices()
            QTimer.singleShot(0, self._follow)  # when all layers have come or gone

    def _images(self, _: Any) -> list[Image]:
        """Images that can be clicked on, without those that this tool has made."""
        return [
            one
            for one in self.controller.viewer.layers
            if isinstance(one, Image) and OURS not in one.metadata
        ]

    def _reset_images(self) -> None:
        """Name the images anew; the choice stays, also if its layer was renamed."""
        before = self._offered
        with self.image_choice.changed.blocked():
            self.image_choice.reset_choices()
            if before in self.image_choice.choices:
                self.image_choice.value = before

    def _follow(self) -> None:
        if self.controller.closed or not self.isEnabled():
            return
        if self.image_choice.value is not self._offered:
            self._on_image()
        self._on_changed()

    def _on_selected(self) -> None:
        """Follow to the image that the person selects or opens, or works on again."""
        if not self.isEnabled():  # as while a study rests
            return
        image = self.controller.image_of(self._selected())
        if self.controller.closed or image is None or image is self._offered:
            return
        if image in self.image_choice.choices:
            self.image_choice.value = image

    def _selected(self) -> Any:
        return self.controller.viewer.layers.selection.active

    def showEvent(self, event: Any) -> None:
        """Find the viewer's images as soon as the panel has a window."""
        super().showEvent(event)
        self.reset_choices()

    def leave(self) -> None:
        """Let go of the viewer."""
        viewer = self.controller.viewer
        viewer.layers.selection.events.active.disconnect(self._on_selected)
        viewer.dims.events.ndisplay.disconnect(self._forgive)
        self.help.leave()
        for section in self.sections.values():
            section.leave()
        self.controller.close()

    # -- building ------------------------------------------------------------------

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
        button = KeyButton(text, tip, action)
        button.clicked.connect(lambda: self.controller.act(action))
        return button

    def _lay_out(self) -> None:
        inner, outer = QWidget(), QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        layout = QVBoxLayout(inner)
        layout.addWidget(self.tour)
        layout.addWidget(self.offer)
        layout.addWidget(self._make_choices())
        for label in (self.hint, self.status, self.advice, self.trouble):
            label.setWordWrap(True)
        layout.addWidget(self.hint)
        layout.addWidget(self.samples)
        layout.addWidget(self.start)
        layout.addWidget(self._make_tools())
        layout.addWidget(self.status)
        layout.addWidget(self.advice)
        layout.addWidget(self.teach_offer)
        layout.addWidget(self.trouble)
        layout.addWidget(self.copy_details)
        for section in self.sections.values():
            layout.addWidget(section)
        layout.addStretch(1)
        layout.addWidget(self.help)
        self.scroll = Scroll(inner)
        outer.addWidget(self.scroll)
        for section in self.sections.values():
            section.toggled.connect(partial(self._on_section, section))
        self._forgive()

    def _on_section(self, section: Section, opened: bool) -> None:
        """Show what was opened below the window's edge."""
        if opened:
            self.scroll.bring(section)
        else:
            self.scroll.stay()

    def _make_choices(self) -> QWidget:
        """Make what says which image and which object."""
        self.choices = QWidget()
        form = QFormLayout(self.choices)
        form.setContentsMargins(0, 0, 0, 0)
        self.image_choice.native.setToolTip("The image that is clicked on")
        form.addRow("Image", self.image_choice.native)
        self.mask_title = QLabel("Mask")
        form.addRow(self.mask_title, self.mask_choice)
        return self.choices

    def _make_tools(self) -> QWidget:
        """Make what there is no use for without an image."""
        self.tools = QWidget()
        layout = QVBoxLayout(self.tools)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.views)
        layout.addWidget(self.objects)
        layout.addWidget(self.object_tools)
        for row in (
            (self.positive, self.negative),
            self.drawing.buttons,
            (self.undo, self.clear),
            (self.new_object,),
            (self.save_mask, self.export),
        ):
            line = QHBoxLayout()
            for button in row:
                line.addWidget(button)
            layout.addLayout(line)
        self.start.setToolTip("Make new layers for clicks and mask")
        self.copy_details.setToolTip("Copy what a developer would ask for")
        self.trouble.setStyleSheet(TROUBLE)
        self.trouble.setOpenExternalLinks(True)
        return self.tools

    def _connect(self) -> None:
        flow = self.workflow
        self.image_choice.changed.connect(self._on_image)
        self.clear.clicked.connect(flow.clear)
        self.start.clicked.connect(self._on_image)
        self.copy_details.clicked.connect(self._on_copy)
        self.views.turned.connect(self.sections["three views"].keep_point)
        self.help.tour.clicked.connect(self.tour.begin)
        viewer = self.controller.viewer
        viewer.layers.selection.events.active.connect(self._on_selected)
        viewer.dims.events.ndisplay.connect(self._forgive)
        flow.status.connect(self._on_status)
        flow.trouble.connect(self._on_trouble)
        flow.began.connect(self._forgive)
        flow.changed.connect(self._on_changed)
        flow.queue.answered.connect(self._on_answer)
        flow.queue.advised.connect(self._on_advice)

    # -- events --------------------------------------------------------------------

    def _on_image(self) -> None:
        self._offered = self.image_choice.value
        self._forgive()
        self.controller.use_image(self._offered)
        self._on_changed()

    def _on_changed(self) -> None:
        canvas = self.controller.canvas
        for button in (self.positive, self.negative, self.undo, self.clear):
            button.setEnabled(canvas is not None)
        self.new_object.setEnabled(canvas is not None)
        chosen = self.positive if self.workflow.positive else self.negative
        chosen.setChecked(True)
        waiting = canvas is None and self._offered is not None
        empty = self._offered is None
        self.samples.setVisible(empty)
        self.tools.setVisible(canvas is not None)
        for section in self.sections.values():
            section.setVisible(canvas is not None or not section.needs_image)
        self.choices.setVisible(not empty)
        for part in (self.mask_choice, self.mask_title):
            part.setVisible(canvas is not None)
        self.start.setVisible(waiting)
        self.hint.setText(FIRST_CLICK if canvas else STOPPED if waiting else NO_IMAGE)

    def _on_answer(self, answer: Answer) -> None:
        self._forgive()
        engine, count = self.controller.engine, len(answer.request.prompts)
        device = engine.predictor.device.type if engine else ""
        clicks = "1 click" if count == 1 else f"{count} clicks"
        self.status.setText(f"{clicks} · {answer.milliseconds:.0f} ms · {device}")

    def _on_advice(self, text: str) -> None:
        self.advice.setText(text)
        self.advice.setVisible(bool(text))

    def _on_status(self, text: str) -> None:
        self.status.setText(text)

    def _on_trouble(self, sentence: str, details: str) -> None:
        self._details = details
        page = link(self.trouble, r"\g<0>", "the page")
        self.trouble.setText(LINK.sub(page, sentence))
        self.trouble.show()
        self.copy_details.show()

    def _forgive(self) -> None:
        self.trouble.hide()
        self.advice.hide()
        self.copy_details.hide()

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._details)
