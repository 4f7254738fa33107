"""A study: cases one after the other, and a record of what the person does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.qt.threading import create_worker
from psygnal import Signal
from qtpy.QtCore import QUrl
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

from napari_simpleclick.plugin.docked import Docked

if TYPE_CHECKING:
    from napari.layers import Image, Shapes
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_simpleclick.annotate import Spot, Step
    from napari_simpleclick.evaluate.datasets import Case
    from napari_simpleclick.evaluate.study import Study
    from napari_simpleclick.plugin.panel import Panel
    from napari_simpleclick.plugin.worker import Answer

WELCOME = (
    "Choose a list of cases (CSV with image, mask and at will label, axis, slice) and "
    "a code for whoever annotates."
)
TASK = "Segment the object that you were asked for, then go on to the next case."
RINGED = "Segment the object in the ring, then go on to the next case."

RING = {"face_color": "transparent", "edge_color": "#ffdc00", "edge_width": 2}
ROOM = 0.6
"""Of the ring around an object, as a share of its extent on each side."""


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
        self.viewer = napari_viewer
        self.study: Study | None = None
        self.panel: Panel | None = None
        self.list = QLineEdit(placeholderText="cases.csv")
        self.choose = QPushButton("Choose…")
        self.participant = QLineEdit(placeholderText="a code, such as P01")
        self.begin = QPushButton("Begin")
        self.pause = QPushButton("Pause")
        self.next = QPushButton("Done, next case")
        self.progress, self.status = QLabel(), QLabel(WELCOME)
        self._image: Image | None = None
        self._ring: Shapes | None = None
        self._truth = np.zeros((1, 1), np.int32)
        self._spot: Spot | None = None
        self._model = "bundled"
        self._waiting = False
        self._times: dict[int, float] = {}
        self._lay_out()
        self.choose.clicked.connect(self._on_choose)
        self.begin.clicked.connect(self._on_begin)
        self.pause.clicked.connect(self._on_pause)
        self.next.clicked.connect(self._on_next)
        self._refresh()

    def leave(self) -> None:
        """Stop the clock and let go of the panel."""
        if self.study is not None:
            self.study.pause()
            self._disconnect()

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
        self.pause.setToolTip("Stop the clock and hide the image")
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
            self.pause.setText("Go on" if study.paused else "Pause")
            self.next.setEnabled(not study.paused)

    # -- buttons -------------------------------------------------------------------

    def _on_choose(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "List of cases", "", "CSV (*.csv)")
        if name:
            self.list.setText(name)

    def _on_begin(self) -> None:
        from napari_simpleclick.evaluate import Study, read_cases

        path = Path(self.list.text()).expanduser()
        try:
            cases = read_cases(path)
            folder = path.with_name(f"{path.stem}-study")
            study = Study(cases, self.participant.text().strip(), folder)
        except ValueError as error:
            self.status.setText(str(error))
            return
        self._disconnect()
        self.study = study
        _, self.panel = self.viewer.window.add_plugin_dock_widget(
            "napari-simpleclick", "SimpleClick"
        )
        controller = self.panel.controller
        self._model = controller.model
        controller.clicked.connect(self._on_click)
        controller.answered.connect(self._on_answer)
        controller.changed.connect(self._on_changed)
        self._show_case()

    def _on_pause(self) -> None:
        study, image = self.study, self._image
        if study is None or image is None:
            return
        if study.paused:
            study.resume()
        else:
            study.pause()
        image.visible = not study.paused
        self._refresh()

    def _on_next(self) -> None:
        if self.study is None:
            return
        try:
            self.study.finish(self._final_iou())
        except ValueError as error:
            self.status.setText(str(error))
            return
        self._show_case()

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
        self._take_away()
        case = self.study.current
        if case is None:
            self._disconnect()
            self._report()
        elif self.panel.controller.engine is None:
            self._waiting = True
            self.status.setText("Loading the model…")
        else:
            self._show(case)
        self._refresh()

    def _show(self, case: Case) -> None:
        """Open the image of a case, and point at the object if there are several."""
        assert self.study is not None
        assert self.panel is not None
        try:
            picture, self._truth = case.load()
            others = case.others()
        except ValueError as error:
            self.status.setText(str(error))
            return
        name = f"case {len(self.study.finished) + 1}"
        image = self.viewer.add_image(picture, name=name, rgb=picture.ndim == 3)
        self._image = getattr(image, "__wrapped__", image)  # not napari's proxy
        if others:
            ring = _ring(self._truth == 1)
            self._ring = self.viewer.add_shapes(
                [ring], shape_type="ellipse", name=f"{name} object", **RING
            )
        self.panel.image_choice.value = self._image
        self.viewer.layers.selection.active = self._image
        self.viewer.reset_view()
        self.status.setText(RINGED if others else TASK)
        self.study.begin()

    def _take_away(self) -> None:
        """Remove the layers of the case before."""
        image, self._image, self._spot = self._image, None, None
        self._times.clear()
        if image is None or self.panel is None:
            return
        bench = self.panel.controller.bench
        layers = bench.layers if bench and bench.image is image else (image,)
        for layer in (*layers, self._ring):
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    def _on_click(self, spot: Spot, step: Step) -> None:
        if self.study is not None and self._is_shown():
            self._times[step.order] = self.study.seconds

    def _on_answer(self, answer: Answer) -> None:
        request = answer.request
        seconds = None
        if request.steps:
            seconds = self._times.pop(request.steps[-1].order, None)
        if seconds is None or not self._is_shown():
            return  # a click that was moved or taken back is not a new one
        assert self.study is not None
        assert self.panel is not None
        from napari_simpleclick.evaluate.metrics import iou

        self._spot = request.spot
        click, case = request.steps[-1].click, self.study.current
        scene = getattr(self.viewer, "scene", self.viewer)  # since napari 0.9
        self.study.click(
            int(click.row),
            int(click.column),
            click.positive,
            iou(answer.mask, self._truth),
            seconds,
            slice=case.index if case else None,
            zoom=float(scene.camera.zoom),
            model=self.panel.controller.model,
            object=request.spot.label,
            clicks=len(request.steps),
        )

    def _is_shown(self) -> bool:
        """Whether the person works on the image of the case."""
        bench = self.panel.controller.bench if self.panel else None
        return bench is not None and bench.image is self._image

    def _final_iou(self) -> float:
        """IoU of the mask as it is now, painting included."""
        bench = self.panel.controller.bench if self.panel else None
        if self._spot is None or bench is None or not self._is_shown():
            return 0.0
        from napari_simpleclick.evaluate.metrics import iou

        return iou(bench.object_mask(self._spot.plane, self._spot.label), self._truth)

    def _disconnect(self) -> None:
        if self.panel is None:
            return
        controller = self.panel.controller
        controller.clicked.disconnect(self._on_click)
        controller.answered.disconnect(self._on_answer)
        controller.changed.disconnect(self._on_changed)
        self.panel = None

    # -- the report ----------------------------------------------------------------

    def _report(self) -> None:
        assert self.study is not None
        from napari_simpleclick.evaluate import report_study

        self.status.setText("All cases are done. The robot annotates them now…")
        create_worker(
            report_study,
            self.study,
            self._model,
            _progress={"desc": "Report of the study"},
            _connect={"returned": self._on_report, "errored": self._on_error},
        )

    def _on_report(self, page: Path) -> None:
        link = QUrl.fromLocalFile(str(page)).toString()
        self.status.setText(f'All cases are done: <a href="{link}">report</a>.')
        self.reported.emit(page)

    def _on_error(self, error: Exception) -> None:
        self.status.setText(f"The report could not be made: {error}.")


def _ring(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Corners (4, 2) of the box of a wide ellipse around an object."""
    places = np.argwhere(mask) if mask.any() else np.zeros((1, 2))
    low, high = places.min(0), places.max(0)
    margin = ROOM * np.maximum(high - low, 20)
    (top, left), (bottom, right) = low - margin, high + margin
    return np.array([(top, left), (top, right), (bottom, right), (bottom, left)])
