"""What may be done to a mask after the threshold."""

import numpy as np
import pytest

from napari_simpleclick.images.local_map import LocalMap
from napari_simpleclick.inference.finish import clicked_parts, filled, finish, smoothed
from napari_simpleclick.prompts import Click


@pytest.fixture
def square():
    mask = np.zeros((60, 80), bool)
    mask[20:40, 20:50] = True
    return mask


def test_nothing_asked_for_is_nothing_done(square):
    mask = LocalMap.whole(square)
    assert finish(mask, [Click(30, 30)]) is mask


@pytest.mark.parametrize("work", [smoothed, filled, clicked_parts])
def test_an_empty_mask_stays_empty(work):
    empty = np.zeros((5, 6), bool)
    given = ([Click(2, 2)],) if work is clicked_parts else ()
    assert not work(empty, *given).any()


def test_smoothing_takes_teeth_off_and_keeps_the_size(square):
    square[19, 25:45:2] = True
    square[20, 26:46:2] = False
    before = square.copy()
    done = smoothed(square)
    np.testing.assert_array_equal(square, before)
    assert abs(int(done.sum()) - int(square.sum())) < 0.03 * square.sum()
    edge = done[:, 25:45].argmax(axis=0)
    assert np.ptp(edge) <= 1


def test_smoothing_leaves_what_would_vanish(square):
    square[5, 5:70] = True
    done = smoothed(square)
    assert done[5, 5:70].all()
    assert not done[20, 20]


def test_smoothing_reaches_as_far_along_both_axes():
    mask = np.zeros((40, 200), bool)
    mask[10:30, 50:150] = True
    mask[10, 50:56] = False
    done = smoothed(mask, spacing=(5.0, 1.0))
    corner = mask.copy()
    np.testing.assert_array_equal(done[12:28], corner[12:28])


def test_smoothing_does_not_shrink_at_the_border_of_the_image():
    assert smoothed(np.ones((20, 20), bool)).all()


def test_holes_are_filled_but_not_those_with_a_negative_click(square):
    square[25:28, 25:28] = square[32:35, 40:43] = False
    assert filled(square)[20:40, 20:50].all()
    done = filled(square, [Click(33, 41, False)])
    assert done[26, 26]
    assert not done[32:35, 40:43].any()
    assert filled(square, [Click(1, 1, False), Click(22, 22, False)]).sum() == 600


def test_only_parts_with_a_positive_click_stay(square):
    square[50:55, 60:65] = True
    square[40, 50] = True  # touches the square at a corner
    clicks = [Click(30, 30), Click(52, 62, False)]
    done = finish(LocalMap.whole(square), clicks, only_clicked=True).full()
    assert done[40, 50]
    assert not done[50:55].any()


def test_without_a_positive_click_on_it_the_mask_stays(square):
    np.testing.assert_array_equal(clicked_parts(square, [Click(0, 0)]), square)
    np.testing.assert_array_equal(clicked_parts(square, []), square)


def test_clicks_on_the_very_edge_are_on_the_image(square):
    square[59, 79] = True
    assert clicked_parts(square, [Click(59.4, 79.4)]).sum() == 1


def test_parts_of_an_earlier_mask_stay():
    mask = np.zeros((20, 20), bool)
    mask[2:6, 2:6] = mask[10:14, 2:6] = mask[10:14, 12:16] = True
    earlier = np.zeros((20, 20), bool)
    earlier[11:13, 11:15] = True
    part = LocalMap.whole(mask)
    found = finish(part, [Click(3, 3)], only_clicked=True, earlier=earlier).full()
    assert found[3, 3]
    assert found[11, 13]
    assert not found[11, 3]
