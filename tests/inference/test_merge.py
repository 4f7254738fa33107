"""The vectors of the released code of FocalClick."""

import numpy as np
import pytest

from napari_simpleclick.inference import progressive_merge


@pytest.fixture
def masks():
    old = np.zeros((240, 320), bool)
    old[60:121, 80:161] = True
    new = np.zeros_like(old)
    new[60:121, 80:141] = True
    new[150:191, 220:281] = True
    return old, new


@pytest.mark.parametrize(
    ("place", "area"),
    [((90, 150), 3721), ((170, 250), 7442 - 4941 + 4941), ((90, 100), 1220)],
)
def test_published_vectors(masks, place, area):
    old, new = masks
    merged = progressive_merge(new, old, *place, as_published=True)
    assert old.sum() == 4941
    assert merged.sum() == area


def test_a_click_on_no_change_leaves_the_mask(masks):
    old, new = masks
    for place in ((10, 10), (90, 100)):
        merged = progressive_merge(new, old, *place)
        np.testing.assert_array_equal(merged, old)
        assert merged is not old


def test_parts_that_touch_at_a_corner_are_one():
    old, new = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    new[0:10, 0:10] = new[10:20, 10:20] = True
    assert progressive_merge(new, old, 5, 5).sum() == 200
