"""Masks from elsewhere and whole objects, in a real window."""

import numpy as np
import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMenu, QMessageBox

from napari_simpleclick.images.label_names import LabelName
from napari_simpleclick.workflow.workflow import Tool

FIRST, SECOND = (12, 30, 30), (12, 60, 90)
LEFT, CONTROL = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier
NO_KEY = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def organs(discs):
    return ((discs > 120) * np.where(np.arange(120) < 60, 2, 5)).astype(np.int32)


@pytest.fixture
def hand(open_window, discs):
    hand = open_window(discs, name="scan")
    hand.viewer.dims.set_point(0, 12)
    hand.settle()
    return hand


def offer(hand, labels, **look):
    """Add a Labels layer, and choose it as the mask with the keyboard."""
    names = (LabelName(2, "liver", "#cc2200"), LabelName(5, "spleen", "#00aa55"))
    metadata = {"napari-simpleclick names": lambda: names}
    layer = hand.viewer.add_labels(labels, name="organs", metadata=metadata, **look)
    choice = hand.panel.mask_choice
    choice.showPopup()
    view = choice.view()
    place = view.visualRect(choice.model().index(choice.findText("organs"), 0))
    QTest.mouseMove(view.viewport(), place.center())
    QTest.mouseClick(view.viewport(), LEFT, NO_KEY, place.center())
    QTest.qWait(100)
    return layer


def names(hand):
    table = hand.panel.objects
    return [table.item(row, 0).text() for row in range(table.rowCount())]


def choose(hand, row, modifier=NO_KEY):
    table = hand.panel.objects
    rect = table.visualItemRect(table.item(row, 1))
    QTest.mouseClick(table.viewport(), LEFT, modifier, rect.center())
    QTest.qWait(50)


def press_menu(hand, button, title):
    """Open the menu of a button and choose from it."""
    found, timer = [], QTimer()

    def act():
        menu = QApplication.activePopupWidget()
        if not isinstance(menu, QMenu):
            return  # it is not open yet
        timer.stop()
        action = next(one for one in menu.actions() if one.text() == title)
        action.triggered.connect(lambda: found.append(action))
        QTest.mouseClick(menu, LEFT, NO_KEY, menu.actionGeometry(action).center())
        if not found:  # the menu was not ready for it; a busy computer takes its time
            timer.start(50)

    def chosen():
        if not found and QApplication.activePopupWidget() is None:
            QTest.mouseClick(button, LEFT)  # again, if another window closed the menu
        return bool(found)

    timer.timeout.connect(act)
    timer.start(50)
    hand.qtbot.waitUntil(chosen)
    QTest.qWait(50)


def test_a_labels_layer_is_gone_on_with(hand, organs):
    before = organs.copy()
    layer = offer(hand, organs)
    np.testing.assert_array_equal(hand.canvas.mask.data, organs)
    assert not layer.visible
    assert names(hand)[:2] == ["liver", "spleen"]
    assert np.allclose(hand.canvas.mask.get_color(2)[:3], (0.8, 0.133, 0), atol=0.01)
    hand.click(*FIRST, button="right")
    hand.wait(1)
    assert hand.answers[0].request.object_slice.label == 2
    base = hand.answers[0].request.prompts[0].base
    np.testing.assert_array_equal(base, organs[12] == 2)
    others = np.arange(24) != 12
    np.testing.assert_array_equal(hand.canvas.mask.data[others], organs[others])
    np.testing.assert_array_equal(layer.data, before)
    for _ in range(2):
        hand.key(Qt.Key.Key_Z, CONTROL)
    assert not hand.canvas.mask.data.any()
    assert not hand.troubles


def test_the_mask_that_is_worked_on_is_listed_once(hand, organs):
    choice = hand.panel.mask_choice
    choice.refill()
    listed = [choice.itemText(row) for row in range(choice.count())]
    assert listed.count(hand.canvas.mask.name) == 1


def test_a_layer_on_another_grid_is_asked_about(hand, organs):
    offer(hand, organs[::2], scale=(2, 1, 1))
    box = hand.panel.mask_choice.question
    assert "another grid" in box.text()
    hand.press(box.button(QMessageBox.StandardButton.Cancel))
    assert not hand.canvas.mask.data.any()
    hand.viewer.layers.remove("organs")
    offer(hand, organs[::2], scale=(2, 1, 1))
    box = hand.panel.mask_choice.question
    hand.press(box.button(QMessageBox.StandardButton.Yes))
    QTest.qWait(50)
    np.testing.assert_array_equal(hand.canvas.mask.data[::2], organs[::2])


def test_a_layer_of_another_shape_is_told(hand, organs):
    offer(hand, organs[:, :50])
    assert "nothing tells how they lie" in hand.panel.trouble.text()
    assert hand.panel.trouble.isVisible()
    assert not hand.canvas.mask.data.any()


def test_several_are_selected_and_merged_and_split_again(hand, organs):
    offer(hand, organs)
    tools = hand.panel.object_tools
    choose(hand, 0)
    assert not tools.merge.isEnabled()
    choose(hand, 1, CONTROL)
    assert tools.merge.isEnabled()
    hand.press(tools.merge)
    QTest.qWait(50)
    assert set(np.unique(hand.canvas.mask.data)) == {0, 5}
    assert names(hand) == ["spleen"]
    press_menu(hand, tools.split, "In all slices")
    press_menu(hand, tools.split, "Into its separate parts")
    assert set(np.unique(hand.canvas.mask.data)) == {0, 5, 6}
    hand.qtbot.waitUntil(lambda: names(hand) == ["spleen", "spleen 2"])
    for _ in range(2):
        hand.key(Qt.Key.Key_Z, CONTROL)
    np.testing.assert_array_equal(hand.canvas.mask.data, organs)


def test_escape_in_the_middle_of_a_cut_forgets_it(hand, organs):
    offer(hand, organs)
    choose(hand, 0)
    press_menu(hand, hand.panel.object_tools.split, "Along a stroke…")
    first, last = hand.pixel(12, 8, 34), hand.pixel(12, 55, 34)
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QTest.mousePress(hand.drawing, left, none, first)
    hand.slide(first + (last - first) * 0.3)
    assert "cut" in hand.viewer.layers
    hand.key(Qt.Key.Key_Escape)
    hand.slide(first + (last - first) * 0.6)
    assert "cut" not in hand.viewer.layers
    QTest.mouseRelease(hand.drawing, left, none, last)
    QTest.qWait(0)
    np.testing.assert_array_equal(hand.canvas.mask.data, organs)
    hand.key(Qt.Key.Key_R)  # Escape still is the key that ends drawing
    hand.viewer.layers.selection.active = hand.canvas.image
    hand.key(Qt.Key.Key_Escape)
    assert hand.workflow.tool is Tool.CLICK


def test_a_drag_cuts_an_object(hand, organs):
    offer(hand, organs)
    choose(hand, 0)
    centre = hand.viewer.camera.center
    press_menu(hand, hand.panel.object_tools.split, "Along a stroke…")
    hand.drag((12, 8, 34), (12, 55, 34))
    QTest.qWait(50)
    data = hand.canvas.mask.data
    assert data[12, 30, 20] == 2
    assert data[12, 30, 42] == 6
    assert data[11, 30, 42] == 2  # this slice alone
    assert hand.viewer.camera.center == centre
    assert "cut" not in hand.viewer.layers
    assert not hand.answers
    press_menu(hand, hand.panel.object_tools.split, "Along a stroke…")
    hand.drag((12, 95, 10), (12, 95, 40))
    assert "does not cut" in hand.troubles[-1]
    hand.click(12, 30, 20)  # clicks are clicks again
    assert len(hand.canvas.points[True].data) == 1


def test_the_delete_key_deletes_what_is_selected(hand, organs):
    offer(hand, organs)
    choose(hand, 0)
    choose(hand, 1, CONTROL)
    QTest.keyClick(hand.panel.objects, Qt.Key.Key_Delete)
    QTest.qWait(50)
    assert not hand.canvas.mask.data.any()
    hand.key(Qt.Key.Key_Z, CONTROL)
    QTest.qWait(50)
    np.testing.assert_array_equal(hand.canvas.mask.data, organs)
    assert names(hand)[:2] == ["liver", "spleen"]


def test_keys_go_from_object_to_object_and_show_one_alone(hand, organs):
    offer(hand, organs)
    hand.key(Qt.Key.Key_Period)
    assert hand.canvas.session.label == 2
    hand.key(Qt.Key.Key_Comma)
    assert hand.canvas.session.label == 5
    hand.key(Qt.Key.Key_I)
    QTest.qWait(50)
    table = hand.panel.objects
    states = [table.item(row, 0).checkState() for row in range(2)]
    assert states == [Qt.CheckState.Unchecked, Qt.CheckState.Checked]
    assert hand.canvas.mask.get_color(2)[3] == 0
    shown = hand.viewer.screenshot(canvas_only=False, flash=False)
    assert shown.any()
    hand.key(Qt.Key.Key_I)
    assert hand.canvas.mask.get_color(2)[3] == 1


def test_the_tick_hides_and_a_lock_is_shown(hand, organs):
    offer(hand, organs)
    table = hand.panel.objects
    table.item(0, 0).setCheckState(Qt.CheckState.Unchecked)
    QTest.qWait(50)
    assert hand.canvas.session.objects.style(2).hidden
    hand.workflow.object_list.lock([5])
    QTest.qWait(50)
    assert "it is locked" in table.item(1, 0).toolTip()
    hand.workflow.choose(5)
    hand.click(*SECOND)
    assert "spleen is locked" in hand.troubles[-1]
    assert len(hand.canvas.points[True].data) == 0
