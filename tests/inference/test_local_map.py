import hashlib

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_simpleclick.annotation import fingerprint
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


@pytest.mark.parametrize("sides", [(1, 1), (3, 200), (37, 41), (611, 397)])
@pytest.mark.parametrize("seed", range(4))
def test_only_what_is_near_a_threshold_is_worked_out(sides, seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 60, 2))
    values = gaussian_filter(rng.random(shape), 3).astype(np.float32)
    values[:1, :1] = threshold = np.float32(0.5)
    where = tuple(slice(5, 5 + side) for side in sides)
    known = LocalMap((700, 700), where, values, enlarged=True)
    expected = known.full() > threshold
    np.testing.assert_array_equal(known.above(threshold).full(), expected)
    level = float(np.median(values))
    np.testing.assert_array_equal(known.above(level).full(), known.full() > level)


def test_a_mask_above_a_threshold_takes_the_memory_of_what_is_in_it():
    values = np.zeros((100, 100), np.float32)
    values[40:44, 60:63] = 0.9
    window = slice(0, 20_000), slice(0, 20_000)
    mask = LocalMap((20_000, 20_000), window, values, enlarged=True).above(0.5)
    assert mask.any()
    assert mask.inside.size < 2_000_000
    nothing = LocalMap((90, 90), (slice(0, 90),) * 2, 0 * values, enlarged=True)
    assert not nothing.above(0.5).any()


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


def test_a_label_is_found_where_it_is_and_nowhere_else():
    labels = np.zeros(SHAPE, np.uint16)
    labels[10:20, 30:50] = 4
    labels[12, 80], labels[40:50, 5] = 4, 7
    found = LocalMap.of_label(labels, 4)
    assert found.where == (slice(10, 20), slice(30, 81))
    np.testing.assert_array_equal(found.full(), labels == 4)
    window = slice(8, 15), slice(40, 90)
    part = LocalMap.of_label(labels, 4, window)
    np.testing.assert_array_equal(part.inside, labels[window] == 4)
    assert LocalMap.of_label(labels, 5).box() is None


def test_what_is_in_another_window():
    full = np.arange(60 * 90).reshape(SHAPE)
    known = LocalMap(SHAPE, (slice(10, 20), slice(30, 50)), full[10:20, 30:50])
    expected = np.zeros_like(full)
    expected[known.where] = known.inside
    for window in [np.s_[0:12, 45:90], np.s_[12:15, 31:40], np.s_[30:40, 0:9]]:
        np.testing.assert_array_equal(known.within(window), expected[window])


def test_the_window_that_holds_several():
    nothing = LocalMap(SHAPE, (slice(0, 0), slice(0, 0)), np.zeros((0, 0), bool))
    one = LocalMap(SHAPE, (slice(5, 7), slice(60, 61)), np.ones((2, 1), bool))
    other = LocalMap(SHAPE, (slice(1, 2), slice(8, 11)), np.ones((1, 3), bool))
    window = LocalMap.common_window(nothing, one, other)
    assert window == (slice(1, 7), slice(8, 61))
    assert LocalMap.common_window(nothing, nothing) is None


@pytest.mark.parametrize("shape", [(60, 90), (61, 93), (64, 64)])
def test_the_digest_of_a_part_is_that_of_the_whole_mask(shape):
    mask = np.zeros(shape, bool)
    mask[7:20, 13:40] = np.random.default_rng(0).random((13, 27)) > 0.5
    bits = np.packbits(mask).tobytes()
    known = hashlib.blake2b(bits, digest_size=16).digest()
    assert fingerprint(mask) == known
    assert fingerprint(LocalMap.whole(mask).cut(2)) == known
    assert fingerprint(LocalMap.whole(mask & False)) == b""
