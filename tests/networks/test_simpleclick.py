import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_simpleclick import networks
from napari_simpleclick.networks import draw_disks
from tests.helpers import fill_from_keys


@pytest.mark.parametrize("size", ["xtiny", "base", "large", "huge"])
def test_forward_is_that_of_the_official_code(golden, size):
    record = np.load(golden / f"forward_{size}.npz")
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
