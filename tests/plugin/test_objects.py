"""The list of objects, in a real window."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLineEdit, QMenu

from napari_simpleclick import Click
from napari_simpleclick.annotation import ObjectStyle

FIRST, SECOND = (12, 30, 30), (12, 60, 90)


@pytest.fixture
def hand(open_window, discs):
    """Two objects, a click on each."""
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.settle()
    hand.click(*FIRST)
    hand.wait(1)
    hand.key(Qt.Key.Key_N)
    hand.click(*SECOND)
    hand.wait(2)
    QTest.qWait(50)
    return hand


def rows(hand):
    table = hand.panel.objects
    return [
        [table.item(row, column).text() for column in range(3)]
        for row in range(table.rowCount())
    ]


def place(hand, row, column=0):
    table = hand.panel.objects
    return table.visualItemRect(table.item(row, column)).center()


def choose(hand, row):
    view = hand.panel.objects.viewport()
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=place(hand, row))
    QTest.qWait(30)


def menu(hand, row, title):
    """Choose from the menu of a row, as the right mouse button opens it."""
    hand.panel.objects.customContextMenuRequested.emit(place(hand, row))
    QTest.qWait(30)
    shown = QApplication.activePopupWidget()
    assert isinstance(shown, QMenu)
    action = next(one for one in shown.actions() if one.text() == title)
    QTest.mouseClick(
        shown, Qt.MouseButton.LeftButton, pos=shown.actionGeometry(action).center()
    )
    QTest.qWait(30)


def test_objects_are_listed_with_their_size(hand):
    sizes = [(hand.canvas.mask.data == label).sum() for label in (1, 2)]
    assert min(sizes) > 0
    assert rows(hand) == [
        ["Object 1", f"{sizes[0]:,}", "1"],
        ["Object 2", f"{sizes[1]:,}", "1"],
    ]


def test_an_object_is_chosen_in_the_list_and_gone_on_with(hand):
    choose(hand, 0)
    assert hand.canvas.session.label == 1
    before = hand.canvas.mask.data == 2
    hand.click(12, 34, 34)
    hand.wait(3)
    assert hand.answers[-1].request.object_slice.label == 1
    assert ((hand.canvas.mask.data == 2) == before).all()


def test_an_object_is_chosen_by_its_mask(hand):
    at = hand.pixel(*FIRST)
    shift, left = Qt.KeyboardModifier.ShiftModifier, Qt.MouseButton.LeftButton
    QTest.mouseClick(hand.drawing, left, shift, at)
    QTest.qWait(30)
    assert hand.canvas.session.label == 1
    assert len(hand.canvas.points[True].data) == 2  # and no click was made
    QTest.mouseClick(hand.drawing, left, shift, hand.pixel(12, 90, 10))
    assert hand.canvas.session.label == 1  # no object there


def test_an_object_is_named_by_typing(hand):
    table = hand.panel.objects
    view = table.viewport()
    choose(hand, 1)
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=place(hand, 1))
    QTest.qWait(50)
    editor = table.findChild(QLineEdit)
    QTest.keyClicks(editor, "left femur")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    QTest.qWait(50)
    assert rows(hand)[1][0] == "left femur"
    assert hand.canvas.session.objects.style(2).name == "left femur"
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    QTest.qWait(50)
    assert rows(hand)[1][0] == "Object 2"


def test_an_answer_leaves_a_name_that_is_being_typed(hand):
    table = hand.panel.objects
    choose(hand, 1)
    QTest.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place(hand, 1))
    QTest.qWait(50)
    editor = table.findChild(QLineEdit)
    QTest.keyClicks(editor, "left ")
    count = len(hand.answers)
    hand.workflow.click(hand.canvas.current_plane(), Click(40, 40))
    hand.wait(count + 1)
    QTest.qWait(50)
    QTest.keyClicks(editor, "femur")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    QTest.qWait(50)
    assert hand.canvas.session.objects.style(2).name == "left femur"


def test_a_colour_shows_in_the_mask_and_can_be_undone(hand):
    plain = np.asarray(hand.canvas.mask.get_color(1))
    hand.canvas.session.give_style(1, ObjectStyle(colour="#102030"))
    colour = np.asarray(hand.canvas.mask.get_color(1))
    assert np.allclose(colour[:3] * 255, (16, 32, 48), atol=1)
    assert hand.canvas.mask.get_color(0) is None
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert np.allclose(hand.canvas.mask.get_color(1), plain)


def test_a_deleted_object_comes_back_with_its_clicks(hand):
    mask, points = hand.canvas.mask.data.copy(), len(hand.canvas.points[True].data)
    menu(hand, 0, "Delete object")
    assert set(np.unique(hand.canvas.mask.data)) == {0, 2}
    assert len(hand.canvas.points[True].data) == points - 1
    assert [row[0] for row in rows(hand)] == ["Object 2"]
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert (hand.canvas.mask.data == mask).all()
    assert len(hand.canvas.points[True].data) == points
    hand.key(
        Qt.Key.Key_Z,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
    )
    assert set(np.unique(hand.canvas.mask.data)) == {0, 2}


def test_the_menu_shows_the_largest_slice(hand):
    hand.viewer.dims.set_point(0, 3)
    menu(hand, 0, "Show its largest slice")
    assert hand.canvas.session.label == 1
    assert round(hand.viewer.dims.point[0]) == 12


def test_painting_counts_and_a_painted_label_is_an_object(hand):
    mask = hand.canvas.mask
    mask.selected_label = 7
    mask.data_setitem((np.array([3, 4]), np.array([1, 1]), np.array([2, 2])), 7)
    QTest.qWait(50)
    assert rows(hand)[-1] == ["Object 7", "2", "2"]
    hand.workflow.undo()
    QTest.qWait(50)
    assert rows(hand)[-1] == ["Object 7", "0", "0"]  # still the current one
    assert not (mask.data == 7).any()


def test_an_empty_place_has_no_menu(hand):
    hand.panel.objects.customContextMenuRequested.emit(QPoint(5, 5000))
    assert QApplication.activePopupWidget() is None


def test_a_single_slice_is_not_counted(open_window, discs):
    hand = open_window(discs[12])
    hand.settle()
    hand.click(30, 30)
    hand.wait(1)
    QTest.qWait(50)
    table = hand.panel.objects
    assert table.item(0, 1).text() == f"{(hand.canvas.mask.data > 0).sum():,}"
    assert table.isColumnHidden(2)
