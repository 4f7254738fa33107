"""Choosing among magnifications is learned on some image sets and holds on others."""

import numpy as np
import pytest

from napari_simpleclick import Predictor
from napari_simpleclick.inference.answer_features import NAMES
from napari_simpleclick.inference.chooser import MOST_STABLE, Chooser
from napari_simpleclick.training.first_look import (
    FirstAnswers,
    chosen,
    cross_validate,
    draw_object,
    fit,
    gather,
)
from napari_simpleclick.training.images import read_sets
from tests.helpers import DiskNetwork, square_sets


@pytest.fixture(scope="module")
def examples():
    """In four sets, the larger answer is better and stability says nothing."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(60):
        features = rng.random((4, len(NAMES)))
        ious = 0.9 * features[:, NAMES.index("log_area")]
        found.append(FirstAnswers("abcd"[number % 4], features, ious))
    return found


def test_what_tells_good_answers_is_found(examples):
    weights = fit(examples, ("stability", "log_area"))
    assert weights["log_area"] > 3 * abs(weights["stability"])
    best = np.mean([one.ious.max() for one in examples])
    assert chosen(examples, weights).mean() == pytest.approx(best, abs=0.01)
    assert chosen(examples, MOST_STABLE.weights).mean() < best - 0.2


def test_it_is_judged_on_sets_left_out(examples):
    honest = cross_validate(examples, ("stability", "log_area"))
    assert honest.shape == (60,)
    assert honest.mean() > chosen(examples, MOST_STABLE.weights).mean() + 0.2


def test_each_set_counts_the_same():
    one = FirstAnswers("few", np.eye(2, len(NAMES)), np.array([1.0, 0.0]))
    other = FirstAnswers("many", np.eye(2, len(NAMES)), np.array([0.0, 0.5]))
    weights = fit([one, *[other] * 9], NAMES[:2])
    assert weights[NAMES[0]] > weights[NAMES[1]]


def test_objects_of_large_images_are_clicked_on(tmp_path):
    sets = read_sets(square_sets(tmp_path))
    predictor = Predictor(DiskNetwork(), device="cpu", precision="float32")
    found = list(gather(predictor, sets, per_set=3, seed=1))
    again = list(gather(predictor, sets, per_set=3, seed=1))
    assert len(found) == 3
    for one, other in zip(found, again, strict=True):
        assert one.group == "squares"
        assert one.features.shape == (len(one.ious), len(NAMES))
        assert len(one.ious) > 3
        assert one.ious.max() > 0.1
        assert (one.features == other.features).all()


def test_a_click_is_on_the_object(tmp_path):
    (images,) = read_sets(square_sets(tmp_path)).values()
    for seed in range(8):
        picture, truth, click = draw_object(images, np.random.default_rng(seed))
        assert picture.shape[:2] == truth.shape
        assert max(truth.shape) >= 690
        assert truth[click.row, click.column]


def test_a_network_on_which_nothing_was_learned_goes_by_stability():
    assert Chooser.of(DiskNetwork()) is MOST_STABLE
