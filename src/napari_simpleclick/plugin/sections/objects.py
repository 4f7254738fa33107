"""The list of objects: choose one or several, name them, show and hide them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QItemSelectionModel, Qt, QTimer
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QMenu,
    QTableWidget,
    QTableWidgetItem,
)

from napari_simpleclick.annotation import plain_name
from napari_simpleclick.plugin.layers.colours import object_colour
from napari_simpleclick.plugin.sections.object_menu import Chosen, Reach, add_all

if TYPE_CHECKING:
    from qtpy.QtCore import QPoint

    from napari_simpleclick.annotation import Session
    from napari_simpleclick.plugin.controller import Controller

COLUMNS = ("Object", "Voxels", "Slices", "Class")
PIXELS = "Pixels"
"""What voxels are called in 2-D."""

SLICES, CLASS = COLUMNS.index("Slices"), COLUMNS.index("Class")
ROWS = 2, 6
"""Fewest and most that are shown at once; more scroll."""

SWATCH_PX = 12

LOOK = Qt.ItemDataRole.UserRole + 1
"""Role of what an item looks like."""


class ObjectsSection(QTableWidget):  # type: ignore[misc]
    """One row per object: whether it is shown, colour and name, voxels, slices, class.

    Parameters
    ----------
    controller : Controller
        Whose objects are listed.

    Attributes
    ----------
    reach : Reach
        Whether splits and outlines are about all slices, or the one in view.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__(0, len(COLUMNS))
        self.controller = controller
        self._session: Session | None = None
        self._filling = False
        self.reach = Reach()
        self._selected: set[int] = set()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._lay_out()
        self.itemSelectionChanged.connect(self._on_chosen)
        self.itemChanged.connect(self._on_item)
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
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header = self.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2, 3):
            kind = QHeaderView.ResizeMode.ResizeToContents
            header.setSectionResizeMode(column, kind)
        self.setToolTip(
            "Click to go on with an object, double-click to name it, right-click for "
            "more, Ctrl+click for several. Unticked ones are hidden. Shift+click on "
            "its mask chooses it, too."
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
        labels = [] if session is None else session.objects.listed()
        if session is not None and session.label not in labels:
            labels.append(session.label)
        self._filling = True
        canvas = self.controller.canvas
        flat = canvas is not None and canvas.mask.ndim == 2
        self.setColumnHidden(SLICES, flat)
        self.horizontalHeaderItem(1).setText(PIXELS if flat else COLUMNS[1])
        styles = {} if session is None else session.objects.styles
        classes = any(one.category for one in styles.values())
        self.setColumnHidden(CLASS, not classes)
        self.setRowCount(len(labels))
        for row, label in enumerate(labels):
            self._fill_row(row, label)
        self._select(labels)
        self._filling = False
        least, most = ROWS
        height = self.verticalHeader().defaultSectionSize()
        shown = min(max(len(labels), least), most) * height
        self.setFixedHeight(self.horizontalHeader().sizeHint().height() + shown + 2)

    def _select(self, labels: list[int]) -> None:
        """Select the current object, and those that were selected with it."""
        if self._session is None:
            return
        current = self._session.label
        if current not in self._selected:
            self._selected = {current}
        self._selected &= set(labels)
        self._tell()
        model, commands = self.selectionModel(), QItemSelectionModel.SelectionFlag
        rows = commands.Rows
        model.clearSelection()
        for row, label in enumerate(labels):
            index = self.model().index(row, 0)
            if label in self._selected:
                model.select(index, commands.Select | rows)
            if label == current:
                model.setCurrentIndex(index, commands.NoUpdate)

    def _fill_row(self, row: int, label: int) -> None:
        canvas = self.controller.canvas
        if canvas is None:
            return
        voxel_counts = canvas.session.objects.voxel_counts
        areas = voxel_counts.areas(label, canvas.stack_axis())
        style = canvas.session.objects.style(label)
        texts = (
            canvas.session.objects.name(label),
            f"{areas.sum():,}",
            str((areas > 0).sum()),
            style.category,
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
        colour = object_colour(canvas.session, label)
        shown = Qt.CheckState.Unchecked if style.hidden else Qt.CheckState.Checked
        look = repr((label, style, colour))
        if first.data(LOOK) == look and first.checkState() == shown:
            return  # what is set anew, be it the same, undoes what is being typed
        first.setData(LOOK, look)
        first.setData(Qt.ItemDataRole.UserRole, label)
        first.setCheckState(shown)
        first.setIcon(_swatch(colour, style.locked))
        kind = f", {style.category}" if style.category else ""
        locked = "; it is locked" if style.locked else ""
        first.setToolTip(f"Number {label} in the mask{kind}{locked}")

    # -- what the person does ----------------------------------------------------------

    def _label(self, row: int) -> int:
        return int(self.item(row, 0).data(Qt.ItemDataRole.UserRole))

    def chosen(self) -> Chosen | None:
        """Tell which objects are selected, the current one first; None for none."""
        if self._session is None or self.controller.canvas is None:
            return None
        current = self._session.label
        order = [self._label(row) for row in range(self.rowCount())]
        selected = [k for k in order if k in self._selected and k != current]
        labels = (current, *selected)
        return Chosen(self.controller, labels, self.reach, self)

    def keyPressEvent(self, event: Any) -> None:
        """Delete what is selected by the Delete key."""
        chosen = self.chosen()
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and chosen:
            self.controller.workflow.object_actions.delete(chosen.labels)
        else:
            super().keyPressEvent(event)

    def _on_chosen(self) -> None:
        if self._filling:
            return
        rows = [index.row() for index in self.selectionModel().selectedRows()]
        self._selected = {self._label(row) for row in rows}
        self._tell()
        if not rows:
            self._later()
            return
        current = self.currentRow()
        last = current if current in rows else rows[0]
        self.controller.workflow.choose(self._label(last))

    def _tell(self) -> None:
        """Let what is selected be what is carried through the volume, if wanted."""
        propagator = self.controller.workflow.propagator
        if propagator.selected != self._selected:
            propagator.selected = frozenset(self._selected)
            propagator.changed.emit()

    def _on_double_click(self, row: int, column: int) -> None:
        self.editItem(self.item(row, 0))

    def _on_item(self, item: Any) -> None:
        """Show, hide or rename an object, as its row says."""
        canvas = self.controller.canvas
        if self._filling or canvas is None or item.column():
            return
        label, name = self._label(item.row()), item.text().strip()
        shown = item.checkState() == Qt.CheckState.Checked
        if shown == canvas.session.objects.style(label).hidden:
            self.controller.workflow.object_list.show([label], shown)
            return
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
        if label not in self._selected:
            self._selected = {label}
        rest = sorted(self._selected - {label})
        labels = (label, *rest)
        chosen = Chosen(self.controller, labels, self.reach, self)
        menu = QMenu(self)
        add_all(menu, chosen, lambda: self.editItem(self.item(item.row(), 0)))
        menu.popup(self.viewport().mapToGlobal(place))


def _swatch(colour: str, locked: bool) -> QIcon:
    """Draw the colour of an object, with a padlock if it is locked."""
    swatch = QPixmap(SWATCH_PX, SWATCH_PX)
    swatch.fill(QColor(colour))
    if locked:
        dark = QColor(colour).lightnessF() < 0.5
        paint = QPainter(swatch)
        ink = QColor("white" if dark else "black")
        paint.fillRect(3, 6, 6, 4, ink)
        paint.setPen(ink)
        paint.drawRect(4, 2, 3, 4)
        paint.end()
    return QIcon(swatch)
