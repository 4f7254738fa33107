"""Small views across the displayed slice, in a real window."""

import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_simpleclick.plugin import settings


def finish(hand, section):
    hand.qtbot.waitUntil(lambda: not section._soon.isActive())


def test_a_click_into_a_small_view_shows_that_point(open_window, discs):
    hand = open_window(discs)
    section = hand.panel.sections["three views"]
    assert not section.isExpanded()
    hand.press(section.toggleButton())
    hand.settle()
    finish(hand, section)
    assert settings.load().three_views
    hand.viewer.dims.set_point(0, 12)
    hand.click(12, 30, 30)
    hand.wait(1)
    finish(hand, section)
    first, second = section.views
    assert first.cross == pytest.approx((12.5 / 24, 30.5 / discs.shape[2]), abs=0.01)
    assert second.cross == pytest.approx((12.5 / 24, 30.5 / discs.shape[1]), abs=0.01)
    shown = first._pixels
    assert (shown.max(axis=2) != shown.min(axis=2)).any()  # the outline has a colour
    place = first.place
    aim = QPoint(place.left() + place.width() // 4, place.top() + place.height() // 3)
    QTest.mouseClick(first, Qt.MouseButton.LeftButton, pos=aim)
    finish(hand, section)
    assert hand.viewer.dims.current_step[0] == pytest.approx(8, abs=1)
    assert first.cross[1] == pytest.approx(0.25, abs=0.02)
    assert second.cross[1] == pytest.approx(30.5 / discs.shape[1], abs=0.01)
    hand.press(hand.panel.views.buttons[1])
    finish(hand, section)
    assert hand.viewer.dims.current_step[1] == 30
    hand.press(section.toggleButton())
    assert not settings.load().three_views
