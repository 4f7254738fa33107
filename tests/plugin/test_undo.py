import numpy as np
from qtpy.QtCore import Qt


def press_undo(hand):
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)


def test_undo_takes_back_click_and_mask_together(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    masks = [hand.canvas.mask.data.copy()]
    for count, place in enumerate(((12, 30, 30), (12, 40, 30), (12, 60, 90)), 1):
        hand.click(*place)
        hand.wait(count)
        masks.append(hand.canvas.mask.data.copy())
    for left in (2, 1, 0):
        press_undo(hand)
        np.testing.assert_array_equal(hand.canvas.mask.data, masks[left])
        assert len(hand.canvas.points[True].data) == left
    press_undo(hand)
    hand.click(12, 30, 30)
    hand.wait(4)
    np.testing.assert_array_equal(hand.canvas.mask.data, masks[1])


def test_painting_and_clicks_are_one_stack(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.click(12, 30, 30)
    hand.wait(1)
    clicked = hand.canvas.mask.data.copy()
    hand.canvas.mask.paint((12, 80, 20), 1)
    assert hand.canvas.mask.data[12, 80, 20] == 1
    press_undo(hand)
    np.testing.assert_array_equal(hand.canvas.mask.data, clicked)
    assert len(hand.canvas.points[True].data) == 1
    press_undo(hand)
    assert hand.canvas.mask.data.sum() == 0


def test_undo_of_a_waiting_click_drops_its_answer(open_window, discs):
    hand = open_window(discs)
    hand.click(0, 30, 30)
    press_undo(hand)
    assert len(hand.canvas.points[True].data) == 0
    hand.qtbot.waitUntil(lambda: not hand.controller.answers.working)
    assert hand.canvas.mask.data.sum() == 0
    assert hand.answers == []


def test_clear_empties_the_slice_and_can_be_undone(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.click(12, 30, 30)
    hand.viewer.dims.set_point(0, 10)
    hand.click(10, 30, 30)
    hand.wait(2)
    before = hand.canvas.mask.data.copy()
    hand.press(hand.panel.clear)
    hand.wait(3)
    assert hand.canvas.mask.data[10].sum() == 0
    np.testing.assert_array_equal(hand.canvas.mask.data[12], before[12])
    assert len(hand.canvas.points[True].data) == 1
    hand.press(hand.panel.undo)
    np.testing.assert_array_equal(hand.canvas.mask.data, before)
    assert len(hand.canvas.points[True].data) == 2


def test_redo_brings_click_and_mask_back(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.click(12, 30, 30)
    hand.wait(1)
    hand.click(12, 60, 90)
    hand.wait(2)
    after = hand.canvas.mask.data.copy()
    press_undo(hand)
    press_undo(hand)
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    hand.key(Qt.Key.Key_Z, both)
    hand.key(Qt.Key.Key_Z, both)
    np.testing.assert_array_equal(hand.canvas.mask.data, after)
    assert len(hand.canvas.points[True].data) == 2
    hand.key(Qt.Key.Key_Z, both)
    press_undo(hand)
    assert len(hand.canvas.points[True].data) == 1


def test_a_stroke_between_clicks_survives_undo(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.click(12, 30, 30)
    hand.wait(1)
    hand.canvas.mask.paint((12, 80, 20), 1)
    hand.click(12, 32, 32)
    hand.wait(2)
    press_undo(hand)
    assert hand.canvas.mask.data[12, 80, 20] == 1
    hand.click(12, 32, 32)
    hand.wait(3)
    steps = hand.answers[-1].request.prompts
    assert steps[-1].base[80, 20]


def test_strokes_made_while_the_panel_is_closed_stay_in_step(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.click(12, 30, 30)
    hand.wait(1)
    clicked = hand.canvas.mask.data.copy()
    canvas = hand.canvas
    hand.controller.use_image(None)
    canvas.mask.paint((12, 80, 20), 1)
    hand.controller.use_image(canvas.image)
    press_undo(hand)
    np.testing.assert_array_equal(canvas.mask.data, clicked)
    assert len(canvas.points[True].data) == 1


def test_a_mask_painted_while_the_answer_is_on_its_way(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.click(12, 30, 30)
    hand.canvas.mask.paint((12, 80, 20), 1)
    hand.wait(1)
    assert hand.answers[0].request.prompts[0].base[80, 20]


def test_undo_whichever_layer_is_active(open_window, discs):
    hand = open_window(discs)
    hand.click(0, 30, 30)
    hand.wait(1)
    for layer in (
        hand.canvas.image,
        hand.canvas.mask,
        *hand.canvas.points.values(),
        hand.viewer.add_image(discs, name="other"),
        None,
    ):
        hand.viewer.layers.selection.active = layer
        hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        assert not hand.canvas.mask.data.any()
        redo = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        hand.key(Qt.Key.Key_Z, redo)
        assert hand.canvas.mask.data.any()
