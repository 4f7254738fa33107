import gzip
import json

import cv2
import numpy as np
import pytest
from skimage.io import imread

from napari_simpleclick import (
    Box,
    Click,
    Lasso,
    Predictor,
    Scribble,
    load_weights,
    networks,
)
from napari_simpleclick.evaluation.annotator import annotate, next_click
from napari_simpleclick.evaluation.users import box_around, lasso_around, scribble_along
from napari_simpleclick.inference import THRESHOLD, ObjectState, ZoomIn
from napari_simpleclick.inference.prompt_pixels import pixels_of
from napari_simpleclick.inference.shapes import depth
from napari_simpleclick.prompts import check_prompts
from tests.helpers import (
    DiskNetwork,
    LinearNetwork,
    blob,
    fill_from_hash,
    fill_from_keys,
)

ROUNDING_CASE = 24
"""Equally deep pixels that OpenCV's AVX-512 code rounds apart."""

AVX512 = 256


@pytest.fixture(scope="module")
def next_clicks(golden):
    with gzip.open(golden / "next_click.json.gz") as file:
        return json.load(file)


@pytest.mark.parametrize("number", range(40))
def test_next_clicks_are_those_of_the_official_robot(next_clicks, number):
    case = next_clicks[number]
    truth, mask = np.array(case["gt"]), np.array(case["pred"]).astype(bool)
    fresh = np.ones(truth.shape, bool)
    for positive, row, column in case["clicks"]:
        click = next_click(truth, mask, fresh)
        if number == ROUNDING_CASE and not cv2.checkHardwareSupport(AVX512):
            assert click.positive is bool(positive)
            wrong = (truth != 1) & mask & (truth != -1)
            found, told = depth(wrong)[
                [int(click.row), row], [int(click.column), column]
            ]
            assert found == told  # equally deep
            fresh[int(click.row), int(click.column)], fresh[row, column] = True, False
        else:
            assert click == Click(row, column, bool(positive))


@pytest.fixture(scope="module")
def vectors(golden):
    return json.loads((golden / "vectors.json").read_text())


@pytest.fixture
def hashed():
    """Give the xTiny network of the vectors in a predictor that sees the blob."""
    network = networks.build("simpleclick-xtiny")
    fill_from_hash(network)
    predictor = Predictor(network, device="cpu", precision="float32", flip=True)
    predictor.set_image(blob()[0])
    return predictor


@pytest.mark.parametrize("number", [0, 1])
def test_the_published_protocol_is_that_of_the_official_code(vectors, number):
    expected = vectors["robot"][number]
    image, truth = blob()
    network = LinearNetwork(expected["bias"])
    predictor = Predictor(network, device="cpu", precision="float32", flip=True)
    predictor.set_image(image)
    turns = annotate(predictor, truth, clicks=6)
    made = [[t.click.positive, t.click.row, t.click.column] for t in turns]
    assert made == expected["clicks"]
    assert [turn.iou for turn in turns] == pytest.approx(expected["ious"], abs=1e-6)
    for turn, crop in zip(turns, expected["crops"], strict=False):
        assert turn.crop == tuple(crop)
    for turn, total, area in zip(
        turns, expected.get("sums", ()), expected.get("areas", ()), strict=False
    ):
        assert turn.probability.sum() == pytest.approx(total, rel=1e-5)
        assert turn.mask.sum() == area


def test_answers_to_given_clicks(hashed, vectors):
    expected = vectors["given_clicks"]
    clicks = [Click(r, c, bool(positive)) for positive, r, c in expected["clicks"]]
    rows, columns = np.transpose(expected["places"])
    answers = list(hashed.replay(clicks))
    np.testing.assert_allclose(
        [answer[rows, columns] for answer in answers],
        expected["probabilities"],
        atol=1e-4,
    )
    sums = [answer.sum(dtype=float) for answer in answers]
    assert sums == pytest.approx(expected["sums"], rel=1e-5)


def test_answer_to_a_given_prior(hashed, vectors):
    expected = vectors["given_prior"]
    told = expected["prior"]
    prior = np.zeros((300, 400), np.float32)
    prior[slice(*told["rows"]), slice(*told["columns"])] = told["probability"]
    clicks = [Click(r, c, bool(positive)) for positive, r, c in expected["clicks"]]
    answer, state = hashed.predict(clicks, prior, state=ObjectState())
    assert state.crop == tuple(expected["crop"])
    rows, columns = np.transpose(expected["places"])
    np.testing.assert_allclose(
        answer[rows, columns], expected["probabilities"], atol=1e-4
    )
    assert answer.sum(dtype=float) == pytest.approx(expected["sum"], rel=1e-5)
    assert np.count_nonzero(answer) == expected["not_zero"]


def check_trace(predictor, record, probabilities, stride):
    truth = record["gt"].astype(int)
    turns = annotate(predictor, truth, clicks=len(record["clicks"]))
    for number, turn in enumerate(turns):
        positive, row, column = (int(v) for v in record["clicks"][number])
        assert turn.click == Click(row, column, bool(positive))
        assert turn.crop == tuple(record["rois"][number])
        got, expected = turn.probability[::stride, ::stride], probabilities[number]
        np.testing.assert_allclose(got, expected, atol=1e-4)
        if not (abs(turn.probability - THRESHOLD) < 1e-6).any():
            assert turn.iou == pytest.approx(record["ious"][number], abs=1e-6)


@pytest.mark.parametrize("name", [pytest.param("b", marks=pytest.mark.slow), "a", "c"])
def test_trace_with_reproducible_weights(shared, name):
    record = np.load(shared / "golden" / f"trace_xtiny_{name}.npz")
    network = networks.build("simpleclick-xtiny")
    fill_from_keys(network, int(record["seed"]))
    predictor = Predictor(network, device="cpu", precision="float32", flip=True)
    predictor.set_image(record["image"])
    check_trace(predictor, record, record["probs_stride8"], 8)


@pytest.mark.parametrize(
    "name",
    [
        *("lgg", "knee"),
        *(pytest.param(s, marks=pytest.mark.slow) for s in ("ssTEM", "ssTEM672")),
    ],
)
def test_trace_with_trained_weights(shared, name):
    record = np.load(shared / "golden" / f"trace_trained_{name}.npz")
    network, _ = load_weights(shared / "golden" / "official_format_xtiny.pth")
    zoom = ZoomIn(size=tuple(int(side) for side in record["target_size"]))
    predictor = Predictor(
        network, device="cpu", precision="float32", flip=True, zoom=zoom
    )
    predictor.set_image(imread(shared / "data" / str(record["image_path"])))
    check_trace(predictor, record, record["prob_stride16"], 16)


def test_robot_stops_at_the_target():
    predictor = Predictor(DiskNetwork(), device="cpu", precision="float32")
    predictor.set_image(np.zeros((40, 40), np.uint8))
    truth = np.zeros((40, 40), int)
    truth[10:20, 10:20] = 1
    assert len(annotate(predictor, truth, clicks=5, target=0.0)) == 1
    assert len(annotate(predictor, truth, clicks=5)) == 5
    assert len(annotate(predictor, truth, clicks=5, target=0.0, least=3)) == 3
    assert len(annotate(predictor, truth, clicks=2, target=0.0, least=3)) == 2


class Oracle:
    """Knows the object, and notes what it was shown."""

    def __init__(self, truth):
        self.answer = (truth == 1).astype(np.float32)
        self.seen = []

    def predict(self, clicks, prior=None, *, state, focus=None):
        self.seen.append((list(clicks), prior, focus))
        return self.answer, state


def test_an_initial_mask_is_corrected_part_by_part():
    truth = np.zeros((60, 60), int)
    truth[10:30, 10:30] = 1
    initial = truth == 1
    initial[10:16, 10:16] = False  # a part is missing,
    initial[40:50, 40:50] = True  # and a larger one does not belong to it
    oracle = Oracle(truth)
    turns = annotate(oracle, truth, clicks=2, initial=initial)
    first, second = turns
    assert first.click == Click(44, 44, positive=False)
    assert not first.mask[40:50, 40:50].any()
    assert not first.mask[10:16, 10:16].any()
    assert second.click.positive
    assert (first.iou, second.iou) == (pytest.approx(364 / 400), 1)
    clicks, prior, focus = oracle.seen[0]
    np.testing.assert_array_equal(prior, initial)
    assert not focus.any()  # the whole image first
    clicks, prior, focus = oracle.seen[1]
    assert clicks == [first.click, second.click]
    np.testing.assert_array_equal(prior, oracle.answer)  # not the merged mask
    np.testing.assert_array_equal(focus, first.mask)


def test_a_box_user_draws_a_box_and_then_clicks(hashed):
    _, truth = blob()
    turns = annotate(hashed, truth, clicks=3, user="box")
    kinds = [type(turn.prompt) for turn in turns]
    assert kinds == [Box, Click, Click]
    box, (rows, columns) = turns[0].prompt, np.nonzero(truth == 1)
    middle = (box.row_min + box.row_max) / 2, (box.column_min + box.column_max) / 2
    assert turns[0].click == Click(*middle)
    assert box.row_min == pytest.approx(rows.min(), abs=0.2 * np.ptp(rows))
    assert box.column_max == pytest.approx(columns.max(), abs=0.2 * np.ptp(columns))


def test_a_lasso_user_draws_around_the_object_and_then_clicks(hashed):
    _, truth = blob()
    turns = annotate(hashed, truth, clicks=3, user="lasso")
    assert [type(turn.prompt) for turn in turns] == [Lasso, Click, Click]
    lasso, area = turns[0].prompt, int((truth == 1).sum())
    inside = pixels_of(lasso, truth.shape)
    filled = np.zeros(truth.shape, bool)
    filled[inside] = True
    assert (filled & (truth == 1)).sum() > 0.9 * area
    assert filled.sum() < 1.5 * area


def test_a_lasso_surrounds_all_parts_and_may_leave_the_image():
    mask = np.zeros((60, 80), bool)
    mask[0:10, 70:80] = mask[20:30, 60:70] = True
    lassos = [lasso_around(mask, np.random.default_rng(n)) for n in range(10)]
    assert len(set(lassos)) == 10
    for lasso in lassos:
        check_prompts([lasso], mask.shape)
        filled = np.zeros(mask.shape, bool)
        filled[pixels_of(lasso, mask.shape)] = True
        assert (filled & mask).sum() > 0.8 * mask.sum()
        assert filled[16, 69]  # between the parts
        assert not filled[40:].any()
    dot = np.zeros((9, 9), bool)
    dot[4, 4] = True
    check_prompts([lasso_around(dot, np.random.default_rng(0))], dot.shape)


def test_a_scribble_user_draws_on_the_largest_mistake(hashed):
    _, truth = blob()
    turns = annotate(hashed, truth, clicks=2, user="scribble")
    first = turns[0].prompt
    assert isinstance(first, Scribble) and first.positive and len(first.points) > 1
    assert all(truth[int(row), int(column)] == 1 for row, column in first.points)
    again = annotate(hashed, truth, clicks=2, user="scribble")
    assert [turn.prompt for turn in again] == [turn.prompt for turn in turns]


def test_boxes_are_off_by_little_and_stay_on_the_image():
    mask = np.zeros((60, 80), bool)
    mask[0:50, 70:80] = True
    boxes = [box_around(mask, np.random.default_rng(n)) for n in range(30)]
    assert len(set(boxes)) > 10
    assert all(0 <= box.row_min < box.row_max <= 59 for box in boxes)
    assert all(60 <= box.column_min < box.column_max <= 79 for box in boxes)


def test_a_scribble_follows_the_part_that_was_clicked():
    mistake = np.zeros((60, 80), bool)
    mistake[10:15, 5:65] = True
    mistake[40:50, 40:50] = True
    stroke = scribble_along(mistake, Click(12, 30, positive=False))
    assert not stroke.positive and stroke.length_px > 30
    assert all(10 <= row < 15 for row, _ in stroke.points)
    mistake[30, 70] = True
    assert scribble_along(mistake, Click(30, 70)) == Scribble(((30.0, 70.0),))
