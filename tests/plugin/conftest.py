"""A real window with the panel in it, and a hand that clicks and types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import napari.settings
import numpy as np
import pytest
from npe2 import PluginManifest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_simpleclick.plugin import controller, keys, settings, workers
from napari_simpleclick.workflow import model_loader
from tests.executors import HeldExecutor

PATIENCE_MS = 120_000
"""How long a test waits for what is done in the background, on a busy computer too."""


class PatientBot(QtBot):
    """Waits as long as is needed; what is late is no mistake, what never comes is."""

    def waitUntil(self, callback, *, timeout=PATIENCE_MS):
        super().waitUntil(callback, timeout=timeout)

    def waitSignal(self, signal, *, timeout=PATIENCE_MS, **more):
        return super().waitSignal(signal, timeout=timeout, **more)


@pytest.fixture
def qtbot(qapp, request):
    """Give the bot of pytest-qt, but with patience."""
    return PatientBot(request)


@pytest.fixture(scope="session", autouse=True)
def manifests_read_once():
    """Read the manifests of all plugins once, not several times for each window."""
    found = list(PluginManifest.discover())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "discover", lambda paths=(): found)
        yield


@pytest.fixture(autouse=True)
def saved_settings(tmp_path, monkeypatch):
    """Keep the tests out of the person's settings, and the tour out of the tests."""
    place = tmp_path / "settings.yaml"
    monkeypatch.setenv("NAPARI_CONFIG", str(place))
    monkeypatch.setattr(settings, "_file", lambda: tmp_path / "simpleclick.json")
    if hasattr(napari.settings, "get_plugin_settings"):
        monkeypatch.setattr(napari.settings, "_CFG_PATH", str(place))
        monkeypatch.setattr(napari.settings, "_PLUGIN_SETTINGS", {})
    settings.save(tour=False)
    keys.TABLE.load()


@pytest.fixture(autouse=True)
def synchronous(request, monkeypatch):
    """Have everything done at once, but where a test asks for ``threads``."""
    wanted = "0" if "threads" in request.fixturenames else "1"
    monkeypatch.setenv(workers.SYNCHRONOUS, wanted)


@pytest.fixture(autouse=True)
def cold(monkeypatch):
    """Spare each window the two answers on nothing that a model begins with."""
    monkeypatch.setattr(model_loader, "_warm_up", lambda predictor: None)


@pytest.fixture
def threads():
    """Work in threads, as a person's window does."""


@pytest.fixture
def held(monkeypatch):
    """Work is done at once until the executor is ``holding``."""
    executor = HeldExecutor()
    executor.holding = False
    monkeypatch.setattr(controller, "make_executor", lambda: executor)
    return executor


@dataclass
class Hand:
    """Works on a viewer as a person does, through Qt events on the drawing."""

    viewer: Any
    panel: Any
    qtbot: Any
    answers: list[Any] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    @property
    def controller(self):
        return self.panel.controller

    @property
    def workflow(self):
        return self.panel.workflow

    @property
    def canvas(self):
        return self.controller.canvas

    def open_panel(self) -> None:
        """Dock a new panel."""
        _, self.panel = self.viewer.window.add_plugin_dock_widget(
            "napari-simpleclick", "SimpleClick"
        )
        self.workflow.queue.answered.connect(self.answers.append)
        self.workflow.trouble.connect(lambda text, _: self.troubles.append(text))
        self.qtbot.waitUntil(lambda: self.controller.engine is not None)

    @property
    def drawing(self) -> QWidget:
        for widget in QApplication.allWidgets():
            if type(widget).__name__ == "CanvasBackendDesktop" and widget.isVisible():
                return widget
        raise AssertionError("no drawing")

    def wait(self, count: int) -> None:
        """Wait until so many answers have arrived in all."""
        self.qtbot.waitUntil(
            lambda: len(self.answers) >= count or bool(self.troubles),
        )
        assert not self.troubles

    def settle(self) -> None:
        """Let the window lay itself out, then fit the view to it."""
        for _ in range(3):
            QTest.qWait(30)
            self.viewer.reset_view()

    def pixel(self, *place: float) -> QPoint:
        """Place on the drawing of a position in image coordinates."""
        world = np.array(self.viewer.layers[0].data_to_world(place))
        skipped = self.viewer.dims.ndim - len(world)
        shown = [axis - skipped for axis in self.viewer.dims.displayed]
        row, column = world[shown]
        camera, drawing = self.viewer.camera, self.drawing
        x = drawing.width() / 2 + (column - camera.center[2]) * camera.zoom
        y = drawing.height() / 2 + (row - camera.center[1]) * camera.zoom
        return QPoint(round(x), round(y))

    def click(self, *place: float, button="left", modifier=None) -> None:
        names = {"left": Qt.MouseButton.LeftButton, "right": Qt.MouseButton.RightButton}
        keys = Qt.KeyboardModifier.NoModifier
        if modifier == "control":
            keys = Qt.KeyboardModifier.ControlModifier
        at = self.pixel(*place)
        QTest.mouseMove(self.drawing, at)
        QTest.mouseClick(self.drawing, names[button], keys, at)
        QApplication.processEvents()

    def double_click(self, *place: float) -> None:
        self.click(*place)
        at = QPointF(self.pixel(*place))
        glob = QPointF(self.drawing.mapToGlobal(at.toPoint()))
        left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        event = QMouseEvent(QEvent.Type.MouseButtonDblClick, at, glob, left, left, none)
        QApplication.sendEvent(self.drawing, event)
        QTest.mouseRelease(self.drawing, left, none, at.toPoint())
        QApplication.processEvents()

    def drag(self, start, end, button="left") -> None:
        names = {"left": Qt.MouseButton.LeftButton, "right": Qt.MouseButton.RightButton}
        held, none = names[button], Qt.KeyboardModifier.NoModifier
        first, last = self.pixel(*start), self.pixel(*end)
        QTest.mousePress(self.drawing, held, none, first)
        for step in range(1, 6):
            self.slide(first + (last - first) * (step / 5), held)
        QTest.mouseRelease(self.drawing, held, none, last)
        QApplication.processEvents()

    def slide(self, place, held=Qt.MouseButton.LeftButton) -> None:
        """Move with a button down to a place on the drawing."""
        at, none = QPointF(place), Qt.KeyboardModifier.NoModifier
        glob = QPointF(self.drawing.mapToGlobal(at.toPoint()))
        event = QMouseEvent(
            QEvent.Type.MouseMove, at, glob, Qt.MouseButton.NoButton, held, none
        )
        QApplication.sendEvent(self.drawing, event)
        QTest.qWait(30)

    def key(self, key, modifier=Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(self.drawing, key, modifier)
        QApplication.processEvents()

    def press(self, button) -> None:
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        QApplication.processEvents()


@pytest.fixture
def hand_on(qtbot):
    """Dock the panel in a window that has an image, and load the model."""

    def build(viewer) -> Hand:
        viewer.window.resize(1100, 800)
        hand = Hand(viewer, None, qtbot)
        hand.open_panel()
        hand.settle()
        return hand

    return build


@pytest.fixture
def open_window(make_napari_viewer, hand_on):
    """Open a window on an image, with the panel docked and the model loaded."""

    def build(data, **look) -> Hand:
        viewer = make_napari_viewer(show=True)
        viewer.add_image(data, **look)
        return hand_on(viewer)

    return build


@pytest.fixture
def discs():
    """A volume with a bright ball in each half, and where their centres are."""
    grid = np.indices((24, 100, 120))
    volume = np.full(grid.shape[1:], 40.0)
    for centre in ((12, 30, 30), (12, 60, 90)):
        far = sum(
            ((g - c) / r) ** 2
            for g, c, r in zip(grid, centre, (9, 16, 16), strict=True)
        )
        volume[far <= 1] = 200
    noise = np.random.default_rng(0).normal(0, 5, volume.shape)
    return np.clip(volume + noise, 0, 255).astype(np.uint8)
