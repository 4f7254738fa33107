import pytest
from napari.layers import Image, Points
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_simpleclick.plugin import keys, settings
from napari_simpleclick.plugin.keys import KEYS, TABLE, Action, spelled

CONTROL = Qt.KeyboardModifier.ControlModifier


def open_table(hand):
    """Press ``?`` on the drawing, wherever it is on the keyboard."""
    window = hand.panel.window()
    window.activateWindow()
    hand.qtbot.waitUntil(lambda: QApplication.activeWindow() is window)
    QTest.keyClick(hand.drawing, "?")
    hand.qtbot.waitUntil(lambda: hand.panel.help.table is not None)
    table = hand.panel.help.table
    hand.qtbot.waitUntil(table.isVisible)
    return table


def type_key(hand, table, action, key, modifier=Qt.KeyboardModifier.NoModifier):
    """Click on the key of an action, type another, and wait until it was taken."""
    edit = table.edits[action]
    hand.press(edit)
    edit.setFocus()
    with hand.qtbot.waitSignal(edit.editingFinished):
        QTest.keyClick(edit, key, modifier)


def test_no_usual_key_is_naparis_own(open_window, discs):
    """Undo and redo are napari's on the mask; Enter and Escape while polygons grow."""
    hand = open_window(discs)
    taken = keys.keys_of_napari(hand.panel.window())
    assert taken["V"] == "in the viewer"
    assert taken["P"] == "on Points layers"
    assert taken["Ctrl+O"] == "in the menus"
    ours = {spelled(key) for key in KEYS}
    assert ours & set(taken) <= {"Ctrl+Z", "Ctrl+Shift+Z", "Enter", "Escape"}
    for kind in (Image, Points):
        for base in kind.__mro__:
            own = {spelled(str(key)) for key in getattr(base, "class_keymap", {})}
            assert not own & ours


def test_a_question_mark_shows_all_keys(open_window, discs):
    hand = open_window(discs)
    table = open_table(hand)
    assert set(table.edits) == set(Action)
    for action, edit in table.edits.items():
        assert spelled(edit.keySequence().toString()) == TABLE.key(action)
    hand.press(table.done_button)
    hand.qtbot.waitUntil(lambda: hand.panel.help.table is None)
    hand.press(hand.panel.help.keys)
    hand.qtbot.waitUntil(lambda: hand.panel.help.table is not None)


def test_a_changed_key_works_at_once_and_the_next_time(open_window, discs):
    hand = open_window(discs)
    table = open_table(hand)
    type_key(hand, table, Action.NEGATIVE, Qt.Key.Key_J)
    assert TABLE.text(Action.NEGATIVE) == "J"
    assert "(J)" in hand.panel.negative.text()
    hand.press(table.done_button)
    hand.key(Qt.Key.Key_W)
    assert not hand.panel.negative.isChecked()
    hand.key(Qt.Key.Key_J)
    assert hand.panel.negative.isChecked()
    assert settings.load().keys == "NEGATIVE=J"
    TABLE._take(dict(TABLE._usual))  # as if napari had been closed
    hand.controller.use_image(None)
    hand.panel.leave()
    TABLE.load()
    assert TABLE.key(Action.NEGATIVE) == "J"


def test_a_changed_undo_still_undoes(open_window, discs):
    hand = open_window(discs)
    table = open_table(hand)
    type_key(
        hand,
        table,
        Action.UNDO,
        Qt.Key.Key_U,
        CONTROL | Qt.KeyboardModifier.ShiftModifier,
    )
    assert "Ctrl+Shift+U" in hand.panel.undo.text()
    hand.press(table.done_button)
    hand.click(0, 30, 30)
    hand.wait(1)
    hand.key(Qt.Key.Key_U, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    assert len(hand.canvas.points[True].data) == 0


@pytest.mark.parametrize(
    ("key", "modifier", "words"),
    [
        (Qt.Key.Key_P, None, "napari on Points layers"),
        (Qt.Key.Key_O, CONTROL, "napari in the menus"),
        (Qt.Key.Key_N, None, "key of 'New object'"),
        (Qt.Key.Key_Exclam, None, "cannot be told apart"),
    ],
)
def test_a_key_that_is_taken_is_refused(open_window, discs, key, modifier, words):
    hand = open_window(discs)
    table = open_table(hand)
    none = Qt.KeyboardModifier.NoModifier
    type_key(hand, table, Action.POSITIVE, key, modifier or none)
    assert words in table.trouble.text()
    assert table.edits[Action.POSITIVE].keySequence().toString() == "Q"
    assert TABLE.key(Action.POSITIVE) == "Q"


def test_the_usual_keys_come_back(open_window, discs):
    hand = open_window(discs)
    table = open_table(hand)
    type_key(hand, table, Action.NEW_OBJECT, Qt.Key.Key_J)
    assert TABLE.key(Action.NEW_OBJECT) == "J"
    hand.press(table.reset)
    assert TABLE.key(Action.NEW_OBJECT) == "N"
    assert settings.load().keys == ""
    hand.press(table.done_button)
    hand.click(0, 30, 30)
    hand.wait(1)
    hand.key(Qt.Key.Key_N)
    assert hand.canvas.session.label == 2


def test_kept_keys_that_make_no_sense_are_left_out():
    settings.save(keys="NEGATIVE=J NOTHING=L POSITIVE=J UNDO= REDO=!")
    TABLE.load()
    assert TABLE.key(Action.NEGATIVE) == "J"
    assert TABLE.key(Action.POSITIVE) == "Q"
    assert TABLE.key(Action.UNDO) == "Ctrl+Z"
    assert TABLE.key(Action.REDO) == "Ctrl+Shift+Z"


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("Control-Shift-Z", "Ctrl+Shift+Z"),
        ("Alt+Ctrl+PgUp", "Ctrl+Alt+PageUp"),
        ("Return", "Enter"),
        ("q", "Q"),
        ("Ctrl+-", "Ctrl+-"),
        ("J, Ctrl+L", "J"),
    ],
)
def test_spelling(text, ours):
    assert spelled(text) == ours


def test_on_a_mac_our_ctrl_is_the_command_key():
    assert keys.for_napari("Ctrl+Shift+Z", mac=True) == "Shift+Meta+Z"
    assert keys.for_napari("Shift+Meta+Z", mac=True) == "Ctrl+Shift+Z"
    assert keys.for_napari("Ctrl+Z", mac=False) == "Ctrl+Z"


def test_a_tool_of_napari_keeps_its_key_while_it_is_on(open_window, discs):
    hand = open_window(discs)
    mask = hand.canvas.mask
    table = dict(TABLE._key_of)
    TABLE._take({**table, Action.NEW_OBJECT: "Enter", Action.PREDICT: "J"})
    hand.viewer.layers.selection.active = mask
    mask.mode = "polygon"
    hand.click(0, 20, 20)
    hand.click(0, 20, 60)
    hand.click(0, 60, 60)
    hand.key(Qt.Key.Key_Return)
    assert mask.data[hand.viewer.dims.current_step[0], 30, 55] == 1
    assert mask.selected_label == 1
    mask.mode = "pan_zoom"
    hand.key(Qt.Key.Key_Return)
    assert mask.selected_label == 2
