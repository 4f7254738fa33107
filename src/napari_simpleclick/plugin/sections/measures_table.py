"""The table of measures: choose an object, and go where it is longest."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QTableWidget, QTableWidgetItem

from napari_simpleclick.errors import UserError
from napari_simpleclick.images import Plane
from napari_simpleclick.measurement import PLUS_MINUS, shown_table
from napari_simpleclick.plugin.layers.colours import object_colour

if TYPE_CHECKING:
    from napari_simpleclick.measurement import ObjectMeasures
    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.plugin.layers.canvas import LayerCanvas

RANGE = (
    "The true size lies within this of the measured one, nine times out of ten. There "
    "is none while nobody has said where a propagated object ends: press End here on "
    "the first slice beyond it, or accept its first and last slice."
)

MOST_ROWS = 8
"""That are shown at once; more scroll."""

SWATCH_PX = 10


class MeasuresTable(QTableWidget):  # type: ignore[misc]
    """One row an object, or an object at a time point.

    Parameters
    ----------
    controller : Controller
        Whose objects are listed.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.controller = controller
        self._objects: list[ObjectMeasures] = []
        self._colours: list[str] = []
        self._filling = False
        self.verticalHeader().hide()
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setToolTip(
            "Click to go on with an object; double-click to show the slice where it "
            "is longest"
        )
        self.setAccessibleName("Measures")
        self.itemSelectionChanged.connect(self._on_chosen)
        self.cellDoubleClicked.connect(self._on_double_click)

    def show_objects(self, objects: list[ObjectMeasures]) -> None:
        """Show these measures, the current object selected."""
        canvas = self.controller.canvas
        if canvas is None:
            return
        self._filling = True
        colours = [object_colour(canvas.session, one.label) for one in objects]
        if (objects, colours) != (self._objects, self._colours) or not objects:
            self._objects, self._colours = objects, colours
            self._fill()
        self._select(canvas)
        self._filling = False

    def _fill(self) -> None:
        table = shown_table(self._objects)
        self.setColumnCount(len(table.titles))
        self.setHorizontalHeaderLabels(table.titles)
        for column, title in enumerate(table.titles):
            if title == PLUS_MINUS:
                self.horizontalHeaderItem(column).setToolTip(RANGE)
        self.setRowCount(len(table.rows))
        for row, texts in enumerate(table.rows):
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                if column:
                    right = Qt.AlignmentFlag.AlignRight
                    item.setTextAlignment(right | Qt.AlignmentFlag.AlignVCenter)
                else:
                    item.setIcon(_swatch(self._colours[row]))
                self.setItem(row, column, item)
        self.resizeColumnsToContents()
        height = self.verticalHeader().defaultSectionSize()
        shown = min(max(len(table.rows), 1), MOST_ROWS) * height
        bar = self.horizontalScrollBar().sizeHint().height()
        head = self.horizontalHeader().sizeHint().height()
        self.setFixedHeight(head + shown + bar + 2)

    def _select(self, canvas: LayerCanvas) -> None:
        """Select the current object, at the time point in view."""
        label, time = canvas.session.label, self.time_in_view()
        for row, one in enumerate(self._objects):
            if one.label == label and one.time in (None, time):
                self.selectRow(row)
                return
        self.clearSelection()

    def time_in_view(self) -> int | None:
        """Tell which time point is shown; None if there is no axis of time."""
        canvas = self.controller.canvas
        try:
            axis = self.controller.workflow.measures.axes().time
        except UserError:
            return None
        return None if canvas is None or axis is None else canvas.position()[axis]

    def go_to(self, time: int) -> None:
        """Show a time point."""
        canvas, axis = self.controller.canvas, None
        measures = self.controller.workflow.measures
        if canvas is not None and (axis := measures.axes().time) is not None:
            place = list(canvas.position())
            place[axis] = time
            canvas.go_to(Plane((0, 1), tuple(place)), axis)

    def _on_chosen(self) -> None:
        rows = [index.row() for index in self.selectionModel().selectedRows()]
        if self._filling or not rows:
            return
        chosen = self._objects[rows[0]]
        self.controller.workflow.choose(chosen.label)
        if chosen.time is not None and chosen.time != self.time_in_view():
            self.go_to(chosen.time)

    def _on_double_click(self, row: int, _: int) -> None:
        self.controller.workflow.attempt(partial(self._show, self._objects[row]))

    def _show(self, one: ObjectMeasures) -> None:
        """Show the slice where an object is longest."""
        canvas = self.controller.canvas
        axes = self.controller.workflow.measures.axes()
        if canvas is None:
            return
        place = list(canvas.position())
        if axes.time is not None and one.time is not None:
            place[axes.time] = one.time
        shown = axes.space[-2:]
        if len(axes.space) == 3:
            place[axes.space[0]] = one.longest.index
        for axis in shown:
            place[axis] = 0
        canvas.show(Plane((shown[0], shown[1]), tuple(place)))


def _swatch(colour: str) -> QIcon:
    swatch = QPixmap(SWATCH_PX, SWATCH_PX)
    swatch.fill(QColor(colour))
    return QIcon(swatch)
