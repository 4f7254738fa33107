"""Sessions are kept, offered again and gone on with, in a real window."""

import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog, QLabel, QPushButton

from napari_simpleclick.annotation import ObjectStyle
from napari_simpleclick.sessions import SessionDatabase
from napari_simpleclick.sessions.folder import folder

PLACES = [(12, 30, 30), (12, 34, 34), (12, 60, 90), (12, 64, 86)]
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def window(open_window, discs):
    """A window on the same image, as often as wanted."""

    def build(**style):
        hand = open_window(discs, **style)
        hand.viewer.dims.set_point(0, 12)
        hand.settle()
        return hand

    return build


def work(hand):
    for place in PLACES[:2]:
        hand.click(*place)
    hand.wait(2)
    hand.key(Qt.Key.Key_N)
    hand.click(*PLACES[2])
    hand.wait(3)
    hand.canvas.session.give_style(2, ObjectStyle("tibia", "#102030"))


def leave(hand):
    """Close the window."""
    hand.viewer.close()


def wait_for_offer(hand):
    hand.qtbot.waitUntil(lambda: not hand.panel.offer.isHidden())


def state(hand):
    canvas = hand.canvas
    points = {sign: canvas.points[sign].data.tolist() for sign in (True, False)}
    return (
        canvas.mask.data.copy(),
        points,
        canvas.session.objects.styles,
        canvas.session.label,
    )


def same(one, other):
    return (one[0] == other[0]).all() and one[1:] == other[1:]


def test_a_session_is_offered_when_the_image_is_opened_again(window):
    first = window(scale=(3, 1, 1))
    QTest.qWait(100)
    assert first.panel.offer.isHidden()  # there is nothing to offer
    work(first)
    before = state(first)
    leave(first)
    second = window(scale=(3, 1, 1), name="called otherwise")
    wait_for_offer(second)
    assert "3 clicks" in second.panel.offer.text.text()
    second.press(second.panel.offer.accept)
    second.qtbot.waitUntil(lambda: second.canvas.session.objects.prompts != {})
    assert same(state(second), before)
    assert second.panel.offer.isHidden()
    assert len(second.viewer.layers) == 4
    assert np.allclose(second.canvas.mask.scale, (3, 1, 1))
    second.click(*PLACES[3])  # and it goes on
    second.wait(1)
    assert (
        len(
            second.canvas.session.objects.placed(
                second.answers[-1].request.object_slice
            )
        )
        == 2
    )
    for _ in range(2):  # the name, too, was done before
        second.key(Qt.Key.Key_Z, CONTROL)
    assert second.canvas.session.objects.styles == {}
    second.key(Qt.Key.Key_Z, CONTROL)
    assert not (second.canvas.mask.data == 2).any()
    assert (second.canvas.mask.data == 1).any()


def test_a_declined_session_is_not_offered_again_but_stays(window):
    first = window()
    work(first)
    leave(first)
    second = window()
    wait_for_offer(second)
    second.press(second.panel.offer.refuse)
    assert second.panel.offer.isHidden()
    (path,) = folder().glob("*.simpleclick")

    QTest.qWait(1000)
    with SessionDatabase(path) as store:
        assert store.about()["declined"]
    leave(second)
    third = window()
    QTest.qWait(500)
    assert third.panel.offer.isHidden()


def open_section(hand):
    section = hand.panel.sections["session"]
    section.expand()
    hand.qtbot.waitUntil(lambda: section.save.isVisible() and section.height() > 80)


def test_a_copy_is_saved_and_opened(window, tmp_path, monkeypatch):
    first = window()
    work(first)
    before = state(first)
    path = tmp_path / "copy.simpleclick"
    named = str(path.with_suffix("")), ""
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: named)
    open_section(first)
    first.press(first.panel.sections["session"].save)
    first.qtbot.waitUntil(path.exists)
    leave(first)
    second = window()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    open_section(second)
    section = second.panel.sections["session"]
    second.press(section.open)
    second.qtbot.waitUntil(lambda: section.dialog is not None)
    second.press(section.dialog.other)
    second.qtbot.waitUntil(lambda: second.canvas.session.objects.prompts != {})
    assert same(state(second), before)


def test_a_declined_session_is_found_in_the_dialog(window):
    first = window()
    work(first)
    before = state(first)
    leave(first)
    second = window()
    wait_for_offer(second)
    second.press(second.panel.offer.refuse)
    second.viewer.dims.order = (2, 0, 1)
    open_section(second)
    section = second.panel.sections["session"]
    second.press(section.open)
    second.qtbot.waitUntil(lambda: section.dialog is not None)
    dialog = section.dialog
    assert dialog.isVisible()
    assert dialog.list.count() == 1
    item = dialog.list.item(0)
    assert item.text().endswith("2 objects · 3 clicks")
    picture = item.icon().pixmap(72, 72).toImage()
    colours = {
        picture.pixelColor(x, y).name()
        for x in range(picture.width())
        for y in range(picture.height())
    }
    assert any(len({name[1:3], name[3:5], name[5:]}) > 1 for name in colours)
    second.press(dialog.open_it)
    second.qtbot.waitUntil(lambda: second.canvas.session.objects.prompts != {})
    assert same(state(second), before)
    assert second.viewer.dims.displayed == (1, 2)
    assert second.viewer.dims.current_step[0] == 12


def test_a_narrow_dock_clips_nothing(window):
    hand = window()
    hand.panel.setFixedWidth(300)
    assert hand.panel.minimumSizeHint().width() <= 300
    for name, section in hand.panel.sections.items():
        section.expand()
        QTest.qWait(100)
        for label in section.findChildren(QLabel):
            if label.isVisible() and label.wordWrap():
                needed = label.heightForWidth(label.width())
                assert label.height() >= needed, (name, label.text())
        for button in section.findChildren(QPushButton):
            right = button.mapTo(hand.panel, button.rect().topRight())
            assert not button.isVisible() or right.x() < 300, (name, button.text())
        section.collapse()


def test_a_folder_that_cannot_be_written_is_said(window, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NAPARI_SIMPLECLICK_SESSIONS", str(tmp_path / "file" / "s"))
    hand = window()
    text = hand.panel.sections["session"].saving
    hand.qtbot.waitUntil(lambda: "not being saved" in text.text())
    hand.click(*PLACES[0])
    hand.qtbot.waitUntil(lambda: bool(hand.answers))
    hand.click(*PLACES[1])
    hand.qtbot.waitUntil(lambda: len(hand.answers) == 2)
    QTest.qWait(100)
    assert "Save the mask" in hand.panel.trouble.text()
    assert hand.panel.trouble.isVisible()


KILLED = """
import sys
import napari
import numpy as np
from qtpy.QtTest import QTest
from napari_simpleclick.workflow import Tool

viewer = napari.Viewer()
viewer.add_image(np.load(sys.argv[1]))
viewer.dims.set_point(0, 12)
_, panel = viewer.window.add_plugin_dock_widget("napari-simpleclick", "SimpleClick")
while panel.controller.engine is None:
    QTest.qWait(20)
for number in range(20):
    panel.controller.click((12, 26 + number % 5, 26 + number // 5), True)
    print(number + 1, flush=True)
    if number == 5:
        panel.workflow.use_tool(Tool.BOX)
        drawing = panel.controller.drawing
        drawing.begin((12, 13, 13), False)
        drawing.go((12, 47, 47))
        drawing.end()
    QTest.qWait(60)
QTest.qWait(60_000)
"""


@pytest.mark.slow
def test_kill_in_the_middle_of_twenty_clicks(threads, window, discs, tmp_path):
    np.save(tmp_path / "image.npy", discs)
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(KILLED))
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "image.npy")],
        stdout=subprocess.PIPE,
        text=True,
    )
    made = 0
    for line in process.stdout:
        made = int(line)
        if made == 12:
            process.send_signal(signal.SIGKILL)
            break
    made += len(process.stdout.readlines())
    process.wait()
    assert made >= 12
    hand = window()
    wait_for_offer(hand)
    hand.press(hand.panel.offer.accept)
    hand.qtbot.waitUntil(lambda: hand.canvas.session.objects.prompts != {})
    (steps,) = hand.canvas.session.objects.prompts.values()
    assert len(steps) >= made - 1
    hand.qtbot.waitUntil(lambda: hand.canvas.session.requests.pending is None)
    assert (hand.canvas.mask.data == 1).any()
    assert len(hand.canvas.points[True].data) == len(steps) - 1
    assert len(hand.canvas.shapes.layer.data) == 1
