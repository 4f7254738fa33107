"""Training of networks that encode once."""

import json

import pytest
import torch
from lightning_fabric import Fabric

from napari_simpleclick import load_weights, networks
from napari_simpleclick.networks import EncoderStart
from napari_simpleclick.training import TrainConfig, train
from napari_simpleclick.training.batches import BatchLearner
from napari_simpleclick.training.losses import normalized_focal_loss, soft_jaccard_loss
from napari_simpleclick.training.optimisation import choose_trainable, make_optimizers
from tests.helpers import square_sets
from tests.networks.toy import FAMILY, register

CONFIG = {
    "network": "encode-once-lite0",
    "accelerator": "cpu",
    "workers": 0,
    "threads": 1,
    "encoder_scale": 0.3,
    "stages": [{"size": 32, "batch": 1, "steps": 1, "rate": 1e-3}],
}
TOY = {
    **CONFIG,
    "network": "toy",
    "save_every": 1,
    "prior_drop": 0.3,
    "jaccard": 2.0,
    "boxes": 0.3,
    "off_centre": 0.3,
    "stages": [
        {"size": 32, "batch": 2, "steps": 3, "rate": 1e-2},
        {"size": 64, "batch": 2, "steps": 2, "rate": 1e-2},
    ],
}


@pytest.fixture
def toy(monkeypatch):
    register(monkeypatch)


@pytest.fixture
def data(tmp_path):
    return square_sets(tmp_path)


def test_a_run_that_is_stopped_goes_on_to_the_same_weights(data, tmp_path, toy):
    config = TrainConfig(**TOY)
    straight = train(config, data, tmp_path / "a")

    def stop(now):
        if now.stage == 0 and now.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, data, tmp_path / "b", stop)
    resumed = train(config, data, tmp_path / "b")
    first, second = straight.state_dict(), resumed.state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    log = (tmp_path / "b" / "log.jsonl").read_text().splitlines()
    assert json.loads(log[-1])["samples"] == 10
    network, card = load_weights(tmp_path / "a" / "weights.safetensors")
    assert network.spec.image_size == (64, 64)
    assert (card.origin, card.licence) == ("a", "unknown")


@pytest.fixture
def calls(monkeypatch):
    """How often the encoder and the decoder of a training run answered."""
    seen = []
    for name in ("encode", "decode"):
        kind = type(networks.build("encode-once-lite0", 32))
        plain = getattr(kind, name)

        def noted(self, *given, name=name, plain=plain):
            seen.append(name)
            return plain(self, *given)

        monkeypatch.setattr(kind, name, noted)
    return seen


@pytest.mark.parametrize("frozen", [False, True])
def test_the_encoder_runs_once_a_batch(data, tmp_path, calls, frozen):
    config = TrainConfig(**CONFIG, average=0.0, freeze_encoder=frozen)
    learnt = train(config, data, tmp_path / "a")
    assert calls == ["encode", *["decode"] * 4]
    torch.manual_seed(config.seed)
    begun = dict(networks.build(config.network, 32).named_parameters())
    moved = [n for n, p in learnt.named_parameters() if not torch.equal(p, begun[n])]
    assert any(name.startswith("decoder.") for name in moved)
    assert any(name.startswith("encoder.") for name in moved) is not frozen
    state = torch.load(tmp_path / "a" / "checkpoint.pt", weights_only=True)
    steps = {int(s["step"]) for s in state["optimizers"][0]["state"].values()}
    assert steps == ({4} if frozen else {1, 4})


def test_the_encoder_follows_the_mean_over_the_clicks(toy, monkeypatch):
    torch.manual_seed(0)
    network = networks.build("toy", 32)
    fabric = Fabric(accelerator="cpu", devices=1)
    config = TrainConfig(**{**TOY, "clip": 0, "prior_drop": 0})
    optimizer = torch.optim.SGD(network.parameters(), lr=0)
    module, optimizer = fabric.setup(network, optimizer)
    asked, plain = [], type(network).decode
    monkeypatch.setattr(
        type(network),
        "decode",
        lambda self, maps, prompt: asked.append(prompt) or plain(self, maps, prompt),
    )
    steps = []

    def note(*_):
        steps.append({n: p.grad for n, p in network.named_parameters()})

    optimizer.optimizer.register_step_pre_hook(note)
    followed = []
    learner = BatchLearner(
        config, fabric, network, module, [optimizer], lambda: followed.append(1)
    )
    target = torch.zeros(2, 1, 32, 32)
    target[:, :, 8:20, 10:25] = 1
    points = torch.full((2, 48, 2), -1.0)
    points[:, 0] = 15
    image = torch.rand(2, 3, 32, 32)
    loss, iou = learner.learn((image, target, torch.zeros_like(target), points), 0)
    assert 0 <= iou <= 1 < loss + 1
    assert (len(asked), len(steps), len(followed)) == (4, 5, 1)
    assert all(step["body.weight"] is None for step in steps[:4])
    assert all(step["out.weight"] is not None for step in steps[:4])
    assert steps[4]["out.weight"] is None
    losses = []
    for prompt in asked:
        logits = plain(network, network.encode(image), prompt)
        losses.append(
            (
                normalized_focal_loss(logits, target)
                + 2 * soft_jaccard_loss(logits, target)
            ).mean()
        )
    (expected,) = torch.autograd.grad(sum(losses) / 4, network.body.weight)
    torch.testing.assert_close(steps[4]["body.weight"], expected)


def test_the_encoder_learns_slower():
    network = networks.build("encode-once-lite0", 32)
    choose_trainable(network, freeze_encoder=False)
    (optimizer,) = make_optimizers(network, TrainConfig(**CONFIG))
    names = {id(p): name for name, p in network.named_parameters()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            inside = names[id(parameter)].startswith("encoder.")
            assert group["scale"] == (0.3 if inside else 1.0)
            assert group["weight_decay"] == (0.02 if parameter.ndim > 1 else 0.0)


def test_muon_takes_the_blocks_of_the_decoder():
    network = networks.build("encode-once-lite0", 32)
    config = TrainConfig(**{**CONFIG, "optimizer": "muon"})
    choose_trainable(network, freeze_encoder=False)
    _, blocks = make_optimizers(network, config)
    taken = [p for group in blocks.param_groups for p in group["params"]]
    assert len(taken) == 6 * 5  # query, key_value, out, two of the perceptron


def test_a_precision_that_cannot_be_shared_is_refused(data, tmp_path):
    config = TrainConfig(**CONFIG, precision="16-mixed")
    with pytest.raises(ValueError, match="use bf16-mixed or 32-true"):
        train(config, data, tmp_path / "a")


def test_where_a_run_began_is_kept_with_its_weights(data, tmp_path, toy, monkeypatch):
    torch.save({"bias": torch.full((4,), 9.0)}, tmp_path / "small.pth")

    def load(network, content):
        with torch.no_grad():
            network.body.bias.copy_(content["bias"])

    start = EncoderStart(load, lambda w: tmp_path / f"{w}.pth", "a museum", "CC0")
    monkeypatch.setitem(FAMILY.encoders, "mine", start)
    config = TrainConfig(**{**TOY, "encoder_scale": 1e-6}, start="mine:small")

    def stop(now):
        if now.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, data, tmp_path / "a", stop)
    (tmp_path / "small.pth").unlink()  # not read again
    train(config, data, tmp_path / "a")
    network, card = load_weights(tmp_path / "a" / "weights.safetensors")
    assert card.origin == "a, encoder begun with a museum"
    assert "CC0" in card.licence
    torch.testing.assert_close(
        network.body.bias, torch.full((4,), 9.0), atol=0.01, rtol=0
    )
    weights = tmp_path / "a" / "weights.safetensors"
    train(config.model_copy(update={"start": str(weights)}), data, tmp_path / "b")
    card = load_weights(tmp_path / "b" / "weights.safetensors")[1]
    assert "a museum" in card.origin


def test_the_average_follows_statistics_too(data, tmp_path, toy):
    learnt = train(TrainConfig(**TOY), data, tmp_path / "a")
    state = torch.load(tmp_path / "a" / "checkpoint.pt", weights_only=True)
    now = state["network"]
    assert learnt.norm.num_batches_tracked == now["norm.num_batches_tracked"] == 5
    mean = learnt.norm.running_mean
    assert not torch.equal(mean, torch.zeros(4))
    assert not torch.equal(mean, now["norm.running_mean"])


def test_frozen_norms_keep_their_statistics_and_learn_their_factors(
    data, tmp_path, toy
):
    stages = [{"size": 32, "batch": 1, "steps": 3, "rate": 1e-2}]
    config = TrainConfig(**{**TOY, "stages": stages}, freeze_norms=True)
    learnt = train(config, data, tmp_path / "a")
    torch.testing.assert_close(learnt.norm.running_mean, torch.zeros(4))
    torch.testing.assert_close(learnt.norm.running_var, torch.ones(4))
    assert not torch.equal(learnt.norm.weight, torch.ones(4))
