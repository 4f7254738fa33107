import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_simpleclick import networks
from napari_simpleclick.networks import draw_disks
from tests.helpers import fill_from_hash, fill_from_keys, waves

FORWARD = ["xtiny-448", "xtiny-672", "patches-of-14", "groups-of-6"]
POINTS = [[180.25, 200.5], [100, 240.75], [300.5, 60.25], [-1, -1]]
"""Two positive clicks, a negative one and padding, px."""


@pytest.mark.parametrize("name", FORWARD)
def test_forward_is_that_of_the_official_code(golden, name):
    expected = json.loads((golden / "vectors.json").read_text())["forward"][name]
    size, changes = expected["size"], expected.get("changes", {})
    network = networks.build(
        expected["network"],
        448,
        **{k: tuple(v) if k == "pyramid" else v for k, v in changes.items()},
    ).eval()
    fill_from_hash(network)
    network.resize((size, size))
    image, prior = waves(size, size)
    disks = draw_disks(torch.tensor([POINTS]), (size, size))
    assert disks.sum(dim=(0, 2, 3)).tolist() == [156, 80]
    with torch.no_grad():
        logits = network(image, torch.cat([prior, disks], 1))[0, 0]
    for row, column, value in expected["logits"]:
        assert float(logits[row, column]) == pytest.approx(value, abs=1e-4)
    for name in {"mean", "std", "min", "max"} & set(expected):
        assert float(getattr(logits, name)()) == pytest.approx(expected[name], abs=1e-4)


@pytest.mark.parametrize(
    "size",
    [
        "xtiny",
        *(pytest.param(s, marks=pytest.mark.slow) for s in ("base", "large", "huge")),
    ],
)
def test_every_published_size_is_that_of_the_official_code(shared, size):
    record = np.load(shared / "golden" / f"forward_{size}.npz")
    network = networks.build(f"simpleclick-{size}").eval()
    fill_from_keys(network, int(record["seed"]))
    image = torch.from_numpy(record["image"].transpose(2, 0, 1)[None]).float() / 255
    disks = draw_disks(torch.from_numpy(record["points"]), (448, 448))
    for sign, name in enumerate(("disk_pos", "disk_neg")):
        expected = np.unpackbits(record[name]).reshape(448, 448)
        np.testing.assert_array_equal(disks[0, sign].numpy(), expected)
    prior = torch.from_numpy(record["prev_mask"])[None, None]
    with torch.no_grad():
        logits = network(image, torch.cat([prior, disks], 1))[0, 0].numpy()
    np.testing.assert_allclose(logits[::8, ::8], record["logits_stride8"], atol=1e-4)
    np.testing.assert_allclose(logits[223], record["logits_row"], atol=1e-4)


def test_state_dict_is_the_official_one(golden):
    expected = json.loads((golden / "state_dict_shapes_xtiny.json").read_text())
    state = networks.build("simpleclick-xtiny").state_dict()
    assert {key: list(tensor.shape) for key, tensor in state.items()} == expected


def test_batch_entries_do_not_mix():
    network = networks.build("simpleclick-xtiny").eval()
    image, prompt = torch.rand(2, 3, 96, 128), torch.rand(2, 3, 96, 128)
    with torch.no_grad():
        both = network(image, prompt)
        alone = network(image[1:], prompt[1:])
    assert both.shape == (2, 1, 96, 128)
    torch.testing.assert_close(both[1:], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size", [(32, 32), (224, 448), (672, 672), (448, 96)])
def test_sizes_that_fit_patch_and_windows(size):
    network = networks.build("simpleclick-xtiny").eval()
    with torch.no_grad():
        logits = network(torch.rand(1, 3, *size), torch.zeros(1, 3, *size))
    assert logits.shape == (1, 1, *size)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(
    ("image", "prompt", "sentence"),
    [
        ((1, 3, 100, 96), (1, 3, 100, 96), "not a multiple of the 16 px patch"),
        ((1, 3, 464, 448), (1, 3, 464, 448), "do not divide into 2 equal windows"),
        ((1, 3, 96, 96), (1, 2, 96, 96), "must have shape"),
    ],
)
def test_sizes_that_do_not_fit_are_explained(image, prompt, sentence):
    network = networks.build("simpleclick-xtiny").eval()
    with pytest.raises(ValueError, match=sentence):
        network(torch.rand(*image), torch.rand(*prompt))


def test_unknown_network_names_the_known_ones():
    with pytest.raises(ValueError, match="choose one of simpleclick-xtiny"):
        networks.build("simpleclick-tiny")


@pytest.mark.parametrize("levels", ["single", "parallel", "partial"])
def test_pyramid_variants_have_the_published_tensors_and_another_answer(levels):
    torch.manual_seed(0)
    published = networks.build("simpleclick-xtiny", 64).eval()
    config = replace(published.config, levels=levels)
    variant = config.build().eval()
    variant.load_state_dict(published.state_dict())
    image, prompt = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        usual, other = published(image, prompt), variant(image, prompt)
    assert other.shape == (1, 1, 64, 64)
    assert not torch.allclose(usual, other, atol=1e-3)


def test_single_scale_ignores_the_other_levels():
    config = replace(networks.NETWORKS["simpleclick-xtiny"], levels="single")
    network = config.build().eval()
    image, prompt = torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        before = network(image, prompt)
        network.neck.down_4[0].weight.zero_()
        torch.testing.assert_close(network(image, prompt), before)
        network.neck.down_16[0].weight.zero_()
        assert not torch.allclose(network(image, prompt), before)
