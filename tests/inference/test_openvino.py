import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_simpleclick import Click, Predictor, networks
from napari_simpleclick.inference import ZoomIn
from napari_simpleclick.inference.encoding import packed
from napari_simpleclick.networks import CropPrompts
from tests.helpers import DiskNetwork, PartNetwork

pytest.importorskip("openvino")

IMAGE = np.random.default_rng(0).integers(0, 256, (70, 90)).astype(np.uint8)
CLICKS = [Click(30, 40), Click(10, 80, positive=False), Click(60, 20)]


@pytest.fixture(autouse=True)
def switched_on(monkeypatch):
    monkeypatch.delenv("NAPARI_SIMPLECLICK_OPENVINO", raising=False)


def build(name: str = "simpleclick-xtiny", scale: float = 1.0) -> networks.Network:
    torch.manual_seed(0)
    network = networks.build(name, 64).eval()
    for part in network.parameters():
        part.data.mul_(scale)
    return network


def predictor_of(network: networks.Network, **options) -> Predictor:
    return Predictor(network, "cpu", options.pop("precision", "float32"), **options)


def answers(predictor: Predictor) -> np.ndarray:
    predictor.set_image(IMAGE)
    return np.array(list(predictor.replay(CLICKS)))


def conversions(cache) -> list[str]:
    return sorted(str(path) for path in (cache / "openvino").glob("*/*.xml"))


class Deciding(DiskNetwork):
    """Looks at the numbers of a prompt to decide what to do, which no trace follows."""

    def decode(self, features, prompt):
        sign = 1 if prompt[:, 2].any() else -1
        return sign * super().decode(features, prompt)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("name", ["simpleclick-xtiny", "encode-once-lite0"])
def test_answers_are_those_of_pytorch(name, flip):
    network = build(name)
    before, after = (predictor_of(network, flip=flip) for _ in range(2))
    assert after.accelerate() == ""
    assert after.encoder.is_accelerated
    np.testing.assert_allclose(answers(after), answers(before), atol=1e-3)


def test_nothing_more_is_converted_once_nobody_wants_it():
    network = build()
    predictor = predictor_of(network, zoom=ZoomIn.of(network.spec, (448, 448), True))
    assert len(predictor.zoom.sizes) == 3
    asked = iter((True, False))
    assert predictor.accelerate(lambda: next(asked)) == ""
    assert next(asked, None) is None
    assert not predictor.encoder.is_accelerated


def test_a_network_that_refines_is_converted_too():
    network = build("focalclick-segformer-b0-s1")
    before, after = predictor_of(network), predictor_of(network)
    assert after.accelerate() == ""
    assert after.encoder.is_accelerated
    np.testing.assert_allclose(answers(after), answers(before), atol=1e-3)


def test_lower_precision():
    network = build()
    before = predictor_of(network)
    after = predictor_of(network, precision="bfloat16")
    assert after.accelerate() == ""
    assert after.encoder.is_accelerated
    assert abs(answers(after) - answers(before)).mean() < 0.02


def test_features_of_before_are_gone_on_with():
    network = build("encode-once-lite0")
    predictor = predictor_of(network, precision="bfloat16")
    before = answers(predictor)
    assert predictor.accelerate() == ""
    assert predictor.encoder.is_accelerated
    assert abs(answers(predictor) - before).mean() < 0.02


def test_a_store_holds_what_pytorch_computes():
    network = build("encode-once-lite0")
    predictor = predictor_of(network, precision="bfloat16")
    predictor.set_image(IMAGE)
    pixels = predictor.first_pixels()
    before = packed(predictor, pixels)
    assert predictor.accelerate() == ""
    assert predictor.encoder.is_accelerated
    assert packed(predictor, pixels) == before


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("flip", "count", "side"), [(1, 2, 64), (0, 3, 64), (0, 1, 80)]
)
def test_batches_are_computed_too_and_other_sizes_left_to_pytorch(
    flip, count, side, threads
):
    network, how = build("encode-once-lite0"), {"flip": bool(flip), "threads": threads}
    before, after = (predictor_of(network, **how) for _ in range(2))
    after.accelerate()
    pixels = np.linspace(0, 1, side * side, dtype=np.float32).reshape(side, side)
    prior = torch.zeros(1, 1, side, side)
    asked = [CropPrompts(prior, ((9.0 * n, 20.0),)) for n in range(1, count + 1)]
    both = []
    for predictor in (before, after):
        with torch.inference_mode():
            features = predictor.encoder.encode(pixels)[1]
            both.append(predictor.encoder.answer_all(features, asked).numpy())
    np.testing.assert_allclose(*both, atol=1e-4)


def test_crops_of_all_sizes_are_converted(cache):
    torch.manual_seed(0)
    network = networks.build("encode-once-lite0", 384).eval()
    zoom = ZoomIn.of(network.spec, fast=True)
    before, after = (predictor_of(network, zoom=zoom) for _ in range(2))
    assert after.accelerate() == ""
    assert len(conversions(cache)) == 2 * len(zoom.sizes) == 4
    prior = np.zeros((500, 500), np.float32)
    prior[200:300, 200:300] = 1
    both = []
    for predictor in (before, after):
        predictor.set_image(np.resize(IMAGE, prior.shape))
        both.append(predictor.predict([Click(250, 250)], prior))
    np.testing.assert_allclose(*both, atol=1e-3)


def test_a_conversion_is_kept_for_the_next_time(cache):
    network = build()
    first, second = predictor_of(network), predictor_of(network)
    first.accelerate()
    kept = conversions(cache)
    assert len(kept) == 2
    written = [Path(path).stat().st_mtime_ns for path in kept]
    second.accelerate()
    assert conversions(cache) == kept
    assert [Path(path).stat().st_mtime_ns for path in kept] == written
    np.testing.assert_allclose(answers(first), answers(second), atol=1e-5)


def test_other_weights_are_converted_anew(cache):
    for scale in (1.0, 0.9):
        predictor_of(build(scale=scale)).accelerate()
    assert len(conversions(cache)) == 4


def test_a_damaged_conversion_is_made_again(cache):
    network = build()
    before, after = predictor_of(network), predictor_of(network)
    predictor_of(network).accelerate()
    for path in conversions(cache):
        Path(path).write_text("<net")
    after.accelerate()
    assert after.encoder.is_accelerated
    np.testing.assert_allclose(answers(after), answers(before), atol=1e-3)


def test_old_conversions_are_dropped(cache):
    for number in range(14):
        (cache / "openvino" / str(number)).mkdir(parents=True)
    predictor_of(build()).accelerate()
    assert len(list((cache / "openvino").iterdir())) == 12
    assert len(conversions(cache)) == 2


def test_a_cache_that_cannot_be_written_hinders_nothing(cache):
    cache.mkdir()
    (cache / "openvino").write_text("a file where the folder would be")
    predictor = predictor_of(build())
    assert predictor.accelerate() == ""
    assert predictor.encoder.is_accelerated


@pytest.mark.parametrize("network", [Deciding(20.0), PartNetwork(0.4, (64, 64))])
def test_a_network_that_would_answer_otherwise_stays_with_pytorch(network):
    before, after = predictor_of(network), predictor_of(network)
    assert "PyTorch" in after.accelerate()
    assert not after.encoder.is_accelerated
    np.testing.assert_array_equal(answers(after), answers(before))


def test_nobody_is_warned_of_tracing_whatever_other_threads_do_to_filters():
    predictor_of(build("encode-once-lite0", 0.9)).accelerate()
    with warnings.catch_warnings(record=True) as warned:
        others = warnings.catch_warnings()
        others.__enter__()
        network = build("encode-once-lite0")

        def meanwhile(*_):
            if torch.jit.is_tracing():
                others.__exit__(None, None, None)

        network.encoder.register_forward_pre_hook(meanwhile)
        assert predictor_of(network).accelerate() == ""
    assert not [str(one.message) for one in warned]


@pytest.mark.parametrize("wide", [False, True])
def test_a_large_network_is_left_to_pytorch_where_openvino_is_no_faster(
    wide, monkeypatch
):
    monkeypatch.setattr("napari_simpleclick.inference.crop_network.LARGE", 0)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": wide})
    predictor = predictor_of(build())
    assert predictor.accelerate().startswith("OpenVINO is no faster") is not wide
    assert predictor.encoder.is_accelerated is wide


@pytest.mark.parametrize("damage", [None, b"", "turned"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_large_network_has_its_weights_on_disk_and_answers_on(
    precision, damage, monkeypatch, cache
):
    monkeypatch.setattr("napari_simpleclick.inference.crop_network.LARGE", 0)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True})
    before, after = (predictor_of(build(), precision=precision) for _ in range(2))
    if damage is not None:
        predictor_of(build(), precision=precision).accelerate()
        (path,) = cache.glob("openvino/*/pytorch.safetensors")
        kept = path.read_bytes()
        path.write_bytes(kept[:-64] + kept[:-65:-1] if damage else damage)
    assert after.accelerate() == ""
    wide = np.linspace(0, 1, 96 * 96, dtype=np.float32).reshape(96, 96)
    asked = CropPrompts(torch.zeros(1, 1, 96, 96), ((9.0, 20.0),))
    both = []
    for predictor in (before, after):  # of another size, so by PyTorch
        with torch.inference_mode():
            features = predictor.encoder.encode(wide)[1]
            both.append(predictor.encoder.answer_all(features, [asked]).numpy())
    np.testing.assert_array_equal(*both)
    (path,) = cache.glob("openvino/*/pytorch.safetensors")
    if damage is not None:
        assert path.read_bytes() == kept


def test_it_can_be_switched_off(monkeypatch, cache):
    monkeypatch.setenv("NAPARI_SIMPLECLICK_OPENVINO", "0")
    predictor = predictor_of(build())
    assert predictor.accelerate() == ""
    assert not predictor.encoder.is_accelerated
    assert not conversions(cache)


def test_features_have_the_same_names_in_a_store():
    pixels = np.zeros((64, 64), np.float32)
    predictor = predictor_of(build("encode-once-lite0"))
    name = predictor.encoder.stored_key(pixels)
    predictor.accelerate()
    assert predictor.encoder.stored_key(pixels) == name
