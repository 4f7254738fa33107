"""The button that saves the mask to a file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from napari.utils.history import update_save_history
from napari.utils.notifications import show_info, show_warning
from qtpy.QtWidgets import QFileDialog, QMessageBox, QPushButton

from napari_simpleclick.images import label_maps
from napari_simpleclick.images.label_names import NAMES_KEY, path_beside
from napari_simpleclick.plugin import files
from napari_simpleclick.plugin.layers.colours import label_names
from napari_simpleclick.plugin.saving import KINDS, completed, suggested
from napari_simpleclick.plugin.sections.ask_classes import ask_classes
from napari_simpleclick.plugin.waiting import WaitForSaving
from napari_simpleclick.workflow.explain import explain

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.plugin.layers.canvas import LayerCanvas
    from napari_simpleclick.plugin.saving import MaskKind


TEXT = "Save mask…"


class SaveMask(QPushButton):  # type: ignore[misc]
    """Asks for a file, writes the mask with the objects' names, and says what it wrote.

    Parameters
    ----------
    controller : Controller
        Whose mask is saved.
    """

    def __init__(self, controller: Controller) -> None:
        super().__init__(TEXT)
        self.controller = controller
        self._saved: WeakKeyDictionary[LayerCanvas, tuple[Path, MaskKind]]
        self._saved = WeakKeyDictionary()
        self.setToolTip(
            "Write the objects to a file that lies on the scan, with names and colours"
        )
        self.clicked.connect(lambda: controller.workflow.attempt(self._save))

    def _save(self) -> None:
        canvas = self.controller.canvas
        if canvas is None:
            return
        first, usual = self._saved.get(canvas) or suggested(canvas.image)
        filters = {kind.filter: kind for kind in KINDS}
        name, chosen = QFileDialog.getSaveFileName(
            self, "Save mask", str(first), ";;".join(filters), usual.filter
        )
        if not name:
            return
        kind = filters.get(chosen, usual)
        path = completed(Path(name), kind, first if kind != usual else None)
        if path != Path(name) and path.exists() and not self._may_replace(path):
            return
        as_classes = self._as_classes(canvas)
        if as_classes is None:
            return
        self._write(canvas, path, kind, as_classes)

    def _may_replace(self, path: Path) -> bool:
        """Ask about a file that the dialog did not know, without its extension."""
        answer = QMessageBox.question(
            self, "Save mask", f"'{path}' is there already. Replace it?"
        )
        return bool(answer == QMessageBox.StandardButton.Yes)

    def _as_classes(self, canvas: LayerCanvas) -> bool | None:
        """Ask what objects with a class are saved as; None if not at all."""
        styles = canvas.session.objects.styles.values()
        if not any(style.category for style in styles):
            return False
        text = "Save each object with its own number, or one number for each class?"
        return ask_classes(self, "Save mask", text)

    def _write(
        self, canvas: LayerCanvas, path: Path, kind: MaskKind, as_classes: bool
    ) -> None:
        """Write the mask as it is now, while the person goes on with it."""
        data, meta, _ = canvas.mask.as_layer_data_tuple()
        names = meta["metadata"].get(NAMES_KEY, tuple)()
        classes = label_names(canvas.session) if as_classes else ()
        count = len(canvas.session.objects.voxel_counts.labels())
        objects = f"{count} object{'s' * (count != 1)}"
        labels = np.array(data)
        unit = "voxel" if canvas.is_volume else "pixel"

        def work() -> str:
            written, given, told = labels, names, objects
            if as_classes:
                written, given = label_maps.as_classes(labels, classes)
                number = len(np.unique(written[written > 0]))
                told = f"{number} class{'es' * (number != 1)}"
            meta["metadata"] = {**meta["metadata"], NAMES_KEY: lambda: given}
            files.write_labels(str(path), written, meta)
            return _told(path, told, int(np.count_nonzero(written)), unit)

        def done(told: str) -> None:
            self._saved[canvas] = path, kind
            update_save_history(str(path))
            self._end(waiting, told)

        self._show(path)
        waiting = WaitForSaving(path, self._window())
        self.controller.workflow.executor.start(
            work,
            done,
            partial(self._fail, waiting),
            title=f"Saving {path.name}",
        )

    def _window(self) -> QWidget:
        """Find what is closed when the person leaves napari."""
        widget: QWidget = self
        while widget.parentWidget() is not None:
            widget = widget.parentWidget()
        return widget

    def _show(self, path: Path | None) -> None:
        """Say that a file is being written; None when that is over."""
        self.setEnabled(path is None)
        self.setText(TEXT if path is None else "Saving…")
        if path is not None:
            self.controller.workflow.status.emit(f"Saving '{path}'…")

    def _end(self, waiting: WaitForSaving, told: str) -> None:
        waiting.end(True)
        if self.controller.closed:
            show_info(told)
            return
        self._show(None)
        self.controller.workflow.status.emit(told)

    def _fail(self, waiting: WaitForSaving, error: Exception) -> None:
        waiting.end(False)
        if self.controller.closed:
            show_warning(explain(error))
            return
        self._show(None)
        self.controller.workflow.status.emit("")
        self.controller.workflow.complain(error)


def _told(path: Path, objects: str, voxels: int, unit: str) -> str:
    """Say what was written."""
    told = f"Saved '{path}': {objects}, {voxels:,} {unit}{'s' * (voxels != 1)}."
    beside = path_beside(path)
    if beside is not None and beside.exists():
        told += f" Names and colours are in '{beside.name}'."
    return told
