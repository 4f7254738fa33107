import numpy as np
from qtpy.QtCore import Qt


def press_undo(hand):
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)


def test_undo_takes_back_click_and_mask_together(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    masks = [hand.bench.mask.data.copy()]
    for count, place in enumerate(((12, 30, 30), (12, 40, 30), (12, 60, 90)), 1):
        hand.click(*place)
        hand.wait(count)
        masks.append(hand.bench.mask.data.copy())
    for left in (2, 1, 0):
        press_undo(hand)
        np.testing.assert_array_equal(hand.bench.mask.data, masks[left])
        assert len(hand.bench.points[True].data) == left
    press_undo(hand)
    hand.click(12, 30, 30)
    hand.wait(4)
    np.testing.assert_array_equal(hand.bench.mask.data, masks[1])


def test_painting_and_clicks_are_one_stack(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.click(12, 30, 30)
    hand.wait(1)
    clicked = hand.bench.mask.data.copy()
    hand.bench.mask.paint((12, 80, 20), 1)
    assert hand.bench.mask.data[12, 80, 20] == 1
    press_undo(hand)
    np.testing.assert_array_equal(hand.bench.mask.data, clicked)
    assert len(hand.bench.points[True].data) == 1
    press_undo(hand)
    assert hand.bench.mask.data.sum() == 0


def test_undo_of_a_waiting_click_drops_its_answer(open_window, discs):
    hand = open_window(discs)
    hand.click(0, 30, 30)
    press_undo(hand)
    assert len(hand.bench.points[True].data) == 0
    hand.qtbot.waitUntil(lambda: not hand.controller.answers.working)
    assert hand.bench.mask.data.sum() == 0
    assert hand.answers == []


def test_clear_empties_the_slice_and_can_be_undone(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.click(12, 30, 30)
    hand.viewer.dims.set_point(0, 10)
    hand.click(10, 30, 30)
    hand.wait(2)
    before = hand.bench.mask.data.copy()
    hand.press(hand.panel.clear)
    hand.wait(3)
    assert hand.bench.mask.data[10].sum() == 0
    np.testing.assert_array_equal(hand.bench.mask.data[12], before[12])
    assert len(hand.bench.points[True].data) == 1
    hand.press(hand.panel.undo)
    np.testing.assert_array_equal(hand.bench.mask.data, before)
    assert len(hand.bench.points[True].data) == 2


def test_redo_brings_click_and_mask_back(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.click(12, 30, 30)
    hand.wait(1)
    hand.click(12, 60, 90)
    hand.wait(2)
    after = hand.bench.mask.data.copy()
    press_undo(hand)
    press_undo(hand)
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    hand.key(Qt.Key.Key_Z, both)
    hand.key(Qt.Key.Key_Z, both)
    np.testing.assert_array_equal(hand.bench.mask.data, after)
    assert len(hand.bench.points[True].data) == 2
    hand.key(Qt.Key.Key_Z, both)
    press_undo(hand)
    assert len(hand.bench.points[True].data) == 1


def test_a_stroke_between_clicks_survives_undo(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.click(12, 30, 30)
    hand.wait(1)
    hand.bench.mask.paint((12, 80, 20), 1)
    hand.click(12, 32, 32)
    hand.wait(2)
    press_undo(hand)
    assert hand.bench.mask.data[12, 80, 20] == 1
    hand.click(12, 32, 32)
    hand.wait(3)
    steps = hand.answers[-1].request.steps
    assert steps[-1].base[80, 20]


def test_strokes_made_while_the_panel_is_closed_stay_in_step(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.click(12, 30, 30)
    hand.wait(1)
    clicked = hand.bench.mask.data.copy()
    bench = hand.bench
    hand.controller.use_image(None)
    bench.mask.paint((12, 80, 20), 1)
    hand.controller.use_image(bench.image)
    press_undo(hand)
    np.testing.assert_array_equal(bench.mask.data, clicked)
    assert len(bench.points[True].data) == 1


def test_a_mask_painted_while_the_answer_is_on_its_way(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.click(12, 30, 30)
    hand.bench.mask.paint((12, 80, 20), 1)
    hand.wait(1)
    assert hand.answers[0].request.steps[0].base[80, 20]


def test_undo_whichever_layer_is_active(open_window, discs):
    hand = open_window(discs)
    hand.click(0, 30, 30)
    hand.wait(1)
    for layer in (
        hand.bench.image,
        hand.bench.mask,
        *hand.bench.points.values(),
        hand.viewer.add_image(discs, name="other"),
        None,
    ):
        hand.viewer.layers.selection.active = layer
        hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        assert not hand.bench.mask.data.any()
        redo = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        hand.key(Qt.Key.Key_Z, redo)
        assert hand.bench.mask.data.any()
