from itertools import combinations, permutations

import numpy as np
import pytest

from napari_simpleclick.images import Plane


@pytest.mark.parametrize("ndim", [3, 4])
def test_every_plane_of_a_volume_there_and_back(ndim):
    rng = np.random.default_rng(0)
    shape = (5, 6, 7, 8)[:ndim]
    volume = rng.random(shape)
    for axes in permutations(range(ndim), 2):
        position = tuple(float(rng.integers(length)) for length in shape)
        plane = Plane.at(shape, axes, position)
        picture = plane.read(volume)
        first, second = sorted(axes)
        assert picture.shape == plane.size(shape) == (shape[first], shape[second])
        mask = rng.random(picture.shape) > 0.5
        copy = volume.copy()
        copy[plane.indices(mask)] = -1
        np.testing.assert_array_equal(plane.read(copy) == -1, mask)
        assert (copy == -1).sum() == mask.sum()
        point = plane.position(2.5, 3.0)
        assert plane.point(point) == (2.5, 3.0)
        assert plane.holds(point)
        hidden = next(axis for axis in range(ndim) if axis not in axes)
        off = tuple(x + 1 if axis == hidden else x for axis, x in enumerate(point))
        assert not plane.holds(off)


def test_transposed_view_is_the_same_plane():
    shape = (5, 6, 7)
    for first, second in combinations(range(3), 2):
        straight = Plane.at(shape, (first, second), (1, 2, 3))
        assert straight == Plane.at(shape, (second, first), (1, 2, 3))


def test_only_the_slice_of_a_lazy_array_is_read():
    class Lazy:
        shape = (10, 20, 30)

        def __getitem__(self, index):
            self.index = index
            return np.zeros((20, 30))

    lazy = Lazy()
    Plane.at(lazy.shape, (1, 2), (4.4, 0, 0)).read(lazy)
    assert lazy.index == (4, slice(None), slice(None))


def test_positions_round_as_napari_does():
    """Half to even, so that the slice is the one on the screen."""
    for place, index in ((2.5, 2), (3.5, 4), (2.6, 3), (-0.5, 0)):
        assert Plane.at((5, 6, 7), (1, 2), (place, 0, 0)).index[0] == index


def test_what_is_not_a_slice_is_refused():
    with pytest.raises(ValueError, match="axis 0 has slices 0 to 4"):
        Plane.at((5, 6, 7), (1, 2), (5, 0, 0))
    with pytest.raises(ValueError, match="show two of its axes"):
        Plane.at((5, 6), (-1, 1), (0, 0))
    with pytest.raises(ValueError, match="show two of its axes"):
        Plane.at((5, 6, 7), (0, 1, 2), (0, 0, 0))
