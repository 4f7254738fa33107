"""The list of objects: choose, name, colour and delete them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHeaderView,
    QMenu,
    QTableWidget,
    QTableWidgetItem,
)

from napari_simpleclick.annotation import plain_name
from napari_simpleclick.plugin.layers.colours import object_colour

if TYPE_CHECKING:
    from qtpy.QtCore import QPoint

    from napari_simpleclick.annotation import Session
    from napari_simpleclick.plugin.controller import Controller

COLUMNS = ("Object", "Voxels", "Slices")
PIXELS = "Pixels"
"""What voxels are called in 2-D."""

SLICES = COLUMNS.index("Slices")
ROWS = 2, 6
"""Fewest and most that are shown at once; more scroll."""

SWATCH_PX = 12


class ObjectsSection(QTableWidget):  # type: ignore[misc]
    """One row per object: colour and name, voxels, slices.

    Parameters
    ----------
    controller : Controller
        Whose objects are listed.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__(0, len(COLUMNS))
        self.controller = controller
        self._session: Session | None = None
        self._filling = False
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._lay_out()
        self.itemSelectionChanged.connect(self._on_chosen)
        self.itemChanged.connect(self._on_renamed)
        self.cellDoubleClicked.connect(self._on_double_click)
        self.customContextMenuRequested.connect(self._on_menu)
        self._soon.timeout.connect(self._fill)
        controller.workflow.changed.connect(self._follow)
        self._follow()

    def _lay_out(self) -> None:
        self.setHorizontalHeaderLabels(COLUMNS)
        self.verticalHeader().hide()
        self.setShowGrid(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header = self.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            kind = QHeaderView.ResizeMode.ResizeToContents
            header.setSectionResizeMode(column, kind)
        self.setToolTip(
            "Click to go on with an object, double-click to name it, right-click for "
            "more. Shift+click on its mask chooses it, too."
        )
        self.setAccessibleName("Objects")

    # -- showing -------------------------------------------------------------------

    def _follow(self) -> None:
        canvas = self.controller.canvas
        session = canvas.session if canvas is not None else None
        if session is not self._session:
            if self._session is not None:
                self._session.happened.disconnect(self._later)
            if session is not None:
                session.happened.connect(self._later)
            self._session = session
        self._later()

    def _later(self) -> None:
        """Fill the list once for many changes that come together."""
        self._soon.start(0)

    def _fill(self) -> None:
        session = self._session
        labels = [] if session is None else session.objects.labels()
        if session is not None and session.label not in labels:
            labels = sorted([*labels, session.label])
        self._filling = True
        canvas = self.controller.canvas
        flat = canvas is not None and canvas.mask.ndim == 2
        self.setColumnHidden(SLICES, flat)
        self.horizontalHeaderItem(1).setText(PIXELS if flat else COLUMNS[1])
        self.setRowCount(len(labels))
        for row, label in enumerate(labels):
            self._fill_row(row, label)
            if session is not None and label == session.label:
                self.selectRow(row)
        self._filling = False
        least, most = ROWS
        height = self.verticalHeader().defaultSectionSize()
        shown = min(max(len(labels), least), most) * height
        self.setFixedHeight(self.horizontalHeader().sizeHint().height() + shown + 2)

    def _fill_row(self, row: int, label: int) -> None:
        canvas = self.controller.canvas
        if canvas is None:
            return
        voxel_counts = canvas.session.objects.voxel_counts
        areas = voxel_counts.areas(label, canvas.stack_axis())
        texts = (
            canvas.session.objects.name(label),
            f"{areas.sum():,}",
            str((areas > 0).sum()),
        )
        for column, text in enumerate(texts):
            item = self.item(row, column)
            if item is None:
                item = QTableWidgetItem()
                if column:
                    item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight.value | 0x80)
                self.setItem(row, column, item)
            if item.text() != text:
                item.setText(text)
        first = self.item(row, 0)
        first.setData(Qt.ItemDataRole.UserRole, label)
        swatch = QPixmap(SWATCH_PX, SWATCH_PX)
        swatch.fill(QColor(object_colour(canvas.session, label)))
        first.setIcon(QIcon(swatch))

    # -- what the person does ----------------------------------------------------------

    def _label(self, row: int) -> int:
        return int(self.item(row, 0).data(Qt.ItemDataRole.UserRole))

    def _on_chosen(self) -> None:
        rows = self.selectionModel().selectedRows()
        if rows and not self._filling:
            self.controller.workflow.choose(self._label(rows[0].row()))

    def _on_double_click(self, row: int, column: int) -> None:
        self.editItem(self.item(row, 0))

    def _on_renamed(self, item: Any) -> None:
        canvas = self.controller.canvas
        if self._filling or canvas is None or item.column():
            return
        label, name = self._label(item.row()), item.text().strip()
        if name == plain_name(label):
            name = ""
        session = canvas.session
        session.give_style(label, replace(session.objects.style(label), name=name))
        self._later()

    def _on_menu(self, place: QPoint) -> None:
        item = self.itemAt(place)
        if item is None:
            return
        label = self._label(item.row())
        menu = QMenu(self)
        show = menu.addAction("Show its largest slice")
        rename = menu.addAction("Rename")
        colour = menu.addAction("Colour…")
        menu.addSeparator()
        delete = menu.addAction("Delete object")
        show.triggered.connect(lambda: self.controller.workflow.show_object(label))
        rename.triggered.connect(lambda: self.editItem(self.item(item.row(), 0)))
        colour.triggered.connect(lambda: self._on_colour(label))
        delete.triggered.connect(lambda: self.controller.workflow.delete_object(label))
        menu.popup(self.viewport().mapToGlobal(place))

    def _on_colour(self, label: int) -> None:
        canvas = self.controller.canvas
        if canvas is None:
            return
        colour = QColorDialog.getColor(
            QColor(object_colour(canvas.session, label)), self
        )
        if colour.isValid():
            session = canvas.session
            style = replace(session.objects.style(label), colour=colour.name())
            session.give_style(label, style)
