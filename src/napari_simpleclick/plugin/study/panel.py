"""A study: cases one after the other, and a record of what the person does."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QTimer, QUrl
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_simpleclick.errors import UserError
from napari_simpleclick.plugin.docked import Docked, without_proxy
from napari_simpleclick.plugin.links import link
from napari_simpleclick.plugin.sections.section import QWIDGETSIZE_MAX
from napari_simpleclick.plugin.study.case_view import CaseView
from napari_simpleclick.plugin.workers import make_executor

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_simpleclick.evaluation.study import Study
    from napari_simpleclick.plugin.panel import Panel

WELCOME = (
    "Choose a list of cases (CSV with image, mask and at will label, axis, slice) and "
    "a code for whoever annotates."
)
TASK = "Segment the object that you were asked for, then go on to the next case."
RINGED = "Segment the object in the ring, then go on to the next case."


class StudyPanel(Docked):
    """List of cases, participant, pause, next case, report.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer it is docked in.
    """

    reported = Signal(object)
    """The page of the report has been written there (a Path)."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = without_proxy(napari_viewer)
        self.study: Study | None = None
        self.panel: Panel | None = None
        self.case_view: CaseView | None = None
        self._executor = make_executor()
        self._waiting = self._leaving = False
        self.list = QLineEdit(placeholderText="cases.csv")
        self.choose = QPushButton("Choose…")
        self.participant = QLineEdit(placeholderText="a code, such as P01")
        self.begin = QPushButton("Begin")
        self.pause = QPushButton("Pause")
        self.next = QPushButton("Done, next case")
        self.progress, self.status = QLabel(), QLabel(WELCOME)
        self._lay_out()
        self.choose.clicked.connect(self._on_choose)
        self.begin.clicked.connect(self._on_begin)
        self.pause.clicked.connect(self._on_pause)
        self.next.clicked.connect(self._on_next)
        self._refresh()

    def leave(self) -> None:
        """Stop the clock and let go of the panel."""
        if self.case_view is not None:
            self.case_view.study.pause()
            self.case_view.take_away()
        self._let_go()

    def _lay_out(self) -> None:
        self.start = QWidget()
        form = QFormLayout(self.start)
        form.setContentsMargins(0, 0, 0, 0)
        line = QHBoxLayout()
        line.addWidget(self.list)
        line.addWidget(self.choose)
        form.addRow("Cases", line)
        form.addRow("Participant", self.participant)
        form.addRow(self.begin)
        layout = QVBoxLayout(self)
        layout.addWidget(self.start)
        layout.addWidget(self.progress)
        layout.addWidget(self.next)
        layout.addWidget(self.pause)
        layout.addWidget(self.status)
        self.status.setWordWrap(True)
        self.status.setOpenExternalLinks(True)
        self.next.setToolTip("The mask is good enough; go on with the next case")
        self.pause.setToolTip("Stop the clock and hide the case")
        layout.addStretch()

    def _refresh(self) -> None:
        """Show what can be done now."""
        study = self.study
        running = study is not None and study.current is not None
        self.start.setVisible(not running)
        for widget in (self.pause, self.next, self.progress):
            widget.setVisible(running)
        if study is not None and running:
            number = len(study.finished) + 1
            self.progress.setText(f"Case {number} of {len(study.cases)}")
            paused = self.case_view is not None and study.paused
            self.pause.setText("Go on" if paused else "Pause")
            self.pause.setEnabled(self.case_view is not None)
            self.next.setEnabled(self.case_view is not None and not paused)
        self._fit()

    def _fit(self) -> None:
        """Leave the room that is not needed to the panel below."""
        height = self.layout().totalHeightForWidth(self.width())
        height += self.fontMetrics().lineSpacing()  # for a longer sentence
        free = self.study is None or self.study.current is None
        self.setMaximumHeight(QWIDGETSIZE_MAX if free else height)

    def resizeEvent(self, event: Any) -> None:
        """Fit again, as lines break elsewhere."""
        super().resizeEvent(event)
        self._fit()

    # -- buttons -------------------------------------------------------------------

    def _on_choose(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "List of cases", "", "CSV (*.csv)")
        if name:
            self.list.setText(name)

    def _on_begin(self) -> None:
        from napari_simpleclick.evaluation import Study, read_cases

        path = Path(self.list.text()).expanduser()
        _, panel = self.viewer.window.add_plugin_dock_widget(
            "napari-simpleclick", "SimpleClick"
        )
        try:
            cases = read_cases(path)
            folder = path.with_name(f"{path.stem}-study")
            code = self.participant.text().strip()
            self.study = Study(cases, code, folder, panel.workflow.models.name)
        except UserError as error:
            self.status.setText(str(error))
            return
        self._let_go()
        self.panel = panel
        panel.sections["model"].setEnabled(False)  # one model for the whole study
        panel.tour.hide()
        panel.workflow.changed.connect(self._on_changed)
        self._show_case()

    def _on_pause(self) -> None:
        if self.case_view is None or self.study is None:
            return
        if self.study.paused:
            self.case_view.resume()
        else:
            self.case_view.pause()
        self._refresh()

    def _on_next(self) -> None:
        if self.study is None or self.case_view is None:
            return
        self._leaving = self.case_view.waiting
        if self._leaving:
            self.status.setText("Waiting for the last mask…")
            return
        try:
            self.study.finish(self.case_view.final_iou())
        except UserError as error:
            self.status.setText(str(error))
            return
        self._show_case()

    def _on_settled(self) -> None:
        """Go on, if the person was content before the last mask was there."""
        if self._leaving:
            QTimer.singleShot(0, self._on_next)

    # -- cases ---------------------------------------------------------------------

    def _on_changed(self) -> None:
        """Begin once the model has been loaded."""
        if self._waiting and self.panel is not None and self.panel.controller.engine:
            self._waiting = False
            self._show_case()

    def _show_case(self) -> None:
        """Put the next case in front of the person; the report after the last."""
        assert self.study is not None
        assert self.panel is not None
        if self.case_view is not None:
            self.case_view.take_away()
            self.case_view = None
        case = self.study.current
        if case is None:
            self._let_go()
            self._report()
        elif self.panel.controller.engine is None:
            self._waiting = True
            self.status.setText("Loading the model…")
        else:
            try:
                self.case_view = CaseView(self.viewer, self.panel, self.study, case)
                self.case_view.settled.connect(self._on_settled)
                self.status.setText(RINGED if self.case_view.ringed else TASK)
            except UserError as error:
                self.status.setText(str(error))
        self._refresh()

    def _let_go(self) -> None:
        panel, self.panel = self.panel, None
        self.case_view, self._waiting = None, False
        if panel is not None:
            panel.workflow.changed.disconnect(self._on_changed)
            panel.sections["model"].setEnabled(True)

    # -- the report ----------------------------------------------------------------

    def _report(self) -> None:
        from napari_simpleclick.evaluation import report_study

        assert self.study is not None
        self.status.setText("All cases are done. The robot annotates them now…")
        self._executor.start(
            partial(report_study, self.study),
            self._on_report,
            self._on_error,
            "Report of the study",
        )

    def _on_report(self, page: Path) -> None:
        address = QUrl.fromLocalFile(str(page)).toString()
        report = link(self.status, address, "report")
        self.status.setText(f"All cases are done: {report}.")
        self.reported.emit(page)

    def _on_error(self, error: Exception) -> None:
        self.status.setText(f"The report could not be made: {error}")
