import numpy as np
import pytest
from skimage.draw import disk

from napari_simpleclick.inference.shapes import damage, smooth_noise


@pytest.mark.parametrize("radius", [6, 20, 45])
def test_damaged_masks_have_the_wanted_overlap(radius):
    mask = np.zeros((120, 140), bool)
    mask[disk((60, 70), radius)] = True
    different = set()
    for seed in range(10):
        found = damage(mask, np.random.default_rng(seed))
        overlap = (found & mask).sum() / (found | mask).sum()
        assert 0.72 <= overlap <= 0.88
        different.add(found.tobytes())
        again = damage(mask, np.random.default_rng(seed))
        np.testing.assert_array_equal(found, again)
    assert len(different) == 10


def test_objects_that_touch_the_border_can_be_damaged():
    mask = np.zeros((40, 40), bool)
    mask[:, :20] = True
    found = damage(mask, np.random.default_rng(0))
    assert found.shape == mask.shape
    assert found.any()
    assert damage(np.ones((40, 40), bool), np.random.default_rng(0)).any()


def test_noise_is_as_smooth_as_asked():
    rng = np.random.default_rng(0)
    coarse, fine = (
        np.abs(np.diff(smooth_noise(rng, (90, 60), c))).mean() for c in (3, 40)
    )
    assert smooth_noise(rng, (90, 60), 5).shape == (90, 60)
    assert coarse < fine / 3
