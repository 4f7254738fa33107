"""Four steps for who has not been here before, as a card in the panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from napari_simpleclick.plugin import settings
from napari_simpleclick.plugin.keys import TABLE, Action
from napari_simpleclick.plugin.sections.section import PLAIN

if TYPE_CHECKING:
    from napari_simpleclick.annotation import Session
    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.plugin.layers.canvas import LayerCanvas


class TourStep(NamedTuple):
    """One card; in its text, names of actions stand for their keys."""

    title: str
    text: str


STEPS = (
    TourStep(
        "Open an image",
        "Drop a file into the window, or take one of the samples. Slices, volumes and "
        "colour images all work.",
    ),
    TourStep(
        "Click on the object",
        "It becomes a mask. Right-click on what does not belong to it; each click "
        "corrects the mask.",
    ),
    TourStep(
        "Go on to the next",
        "{NEW_OBJECT} begins a new object. {UNDO} takes back whatever you did last. "
        "{HELP} shows all keys.",
    ),
    TourStep(
        "Through the volume",
        "{PROPAGATE} carries the mask to the next slices; {CHECK} shows "
        "which of them to look at. Save mask… writes the objects to a file.",
    ),
)

OPEN, CLICK, NEXT_OBJECT = range(3)
"""Steps that are over once they were done."""


class Tour(QFrame):  # type: ignore[misc]
    """A card with one step at a time; it goes on by itself when a step was done.

    Parameters
    ----------
    controller : Controller
        Tells what the person does.
    """

    ended = Signal()
    """The person has seen enough, for good."""

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.step = OPEN
        self._controller = controller
        self._canvas: LayerCanvas | None = None
        self._session: Session | None = None
        self._label = self._clicks = 0
        self.title, self.count, self.text = QLabel(), QLabel(), QLabel()
        self.back, self.next = QPushButton("Back"), QPushButton("Next")
        self.never = QPushButton("Do not show again")
        self._lay_out()
        self.back.clicked.connect(lambda: self._go(self.step - 1))
        self.next.clicked.connect(self._on_next)
        self.never.clicked.connect(self.end)
        TABLE.changed.connect(self._show)
        controller.workflow.changed.connect(self._on_changed)
        controller.workflow.queue.answered.connect(self._on_answer)
        self.hide()

    def begin(self) -> None:
        """Show the first step that was not done yet."""
        self._on_changed()
        self._go(OPEN if self._canvas is None else CLICK)
        self.show()

    def end(self) -> None:
        """Show it no more, unless it is asked for."""
        self.hide()
        settings.save(tour=False)
        self.ended.emit()

    # -- building ------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.setObjectName("tour")
        self.setStyleSheet(
            "#tour { border: 1px solid rgba(128, 128, 128, 120); border-radius: 6px; }"
        )
        self.title.setStyleSheet("font-weight: bold;")
        self.text.setWordWrap(True)
        self.back.setToolTip("The step before")
        self.next.setToolTip("The next step; it also comes by itself")
        self.never.setToolTip("'Tour' below brings it back")
        self.never.setStyleSheet(PLAIN)
        head, foot = QHBoxLayout(), QHBoxLayout()
        head.addWidget(self.title)
        head.addStretch()
        head.addWidget(self.count)
        foot.addWidget(self.back)
        foot.addWidget(self.next)
        layout = QVBoxLayout(self)
        layout.addLayout(head)
        layout.addWidget(self.text)
        layout.addLayout(foot)
        layout.addWidget(self.never)

    def _go(self, step: int) -> None:
        self.step = max(OPEN, min(step, len(STEPS) - 1))
        self._show()

    def _show(self) -> None:
        title, text = STEPS[self.step]
        keys = {action.name: TABLE.text(action) for action in Action}
        self.title.setText(title)
        self.count.setText(f"{self.step + 1} of {len(STEPS)}")
        self.text.setText(text.format(**keys))
        self.back.setEnabled(self.step > OPEN)
        last = self.step == len(STEPS) - 1
        self.next.setText("Done" if last else "Next")
        self.never.setVisible(not last)

    # -- events --------------------------------------------------------------------

    def _on_next(self) -> None:
        if self.step == len(STEPS) - 1:
            self.end()
        else:
            self._go(self.step + 1)

    def _did(self, step: int) -> None:
        """Move on if that was what the card asks for."""
        if self.step == step and not self.isHidden():
            self._go(step + 1)

    def _on_changed(self) -> None:
        """Notice another image, and another object."""
        before, self._canvas = self._canvas, self._controller.canvas
        session = self._canvas.session if self._canvas is not None else None
        if session is None or self._canvas is before:
            if session is not None and session.label != self._label:
                self._did(NEXT_OBJECT)
        else:
            self._did(OPEN)
        if session is not None and session is not self._session:
            session.changed.connect(self._on_clicks)
        self._session = session
        self._label = session.label if session is not None else 0
        self._clicks = self._count()

    def _on_answer(self) -> None:
        self._clicks = self._count()
        self._did(CLICK)

    def _on_clicks(self) -> None:
        """Notice a click that was taken back."""
        before, self._clicks = self._clicks, self._count()
        if self._clicks < before:
            self._did(NEXT_OBJECT)

    def _count(self) -> int:
        steps = (
            self._session.objects.prompts.values() if self._session is not None else ()
        )
        return sum(map(len, steps))
