import numpy as np
import pytest
import torch

from napari_simpleclick import Click, Predictor, load_weights, networks
from napari_simpleclick.inference.modes import Mode, for_volumes

FAST, PLAIN = {"avx512_bf16": True}, {}


@pytest.mark.parametrize(
    ("weights", "processor", "precision", "both"),
    [
        ("encode-once", FAST, "auto", True),
        ("encode-once", FAST, "bfloat16", True),
        ("encode-once", FAST, "float32", False),
        ("encode-once", PLAIN, "auto", False),
        ("encode-once", PLAIN, "bfloat16", False),
        ("simpleclick-xtiny-2", FAST, "auto", True),
        ("simpleclick-xtiny-2", PLAIN, "auto", False),
    ],
)
def test_the_fast_mode_takes_both_looks_where_they_cost_little(
    weights, processor, precision, both, monkeypatch
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: processor)
    network = load_weights(weights)[0]
    predictor = Mode.named("fast", precision).predictor(network, "cpu")
    assert predictor.flip is both
    assert (predictor.zoom.most_enlarged is None) is both
    exact = Mode.named("exact", precision).predictor(network, "cpu")
    assert exact.flip
    assert exact.dtype == torch.float32
    assert exact.zoom.most_enlarged is None


def test_heavy_networks_look_once(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: FAST)
    assert not Mode.named("fast").predictor(networks.build("simpleclick-base")).flip


@pytest.mark.parametrize("weights", ["encode-once", "simpleclick-xtiny-2"])
def test_packaged_networks_are_left_to_openvino_in_bfloat16(weights, monkeypatch):
    pytest.importorskip("openvino")
    monkeypatch.delenv("NAPARI_SIMPLECLICK_OPENVINO", raising=False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: FAST)
    predictor = Mode.named("fast").predictor(load_weights(weights)[0], "cpu")
    assert predictor.dtype == torch.bfloat16
    assert predictor.accelerate() == ""
    assert predictor.encoder.is_accelerated


def test_volumes_are_gone_through_with_one_look_unless_exact(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: FAST)
    network = load_weights("encode-once")[0]
    image = np.random.default_rng(0).integers(0, 256, (90, 90), np.uint8)

    def answer(predictor):
        predictor.set_image(image)
        return predictor.predict([Click(40, 40)])

    clicked = Mode.named("fast").predictor(network, "cpu")
    both = answer(clicked)
    once = answer(for_volumes(clicked))
    np.testing.assert_array_equal(once, answer(Predictor(network, "cpu", "bfloat16")))
    assert (once != both).any()
    np.testing.assert_array_equal(answer(clicked), both)
    exact = Mode.named("exact").predictor(network, "cpu")
    np.testing.assert_array_equal(answer(for_volumes(exact)), answer(exact))
