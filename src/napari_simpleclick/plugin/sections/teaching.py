"""Learning from the objects of the person: an offer, and a part of the panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
)

from napari_simpleclick.plugin.sections.section import Section
from napari_simpleclick.workflow.teaching import OFFERED_AT

if TYPE_CHECKING:
    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.workflow.teaching import Teaching

OFFER = "{} objects are there: let the model learn from them, in the background?"
TOO_FEW = "{} of the {} objects needed. An object counts when you go on to the next."
READY = "{} objects to learn from."
LEARNING = "Learning from your objects; go on meanwhile."
ELSEWHERE = "Learning from the objects of another image; go on meanwhile."
STEPS = 100


class TeachOffer(QFrame):  # type: ignore[misc]
    """Offers to learn, once there are objects enough.

    Parameters
    ----------
    controller : Controller
        Whose objects they are.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.workflow = controller.workflow
        self.teaching = controller.workflow.teaching
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.accept, self.refuse = QPushButton("Learn"), QPushButton("Not now")
        self.accept.setToolTip("It takes minutes on one core; nothing waits for it")
        self.refuse.setToolTip("It stays below, under Learn from my objects")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        line = QHBoxLayout()
        line.addWidget(self.accept)
        line.addWidget(self.refuse)
        layout.addLayout(line)
        self.accept.clicked.connect(self._on_accept)
        self.refuse.clicked.connect(self.teaching.decline)
        self.teaching.changed.connect(self._show)
        self._show()

    def _on_accept(self) -> None:
        self.workflow.attempt(self.teaching.start)

    def _show(self) -> None:
        offered = self.teaching.is_offered
        if offered:
            self.text.setText(OFFER.format(self.teaching.count))
        self.setVisible(offered)


class TeachingSection(Section):
    """Learn, see how far it is, use what was learned or not, and undo it.

    Parameters
    ----------
    controller : Controller
        Whose objects are learned from.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__("Learn from my objects", controller)
        self.teaching: Teaching = controller.workflow.teaching
        self.state = QLabel()
        self.state.setWordWrap(True)
        self.left_out = QLabel()
        self.left_out.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setRange(0, STEPS)
        self.learn, self.cancel = QPushButton("Learn"), QPushButton("Cancel")
        self.used = QCheckBox("Use what was learned")
        self.undo = QPushButton("Undo learning")
        self.learn.setToolTip("Learn from all objects that you have gone on from")
        self.cancel.setToolTip("Stop learning; what was learned before stays")
        self.used.setToolTip("Off: the model answers as it was before")
        self.undo.setToolTip("Go back to the model as it was before")
        for widget in (self.state, self.bar, self.left_out, self.used):
            self.inside.addWidget(widget)
        line = QHBoxLayout()
        for button in (self.learn, self.cancel, self.undo):
            line.addWidget(button)
        self.inside.addLayout(line)
        self.learn.clicked.connect(self._on_learn)
        self.cancel.clicked.connect(self.teaching.cancel)
        self.used.clicked.connect(self._on_used)
        self.undo.clicked.connect(self.teaching.forget)
        self.teaching.changed.connect(self._show)
        self._show()

    def _on_learn(self) -> None:
        self.workflow.attempt(self.teaching.start)

    def _on_used(self) -> None:
        self.teaching.use(self.used.isChecked())

    def _show(self) -> None:
        teaching = self.teaching
        going, learned = teaching.process is not None, teaching.learned is not None
        self.state.setText(self._sentence())
        self.left_out.setText("\n".join(teaching.left_out))
        self.left_out.setVisible(bool(teaching.left_out))
        self.bar.setVisible(going)
        latest = teaching.latest
        self.bar.setValue(0 if latest is None else round(STEPS * latest.share))
        self.learn.setVisible(not going)
        self.learn.setEnabled(teaching.count >= OFFERED_AT)
        self.learn.setText("Learn again" if learned else "Learn")
        self.cancel.setVisible(going)
        self.used.setVisible(learned)
        self.used.setChecked(teaching.in_use)
        self.undo.setVisible(learned and not going)

    def _sentence(self) -> str:
        """Tell what is learned, or what it takes."""
        teaching = self.teaching
        if teaching.process is not None:
            return LEARNING if teaching.pupil is teaching.canvas else ELSEWHERE
        if teaching.sentence:
            return teaching.sentence
        count = teaching.count
        if count < OFFERED_AT:
            return TOO_FEW.format(count, OFFERED_AT)
        return READY.format(count)
