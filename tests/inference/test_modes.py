import pytest
import torch

from napari_simpleclick import load_weights
from napari_simpleclick.inference.modes import Mode

FAST, PLAIN = {"avx512_bf16": True}, {}


@pytest.mark.parametrize(
    ("weights", "processor", "precision", "both"),
    [
        ("encode-once", FAST, "auto", True),
        ("encode-once", FAST, "bfloat16", True),
        ("encode-once", FAST, "float32", False),
        ("encode-once", PLAIN, "auto", False),
        ("encode-once", PLAIN, "bfloat16", False),
        ("simpleclick-xtiny-2", FAST, "auto", False),
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
