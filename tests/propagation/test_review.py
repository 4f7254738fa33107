import pytest

from napari_simpleclick.propagation import beyond, next_to_check


def test_large_doubtful_slices_come_before_small_ones_at_the_end():
    confidence = {11: 0.95, 12: 0.9, 13: 0.85, 14: 0.8, 15: 0.5}
    areas = {11: 1000, 12: 900, 13: 800, 14: 400, 15: 10}
    assert next_to_check(confidence, areas, {10}) == 13


def test_the_stretch_with_most_doubt_is_halved():
    confidence = dict.fromkeys([1, 2, 3, 5, 6, 7, 8, 9], 0.9)
    areas = dict.fromkeys(confidence, 100)
    assert next_to_check(confidence, areas, {0, 4, 10}) == 7
    assert next_to_check(confidence | {2: 0.1}, areas, {0, 4, 10}) == 2


@pytest.mark.parametrize(
    ("confidence", "areas", "annotated"),
    [({}, {}, {3}), ({4: 0.5}, {4: 0}, {3}), ({4: 0.5}, {4: 9}, {3, 4})],
)
def test_nothing_is_left_to_check(confidence, areas, annotated):
    assert next_to_check(confidence, areas, annotated) is None


def test_full_confidence_still_gives_a_slice():
    assert next_to_check({4: 1.0, 5: 1.0}, {4: 9, 5: 9}, {3}) == 4


@pytest.mark.parametrize(
    ("cleared", "holding", "expected"),
    [
        (7, {3, 5}, [8, 9]),
        (2, {3, 5}, [0, 1]),
        (4, {3, 5}, []),
        (9, {3}, []),
        (7, set(), []),
    ],
)
def test_what_lies_beyond_the_end(cleared, holding, expected):
    assert beyond(cleared, holding, 10) == expected
