import numpy as np
import pytest

from napari_simpleclick.images.local_map import LocalMap
from napari_simpleclick.inference.crops import Crop, resize_crop, resize_local

SHAPE = (60, 90)


@pytest.fixture
def local() -> LocalMap:
    inside = np.random.default_rng(0).random((20, 31)).astype(np.float32)
    return LocalMap(SHAPE, (slice(15, 35), slice(40, 71)), inside)


@pytest.fixture
def coarse() -> LocalMap:
    values = np.random.default_rng(1).random((5, 7)).astype(np.float32)
    return LocalMap(SHAPE, (slice(15, 35), slice(40, 71)), values, enlarged=True)


@pytest.mark.parametrize(
    "crop",
    [Crop(0, 59, 0, 89), Crop(20, 30, 45, 60), Crop(0, 20, 60, 89), Crop(40, 59, 0, 9)],
)
@pytest.mark.parametrize("size", [(64, 64), (7, 200)])
@pytest.mark.parametrize("which", ["local", "coarse"])
def test_a_crop_of_it_is_that_of_the_whole_map(which, crop, size, request):
    known = request.getfixturevalue(which)
    found = resize_local(known, crop, size)
    np.testing.assert_array_equal(found, resize_crop(known.full(), crop, size))


@pytest.mark.parametrize("which", ["local", "coarse"])
def test_what_is_above_a_threshold(which, request):
    known = request.getfixturevalue(which)
    mask = known.above(0.5)
    assert not mask.enlarged
    np.testing.assert_array_equal(mask.full(), known.full() > 0.5)


def test_what_is_enlarged_lies_between_its_values(coarse):
    full = coarse.full()
    corners = full[[15, 15, 34, 34], [40, 70, 40, 70]]
    np.testing.assert_allclose(corners, coarse.inside[[0, 0, -1, -1], [0, -1, 0, -1]])
    assert full[coarse.where].max() <= coarse.inside.max()
    assert np.count_nonzero(full) == 20 * 31


def test_the_smallest_window():
    full = np.zeros(SHAPE, np.float32)
    full[3:5, 8], full[20, 50] = 1, 0.5
    cut = LocalMap.whole(full).cut()
    assert cut.box() == ((3, 20), (8, 50))
    assert cut.inside.shape == (18, 43)
    np.testing.assert_array_equal(cut.full(), full)
    nothing = LocalMap.whole(0 * full).cut()
    assert nothing.box() is None
    assert nothing.inside.size == 0
    np.testing.assert_array_equal(nothing.full(), 0 * full)
