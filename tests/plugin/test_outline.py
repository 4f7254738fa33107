"""Shaping masks in a real window."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QStyle, QStyleOptionSlider

NAME = "data probability"
PLACE, CONTROL = (12, 30, 30), Qt.KeyboardModifier.ControlModifier


def ready(open_window, data, clicks=1, **look):
    """Open a window with the section open and one clicked object."""
    hand = open_window(data, **look)
    hand.press(hand.panel.sections["outline"].toggleButton())
    hand.viewer.dims.set_point(range(3), hand.canvas.image.data_to_world(PLACE))
    hand.settle()
    for number in range(clicks):
        hand.click(12, 30, 30 + 3 * number)
        hand.wait(number + 1)
    settled(hand)
    return hand


def settled(hand):
    """Wait until the section has followed what happened."""
    outline = hand.panel.sections["outline"]
    hand.qtbot.waitUntil(lambda: hand.canvas.session.requests.pending is None)
    hand.qtbot.waitUntil(lambda: not outline._soon.isActive())


def here(hand):
    return hand.canvas.mask.data[12].copy()


def paint(canvas):
    """Draw a square by hand."""
    square = np.indices((1, 20, 20)).reshape(3, -1)
    places = tuple(square + np.array([[12], [70], [5]]))
    canvas.mask.data_setitem(places, np.uint16(1))


def undo(hand):
    hand.key(Qt.Key.Key_Z, CONTROL)


def tick(box):
    """Click on the square of a check box."""
    QTest.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
    QApplication.processEvents()


def grip(slider):
    """Place of a slider's handle."""
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    style = slider.style()
    groove, handle = (
        style.subControlRect(QStyle.ComplexControl.CC_Slider, option, part, slider)
        for part in (
            QStyle.SubControl.SC_SliderGroove,
            QStyle.SubControl.SC_SliderHandle,
        )
    )
    return handle.center(), groove


def drag(hand, way, release=True):
    """Drag the threshold by a share of the slider, in ten steps."""
    slider, left = hand.panel.sections["outline"].threshold, Qt.MouseButton.LeftButton
    start, groove = grip(slider)
    QTest.mousePress(slider, left, pos=start)
    masks = []
    for step in range(1, 11):
        x = start.x() + round(way * groove.width() * step / 10)
        QTest.mouseMove(slider, QPoint(x, start.y()))
        QTest.qWait(20)
        masks.append(here(hand))
    if release:
        QTest.mouseRelease(slider, left, pos=QPoint(x, start.y()))
        QApplication.processEvents()
    return masks


def predictions(hand, monkeypatch):
    """Count what the network is asked from now on."""
    predictor, calls = hand.controller.engine.predictor, []
    predict = predictor.predict_local

    def counted(*arguments, **more):
        calls.append(arguments)
        return predict(*arguments, **more)

    monkeypatch.setattr(predictor, "predict_local", counted)
    return calls


def test_the_mask_follows_the_slider_and_the_drag_is_one_step(
    open_window, discs, monkeypatch
):
    hand = ready(open_window, discs)
    before = here(hand)
    calls = predictions(hand, monkeypatch)
    masks = drag(hand, -0.4)
    sizes = [int(mask.sum()) for mask in masks]
    assert len(set(sizes)) > 4
    assert sizes == sorted(sizes)
    np.testing.assert_array_equal(here(hand), masks[-1])
    low = hand.canvas.options.threshold
    assert low < 0.2
    assert hand.panel.sections["outline"].value.text() == f"{low:.2f}"
    undo(hand)
    np.testing.assert_array_equal(here(hand), before)
    assert len(hand.canvas.points[True].data) == 1
    assert hand.canvas.options.threshold == 0.49
    assert hand.panel.sections["outline"].threshold.value() == 49
    hand.key(Qt.Key.Key_Z, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    np.testing.assert_array_equal(here(hand), masks[-1])
    assert hand.canvas.options.threshold == low
    undo(hand)
    undo(hand)
    assert not here(hand).any()
    assert calls == []


def test_two_drags_are_two_steps_and_keys_in_a_row_one(open_window, discs):
    hand = ready(open_window, discs)
    start = here(hand)
    drag(hand, -0.3)
    first = here(hand)
    drag(hand, 0.5)
    undo(hand)
    np.testing.assert_array_equal(here(hand), first)
    undo(hand)
    np.testing.assert_array_equal(here(hand), start)
    for _ in range(15):
        QTest.keyClick(hand.panel.sections["outline"].threshold, Qt.Key.Key_Left)
    assert hand.canvas.options.threshold == 0.34
    assert here(hand).sum() > start.sum()
    undo(hand)
    np.testing.assert_array_equal(here(hand), start)
    assert hand.canvas.options.threshold == 0.49


def test_the_same_clicks_and_options_give_the_same_mask(open_window, discs):
    """Whether a mask was slid to, clicked on from there, or predicted anew."""
    hand = ready(open_window, discs, clicks=0)
    paint(hand.canvas)
    hand.click(12, 30, 30)
    hand.wait(1)
    drag(hand, -0.3)
    settled(hand)
    for number in range(2):
        known = here(hand)
        hand.controller.engine._latest.clear()
        tick(hand.panel.sections["outline"].boxes["smooth"])
        settled(hand)
        assert (here(hand) != known).any()
        tick(hand.panel.sections["outline"].boxes["smooth"])
        settled(hand)
        np.testing.assert_array_equal(here(hand), known)
        if number == 0:
            count = len(hand.answers)
            hand.click(12, 60, 90)
            hand.wait(count + 1)


def test_a_threshold_whose_answer_is_forgotten_is_predicted(
    open_window, discs, monkeypatch
):
    hand = ready(open_window, discs, clicks=2)
    drag(hand, -0.3)
    slid = here(hand)
    undo(hand)
    hand.controller.engine._latest.clear()
    calls = predictions(hand, monkeypatch)
    hand.panel.sections["outline"].threshold.setValue(round(100 * 0.49))
    drag(hand, -0.3)
    settled(hand)
    hand.qtbot.waitUntil(lambda: len(calls) == 2)
    settled(hand)
    np.testing.assert_array_equal(here(hand), slid)
    undo(hand)
    assert hand.canvas.options.threshold == 0.49


def test_other_slices_and_objects_stay_as_they_are(open_window, discs):
    hand = ready(open_window, discs)
    hand.viewer.dims.set_point(0, 11)
    hand.click(11, 30, 30)
    hand.wait(2)
    hand.key(Qt.Key.Key_N)
    hand.click(11, 60, 90)
    hand.wait(3)
    before = hand.canvas.mask.data.copy()
    drag(hand, 0.4)
    after = hand.canvas.mask.data
    changed = before != after
    assert changed[11].any()
    assert not changed[:11].any()
    assert not changed[12:].any()
    np.testing.assert_array_equal(after[11] == 1, before[11] == 1)


def test_what_was_drawn_by_hand_is_left_alone(open_window, discs):
    hand = ready(open_window, discs)
    hand.canvas.mask.paint((12, 80, 20), 1)
    hand.qtbot.waitUntil(hand.panel.sections["outline"].note.isVisible)
    drawn = here(hand)
    drag(hand, -0.4)
    tick(hand.panel.sections["outline"].boxes["smooth"])
    np.testing.assert_array_equal(here(hand), drawn)
    undo(hand)
    assert here(hand)[80, 20] == 0
    hand.qtbot.waitUntil(lambda: not hand.panel.sections["outline"].note.isVisible())


def test_check_boxes_shape_the_mask_at_once_and_can_be_undone(open_window, discs):
    hand = ready(open_window, discs)
    assert hand.canvas.options.only_clicked  # from the start
    assert hand.panel.sections["outline"].boxes["only_clicked"].isChecked()
    tick(hand.panel.sections["outline"].boxes["only_clicked"])
    assert not hand.canvas.options.only_clicked
    tick(hand.panel.sections["outline"].boxes["only_clicked"])
    plain = here(hand)
    tick(hand.panel.sections["outline"].boxes["smooth"])
    assert hand.canvas.options.smooth
    smooth = here(hand)
    assert (plain != smooth).any()
    undo(hand)
    np.testing.assert_array_equal(here(hand), plain)
    assert not hand.panel.sections["outline"].boxes["smooth"].isChecked()
    assert hand.panel.sections["outline"].boxes["only_clicked"].isChecked()
    hand.key(Qt.Key.Key_Z, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    np.testing.assert_array_equal(here(hand), smooth)
    assert hand.panel.sections["outline"].boxes["smooth"].isChecked()


def test_a_late_correction_keeps_what_was_right(open_window, discs):
    hand = ready(open_window, discs, clicks=0)
    paint(hand.canvas)
    painted = here(hand) == 1
    hand.click(12, 30, 30)
    hand.wait(1)
    first = here(hand) == 1
    assert first[30, 30]
    assert (first & painted).sum() == painted.sum()
    keep = hand.panel.sections["outline"].keep
    for _ in range(2):
        QTest.keyClick(keep, Qt.Key.Key_Down)
    assert keep.currentData() == hand.canvas.options.keep == "never"
    settled(hand)
    undo(hand)
    undo(hand)
    np.testing.assert_array_equal(here(hand) == 1, first)
    assert hand.canvas.options.keep == "earlier"
    assert keep.currentData() == "earlier"


def test_a_click_that_changes_nothing_says_so(open_window, discs):
    hand = ready(open_window, discs, clicks=0)
    paint(hand.canvas)
    before = here(hand)
    hand.click(12, 80, 15)
    hand.wait(1)
    np.testing.assert_array_equal(here(hand), before)
    hand.qtbot.waitUntil(lambda: "changed nothing" in hand.panel.status.text())
    keep = hand.panel.sections["outline"].keep
    for _ in range(2):
        QTest.keyClick(keep, Qt.Key.Key_Down)
    settled(hand)
    assert (here(hand) != before).any()


def test_probability_is_shown_followed_and_taken_away(open_window, discs):
    hand = ready(open_window, discs)
    outline, viewer = hand.panel.sections["outline"], hand.viewer
    tick(outline.boxes["only_clicked"])
    active = viewer.layers.selection.active
    tick(outline.probability)
    hand.qtbot.waitUntil(lambda: NAME in viewer.layers)
    layer = viewer.layers[NAME]
    assert viewer.layers.selection.active is active
    assert layer.data.shape == (1, 100, 120)
    np.testing.assert_array_equal(layer.data[0] > 0.49, here(hand) == 1)
    np.testing.assert_allclose(layer.data_to_world((0, 3, 4)), (12, 3, 4))
    assert layer not in hand.panel.image_choice.choices
    first = layer.data
    hand.click(12, 60, 90)
    hand.wait(2)
    settled(hand)
    assert layer.data is not first
    viewer.dims.set_point(0, 5)
    settled(hand)
    assert not layer.data.any()
    viewer.dims.set_point(0, 12)
    settled(hand)
    assert layer.data.any()
    tick(outline.probability)
    assert NAME not in viewer.layers
    assert hand.canvas is not None


def test_a_probability_layer_that_is_deleted_stays_away(open_window, discs):
    hand = ready(open_window, discs)
    tick(hand.panel.sections["outline"].probability)
    hand.qtbot.waitUntil(lambda: NAME in hand.viewer.layers)
    del hand.viewer.layers[NAME]
    hand.qtbot.waitUntil(
        lambda: not hand.panel.sections["outline"].probability.isChecked()
    )
    hand.click(12, 60, 90)
    hand.wait(2)
    settled(hand)
    assert NAME not in hand.viewer.layers


@pytest.mark.parametrize("how", ["key", "button"])
def test_clicks_gather_until_they_are_asked_for(open_window, discs, how):
    hand = ready(open_window, discs, clicks=0)
    outline = hand.panel.sections["outline"]
    assert not outline.predict.isVisible()
    tick(outline.auto)
    assert outline.predict.isVisible()
    for place in ((30, 30), (35, 30), (60, 90)):
        hand.click(12, *place)
    QTest.qWait(200)
    assert len(hand.canvas.points[True].data) == 3
    assert not here(hand).any()
    assert hand.answers == []
    assert "Enter" in hand.panel.status.text()
    undo(hand)
    assert len(hand.canvas.points[True].data) == 2
    if how == "key":
        hand.key(Qt.Key.Key_Return)
    else:
        hand.press(outline.predict)
    hand.wait(2)
    settled(hand)
    both = here(hand)
    assert both[30, 30] == 1
    undo(hand)
    assert len(hand.canvas.points[True].data) == 1
    hand.click(12, 35, 30)
    QTest.qWait(100)
    assert len(hand.answers) == 2
    tick(outline.auto)
    hand.wait(3)
    np.testing.assert_array_equal(here(hand), both)


def test_clearing_and_propagating_do_not_wait_for_enter(open_window, discs):
    hand = ready(open_window, discs)
    tick(hand.panel.sections["outline"].auto)
    hand.click(12, 33, 33)
    hand.press(hand.panel.clear)
    hand.wait(3)
    settled(hand)
    assert not here(hand).any()
    assert len(hand.canvas.points[True].data) == 0


def test_the_next_image_takes_over_the_options(open_window, discs):
    hand = ready(open_window, discs)
    tick(hand.panel.sections["outline"].boxes["smooth"])
    other = hand.viewer.add_image(discs[12], name="other")
    hand.panel.image_choice.value = other
    hand.qtbot.waitUntil(lambda: hand.canvas.image is other)
    assert hand.canvas.options.smooth
    assert hand.panel.sections["outline"].boxes["smooth"].isChecked()


def test_without_an_image_nothing_can_be_shaped(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    _, panel = viewer.window.add_plugin_dock_widget("napari-simpleclick", "SimpleClick")
    panel.sections["outline"].expand()
    qtbot.waitUntil(lambda: not panel.sections["outline"].threshold.isEnabled())
    tick(panel.sections["outline"].auto)
    assert panel.sections["outline"].auto.isChecked()
