"""What a new family of networks has to bring, and nothing else has to change."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from napari_simpleclick import Click, Predictor, load_weights, networks
from napari_simpleclick.inference import ObjectState
from napari_simpleclick.networks import EncoderStart
from napari_simpleclick.training import TrainConfig, train
from napari_simpleclick.weights import (
    Card,
    WeightsError,
    load_encoder,
    save_weights,
    spec_of,
)
from tests.helpers import square_sets
from tests.networks.toy import FAMILY, Toy, register


@pytest.fixture
def toy(monkeypatch):
    register(monkeypatch)
    torch.manual_seed(0)
    return networks.build("toy", 32)


def test_it_is_built_by_name(toy):
    assert isinstance(toy, Toy)
    assert toy.spec.image_size == (32, 32)
    with pytest.raises(ValueError, match="There is a network 'toy' already"):
        networks.register(FAMILY)


def test_its_weights_are_saved_and_found_again(toy, tmp_path):
    path = tmp_path / "a.safetensors"
    card = Card("mine", "toy", path.name, licence="CC0")
    save_weights(toy, path, card)
    loaded, found = load_weights(path)
    assert found == card
    assert loaded.config == toy.config
    assert spec_of(path) == toy.spec
    torch.testing.assert_close(loaded.out.weight, toy.out.weight, atol=1e-3, rtol=1e-3)


def test_its_published_keys_are_its_own_affair(toy, tmp_path):
    state = {k.replace("body.", "stem."): v for k, v in toy.state_dict().items()}
    save_file(state, tmp_path / "a.safetensors")
    loaded, card = load_weights(tmp_path / "a.safetensors")
    assert card.network == "toy"
    assert torch.equal(loaded.body.weight, toy.body.weight)
    del state["out.bias"]
    save_file(state, tmp_path / "b.safetensors")
    with pytest.raises(WeightsError, match=r"not a checkpoint of Toy: it lacks 'out\."):
        load_weights(tmp_path / "b.safetensors")


def test_its_prompts_and_their_memory_pass_through_a_predictor(toy):
    predictor = Predictor(toy, "cpu", "float32", flip=True)
    predictor.set_image(np.random.default_rng(0).random((40, 50)))
    _, state = predictor.predict([Click(5, 5)], state=ObjectState())
    answer, state = predictor.predict([Click(5, 5), Click(9, 9, False)], state=state)
    assert answer.shape == (40, 50)
    assert state.memory == 2


def test_it_learns(toy, tmp_path):
    stage = {"size": 32, "batch": 2, "steps": 2, "rate": 1e-2}
    config = TrainConfig(
        network="toy", stages=[stage], accelerator="cpu", workers=0, threads=1
    )
    learnt = train(config, square_sets(tmp_path), tmp_path / "out")
    assert isinstance(learnt, Toy)
    begun = dict(_fresh(config).named_parameters())
    moved = {n for n, p in learnt.named_parameters() if not torch.equal(p, begun[n])}
    assert {"body.weight", "out.weight", "click.weight"} <= moved
    assert learnt.norm.num_batches_tracked > 0
    assert load_weights(tmp_path / "out" / "weights.safetensors")[1].network == "toy"


def _fresh(config):
    torch.manual_seed(config.seed)
    return networks.build("toy", 32)


def test_its_beginnings_are_found_by_name(toy, tmp_path, monkeypatch):
    torch.save({"w": torch.ones(4)}, tmp_path / "one.pth")

    def load(network, content):
        with torch.no_grad():
            network.body.bias.copy_(content["w"])

    start = EncoderStart(load, lambda which: tmp_path / f"{which}.pth", "me", "CC0")
    monkeypatch.setitem(FAMILY.encoders, "mine", start)
    assert load_encoder(toy, "mine", "one") is start
    assert (toy.body.bias == 1).all()
    with pytest.raises(WeightsError, match="There is no file"):
        load_encoder(toy, "mine", "two")
    with pytest.raises(WeightsError, match=r"Toy cannot start from 'mae'.* mine"):
        load_encoder(toy, "mae", "one")
