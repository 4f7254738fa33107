"""The section of the panel that says how large the objects are."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QMessageBox,
    QPushButton,
)

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.files import check_writable
from napari_simpleclick.measurement import (
    MESHES,
    object_rows,
    to_csv,
    to_json,
    to_tsv,
    write_file,
)
from napari_simpleclick.plugin.layers.colours import object_colour
from napari_simpleclick.plugin.layers.diameter_lines import (
    NAME,
    WIDTH_PX,
    diameter_lines,
)
from napari_simpleclick.plugin.layers.outline_layer import OutlineLayer
from napari_simpleclick.plugin.layers.surface_layers import show_surfaces
from napari_simpleclick.plugin.saving import suggested
from napari_simpleclick.plugin.sections.measures_table import MeasuresTable
from napari_simpleclick.plugin.sections.section import LiveSection
from napari_simpleclick.plugin.sections.time_plot import TimePlot
from napari_simpleclick.workflow.explain import explain

if TYPE_CHECKING:
    from napari_simpleclick.measurement import ObjectMeasures
    from napari_simpleclick.plugin.controller import Controller

EMPTY = "No object has a mask yet; click on one."
REPORTS = (".html", ".pdf")
TABLES = {".csv": to_csv, ".json": to_json}
"""Kinds of files for tables, and how each is written."""


def _filter(kinds: tuple[str, ...]) -> str:
    """Tell a file dialog what to list."""
    return ";;".join(f"{one[1:].upper()} (*{one})" for one in kinds)


class MeasuresSection(LiveSection):
    """A table of the objects, their diameters and surfaces, and files of all three.

    Nothing is measured while it is closed.

    Parameters
    ----------
    controller : Controller
        Whose objects are measured.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__("Measures", controller)
        self.measures = self.workflow.measures
        self._lines = OutlineLayer(controller.viewer, NAME, WIDTH_PX)
        self.table, self.plot = MeasuresTable(controller), TimePlot()
        self.note = QLabel(EMPTY)
        self.time = QComboBox()
        self.copy, self.save = QPushButton("Copy"), QPushButton("Save…")
        self.diameters = QCheckBox("Diameters")
        self.surfaces = QPushButton("Show in 3-D")
        self.save_surfaces = QPushButton("Save surface…")
        self.report = QPushButton("Report…")
        self._axes: tuple[Any, ...] = ()
        self._lay_out()
        self._connect()

    # -- building ------------------------------------------------------------------

    def _lay_out(self) -> None:
        tips = {
            self.copy: "Copy the table, to be pasted into a spreadsheet",
            self.save: "Write the table with all measures, as CSV or JSON",
            self.diameters: "Draw the longest diameter of each object on the slice, "
            "and the longest one across it, as RECIST and WHO have them",
            self.surfaces: "Show smooth surfaces of the objects; press it again after "
            "a mask has changed",
            self.save_surfaces: "Write the surfaces as STL, PLY or OBJ, in mm of the "
            "scanner where the image has them",
            self.report: "Write one page about this image, as HTML or PDF: slices, "
            "surfaces, measures, and where they come from",
            self.time: "The axis along which the same objects are measured again",
        }
        for widget, tip in tips.items():
            widget.setToolTip(tip)
            widget.setMinimumWidth(1)  # two share a row of a narrow dock
        self.note.setWordWrap(True)
        form = QFormLayout()
        self.time_title = QLabel("Time")
        form.addRow(self.time_title, self.time)
        self.inside.addLayout(form)
        self.inside.addWidget(self.table)
        self.inside.addWidget(self.note)
        self.inside.addWidget(self.plot)
        self.row(self.copy, self.save)
        self.row(self.diameters, self.report)
        self.row(self.surfaces, self.save_surfaces)

    def _connect(self) -> None:
        flow, dims = self.workflow, self.controller.viewer.dims.events
        self.toggled.connect(self.measures.watch)
        self.copy.clicked.connect(lambda: self.measures.when_known(self._copy))
        self.save.clicked.connect(lambda: flow.attempt(self._save))
        self.diameters.toggled.connect(flow.diameters.watch)
        self.surfaces.clicked.connect(lambda: flow.surfaces.show())
        self.save_surfaces.clicked.connect(lambda: flow.attempt(self._save_surfaces))
        self.report.clicked.connect(lambda: flow.attempt(self._report))
        self.time.activated.connect(self._on_time)
        self.plot.chosen.connect(self.table.go_to)
        self.measures.changed.connect(self.later)
        self.measures.failed.connect(self._on_error)
        flow.changed.connect(self.later)
        flow.diameters.changed.connect(self._draw)
        flow.surfaces.made.connect(self._on_surfaces)
        self.follow(dims.point, dims.order, dims.ndisplay)

    def leave(self) -> None:
        """Let go of the viewer."""
        super().leave()
        self.workflow.diameters.watch(False)
        self._lines.remove()

    # -- showing -------------------------------------------------------------------

    def refresh(self) -> None:
        """Show what is there now."""
        self.workflow.diameters.look()
        if not self.isExpanded():
            return
        found = self.measures.objects()
        self._show_axes()
        self.table.show_objects(found)
        self.table.setVisible(bool(found))
        self._tell("" if found else EMPTY)
        canvas = self.controller.canvas
        mine = [] if canvas is None else _of(found, canvas.session.label)
        self.plot.show_measures(mine, self.table.time_in_view())
        self.plot.setVisible(len(mine) > 1 and mine[0].time is not None)

    def _show_axes(self) -> None:
        """Offer the axes that can be time, where there are some."""
        canvas = self.controller.canvas
        if canvas is None:
            return
        try:
            now = self.measures.axes().time
        except UserError:
            now = None
        names, shape = canvas.axes().names, canvas.labels.shape
        channel = canvas.options.channel_axis
        rest = [axis for axis in range(len(shape)) if axis != channel]
        choices = rest[:-2] if len(rest) < 4 else rest[:-3]
        offered: list[tuple[int | None, str]]
        offered = [(None, "none")] if len(rest) < 4 else []
        offered += [(a, f"{names[a]}, {shape[a]} points") for a in choices]
        for widget in (self.time, self.time_title):
            widget.setVisible(len(offered) > 1 or now is not None)
        if self._axes != (offered, now):
            self._axes = offered, now
            self.time.clear()
            for axis, text in offered:
                self.time.addItem(text, axis)
            places = [axis for axis, _ in offered]
            self.time.setCurrentIndex(places.index(now) if now in places else 0)

    def _tell(self, text: str) -> None:
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def _draw(self) -> None:
        """Draw the diameters that were found."""
        canvas, found = self.controller.canvas, self.workflow.diameters.shown
        if found is None or canvas is None or found.canvas is not canvas:
            self._lines.remove()
        else:
            self._lines.show(canvas, diameter_lines(canvas.session, found))

    def _on_surfaces(self, surfaces: Any) -> None:
        canvas = self.controller.canvas
        if canvas is not None and surfaces.canvas is canvas:
            show_surfaces(canvas, surfaces)

    def _on_error(self, error: Exception) -> None:
        """Say why there is no table; what is a bug is told as such."""
        self.table.setVisible(False)
        self._tell(explain(error))
        if not isinstance(error, UserError):
            self.workflow.complain(error)

    def _on_time(self) -> None:
        self.measures.use_time(self.time.currentData())

    # -- taking it elsewhere ---------------------------------------------------------

    def _copy(self) -> None:
        rows = object_rows(self.measures.objects())
        if not rows:
            self.workflow.complain(UserError(EMPTY))
            return
        QGuiApplication.clipboard().setText(to_tsv(rows))
        self.workflow.status.emit(f"Copied {_count(rows)}.")

    def _save(self) -> None:
        path = self._ask("Save measures", "measures", tuple(TABLES))
        if path is not None:
            self.measures.when_known(partial(self._write, path))

    def _write(self, path: Path) -> None:
        rows = object_rows(self.measures.objects())
        if not rows:
            self.workflow.complain(UserError(EMPTY))
            return
        text = TABLES[path.suffix.lower()](rows)

        def done(_: None) -> None:
            self.workflow.status.emit(f"Saved '{path}': {_count(rows)}.")

        self.workflow.executor.start(
            partial(write_file, path, text), done, self.workflow.complain
        )

    def _save_surfaces(self) -> None:
        path = self._ask("Save surface", "surface", MESHES)
        if path is None:
            return
        there = [one for one in self.workflow.surfaces.targets(path) if one.exists()]
        if there and there != [path] and not self._may_replace(there):
            return
        self.workflow.surfaces.save(path)

    def _report(self) -> None:
        canvas, path = self.controller.canvas, self._ask("Report", "report", REPORTS)
        if canvas is not None and path is not None:
            session = canvas.session
            labels = session.objects.labels()
            colours = {label: object_colour(session, label) for label in labels}
            self.workflow.reporter.save(path, colours)

    def _ask(self, title: str, what: str, kinds: tuple[str, ...]) -> Path | None:
        """Ask for a file; None if the person wants none."""
        canvas = self.controller.canvas
        if canvas is None:
            return None
        beside, _ = suggested(canvas.image)
        stem = beside.name.split(".")[0].removesuffix("_mask")
        first = beside.with_name(f"{stem}_{what}{kinds[0]}")
        name, chosen = QFileDialog.getSaveFileName(
            self, title, str(first), _filter(kinds)
        )
        if not name:
            return None
        path = Path(name)
        if not path.suffix:
            path = path.with_name(path.name + chosen[chosen.rfind("*") + 1 : -1])
            if path.exists() and not self._may_replace([path]):
                return None
        check_writable(path, kinds)
        return path

    def _may_replace(self, paths: list[Path]) -> bool:
        """Ask about files that the dialog did not know."""
        names = ", ".join(f"'{path}'" for path in paths)
        answer = QMessageBox.question(
            self, "Save", f"There already: {names}. Replace what is there?"
        )
        return bool(answer == QMessageBox.StandardButton.Yes)


def _of(objects: list[ObjectMeasures], label: int) -> list[ObjectMeasures]:
    return [one for one in objects if one.label == label]


def _count(rows: list[Any]) -> str:
    return f"{len(rows)} row{'s' * (len(rows) != 1)}"
