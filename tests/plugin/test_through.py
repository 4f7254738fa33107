"""Carrying a mask through the volume, in a real window."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_simpleclick.plugin.propagation_run import NO_PAIR, Patch
from napari_simpleclick.plugin.sections import propagation
from napari_simpleclick.propagation import LEAST_CONFIDENCE
from napari_simpleclick.workflow import Job, PredictionEngine

PATIENCE_MS = 60_000
CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


def ready(open_window, data, place, **look):
    """Open a window with one clicked object, and the section open."""
    hand = open_window(data, **look)
    image = hand.canvas.image
    hand.viewer.dims.set_point(range(image.ndim), image.data_to_world(place))
    hand.press(hand.panel.propagation.toggleButton())
    hand.settle()
    hand.click(*place)
    hand.wait(1)
    hand.qtbot.waitUntil(hand.panel.propagation.both.isEnabled)
    return hand


def running(hand):
    return hand.panel.propagation.propagator.run is not None


def finish(hand):
    hand.qtbot.waitUntil(lambda: not running(hand), timeout=PATIENCE_MS)
    hand.qtbot.waitUntil(lambda: not hand.panel.propagation._soon.isActive())


def go(hand, button):
    began = []
    hand.panel.propagation.propagator.began.connect(lambda: began.append(button))
    hand.press(getattr(hand.panel.propagation, button))
    hand.qtbot.waitUntil(lambda: bool(began), timeout=PATIENCE_MS)
    finish(hand)


def begun(hand, slices=1):
    """Start both ways and wait until some slices were reached."""
    hand.press(hand.panel.propagation.both)
    run = hand.panel.propagation.propagator.run
    hand.qtbot.waitUntil(lambda: len(run.patches) >= slices, timeout=PATIENCE_MS)
    return run


def filled(mask, label=1, axis=0):
    others = tuple(a for a in range(mask.ndim) if a != axis)
    return list(np.flatnonzero((mask == label).any(axis=others)))


def show(hand, index):
    hand.viewer.dims.set_point(0, index * hand.canvas.image.scale[0])
    hand.qtbot.waitUntil(lambda: not hand.panel.propagation._soon.isActive())


def profile(hand):
    return hand.panel.propagation.propagator.profile()


def test_default_confidence_is_that_of_the_core():
    assert propagation.LEAST_CONFIDENCE == LEAST_CONFIDENCE


def test_both_ways_is_one_undo_step(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30))
    mask = hand.canvas.mask
    mask.data_setitem((np.array([10]), np.array([30]), np.array([30])), np.uint16(9))
    before = mask.data.copy()
    hand.key(Qt.Key.Key_T)
    hand.qtbot.waitUntil(lambda: running(hand))
    finish(hand)
    after = mask.data.copy()
    slices = filled(after)
    assert slices == list(range(slices[0], slices[-1] + 1))
    assert slices[0] <= 6
    assert slices[-1] >= 18
    truth = discs > 120
    truth[:, :, 60:] = False
    inside = after == 1
    overlap = (inside & truth).sum() / (inside | truth).sum()
    assert overlap > 0.75
    assert after[10, 30, 30] == 9
    np.testing.assert_array_equal(after[12], before[12])
    section = hand.panel.propagation
    assert section.outcome.text().startswith(
        f"Slices {slices[0]}\N{EN DASH}{slices[-1]}: "
    )
    assert set(profile(hand).confidence) == set(slices) - {12}
    assert profile(hand).annotated == {12}
    assert hand.troubles == []
    for layer in (mask, hand.canvas.points[True]):
        hand.viewer.layers.selection.active = layer
        hand.key(Qt.Key.Key_Z, CONTROL)
        np.testing.assert_array_equal(mask.data, before)
        assert profile(hand).confidence == {}
        assert len(hand.canvas.points[True].data) == 1
        hand.key(Qt.Key.Key_Z, CONTROL | SHIFT)
        np.testing.assert_array_equal(mask.data, after)
        assert set(profile(hand).confidence) == set(slices) - {12}


def test_directions_and_limit(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30))
    show(hand, 11)
    show(hand, 12)
    hand.panel.propagation.reach.setValue(2)
    go(hand, "back")
    assert set(profile(hand).confidence) == {10, 11}
    assert filled(hand.canvas.mask.data) == [10, 11, 12]
    go(hand, "forward")
    assert filled(hand.canvas.mask.data) == [10, 11, 12, 13, 14]
    assert "14, reached the end of the range" in hand.panel.propagation.outcome.text()


def test_a_least_confidence_of_one_reaches_nothing(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30))
    hand.panel.propagation.least.setValue(1)
    go(hand, "both")
    assert filled(hand.canvas.mask.data) == [12]
    assert "No slice was reached: 12" in hand.panel.propagation.outcome.text()
    hand.key(Qt.Key.Key_Z, CONTROL)
    assert filled(hand.canvas.mask.data) == []


def test_cancel_keeps_what_was_reached(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30))
    section = hand.panel.propagation
    begun(hand, 2)
    hand.qtbot.waitUntil(section.cancel.isVisible)
    assert not section.both.isEnabled()
    hand.press(section.both)
    hand.press(section.cancel)
    finish(hand)
    slices = filled(hand.canvas.mask.data)
    assert 3 <= len(slices) < 10
    assert "cancelled" in section.outcome.text()
    hand.qtbot.waitUntil(lambda: section.both.isEnabled())
    assert not section.cancel.isVisible()
    assert hand.troubles == []


def test_a_corrected_slice_bounds_the_next_run(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30))
    hand.panel.propagation.reach.setValue(4)
    go(hand, "both")
    show(hand, 14)
    kept = hand.canvas.mask.data.copy()
    assert 14 in profile(hand).confidence
    hand.click(14, 30, 30)
    hand.wait(2)
    step = hand.answers[-1].request.prompts[0]
    np.testing.assert_array_equal(step.base, kept[14] == 1)
    assert 14 in profile(hand).annotated
    hand.panel.propagation.reach.setValue(0)
    go(hand, "back")
    after = hand.canvas.mask.data
    np.testing.assert_array_equal(after[:13], kept[:13])
    assert (
        "13, reached the next annotated slice" in hand.panel.propagation.outcome.text()
    )
    assert (after[15:] == kept[15:]).all()


def test_painting_on_a_propagated_slice_annotates_it(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30))
    hand.panel.propagation.reach.setValue(3)
    go(hand, "forward")
    show(hand, 14)
    hand.canvas.mask.paint((14, 80, 20), 1)
    assert profile(hand).annotated == {12, 14}
    painted = hand.canvas.mask.data[14].copy()
    show(hand, 12)
    go(hand, "forward")
    np.testing.assert_array_equal(hand.canvas.mask.data[14], painted)
    assert profile(hand).annotated == {12, 14}
    hand.key(Qt.Key.Key_Z, CONTROL)
    hand.key(Qt.Key.Key_Z, CONTROL)
    assert set(profile(hand).confidence) == {13, 14, 15}


def test_a_propagated_slice_may_be_propagated_on(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30))
    hand.panel.propagation.reach.setValue(1)
    go(hand, "forward")
    show(hand, 13)
    go(hand, "forward")
    assert filled(hand.canvas.mask.data) == [12, 13, 14]


def test_a_click_during_a_run_is_answered_and_kept(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30))
    run = begun(hand)
    reached = next(iter(run.patches))
    show(hand, reached)
    hand.click(reached, 60, 90)
    hand.wait(2)
    assert running(hand)
    answered = hand.canvas.mask.data[reached].copy()
    assert answered[60, 90] == 1
    finish(hand)
    np.testing.assert_array_equal(hand.canvas.mask.data[reached], answered)
    assert len(filled(hand.canvas.mask.data)) > 8
    fresh = PredictionEngine(hand.controller.engine.predictor, None)
    job = Job(hand.answers[-1].request, hand.canvas.view())
    np.testing.assert_array_equal(fresh.answer(job).mask, answered == 1)
    assert "1 of them left as made by hand" in hand.panel.propagation.outcome.text()


def test_painting_during_a_run_is_kept(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30))
    run = begun(hand)
    reached = next(iter(run.patches))
    hand.canvas.mask.paint((reached, 80, 20), 1)
    finish(hand)
    assert hand.canvas.mask.data[reached, 80, 20] == 1
    assert hand.canvas.mask.data[reached, 30, 30] == 0
    before = filled(hand.canvas.mask.data)
    hand.key(Qt.Key.Key_Z, CONTROL)
    assert filled(hand.canvas.mask.data) == sorted({reached, 12})
    hand.key(Qt.Key.Key_Z, CONTROL | SHIFT)
    assert filled(hand.canvas.mask.data) == before


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0)])
def test_other_axes(open_window, discs, order):
    hand = open_window(discs)
    hand.viewer.dims.order = order
    hand.viewer.dims.set_point(range(3), (12, 30, 30))
    hand.press(hand.panel.propagation.toggleButton())
    hand.settle()
    hand.click(12, 30, 30)
    hand.wait(1)
    hand.panel.propagation.reach.setValue(2)
    hand.qtbot.waitUntil(hand.panel.propagation.both.isEnabled)
    go(hand, "both")
    axis = order[0]
    assert filled(hand.canvas.mask.data, axis=axis) == [28, 29, 30, 31, 32]
    hand.panel.propagation.plot.chosen.emit(31)
    assert hand.canvas.current_plane().index[axis] == 31


def test_only_the_last_hidden_axis_moves_in_a_time_series(open_window, discs):
    hand = ready(open_window, np.stack([discs] * 2), (1, 12, 30, 30))
    hand.panel.propagation.reach.setValue(2)
    go(hand, "both")
    data = hand.canvas.mask.data
    assert data[0].sum() == 0
    assert filled(data[1]) == [10, 11, 12, 13, 14]
    hand.panel.propagation.plot.chosen.emit(13)
    assert hand.canvas.current_plane().index == (1, 13, 0, 0)


def test_oblong_pixels_are_shown_as_square_ones(open_window, discs, monkeypatch):
    hand = open_window(discs, scale=(5, 1, 0.5), units=("um", "mm", "mm"))
    predictor, seen = hand.controller.engine.predictor, []
    show_image = predictor.set_image

    def spy(image, window=None, spacing=(1.0, 1.0)):
        seen.append(spacing)
        show_image(image, window, spacing)

    monkeypatch.setattr(predictor, "set_image", spy)
    hand.viewer.dims.set_point(0, 60)
    hand.settle()
    hand.click(12, 30, 30)
    hand.wait(1)
    hand.panel.propagation.reach.setValue(1)
    hand.key(Qt.Key.Key_T)
    hand.qtbot.waitUntil(lambda: running(hand))
    finish(hand)
    assert filled(hand.canvas.mask.data) == [11, 12, 13]
    assert len(seen) >= 4
    assert set(seen) == {(1.0, 0.5)}
    hand.panel.propagation.plot.chosen.emit(13)
    assert hand.canvas.current_plane().index == (13, 0, 0)


def test_colour_with_transparency(open_window, discs):
    rgba = np.stack([discs] * 3 + [np.full_like(discs, 255)], axis=-1)
    hand = ready(open_window, rgba, (12, 30, 30), rgb=True)
    hand.panel.propagation.reach.setValue(1)
    go(hand, "both")
    assert filled(hand.canvas.mask.data) == [11, 12, 13]
    assert hand.troubles == []


def test_interpolate_fills_between_annotated_slices(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30))
    section = hand.panel.propagation
    go(hand, "interpolate")
    assert hand.troubles == [NO_PAIR]
    hand.troubles.clear()
    show(hand, 8)
    hand.click(8, 30, 30)
    hand.wait(2)
    before = hand.canvas.mask.data.copy()
    show(hand, 10)
    hand.qtbot.waitUntil(section.interpolate.isEnabled)
    go(hand, "interpolate")
    after = hand.canvas.mask.data
    assert filled(after) == [8, 9, 10, 11, 12]
    np.testing.assert_array_equal(after[[8, 12]], before[[8, 12]])
    assert profile(hand).confidence == {9: None, 10: None, 11: None}
    assert "slices 8, 12" in section.outcome.text()
    hand.key(Qt.Key.Key_Z, CONTROL)
    np.testing.assert_array_equal(after, before)
    show(hand, 12)
    hand.qtbot.waitUntil(section.interpolate.isEnabled)
    go(hand, "interpolate")
    assert filled(after) == [8, 9, 10, 11, 12]


def test_the_plot_leads_to_a_slice(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30), scale=(3, 1, 1), translate=(7, 0, 0))
    hand.panel.propagation.reach.setValue(3)
    go(hand, "both")
    plot = hand.panel.propagation.plot
    hand.qtbot.waitUntil(lambda: plot.width() > 100)
    for index in (9, 14):
        at = plot.place(index, 0.5)
        assert plot.slice_at(at.x()) == index
        at = QPoint(round(at.x()), round(at.y()))
        QTest.mouseClick(plot, Qt.MouseButton.LeftButton, pos=at)
        assert hand.canvas.current_plane().index[0] == index
    assert not plot.grab().isNull()


def here(hand):
    return hand.canvas.current_plane().index[0]


def test_the_review_goes_on_to_the_other_side_of_what_was_corrected(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30))
    hand.key(Qt.Key.Key_U)
    assert "no other propagated slice" in hand.panel.status.text()
    hand.panel.propagation.reach.setValue(3)
    go(hand, "both")
    hand.key(Qt.Key.Key_U)
    first = here(hand)
    assert first in profile(hand).confidence
    hand.click(first, 30, 30)
    hand.wait(2)
    hand.press(hand.panel.propagation.check)
    second = here(hand)
    assert (first < 12) != (second < 12)
    hand.key(Qt.Key.Key_U)  # never stays where it is
    assert here(hand) != second


def test_a_slice_is_accepted_without_a_click(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30))
    hand.panel.propagation.reach.setValue(3)
    go(hand, "forward")
    hand.key(Qt.Key.Key_U)
    at, before = here(hand), hand.canvas.mask.data.copy()
    hand.key(Qt.Key.Key_K)
    assert at in profile(hand).annotated
    assert at not in profile(hand).confidence
    assert (hand.canvas.mask.data == before).all()
    go(hand, "forward")  # and it bounds the next run
    assert (hand.canvas.mask.data[at] == before[at]).all()
    for _ in range(2):
        hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert at in profile(hand).confidence


def test_the_end_of_the_object_clears_what_lies_beyond(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30))
    hand.panel.propagation.reach.setValue(5)
    go(hand, "both")
    before = hand.canvas.mask.data.copy()
    filled = np.flatnonzero(before.any(axis=(1, 2)))
    assert filled[-1] >= 15
    hand.viewer.dims.set_point(0, 14)
    hand.settle()
    hand.press(hand.panel.propagation.end)
    after = hand.canvas.mask.data
    assert not after[14:].any()
    assert (after[:14] == before[:14]).all()
    assert 14 in profile(hand).annotated
    hand.viewer.dims.set_point(0, 12)
    go(hand, "forward")  # it does not go there again
    assert not hand.canvas.mask.data[14:].any()
    for _ in range(2):
        hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert (hand.canvas.mask.data == before).all()


@pytest.mark.parametrize("how", ["panel", "mask", "image", "model", "pixels"])
def test_a_run_whose_ground_is_gone_is_dropped(open_window, discs, how):
    hand = ready(open_window, discs, (12, 30, 30))
    canvas, controller = hand.canvas, hand.controller
    propagator = hand.panel.propagation.propagator
    run = begun(hand)
    if how == "panel":
        hand.viewer.window.remove_dock_widget(hand.panel)
    elif how == "mask":
        hand.viewer.layers.remove(canvas.mask)
    elif how == "image":
        controller.use_image(hand.viewer.add_image(discs[::-1], name="other"))
    elif how == "model":
        controller.use_model("bundled")
    else:
        canvas.image.data = discs[::-1].copy()
    hand.qtbot.waitUntil(lambda: propagator.run is None, timeout=PATIENCE_MS)
    QTest.qWait(300)
    assert run.patches
    assert filled(canvas.mask.data) == [12]
    assert hand.troubles == []


def test_an_error_keeps_what_was_reached(open_window, discs, monkeypatch):
    hand = ready(open_window, discs, (12, 30, 30))
    run = begun(hand)

    def fail(*_):
        raise MemoryError("no memory left")

    monkeypatch.setattr(hand.controller.engine.predictor, "predict", fail)
    with hand.qtbot.captureExceptions():
        finish(hand)
    assert hand.troubles == ["no memory left"]
    assert filled(hand.canvas.mask.data) == sorted({12, *run.patches})


def test_without_a_mask_a_sentence_says_what_to_do(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30))
    hand.key(Qt.Key.Key_N)
    hand.key(Qt.Key.Key_T)
    assert hand.troubles == [
        "There is no mask of object 2 on this slice; click on it first."
    ]


def test_a_run_waits_for_the_clicks_before_it(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.panel.propagation.reach.setValue(1)
    hand.click(12, 30, 30)
    hand.key(Qt.Key.Key_T)
    hand.qtbot.waitUntil(lambda: running(hand), timeout=PATIENCE_MS)
    finish(hand)
    assert filled(hand.canvas.mask.data) == [11, 12, 13]
    assert hand.panel.propagation.isExpanded()


def test_a_single_slice_and_3d_are_explained(open_window, discs):
    hand = open_window(discs[12])
    section = hand.panel.propagation
    hand.press(section.toggleButton())
    hand.qtbot.waitUntil(lambda: "only one slice" in section.outcome.text())
    assert not section.both.isEnabled()
    hand.viewer.layers.clear()
    hand.viewer.add_image(discs)
    hand.qtbot.waitUntil(lambda: section.both.isEnabled())
    hand.viewer.dims.ndisplay = 3
    hand.qtbot.waitUntil(lambda: "2-D view" in section.outcome.text())


def test_a_hidden_mask_is_written(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30))
    hand.canvas.mask.visible = False
    hand.panel.propagation.reach.setValue(1)
    go(hand, "both")
    assert filled(hand.canvas.mask.data) == [11, 12, 13]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_outlines_of_the_neighbours(open_window, discs, order):
    look = {"scale": (2, 1, 1), "translate": (5, 0, 0)}
    hand = open_window(discs, **look)
    hand.viewer.dims.order = order
    axis, place = order[0], (12, 30, 30)
    label = (discs > 120).astype(np.uint16)
    label[:, :, 60:] = 0
    hand.canvas.mask.data[:] = label
    hand.viewer.dims.set_point(range(3), hand.canvas.image.data_to_world(place))
    section, names = hand.panel.propagation, set(hand.viewer.layers)
    hand.press(section.toggleButton())
    hand.settle()
    active = hand.viewer.layers.selection.active
    section.ghost.click()
    hand.qtbot.waitUntil(lambda: len(hand.viewer.layers) == len(names) + 1)
    (ghost,) = set(hand.viewer.layers) - names
    assert hand.viewer.layers.selection.active is active
    assert (ghost.data[:, 0, axis] == place[axis]).all()
    assert len(np.unique(ghost.edge_color, axis=0)) == 2
    shown = [a for a in range(3) if a != axis]
    for end in (ghost.data[:, 0], ghost.data.sum(axis=1)):
        near = [
            label.take(place[axis] + side, axis)[tuple(end[:, shown].astype(int).T)]
            for side in (-1, 1)
        ]
        assert np.logical_or(*near).all()
    hand.panel.propagation.propagator.go_to(place[axis] + 2)
    hand.qtbot.waitUntil(lambda: (ghost.data[:, 0, axis] == place[axis] + 2).all())
    hand.click(*(np.array(place) + 2 * (np.arange(3) == axis)))
    hand.wait(1)
    hand.key(Qt.Key.Key_Z, CONTROL)
    section.ghost.click()
    assert set(hand.viewer.layers) == names
    section.ghost.click()
    hand.qtbot.waitUntil(lambda: len(hand.viewer.layers) == len(names) + 1)
    hand.viewer.layers.remove(hand.viewer.layers[-1])
    hand.qtbot.waitUntil(lambda: not section.ghost.isChecked())
    section.ghost.click()
    hand.qtbot.waitUntil(lambda: len(hand.viewer.layers) == len(names) + 1)
    hand.viewer.window.remove_dock_widget(hand.panel)
    assert set(hand.viewer.layers) == names


def test_a_slice_that_turns_out_empty_can_be_kept():
    empty = Patch.cut(np.zeros((4, 5), bool), 0.7)
    assert not empty.paste((4, 5)).any()
    mask = np.zeros((4, 5), bool)
    mask[1:3, 2] = True
    assert (Patch.cut(mask).paste((4, 5)) == mask).all()
