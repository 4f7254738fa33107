"""The pictures of the panel in ``docs/images``, each state in both themes.

Run it with a display, from anywhere::

    python docs/screenshots.py [FOLDER]
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import napari
from napari.settings import get_settings
from PIL import Image
from qtpy.QtTest import QTest

from napari_simpleclick.annotation import ObjectStyle
from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGES = Path(__file__).parent / "images"
WIDTH = 300
SLICE = 22
PLACES = ((24.0, 14.0), (30.0, 26.0))
"""Rows and columns on that slice of the MRI sample: two objects."""

REACH = 8
"""Slices that the first object is carried on at most."""

PICTURES = {"session": "sessions", "model": "device"}
"""Sections whose picture is called otherwise."""


def keep(picture: Image.Image, path: Path) -> None:
    """Write a picture as a small PNG."""
    kept = Image.Quantize.MAXCOVERAGE  # else small spots of colour get another one
    picture = picture.convert("RGB").quantize(128, kept, kmeans=1)  # plain areas exact
    picture.save(path, optimize=True)


class Studio:
    """A window in one theme, and what is photographed in it.

    Parameters
    ----------
    theme : str
        ``dark`` or ``light``.
    folder : Path
        Where the pictures go.
    """

    def __init__(self, theme: str, folder: Path) -> None:
        get_settings().appearance.theme = theme
        self.theme, self.folder = theme, folder
        self.viewer = napari.Viewer()
        self.viewer.window.resize(1280, 860)
        _, self.panel = self.viewer.window.add_plugin_dock_widget(
            "napari-simpleclick", "SimpleClick"
        )
        self.panel.setFixedWidth(WIDTH)
        self.controller = self.panel.controller
        self.until(lambda: self.controller.engine is not None)

    def until(self, true: Callable[[], bool], minutes: int = 1) -> None:
        """Wait for something, so many minutes at most."""
        for _ in range(3000 * minutes):
            QTest.qWait(20)
            if true():
                return
        raise SystemExit("This took too long.")

    def shoot(self, name: str) -> None:
        """Take a picture of the panel."""
        QTest.qWait(300)
        path = self.folder / f"panel-{name}-{self.theme}.png"
        self.panel.grab().save(str(path))
        keep(Image.open(path), path)

    def click(self, row: float, column: float) -> None:
        """Click on the displayed slice, and wait for the mask."""
        canvas = self.controller.canvas
        place = canvas.image.data_to_world((SLICE, row, column))
        self.controller.click(place, True)
        self.until(lambda: canvas.session.requests.pending is None)

    def work(self) -> None:
        """Go through all states."""
        panel, controller = self.panel, self.controller
        self.shoot("empty")
        self.viewer.open_sample("napari-simpleclick", "mri")
        self.until(lambda: controller.canvas is not None)
        self.viewer.dims.set_current_step(0, SLICE)
        panel.tour.hide()
        self.shoot("start")
        self.click(*PLACES[0])
        controller.canvas.session.give_style(1, ObjectStyle("hippocampus"))
        panel.workflow.new_object()
        self.click(*PLACES[1])
        self.shoot("objects")
        for name in ("outline", "intensities", "session", "model", "reference"):
            panel.sections[name].expand()
            self.shoot(PICTURES.get(name, name))
            panel.sections[name].collapse()
        panel.workflow.choose(1)
        panel.sections["propagation"].expand()
        panel.sections["propagation"].reach.setValue(REACH)
        panel.sections["propagation"].both.click()
        run = panel.workflow.propagator
        self.until(lambda: run.run is not None)
        self.until(lambda: run.run is None)
        self.shoot("through")
        panel.sections["propagation"].collapse()
        measures = panel.sections["measures"]
        measures.expand()
        self.until(lambda: measures.table.rowCount() == 2)
        panel.scroll.bring(measures)
        self.shoot("measures")
        measures.collapse()
        panel.workflow.complain(
            UserError("'scan.nii.gz' ends too early; copy it again.")
        )
        self.shoot("error")
        panel._forgive()

    def return_later(self) -> None:
        """Open the image of an earlier session."""
        self.viewer.open_sample("napari-simpleclick", "mri")
        self.until(lambda: not self.panel.offer.isHidden())
        self.panel.tour.hide()
        self.shoot("offer")

    def close(self) -> None:
        """Close the window."""
        self.viewer.close()


def main() -> None:
    """Take all pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    with tempfile.TemporaryDirectory() as place:
        os.environ["NAPARI_SIMPLECLICK_SESSIONS"] = place
        for theme in ("dark", "light"):
            for visit in (Studio.work, Studio.return_later):
                studio = Studio(theme, folder)
                visit(studio)
                studio.close()


if __name__ == "__main__":
    main()
