"""The demo: the EM sample, ready to click, or clicking by itself."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEMO_SLICE = 2
DEMO_CLICKS = ((150.0, 155.0), (120.0, 205.0), (120.0, 135.0))
"""Row and column on section 2, each on an object of its own."""

PATIENCE_S = 120.0
"""Longest wait for the model or an answer."""


def run_demo(screenshot: Path | None) -> Path | None:
    """Open the EM sample in napari.

    Parameters
    ----------
    screenshot : Path or None
        If given, click on three objects, save a picture of the window there, and close.

    Returns
    -------
    Path or None
        The picture, if one was asked for.

    Raises
    ------
    UserError
        If a prediction fails or takes longer than two minutes.
    """
    import napari

    from napari_simpleclick.plugin.layers.placement import NOT_RECORDED

    viewer = napari.Viewer()
    viewer.open_sample("napari-simpleclick", "em")
    if screenshot is not None:  # nobody will want to go on with it
        viewer.layers[0].metadata[NOT_RECORDED] = True
    viewer.dims.set_point(0, DEMO_SLICE * viewer.layers[0].scale[0])
    _, panel = viewer.window.add_plugin_dock_widget("napari-simpleclick", "SimpleClick")
    viewer.window.resize(1280, 820)
    viewer.reset_view()
    if screenshot is None:
        napari.run()
        return None
    controller = panel.controller
    answers: list[object] = []
    troubles: list[str] = []
    panel.workflow.queue.answered.connect(answers.append)
    panel.workflow.trouble.connect(lambda sentence, _: troubles.append(sentence))
    _wait(lambda: controller.engine is not None, troubles)
    for count, (row, column) in enumerate(DEMO_CLICKS, start=1):
        if count > 1:
            panel.workflow.new_object()
        place = (DEMO_SLICE, row, column)
        controller.click(controller.canvas.image.data_to_world(place), True)
        _wait(partial(_reached, answers, count), troubles)
    viewer.reset_view()
    viewer.screenshot(str(screenshot), canvas_only=False, flash=False)
    viewer.close()
    return screenshot.resolve()


def _reached(answers: list[object], count: int) -> bool:
    return len(answers) >= count


def _wait(done: Callable[[], bool], troubles: list[str]) -> None:
    """Keep the window alive until something has happened."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + PATIENCE_S
    while not done():
        if troubles or time.monotonic() > end:
            late = "The demo took too long; close other programs and try again."
            raise UserError(troubles[0] if troubles else late)
        QApplication.processEvents()
        time.sleep(0.01)
    QApplication.processEvents()
