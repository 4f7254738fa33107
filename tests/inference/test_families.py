"""Every published system behind the same predictor, with small networks."""

import numpy as np
import pytest
import torch

from napari_simpleclick import Box, Click, Predictor, networks
from napari_simpleclick.evaluation.annotator import annotate
from napari_simpleclick.inference import ObjectState
from napari_simpleclick.networks.focalclick.segformer import SegFormerSize
from napari_simpleclick.networks.hrnet import HRNetSize
from napari_simpleclick.propagation import propagate_mask

HRNET = HRNetSize(4, 8, small=True)
SEGFORMER = SegFormerSize((8, 16, 20, 32), (1, 1, 1, 1), 16)
VIT = {"width": 32, "heads": 2}
SAM = {"channels": 64, "hidden": 32}
SMALL = {
    "focalclick-hrnet18s-s1": {"size": HRNET},
    "focalclick-segformer-b0-s2": {"size": SEGFORMER},
    "ritm-hrnet18": {"size": HRNET},
    "interformer-light": {**VIT, "depth": 2},
    "interformer-tiny": {**VIT, "depth": 2},
    "mst-main": {**VIT, "pyramid": (8, 16, 32, 64), "head": 16},
    "mst-224": {**VIT, "pyramid": (8, 16, 32, 64), "head": 16},
    "sam-vit-b": {**VIT, **SAM, "depth": 2, "looking_at_all": (1,), "window": 3},
    "mobile-sam": {
        **SAM,
        "widths": (32, 32, 32, 32),
        "depths": (1, 1, 1, 1),
        "heads": (1, 1, 1, 1),
        "windows": (7, 3, 3, 3),
    },
}
CLICKS = [Click(30, 40), Click(60, 20, positive=False), Click(50, 50), Click(10, 12)]


@pytest.fixture(scope="module", params=SMALL)
def network(request):
    torch.manual_seed(0)
    network = networks.build(request.param, 64, **SMALL[request.param]).eval()
    for name, parameter in network.named_parameters():
        if name == "neck.patch_embed" or "cls_head" in name:
            torch.nn.init.normal_(parameter, std=3)
    return network


def predictor_of(network, **options):
    predictor = Predictor(network, device="cpu", precision="float32", **options)
    predictor.set_image(np.random.default_rng(0).random((90, 80)))
    return predictor


def through(predictor, clicks):
    """Answers and states click after click."""
    state, prior, found = ObjectState(), None, []
    for count in range(1, len(clicks) + 1):
        prior, state = predictor.predict(clicks[:count], prior, state=state)
        found.append((prior, state))
    return found


def test_objects_can_be_alternated_between_and_undone(network):
    predictor = predictor_of(network)
    other = [Click(70, 70), Click(5, 60, positive=False)]
    first, second = through(predictor, CLICKS), through(predictor, other)
    answer, state = first[1]
    again, after = predictor.predict(CLICKS[:3], answer, state=state)
    np.testing.assert_array_equal(again, first[2][0])
    assert after == first[2][1]
    replayed = list(predictor.replay(CLICKS))
    for (expected, _), found in zip(first, replayed, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert through(predictor, other)[1][1] == second[1][1]
    for found, _ in first + second:
        assert found.shape == (90, 80)
        assert 0 <= found.min() <= found.max() <= 1


def test_calls_without_a_state_go_on_as_calls_with_one(network):
    predictor = predictor_of(network)
    prior = None
    for count, (expected, _) in enumerate(through(predictor, CLICKS), 1):
        prior = predictor.predict(CLICKS[:count], prior)
        np.testing.assert_array_equal(prior, expected)


def test_clicks_and_priors_change_the_answer(network):
    predictor = predictor_of(network)
    here = predictor.predict([Click(30, 40)])
    there = predictor.predict([Click(70, 10)])
    assert not np.array_equal(here, there)
    prior = np.zeros((90, 80), np.float32)
    prior[20:60, 20:60] = 1
    assert not np.array_equal(predictor.predict([Click(30, 40)], prior), here)


def test_flipping_is_possible(network):
    answer = predictor_of(network, flip=True).predict(CLICKS)
    assert np.isfinite(answer).all()


def test_the_robot_annotates(network):
    predictor = predictor_of(network)
    truth = np.zeros((90, 80), np.int32)
    truth[30:60, 20:50] = 1
    turns = annotate(predictor, truth, 3)
    assert len(turns) == 3
    corrected = annotate(predictor, truth, 3, initial=np.roll(truth == 1, 5, 0))
    assert [0 <= turn.iou <= 1 for turn in turns + corrected] == [True] * 6


def test_lower_precision_agrees(network):
    clicks = CLICKS[:1]
    exact = predictor_of(network).predict(clicks)
    predictor = Predictor(network, device="cpu", precision="bfloat16")
    predictor.set_image(np.random.default_rng(0).random((90, 80)))
    assert abs(predictor.predict(clicks) - exact).mean() < 0.05


def test_a_mask_goes_through_a_volume(network):
    volume = np.random.default_rng(1).integers(0, 255, (4, 90, 80)).astype(np.uint8)
    mask = np.zeros((90, 80), bool)
    mask[30:60, 20:50] = True
    predictor = Predictor(network, device="cpu", precision="float32")
    found = [
        propagate_mask(predictor, volume, mask, 0, 1, least_confidence=0.0)
        for _ in range(2)
    ]
    assert found[0].mask.shape == volume.shape
    np.testing.assert_array_equal(found[0].mask[1], mask)
    np.testing.assert_array_equal(found[0].mask, found[1].mask)


def test_a_box_is_answered(network):
    predictor = predictor_of(network)
    box = Box(20, 20, 60, 60)
    state, prior = ObjectState(), None
    for prompts in ([box], [box, Click(50, 50, positive=False)]):
        prior, state = predictor.predict(prompts, prior, state=state)
        assert 0 <= prior.min() <= prior.max() <= 1
    other = predictor.predict([Box(10, 30, 70, 75)])
    assert not np.array_equal(other, predictor.predict([box]))
