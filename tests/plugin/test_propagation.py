"""Carrying a mask through the volume, in a real window."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


def ready(open_window, data, place, **look):
    """Open a window with one clicked object, and the section open."""
    hand = open_window(data, **look)
    image = hand.canvas.image
    hand.viewer.dims.set_point(range(image.ndim), image.data_to_world(place))
    hand.press(hand.panel.sections["propagation"].toggleButton())
    hand.settle()
    hand.click(*place)
    hand.wait(1)
    hand.qtbot.waitUntil(hand.panel.sections["propagation"].both.isEnabled)
    return hand


def running(hand):
    return hand.workflow.propagator.run is not None


def finish(hand):
    hand.qtbot.waitUntil(lambda: not running(hand))
    hand.qtbot.waitUntil(
        lambda: not hand.panel.sections["propagation"]._soon.isActive()
    )


def go(hand, button):
    began = []
    hand.workflow.propagator.began.connect(lambda: began.append(button))
    hand.press(getattr(hand.panel.sections["propagation"], button))
    hand.qtbot.waitUntil(lambda: bool(began))
    finish(hand)


def filled(mask, label=1, axis=0):
    others = tuple(a for a in range(mask.ndim) if a != axis)
    return list(np.flatnonzero((mask == label).any(axis=others)))


def show(hand, index):
    hand.viewer.dims.set_point(0, index * hand.canvas.image.scale[0])
    hand.qtbot.waitUntil(
        lambda: not hand.panel.sections["propagation"]._soon.isActive()
    )


def profile(hand):
    return hand.workflow.propagator.profile()


def test_both_ways_is_one_undo_step(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30))
    mask = hand.canvas.mask
    mask.data_setitem((np.array([10]), np.array([30]), np.array([30])), np.uint16(9))
    before = mask.data.copy()
    hand.key(Qt.Key.Key_T)
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
    section = hand.panel.sections["propagation"]
    assert section.outcome.text().startswith(
        f"Slices {slices[0]}\N{EN DASH}{slices[-1]}: "
    )
    assert hand.panel.status.text() == section.outcome.text()
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


def test_cancel_keeps_what_was_reached(held, open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30))
    section = hand.panel.sections["propagation"]
    held.holding = True
    hand.press(section.both)
    held.release(2)
    hand.qtbot.waitUntil(section.cancel.isVisible)
    assert not section.both.isEnabled()
    hand.press(section.both)
    hand.press(section.cancel)
    held.release_all()
    finish(hand)
    assert len(filled(hand.canvas.mask.data)) == 3
    assert "cancelled" in section.outcome.text()
    hand.qtbot.waitUntil(lambda: section.both.isEnabled())
    assert not section.cancel.isVisible()
    assert hand.troubles == []


def test_the_plot_leads_to_a_slice(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30), scale=(3, 1, 1), translate=(7, 0, 0))
    hand.panel.sections["propagation"].reach.setValue(3)
    go(hand, "both")
    plot = hand.panel.sections["propagation"].plot
    hand.qtbot.waitUntil(lambda: plot.width() > 100)
    for index in (9, 14):
        at = plot.place(index, 0.5)
        assert plot.slice_at(at.x()) == index
        at = QPoint(round(at.x()), round(at.y()))
        QTest.mouseClick(plot, Qt.MouseButton.LeftButton, pos=at)
        assert hand.canvas.current_plane().index[0] == index
    assert not plot.grab().isNull()


def test_a_single_slice_and_3d_are_explained(open_window, discs):
    hand = open_window(discs[12])
    section = hand.panel.sections["propagation"]
    hand.press(section.toggleButton())
    hand.qtbot.waitUntil(lambda: "only one slice" in section.outcome.text())
    assert not section.both.isEnabled()
    hand.viewer.layers.clear()
    hand.viewer.add_image(discs)
    hand.qtbot.waitUntil(lambda: section.both.isEnabled())
    hand.viewer.dims.ndisplay = 3
    hand.qtbot.waitUntil(lambda: "2-D view" in section.outcome.text())


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
    section, names = hand.panel.sections["propagation"], set(hand.viewer.layers)
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
    hand.workflow.propagator.go_to(place[axis] + 2)
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


def test_all_objects_of_a_slice_by_the_buttons(open_window, discs):
    hand = ready(open_window, discs, (12, 30, 30))
    section = hand.panel.sections["propagation"]
    hand.press(hand.panel.new_object)
    hand.click(12, 60, 90)
    hand.wait(2)
    before = hand.canvas.mask.data.copy()
    section.whom.setFocus()
    QTest.keyClick(section.whom, Qt.Key.Key_End)
    assert section.whom.currentText() == "All on this slice"
    assert not section.axis.isVisibleTo(section)
    section.reach.setValue(3)
    go(hand, "both")
    after = hand.canvas.mask.data
    assert filled(after, 1) == filled(after, 2) == list(range(9, 16))
    assert "2 objects" in section.outcome.text()
    hand.key(Qt.Key.Key_Z, CONTROL)
    np.testing.assert_array_equal(hand.canvas.mask.data, before)


def test_the_slider_to_go_along_is_chosen(open_window, discs):
    series = np.stack([discs[10:14]] * 4)
    hand = ready(open_window, series, (2, 2, 30, 30), axis_labels=("t", "z", "y", "x"))
    section = hand.panel.sections["propagation"]
    assert section.axis.isVisibleTo(section)
    assert section.axis.currentText().endswith("(4 slices)")
    assert section.axis.currentData() == 1
    section.axis.setFocus()
    QTest.keyClick(section.axis, Qt.Key.Key_Home)
    assert section.axis.currentData() == 0
    go(hand, "both")
    assert filled(hand.canvas.mask.data, axis=0) == [0, 1, 2, 3]
    assert filled(hand.canvas.mask.data[0]) == [2]
