"""The button that exports the mask to the formats of other tools."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info, show_warning
from qtpy.QtWidgets import QFileDialog, QMenu, QMessageBox, QPushButton

from napari_simpleclick.exports import KINDS, AlreadyThereError, export
from napari_simpleclick.images.formats.ngff import is_image
from napari_simpleclick.images.source import SOURCE_KEY
from napari_simpleclick.plugin.export_case import export_case
from napari_simpleclick.plugin.saving import suggested
from napari_simpleclick.plugin.sections.ask_classes import ask_classes
from napari_simpleclick.workflow.explain import explain

if TYPE_CHECKING:
    from napari_simpleclick.exports import ExportCase, ExportKind
    from napari_simpleclick.plugin.controller import Controller

TEXT = "Export…"
TITLE = "Export"
NO_DICOM = "Refers to DICOM files; this image was not read from any"


class ExportButton(QPushButton):  # type: ignore[misc]
    """A list of formats; asks where to, and adds the mask there.

    Parameters
    ----------
    controller : Controller
        Whose mask is exported.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__(TEXT)
        self.controller = controller
        self.setToolTip("Write the objects for other tools, or add them to a data set")
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        self._of_dicom = []
        for kind in KINDS:
            action = menu.addAction(f"{kind.title}…")
            action.triggered.connect(partial(self._on_chosen, kind))
            if kind.of_dicom:
                self._of_dicom.append(action)
        menu.aboutToShow.connect(self._on_shown)
        self.setMenu(menu)

    def _on_shown(self) -> None:
        """Offer what refers to DICOM files for images that have some."""
        canvas = self.controller.canvas
        source = None if canvas is None else canvas.image.metadata.get(SOURCE_KEY)
        has_files = bool(getattr(source, "files", ()))
        for action in self._of_dicom:
            action.setEnabled(has_files)
            action.setToolTip("" if has_files else NO_DICOM)

    def _on_chosen(self, kind: ExportKind, _: bool = False) -> None:
        self.controller.workflow.attempt(partial(self._ask, kind))

    def _ask(self, kind: ExportKind) -> None:
        canvas = self.controller.canvas
        if canvas is None:
            return
        case = export_case(canvas, canvas.image.name)
        target = self._target(kind, case)
        as_classes = None if target is None else self._as_classes(kind, case)
        if target is not None and as_classes is not None:
            self._start(case, kind, target, as_classes, replace=False)

    def _target(self, kind: ExportKind, case: ExportCase) -> Path | None:
        """Ask for a file or a folder; labels of OME-Zarr go to their image."""
        assert self.controller.canvas is not None
        image = self.controller.canvas.image
        source = image.metadata.get(SOURCE_KEY)
        place = getattr(source, "path", None)
        if kind.name == "ome-zarr" and place is not None and is_image(place):
            return Path(place)
        beside = suggested(image)[0].parent
        if kind.is_data_set:
            name = QFileDialog.getExistingDirectory(
                self, f"{kind.title}: folder of the data set", str(beside)
            )
            return Path(name) if name else None
        first = beside / f"{case.name}_mask{kind.suffix}"
        options = QFileDialog.Option.DontConfirmOverwrite  # it is asked about later
        name, _ = QFileDialog.getSaveFileName(
            self,
            TITLE,
            str(first),
            f"{kind.title} (*{kind.suffix})",
            options=options,
        )
        if not name:
            return None
        path = Path(name)
        given = path.name.lower().endswith(kind.suffix)
        return path if given else path.with_name(path.name + kind.suffix)

    def _as_classes(self, kind: ExportKind, case: ExportCase) -> bool | None:
        """Ask what objects with a class become; None if nothing is to be exported."""
        if kind.only_classes or not any(one.category for one in case.names):
            return False
        text = "Export each object by itself, or all of a class as one?"
        return ask_classes(self, TITLE, text)

    def _start(
        self,
        case: ExportCase,
        kind: ExportKind,
        target: Path,
        as_classes: bool,
        replace: bool,
    ) -> None:
        self.setEnabled(False)
        flow = self.controller.workflow
        flow.status.emit(f"Exporting '{case.name}'…")
        again = partial(self._start, case, kind, target, as_classes, replace=True)
        flow.executor.start(
            partial(export, case, kind, target, as_classes=as_classes, replace=replace),
            lambda _: self._end(f"Exported '{case.name}' to '{target}': {kind.title}."),
            partial(self._fail, None if replace else again),
            title=f"Exporting {case.name}",
        )

    def _end(self, told: str) -> None:
        if self.controller.closed:
            show_info(told)
            return
        self.setEnabled(True)
        self.controller.workflow.status.emit(told)

    def _fail(self, again: object, error: Exception) -> None:
        if self.controller.closed:
            show_warning(explain(error))
            return
        self.setEnabled(True)
        self.controller.workflow.status.emit("")
        if isinstance(error, AlreadyThereError) and callable(again):
            answer = QMessageBox.question(
                self, TITLE, f"{explain(error).partition(';')[0]}. Replace it?"
            )
            if answer == QMessageBox.StandardButton.Yes:
                again()
            return
        self.controller.workflow.complain(error)
