import gzip
import json
import platform

import numpy as np
import pytest
from skimage.io import imread

from napari_simpleclick import Click, Predictor, load_weights, networks
from napari_simpleclick.evaluate.robot import annotate, iou, next_click
from napari_simpleclick.predict import THRESHOLD, ZoomIn
from tests.helpers import fill_from_keys

ROUNDING_CASE = 24
"""Two equally deep pixels that OpenCV's x86 code rounds apart."""


@pytest.mark.parametrize("number", range(40))
def test_next_clicks_are_those_of_the_official_robot(golden, number):
    if number == ROUNDING_CASE and platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("the order of equally deep pixels is that of OpenCV on x86")
    with gzip.open(golden / "next_click.json.gz") as file:
        case = json.load(file)[number]
    truth, mask = np.array(case["gt"]), np.array(case["pred"]).astype(bool)
    fresh = np.ones(truth.shape, bool)
    for positive, row, column in case["clicks"]:
        click = next_click(truth, mask, fresh)
        assert click == Click(row, column, bool(positive))


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


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_trace_with_reproducible_weights(golden, name):
    record = np.load(golden / f"trace_xtiny_{name}.npz")
    network = networks.build("simpleclick-xtiny")
    fill_from_keys(network, int(record["seed"]))
    predictor = Predictor(network, device="cpu", precision="float32", flip=True)
    predictor.set_image(record["image"])
    check_trace(predictor, record, record["probs_stride8"], 8)


@pytest.mark.parametrize("name", ["ssTEM", "ssTEM672", "lgg", "knee"])
def test_trace_with_trained_weights(shared, golden, name):
    record = np.load(golden / f"trace_trained_{name}.npz")
    network, _ = load_weights(golden / "official_format_xtiny.pth")
    zoom = ZoomIn(size=tuple(int(side) for side in record["target_size"]))
    predictor = Predictor(
        network, device="cpu", precision="float32", flip=True, zoom=zoom
    )
    predictor.set_image(imread(shared / "data" / str(record["image_path"])))
    check_trace(predictor, record, record["prob_stride16"], 16)


def test_iou_leaves_ignored_pixels_out():
    truth = np.array([[1, 1, 0, -1]])
    assert iou(np.array([[True, False, True, True]]), truth) == pytest.approx(1 / 3)


def test_robot_stops_at_the_target():
    network = networks.build("simpleclick-xtiny", 64)
    predictor = Predictor(network, device="cpu", precision="float32")
    predictor.set_image(np.zeros((40, 40), np.uint8))
    truth = np.zeros((40, 40), int)
    truth[10:20, 10:20] = 1
    assert len(annotate(predictor, truth, clicks=5, target=0.0)) == 1
    assert len(annotate(predictor, truth, clicks=5)) == 5
