"""The section of the panel that encodes a volume before it is clicked on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton

from napari_simpleclick.plugin.sections.section import LiveSection

if TYPE_CHECKING:
    from napari_simpleclick.plugin.controller import Controller

USE = "Slices are encoded as they are shown; this does all, and keeps them on disk."
NO_USE = (
    "{} looks at the image anew at each click. A model that encodes once can do its "
    "work ahead: choose one below."
)


class EncodingSection(LiveSection):
    """A button, how far it is, and what it is good for.

    Parameters
    ----------
    controller : Controller
        Whose image is encoded.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__("Encode ahead", controller)
        self.encoder = self.workflow.encode_all
        self.start = QPushButton("Encode the whole volume")
        self.cancel, self.bar = QPushButton("Cancel"), QProgressBar()
        self.outcome = QLabel()
        self.start.setToolTip(
            "Encode every slice of this axis, so that first clicks are answered at once"
        )
        self.cancel.setToolTip("Stop; what was encoded is kept")
        self.outcome.setWordWrap(True)
        self.inside.addWidget(self.start)
        line = QHBoxLayout()
        line.addWidget(self.bar)
        line.addWidget(self.cancel)
        self.inside.addLayout(line)
        self.inside.addWidget(self.outcome)
        self.start.clicked.connect(self.encoder.start)
        self.cancel.clicked.connect(self.encoder.cancel)
        self.encoder.changed.connect(self.later)
        self.workflow.models.loaded.connect(self.later)
        self.workflow.models.exchanged.connect(self.later)
        self.refresh()

    def refresh(self) -> None:
        """Show what is there now."""
        run, engine = self.encoder.run, self.workflow.engine
        useful = engine is None or engine.predictor.encodes_once
        self.start.setEnabled(run is None and engine is not None and useful)
        for widget in (self.bar, self.cancel):
            widget.setVisible(run is not None)
        if run is not None:
            self.bar.setMaximum(run.total)
            self.bar.setValue(run.done)
            self.cancel.setEnabled(not run.stopped)
        if useful or engine is None:
            self.outcome.setText(self.encoder.sentence or USE)
        else:
            self.outcome.setText(NO_USE.format(engine.card.name))
