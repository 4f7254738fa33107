"""Which presses are clicks; without a window, as napari calls a viewer."""

from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils import interactions
from napari.utils._proxies import ReadOnlyWrapper

from napari_simpleclick.plugin.layers.mouse import Mouse

LEFT, RIGHT, MIDDLE = 1, 2, 3


class Hand:
    """Presses, moves and releases over a viewer."""

    def __init__(self):
        self.viewer = ViewerModel()
        self.clicks, self.picks, self.zooms = [], [], []
        self.viewer.mouse_double_click_callbacks[:] = [
            lambda viewer, event: self.zooms.append(event.position)
        ]
        self.wanted = True
        self.mouse = Mouse(
            self.viewer,
            lambda: self.wanted,
            lambda position, other: self.clicks.append((position, other)),
            self.picks.append,
            SimpleNamespace(is_wanted=lambda: False),
        )

    def tell(self, kind, at, button, modifiers, dragging=False):
        event = SimpleNamespace(
            type=kind,
            pos=np.array(at),
            position=tuple(map(float, at)),
            button=button,
            modifiers=modifiers,
            is_dragging=dragging,
            handled=False,
        )
        calls = {
            "mouse_press": interactions.mouse_press_callbacks,
            "mouse_move": interactions.mouse_move_callbacks,
            "mouse_release": interactions.mouse_release_callbacks,
            "mouse_double_click": interactions.mouse_double_click_callbacks,
        }
        calls[kind](self.viewer, ReadOnlyWrapper(event, exceptions=("handled",)))

    def press(self, start, end=None, button=LEFT, modifiers=(), kind="mouse_press"):
        self.tell(kind, start, button, modifiers)
        if end is not None:
            self.tell("mouse_move", end, button, modifiers, dragging=True)
        self.tell("mouse_release", end or start, button, modifiers)

    def double(self, start, end=None, **how):
        self.press(start, **how)
        self.press(start, end, kind="mouse_double_click", **how)


@pytest.fixture
def hand():
    return Hand()


def test_left_right_and_control(hand):
    hand.press((5, 6))
    hand.press((5, 6), button=RIGHT)
    hand.press((5, 6), modifiers=("Control",))
    assert hand.clicks == [((5, 6), False), ((5, 6), True), ((5, 6), True)]


def test_a_drag_and_the_middle_button_are_no_clicks(hand):
    hand.press((5, 6), (5, 20))
    hand.press((5, 6), button=MIDDLE)
    assert hand.clicks == []


def test_the_second_of_two_quick_clicks_counts_and_does_not_zoom(hand):
    hand.double((5, 6))
    hand.double((7, 8), button=RIGHT)
    assert hand.clicks == [((5, 6), False)] * 2 + [((7, 8), True)] * 2
    assert hand.zooms == []


def test_a_double_click_of_the_middle_button_is_no_click(hand):
    hand.double((5, 6), button=MIDDLE)
    assert hand.clicks == []


def test_a_double_click_with_shift_picks_and_does_not_click(hand):
    hand.double((5, 6), modifiers=("Shift",))
    assert hand.clicks == []
    assert hand.picks == [(5, 6)] * 2


def test_a_drag_that_begins_with_a_double_click_is_one_click(hand):
    hand.double((5, 6), (5, 40))
    assert hand.clicks == [((5, 6), False)]


def test_a_double_click_is_naparis_where_no_click_is_wanted(hand):
    hand.wanted = False
    hand.double((5, 6))
    assert hand.clicks == []
    assert hand.zooms == [(5, 6)]


def test_napari_gets_its_callbacks_back(hand):
    hand.mouse.close()
    hand.double((5, 6))
    assert hand.clicks == []
    assert hand.zooms == [(5, 6)]
