"""A person who does anything, in any order, through real events.

``SIMPLECLICK_ACTIONS=10000 pytest tests/plugin/test_long_day.py`` is a whole day.
"""

import ctypes
import gc
import os
import random
import sys

import numpy as np
import psutil
import pytest
from qtpy.QtCore import Qt, QThreadPool
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_simpleclick import Click
from napari_simpleclick.sessions import SessionDatabase, SessionReader
from napari_simpleclick.workflow import Tool

pytestmark = pytest.mark.slow

ACTIONS = int(os.environ.get("SIMPLECLICK_ACTIONS", "500"))
WARM = 300
"""Actions after which memory should stay as it is."""

GROWTH_MB = 50
CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier

WEIGHTS = {
    "click": 30,
    "undo": 12,
    "redo": 6,
    "go": 8,
    "paint": 8,
    "new_object": 3,
    "choose_object": 4,
    "pick": 3,
    "clear": 2,
    "draw": 10,
    "move_shape": 2,
    "delete_shape": 2,
    "move_point": 3,
    "delete_point": 2,
    "delete_object": 1,
    "rename": 1,
    "propagate": 1,
    "turn": 1,
    "other_axis": 2,
    "options": 4,
    "model": 0.3,
    "delete_layer": 0.5,
    "reopen": 0.5,
    "other_image": 1,
    "sign": 2,
    "contrast": 1,
    "wait": 4,
}


class Person:
    """Does random things in a window."""

    def __init__(self, hand, seed):
        self.hand, self.chance = hand, random.Random(seed)
        self.done = ""

    # -- what there is -------------------------------------------------------------

    @property
    def viewer(self):
        return self.hand.viewer

    @property
    def canvas(self):
        return self.hand.canvas

    def place(self):
        """A random position on the displayed slice, near the objects more often."""
        shape = self.viewer.layers[0].data.shape
        place = [float(round(at)) for at in self.viewer.dims.point]
        for axis in self.viewer.dims.displayed:
            place[axis] = self.chance.uniform(4, shape[axis] - 5)
        return place

    def flat(self):
        return self.viewer.dims.ndisplay == 2

    # -- what can be done ------------------------------------------------------------

    def act(self):
        name = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        self.done = f"{self.done} {name}"[-80:]
        getattr(self, name)()
        QApplication.processEvents()

    def click(self):
        if (
            self.canvas is not None
        ):  # the right button ends a napari tool, and begins one
            self.canvas.mask.mode = "pan_zoom"
        if self.flat():
            button = self.chance.choice(["left", "left", "right"])
            self.hand.click(*self.place(), button=button)

    def undo(self):
        self.hand.key(Qt.Key.Key_Z, CONTROL)

    def redo(self):
        self.hand.key(Qt.Key.Key_Z, CONTROL | SHIFT)

    def go(self):
        axis = self.viewer.dims.order[0]
        self.viewer.dims.set_current_step(axis, self.chance.randrange(24))

    def paint(self):
        if self.canvas is None or not self.flat():
            return
        mask = self.canvas.mask
        self.viewer.layers.selection.active = mask
        mask.brush_size = self.chance.choice([2, 6, 12])
        mask.mode = self.chance.choice(["paint", "erase", "fill"])
        start = self.place()
        end = [at + self.chance.uniform(-6, 6) for at in start]
        self.hand.drag(start, end)
        mask.mode = "pan_zoom"

    def new_object(self):
        self.hand.key(Qt.Key.Key_N)

    def choose_object(self):
        table = self.hand.panel.objects
        if table.rowCount():
            table.selectRow(self.chance.randrange(table.rowCount()))

    def pick(self):
        if self.flat():
            at = self.hand.pixel(*self.place())
            QTest.mouseClick(self.hand.drawing, Qt.MouseButton.LeftButton, SHIFT, at)

    def clear(self):
        self.hand.press(self.hand.panel.clear)

    def points(self):
        layers = [] if self.canvas is None else list(self.canvas.points.values())
        return [layer for layer in layers if len(layer.data)]

    def move_point(self):
        for layer in self.points()[:1]:
            data = layer.data.copy()
            data[self.chance.randrange(len(data)), -2:] += self.chance.uniform(-3, 3)
            layer.data = np.clip(data, 0, np.array(self.canvas.mask.data.shape) - 1)

    def delete_point(self):
        for layer in self.points()[:1]:
            layer.selected_data = {self.chance.randrange(len(layer.data))}
            layer.remove_selected()

    def draw(self):
        if self.canvas is None or not self.flat():
            return
        self.canvas.mask.mode = "pan_zoom"
        self.hand.workflow.use_tool(self.chance.choice(list(Tool)[1:]))
        start = self.place()
        end = [at + self.chance.uniform(-25, 25) for at in start]
        self.hand.drag(start, end)
        self.hand.key(Qt.Key.Key_Escape)
        self.hand.workflow.tool = Tool.CLICK

    def shapes(self):
        layer = None if self.canvas is None else self.canvas.shapes.layer
        return layer if layer is not None and len(layer.data) else None

    def move_shape(self):
        layer = self.shapes()
        if layer is not None:
            row = self.chance.randrange(len(layer.data))
            shift = np.zeros(3)
            shift[-2:] = self.chance.uniform(-3, 3), self.chance.uniform(-3, 3)
            layer.data = [
                data + shift * (number == row) for number, data in enumerate(layer.data)
            ]

    def delete_shape(self):
        layer = self.shapes()
        if layer is not None:
            layer.selected_data = {self.chance.randrange(len(layer.data))}
            layer.remove_selected()

    def delete_object(self):
        if self.canvas is not None:
            self.hand.workflow.delete_object(self.canvas.session.label)

    def rename(self):
        table = self.hand.panel.objects
        if table.rowCount():
            item = table.item(self.chance.randrange(table.rowCount()), 0)
            item.setText(self.chance.choice(["femur", "tibia", ""]))

    def propagate(self):
        through = self.hand.panel.sections["propagation"]
        through.reach.setValue(2)
        through.whom.setCurrentIndex(self.chance.randrange(through.whom.count()))
        through.whom.activated.emit(through.whom.currentIndex())
        self.hand.key(Qt.Key.Key_T)

    def turn(self):
        self.viewer.dims.ndisplay = 3
        QTest.qWait(20)
        self.viewer.dims.ndisplay = 2

    def other_axis(self):
        self.viewer.dims.roll()
        self.viewer.reset_view()

    def options(self):
        outline = self.hand.panel.sections["outline"]
        outline.expand()
        boxes = [*outline.boxes.values(), outline.auto]
        if self.chance.random() < 0.5:
            self.hand.press(self.chance.choice(boxes))
        else:
            outline.threshold.setValue(self.chance.randrange(20, 80))
        if self.chance.random() < 0.7 and not outline.auto.isChecked():
            self.hand.press(outline.auto)

    def model(self):
        self.hand.workflow.use_model("bundled")

    def delete_layer(self):
        if self.canvas is not None:
            layer = self.chance.choice(self.canvas.layers[1:])
            self.viewer.layers.remove(layer)
            QTest.qWait(30)
            for rest in list(self.viewer.layers)[2:]:
                if self.chance.random() < 0.7:
                    self.viewer.layers.remove(rest)
            QTest.qWait(30)
        self.hand.press(self.hand.panel.start)

    def reopen(self):
        self.viewer.window.remove_dock_widget(self.hand.panel)
        QTest.qWait(50)
        self.hand.open_panel()

    def other_image(self):
        choice = self.hand.panel.image_choice
        choice.value = self.chance.choice(choice.choices)

    def sign(self):
        self.hand.key(self.chance.choice([Qt.Key.Key_Q, Qt.Key.Key_W]))

    def contrast(self):
        low = self.chance.uniform(0, 60)
        self.viewer.layers[0].contrast_limits = (low, low + 150)

    def wait(self):
        QTest.qWait(150)

    # -- what must hold ----------------------------------------------------------------

    def check(self):
        """Points, clicks, mask and counts agree at any time."""
        canvas = self.canvas
        if canvas is None:
            return
        session, labels = canvas.session, canvas.mask.data
        found = {point.order: point for point in canvas.shown_points()}
        placed = [
            (object_slice, step)
            for object_slice, steps in session.objects.prompts.items()
            for step in steps
        ]
        clicks = [pair for pair in placed if isinstance(pair[1].prompt, Click)]
        drawn = {shape.order: shape for shape in canvas.shown_shapes()}
        shapes = [step for _, step in placed if not isinstance(step.prompt, Click)]
        assert sorted(drawn) == sorted(step.order for step in shapes), self.done
        assert not any(shape.moved for shape in drawn.values()), self.done
        assert sorted(found) == sorted(step.order for _, step in clicks), self.done
        for object_slice, step in clicks:
            point = found[step.order]
            place = object_slice.plane.position(step.click.row, step.click.column)
            assert np.allclose(point.position, place), self.done
            assert point.sign == step.click.positive
        values, counts = np.unique(labels[labels > 0], return_counts=True)
        there = dict(zip(values.tolist(), counts.tolist(), strict=True))
        tallied = {
            label: session.objects.voxel_counts.voxels(label)
            for label in session.objects.labels()
        }
        assert there == {k: v for k, v in tallied.items() if v}, self.done

    def settle(self):
        """Wait until nothing is being worked on."""
        self.hand.qtbot.waitUntil(self._rests)

    def _rests(self):
        controller, workflow = self.hand.controller, self.hand.workflow
        pending = (
            self.canvas is not None and self.canvas.session.requests.pending is not None
        )
        waits = pending and self.canvas.options.auto if self.canvas else False
        loaded = controller.engine is not None
        idle = not workflow.queue.working
        return loaded and idle and not waits and workflow.propagator.run is None


def memory_mb():
    """Memory in use, without what the C library keeps for later."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return psutil.Process().memory_info().rss / 2**20


@pytest.mark.timeout(max(300, ACTIONS))
def test_a_long_day(open_window, discs, qtbot):
    hand = open_window(discs)
    hand.viewer.add_image(discs[::-1].copy(), name="other", visible=False)
    person = Person(hand, seed=0)
    growth = []
    widgets = len(QApplication.allWidgets())
    with qtbot.captureExceptions() as errors:
        for number in range(ACTIONS):
            person.act()
            assert not errors, (person.done, errors)
            person.check()
            if number % 100 == 99:
                person.settle()
                person.check()
                growth.append(memory_mb())
        person.settle()
        person.check()
    assert not errors, (person.done, errors)
    assert not [text for text in hand.troubles if "written" in text]
    pool = QThreadPool.globalInstance()
    qtbot.waitUntil(lambda: pool.activeThreadCount() == 0)
    warm = max(growth[: min(len(growth) // 2, WARM // 100) + 1])  # it goes down, too
    assert growth[-1] - warm < GROWTH_MB, growth
    QTest.qWait(500)
    there = QApplication.allWidgets()
    assert sum(isinstance(widget, type(hand.panel)) for widget in there) == 1
    assert len(there) < widgets + 200
    if hand.canvas is not None and hand.canvas.recorder.begun:
        labels, path = hand.canvas.mask.data.copy(), hand.canvas.recorder.path
        hand.canvas.recorder.close()
        again = np.zeros_like(labels)
        with SessionDatabase(path) as store:
            for _ in SessionReader(store).play(again):
                pass
        assert (again == labels).all()
