import numpy as np
import pytest

from napari_simpleclick.exports.outlines import joined, keyhole, outlines


def filled(line, shape):
    """Fill a closed line: whose middle lies to the right of an odd number of edges."""
    rows, columns = np.indices(shape) + 0.5
    inside = np.zeros(shape, bool)
    for (top, left), (bottom, right) in zip(line, np.roll(line, -1, 0), strict=True):
        if top == bottom:
            continue
        low, high = sorted((top, bottom))
        crosses = left + (rows - top) * (right - left) / (bottom - top)
        inside ^= (rows > low) & (rows <= high) & (columns > crosses)
    return inside


@pytest.mark.parametrize("seed", range(8))
def test_what_was_outlined_is_filled_again(seed):
    random = np.random.default_rng(seed)
    mask = random.random((13, 17)) > random.uniform(0.1, 0.9)
    parts = outlines(mask)
    total = np.zeros(mask.shape, int)
    for part in parts:
        total += filled(keyhole(part), mask.shape)
    np.testing.assert_array_equal(total, mask)
    rings = [ring for part in parts for ring in (part.exterior, *part.holes)]
    np.testing.assert_array_equal(filled(joined(rings), mask.shape), mask)


def test_only_corners_are_kept_and_the_part_is_to_the_right():
    (part,) = outlines(np.pad(np.ones((3, 4)), 2))
    assert part.exterior.tolist() == [[2, 2], [2, 6], [5, 6], [5, 2]]
    ring = np.ones((5, 5))
    ring[2, 2] = 0
    (part,) = outlines(ring)
    assert [hole.tolist() for hole in part.holes] == [[[3, 2], [3, 3], [2, 3], [2, 2]]]


def test_pixels_that_touch_at_a_corner_are_two_parts():
    assert len(outlines(np.eye(2))) == 2
    assert outlines(np.zeros((3, 3))) == []
