"""The section of the panel that finds what looks like the accepted objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QPushButton,
)

from napari_simpleclick.plugin.key_button import KeyButton
from napari_simpleclick.plugin.keys import Action
from napari_simpleclick.plugin.layers.outline_layer import OutlineLayer
from napari_simpleclick.plugin.layers.proposal_outlines import (
    NAME,
    WIDTH_PX,
    proposal_outlines,
)
from napari_simpleclick.plugin.sections.section import LiveSection

if TYPE_CHECKING:
    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.workflow.similar import Waiting

FEWEST = 3
"""Objects to learn from."""

NEEDS = (
    "Click on three objects of a kind first ({} so far); then it finds the others "
    "that look like them."
)


def _button(text: str, action: Action) -> KeyButton:
    button = KeyButton(text, action.value, action)
    button.setMinimumWidth(1)  # two share a row of a narrow dock
    return button


class SimilarSection(LiveSection):
    """Buttons to search and to judge, and the outlines of what was found.

    Parameters
    ----------
    controller : Controller
        Whose image is searched.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__("Find similar", controller)
        self.similar = self.workflow.similar
        self._outlines = OutlineLayer(controller.viewer, NAME, WIDTH_PX)
        self.here = _button("On this slice", Action.FIND)
        self.everywhere = QPushButton("On all slices")
        self.least = QDoubleSpinBox()
        self.before = _button("Previous", Action.PREVIOUS)
        self.after = _button("Next", Action.NEXT)
        self.yes = _button("Accept", Action.ACCEPT_PROPOSAL)
        self.no = _button("Reject", Action.REJECT_PROPOSAL)
        self.cancel = QPushButton("Cancel")
        self.place, self.outcome = QLabel(), QLabel()
        self._lay_out()
        self._connect()

    # -- building ------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.everywhere.setToolTip(
            "Search every slice, the nearest first, for what looks like the objects "
            "that you made"
        )
        self.least.setRange(0.0, 1.0)
        self.least.setSingleStep(0.05)
        self.least.setValue(self.similar.least_score)
        self.least.setToolTip("What is less sure is not proposed, 0 to 1")
        self.cancel.setToolTip("Stop; what was found is kept")
        self.place.setToolTip(
            "The yellow outline; a click on it, or close to it, corrects it"
        )
        self.row(self.here, self.everywhere)
        form = QFormLayout()
        form.addRow("At least", self.least)
        self.inside.addLayout(form)
        self.inside.addWidget(self.cancel)
        self.inside.addWidget(self.place)
        self.row(self.before, self.after)
        self.row(self.yes, self.no)
        for label in (self.place, self.outcome):
            label.setWordWrap(True)
        self.inside.addWidget(self.outcome)
        self.cancel.hide()

    def _connect(self) -> None:
        similar, dims = self.similar, self.controller.viewer.dims
        self.here.clicked.connect(lambda: similar.find())
        self.everywhere.clicked.connect(lambda: similar.find(everywhere=True))
        self.before.clicked.connect(lambda: similar.go_on(-1))
        self.after.clicked.connect(lambda: similar.go_on())
        self.yes.clicked.connect(similar.accept)
        self.no.clicked.connect(similar.reject)
        self.least.valueChanged.connect(self._on_least)
        self.cancel.clicked.connect(self._on_cancel)
        similar.changed.connect(self.later)
        similar.began.connect(self._on_began)
        removed = self.controller.viewer.layers.events.removed
        self.follow(removed, dims.events.point, dims.events.order, dims.events.ndisplay)

    def leave(self) -> None:
        """Let go of the viewer."""
        super().leave()
        self._outlines.remove()

    # -- events --------------------------------------------------------------------

    def _on_least(self) -> None:
        self.similar.least_score = self.least.value()

    def _on_began(self) -> None:
        """Show what is going on, if a key has begun it."""
        if not self.isExpanded():
            self.expand()

    def _on_cancel(self) -> None:
        self.similar.cancel()
        self.cancel.setEnabled(False)

    def refresh(self) -> None:
        """Show what is there now."""
        canvas, waiting = self.controller.canvas, self.similar.waiting()
        if canvas is None or not waiting.open:
            self._outlines.remove()
        else:
            self._outlines.show(canvas, proposal_outlines(canvas, self.similar))
        if self.isExpanded():
            self._show(waiting)

    def _show(self, waiting: Waiting) -> None:
        running = self.similar.run is not None
        enough = waiting.examples >= FEWEST
        for button in (self.here, self.everywhere):
            button.setEnabled(enough and not running)
        for button in (self.before, self.after, self.yes, self.no):
            button.setEnabled(waiting.open > 0)
        if running != self.cancel.isVisibleTo(self.content()):
            self.cancel.setVisible(running)
            self.cancel.setEnabled(True)
        told = waiting.sentence or ("" if enough else NEEDS.format(waiting.examples))
        self.outcome.setText(told)
        self.outcome.setVisible(bool(told))
        self.place.setVisible(waiting.open > 0)
        if waiting.place is not None:
            self.place.setText(
                f"Proposal {waiting.place} of {waiting.open}, score {waiting.score:.2f}"
            )
