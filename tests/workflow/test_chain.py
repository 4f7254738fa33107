"""What corrections leave as it is."""

import numpy as np
import pytest

from napari_simpleclick.annotation import MaskOptions, PlacedPrompt
from napari_simpleclick.inference import progressive_merge
from napari_simpleclick.prompts import Click
from napari_simpleclick.workflow.merging import merged, merging, support

DRAWN, EMPTY = np.ones((4, 4), bool), np.zeros((4, 4), bool)


def steps(*bases):
    return tuple(PlacedPrompt(n, Click(1, 1), base) for n, base in enumerate(bases, 1))


@pytest.mark.parametrize(
    ("bases", "keep", "expected"),
    [
        ((None, None), "earlier", None),
        ((EMPTY, None), "earlier", None),
        ((DRAWN, None), "earlier", (True, True)),
        ((None, DRAWN, None), "earlier", (False, True, True)),
        ((DRAWN, EMPTY, None), "earlier", (True, False, False)),
        ((DRAWN, None), "never", None),
        ((None,), "always", None),
        ((None, None), "always", (False, True)),
        ((DRAWN, None), "always", (True, True)),
    ],
)
def test_which_clicks_are_merged(bases, keep, expected):
    found = merging(steps(*bases), MaskOptions(keep=keep))
    assert (found and found.steps) == expected


def test_the_threshold_counts_only_where_clicks_are_merged():
    low, high = MaskOptions(threshold=0.2), MaskOptions(threshold=0.8)
    assert merging(steps(DRAWN), low) != merging(steps(DRAWN), high)
    assert merging(steps(None), low) == merging(steps(None), high)


@pytest.mark.parametrize("threshold", [0.3, 0.49, 0.7])
def test_the_mask_of_the_merged_probability_is_the_merged_mask(threshold):
    rng = np.random.default_rng(1)
    for _ in range(30):
        coarse = rng.random((2, 6, 7)).repeat(4, axis=1).repeat(4, axis=2)
        new, old = coarse.astype(np.float32)
        row, column = rng.integers(0, (24, 28))
        done = merged(new, old, Click(row, column), threshold)
        expected = progressive_merge(new > threshold, old > threshold, row, column)
        np.testing.assert_array_equal(done > threshold, expected)
        assert np.isin(done, np.stack([new, old])).all()


def test_a_click_beside_the_image_is_on_its_edge():
    new, old = np.ones((2, 5, 5), np.float32) * np.array([1, 0])[:, None, None]
    assert merged(new, old, Click(4.4, -0.4), 0.5).all()


def test_support():
    probability = np.zeros((6, 8), np.float32)
    assert support(probability) == (slice(0, 0), slice(0, 0))
    probability[2:4, 5] = 0.1
    assert support(probability) == (slice(2, 4), slice(5, 6))
