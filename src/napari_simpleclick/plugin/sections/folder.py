"""A list of cases: where each stands, the next one, and what becomes of those done."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QTreeWidget,
    QTreeWidgetItem,
)

from napari_simpleclick.exports import KINDS
from napari_simpleclick.plugin.case_layers import CaseLayers
from napari_simpleclick.plugin.key_button import KeyButton
from napari_simpleclick.plugin.keys import Action
from napari_simpleclick.plugin.sections.section import Section
from napari_simpleclick.workflow.case_queue import CaseState, CaseWork

if TYPE_CHECKING:
    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.workflow.case_queue import CaseQueue

MARKS = {
    CaseState.UNTOUCHED: "\N{WHITE CIRCLE}",
    CaseState.IN_WORK: "\N{CIRCLE WITH LEFT HALF BLACK}",
    CaseState.DONE: "\N{CHECK MARK}",
    CaseState.SKIP: "\N{EN DASH}",
}
GONE = "gone"
PLACEHOLDER = "folder, cases.csv or /data/*/flair.nii.gz"
ROWS = 7
"""Cases that are in sight."""


class FolderSection(Section):
    """Choose cases, go from one to the next, and have those that are done exported.

    Parameters
    ----------
    controller : Controller
        Whose viewer shows them.
    """

    needs_image: ClassVar[bool] = False

    def __init__(self, controller: Controller) -> None:
        super().__init__("Folder of cases", controller)
        layers = CaseLayers(controller)
        self.work = work = CaseWork(layers, self.workflow.executor)
        controller.actions |= {
            Action.NEXT_CASE: work.next,
            Action.PREVIOUS_CASE: work.previous,
            Action.CASE_DONE: work.done,
        }
        layers.acted.connect(work.touch)
        self.place = QLineEdit(placeholderText=PLACEHOLDER)
        self.folder, self.list = QPushButton("Folder…"), QPushButton("List…")
        self.again = QPushButton("Look again")
        self.progress, self.told = QLabel(), QLabel()
        self.table = QTreeWidget()
        self.previous = KeyButton("Back", "The case before", Action.PREVIOUS_CASE)
        self.next = KeyButton("Next", "The next case that is open", Action.NEXT_CASE)
        self.done = KeyButton("Done", "Export the case; go on", Action.CASE_DONE)
        self.skip, self.reopen = QPushButton("Skip"), QPushButton("Not done")
        self.format, self.target = QComboBox(), QPushButton("Where…")
        self.classes = QCheckBox("One object for each class")
        self.classes.setToolTip("Objects of one class get one label in the export")
        self._lay_out()
        self._connect()
        self._show()

    def _lay_out(self) -> None:
        self.place.setToolTip("A folder, a CSV file or a pattern; Enter opens it")
        self.folder.setToolTip("All images of a folder and of those in it")
        self.list.setToolTip("A CSV file with a column 'image'")
        self.again.setToolTip("Look for cases that came, or were moved")
        self.skip.setToolTip("Leave this case out; go on")
        self.reopen.setToolTip("The chosen case is not over")
        self.target.setToolTip("Folder that exports go to")
        self.table.setHeaderLabels(["Case", "State"])
        self.table.setRootIsDecorated(False)
        self.table.setUniformRowHeights(True)
        self.table.setToolTip("Double-click opens a case")
        header = self.table.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.table.setFixedHeight(self.fontMetrics().lineSpacing() * (ROWS + 4))
        self.format.addItem("No export", "")
        for kind in KINDS:
            self.format.addItem(kind.title, kind.name)
        self.format.setToolTip("What becomes of a case that is done")
        self.format.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed
        )
        for label in (self.progress, self.told):
            label.setWordWrap(True)
        self.inside.addWidget(self.place)
        self.row(self.folder, self.list, self.again)
        for widget in (self.told, self.table, self.progress):
            self.inside.addWidget(widget)
        self.row(self.previous, self.next)
        self.row(self.done)
        self.row(self.skip, self.reopen)
        self.row(self.format, self.target)
        self.inside.addWidget(self.classes)

    def _connect(self) -> None:
        work, act = self.work, self.controller.act
        self.place.returnPressed.connect(self._on_text)
        self.folder.clicked.connect(self._on_folder)
        self.list.clicked.connect(self._on_list)
        self.again.clicked.connect(self._on_again)
        self.table.itemActivated.connect(self._on_item)
        self.table.currentItemChanged.connect(self._enable)
        self.previous.clicked.connect(lambda: act(Action.PREVIOUS_CASE))
        self.next.clicked.connect(lambda: act(Action.NEXT_CASE))
        self.done.clicked.connect(lambda: act(Action.CASE_DONE))
        self.skip.clicked.connect(work.skip)
        self.reopen.clicked.connect(self._on_reopen)
        self.format.activated.connect(self._on_format)
        self.classes.clicked.connect(self._on_format)
        self.target.clicked.connect(self._on_target)
        work.changed.connect(self._show)
        work.failed.connect(self.workflow.complain)
        work.status.connect(self.workflow.status.emit)
        self.destroyed.connect(lambda: work.close())

    def leave(self) -> None:
        """Let another window have the list."""
        self.work.changed.disconnect(self._show)
        self.work.close()

    # -- choosing ----------------------------------------------------------------------

    def _on_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder of cases", "")
        self._open(name)

    def _on_list(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "List of cases", "", "CSV (*.csv)")
        self._open(name)

    def _on_text(self) -> None:
        self._open(self.place.text())

    def _open(self, text: str) -> None:
        if text:
            self.place.setText(text)
            self.work.find(text)

    def _on_again(self) -> None:
        if self.work.queue is not None:
            self.workflow.attempt(self.work.queue.look_again)

    def _on_item(self, item: QTreeWidgetItem) -> None:
        self.work.open(item.data(0, Qt.ItemDataRole.UserRole))

    def _on_reopen(self) -> None:
        item = self.table.currentItem()
        if item is not None:
            self.work.reopen(item.data(0, Qt.ItemDataRole.UserRole))

    def _on_format(self) -> None:
        queue = self.work.queue
        if queue is not None:
            chosen = replace(
                queue.record.export,
                format=self.format.currentData(),
                as_classes=self.classes.isChecked(),
            )
            self.workflow.attempt(partial(queue.choose_export, chosen))

    def _on_target(self) -> None:
        queue = self.work.queue
        if queue is None:
            return
        name = QFileDialog.getExistingDirectory(
            self, "Folder of exports", str(queue.export_target())
        )
        if name:
            target = str(Path(name).absolute())
            chosen = replace(queue.record.export, target=target)
            self.workflow.attempt(partial(queue.choose_export, chosen))

    # -- showing -----------------------------------------------------------------------

    def _show(self) -> None:
        queue = self.work.queue
        for widget in (self.table, self.progress, self.previous, self.next, self.done):
            widget.setVisible(queue is not None)
        for widget in (self.skip, self.reopen, self.format, self.target, self.again):
            widget.setVisible(queue is not None)
        self.classes.setVisible(queue is not None)
        self.told.setVisible(queue is not None and bool(queue.read_only))
        if queue is None:
            return
        self.told.setText(queue.read_only)
        self.progress.setText(_progress(queue))
        self._fill(queue)
        choice = queue.record.export
        self.format.setCurrentIndex(max(0, self.format.findData(choice.format)))
        self.classes.setChecked(choice.as_classes)
        self.target.setToolTip(f"Exports go to '{queue.export_target()}'")
        self._enable()

    def _fill(self, queue: CaseQueue) -> None:
        """Show the cases; the rows stay, so that the list does not jump."""
        names = [case.name for case in queue.cases]
        if names != [self._name(row) for row in range(self.table.topLevelItemCount())]:
            self.table.clear()
            for name in names:
                item = QTreeWidgetItem([name, ""])
                item.setData(0, Qt.ItemDataRole.UserRole, name)
                self.table.addTopLevelItem(item)
        for row, case in enumerate(queue.cases):
            item = self.table.topLevelItem(row)
            gone = queue.is_missing(case)
            state = GONE if gone else f"{MARKS[case.state]} {case.state}"
            item.setText(1, state)
            item.setToolTip(0, str(queue.path(case)))
            font = item.font(0)
            font.setBold(case.name == self.work.open_case)
            item.setFont(0, font)
            if case.name == self.work.open_case:
                self.table.setCurrentItem(item)

    def _name(self, row: int) -> str:
        return str(self.table.topLevelItem(row).data(0, Qt.ItemDataRole.UserRole))

    def _enable(self) -> None:
        """Let those buttons be pressed that do something now."""
        work, queue = self.work, self.work.queue
        for widget in (self.place, self.folder, self.list):
            widget.setEnabled(not work.busy)  # what is read belongs to this list
        if queue is None:
            return
        own, shown = not queue.read_only and not work.busy, bool(work.open_case)
        for widget in (self.previous, self.next, self.table, self.again):
            widget.setEnabled(not work.busy)
        for widget in (self.done, self.skip):
            widget.setEnabled(own and shown)
        for widget in (self.format, self.classes, self.target):
            widget.setEnabled(own)
        item = self.table.currentItem()
        name = "" if item is None else item.data(0, Qt.ItemDataRole.UserRole)
        case = queue.get(name)
        over = case is not None and case.state in (CaseState.DONE, CaseState.SKIP)
        self.reopen.setEnabled(own and over)


def _progress(queue: CaseQueue) -> str:
    """Tell how far the person is."""
    done, skipped = queue.count(CaseState.DONE), queue.count(CaseState.SKIP)
    told = f"{done} of {len(queue.cases)} done"
    return f"{told}, {skipped} skipped" if skipped else told
