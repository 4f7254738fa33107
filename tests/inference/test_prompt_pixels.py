"""What boxes, scribbles and lassos become for a network."""

import numpy as np
import pytest
import torch

from napari_simpleclick import Box, Click, Lasso, Predictor, Scribble, networks
from napari_simpleclick.errors import UserError
from napari_simpleclick.inference import ObjectState
from napari_simpleclick.inference.merge import merge_touched
from napari_simpleclick.inference.prompt_pixels import (
    CERTAINTY,
    MOST_SCRIBBLE_CLICKS,
    as_clicks,
    corners_of,
    pixels_of,
    settle,
    start_of,
)

SHAPE = 60, 80
DIAMOND = Lasso(((10, 30), (30, 50), (50, 30), (30, 10)))


def test_pixels_of_each_kind():
    assert [one.tolist() for one in pixels_of(Click(-3, 79.9), SHAPE)] == [[0], [79]]
    rows, columns = pixels_of(Box(5, 70, 7.2, 99), SHAPE)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 7, 70, 79)
    rows, columns = pixels_of(Scribble(((4, -9), (4, 6))), SHAPE)
    assert set(rows) == {4} and columns.tolist() == list(range(7))
    rows, columns = pixels_of(DIAMOND, SHAPE)
    assert rows.size == pytest.approx(40 * 40 / 2, rel=0.1)


def test_a_box_is_its_middle_and_what_is_not_at_its_corners():
    *corners, middle = as_clicks(Box(10, 20, 30, 60), SHAPE, 5)
    assert middle == Click(20, 40)
    assert sorted((c.row, c.column) for c in corners) == [
        (10, 20),
        (10, 60),
        (30, 20),
        (30, 60),
    ]
    assert not any(corner.positive for corner in corners)


def test_corners_beyond_the_image_say_nothing():
    clicks = as_clicks(Box(-5, -5, 30, 100), SHAPE, 5)
    assert clicks == (Click(14.75, 39.5),)


def test_clicks_on_a_scribble_are_apart_and_few():
    line = Scribble(((5, 5), (5, 45)), positive=False)
    clicks = as_clicks(line, SHAPE, 7)
    columns = [click.column for click in clicks]
    assert (np.diff(columns) >= 7).all() and columns[0] == 5 and columns[-1] == 45
    assert not any(click.positive for click in clicks)
    assert len(as_clicks(line, SHAPE, 0.1)) == MOST_SCRIBBLE_CLICKS
    assert as_clicks(line, SHAPE, 99) == (Click(5, 25, False),)
    assert as_clicks(Scribble(((5, 5), (5, 5))), SHAPE, 7) == (Click(5, 5),)
    (beyond,) = as_clicks(Scribble(((5, -60), (5, 9))), SHAPE, 999)
    assert (beyond.row, beyond.column) == pytest.approx((5, 4.25))


def test_a_lasso_is_its_deepest_place():
    assert as_clicks(DIAMOND, SHAPE, 5) == (Click(30, 30),)
    with pytest.raises(UserError, match="outside the image"):
        as_clicks(Lasso(((-20, 5), (5, -20), (-20, -20))), SHAPE, 5)


def test_the_start_of_a_new_object_is_half_certain_inside():
    start = start_of([Box(10, 20, 30, 60), Click(15, 25)], None, SHAPE)
    assert start[20, 40] == CERTAINTY and start[31, 40] == 0
    assert start_of([Click(15, 25)], None, SHAPE) is None


def test_a_new_box_keeps_what_was_known_inside_and_nothing_beyond():
    prior = np.zeros(SHAPE, np.float32)
    prior[5:15] = 0.9
    start = start_of([Click(9, 9), Box(10, 20, 30, 60)], prior, SHAPE)
    assert start[12, 30] == np.float32(0.9) and start[20, 30] == CERTAINTY
    assert start[7, 30] == 0
    assert start_of([Box(10, 20, 30, 60), Click(9, 9)], prior, SHAPE) is prior


def test_the_later_stroke_counts_and_a_later_click_lifts_it():
    answer = np.full(SHAPE, 0.5, np.float32)
    across = Scribble(((20, 10), (20, 70)))
    down = Scribble(((5, 40), (50, 40)), positive=False)
    settle(answer, [across, down])
    assert answer[20, 10] == 1 and answer[20, 40] == 0 and answer[40, 40] == 0
    answer[:] = 0.5
    settle(answer, [Click(20, 60, positive=False), across, Click(20, 30, False)])
    assert answer[20, 30] == 0.5 and answer[20, 60] == 1


def test_parts_that_a_stroke_touches_are_taken_over():
    old, new = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    old[5:10, 5:10] = True
    new[20:30, 20:30] = new[20:30, 50:60] = True
    merged = merge_touched(new, old, pixels_of(Scribble(((25, 0), (25, 25))), SHAPE))
    assert merged[25, 25] and not merged[25, 55] and merged[7, 7]


@pytest.fixture(scope="module")
def predictor():
    torch.manual_seed(0)
    network = networks.build("simpleclick-xtiny")
    predictor = Predictor(network, device="cpu", precision="float32")
    predictor.set_image(np.random.default_rng(0).integers(0, 255, SHAPE, np.uint8))
    return predictor


@pytest.mark.parametrize(
    "prompt", [Box(10, 20, 30, 60), DIAMOND, Scribble(((5, 5), (40, 60)))]
)
def test_every_network_answers_every_kind(predictor, prompt):
    answer, state = predictor.predict([prompt], state=ObjectState())
    assert answer.shape == SHAPE and np.isfinite(answer).all()
    again, _ = predictor.predict([prompt, Click(30, 30)], answer, state=state)
    assert (again != answer).any()


def test_what_lies_on_a_scribble_is_certain(predictor):
    strokes = [Scribble(((5, 5), (5, 60))), Scribble(((50, 5), (50, 60)), False)]
    *_, answer = predictor.replay(strokes)
    assert (answer[5, 5:61] == 1).all() and (answer[50, 5:61] == 0).all()


def test_a_box_makes_the_network_look_closely(predictor):
    predictor.set_image(np.zeros((600, 800), np.uint8))
    _, state = predictor.predict([Box(300, 400, 340, 460)], state=ObjectState())
    assert state.crop.height < 250 and state.crop.row_min < 300 < state.crop.row_max


def test_prompts_on_oblong_pixels(predictor):
    predictor.set_image(np.zeros((40, 80), np.uint8), spacing=(3, 1))
    stroke = Scribble(((5, 10), (5, 70)))
    answer = predictor.predict([Box(2, 5, 30, 75), stroke])
    assert answer.shape == (40, 80) and (answer[5, 10:71] == 1).all()


def test_what_is_drawn_far_beyond_the_image_is_right_on_it():
    near = Lasso(((-50, 10), (90, 10), (90, 30), (-50, 30)))
    far = Lasso(((-1e12, 10), (1e12, 10), (1e12, 30), (-1e12, 30)))
    for one, other in zip(pixels_of(near, SHAPE), pixels_of(far, SHAPE), strict=True):
        np.testing.assert_array_equal(one, other)
    line = Scribble(((20, 1e12), (20, -1e12)))
    rows, columns = pixels_of(line, SHAPE)
    assert set(rows) == {20} and columns.tolist() == list(range(SHAPE[1]))
    assert len(as_clicks(line, SHAPE, 5)) > 5
    assert {0, SHAPE[1] - 1} == {round(one.column) for one in corners_of(line, SHAPE)}
