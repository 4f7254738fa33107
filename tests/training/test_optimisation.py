import pytest
import torch

from napari_simpleclick import networks
from napari_simpleclick.training import Stage, TrainConfig
from napari_simpleclick.training.optimisation import (
    choose_trainable,
    make_optimizers,
    rate_at,
)

STAGE = {"size": 32, "batch": 2, "steps": 100, "rate": 1e-3}


def config(**more):
    return TrainConfig(network="simpleclick-xtiny", stages=[STAGE], **more)


def groups_of(network, **more):
    choose_trainable(network, more.get("freeze_encoder", False))
    optimizers = make_optimizers(network, config(**more))
    names = {id(p): name for name, p in network.named_parameters()}
    return optimizers, {
        names[id(parameter)]: (group["weight_decay"], group["scale"])
        for optimizer in optimizers
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


def test_layers_learn_at_published_rates():
    network = networks.build("simpleclick-xtiny", 32)
    optimizers, groups = groups_of(network, layer_decay=0.75, optimizer="adam")
    assert [type(each) for each in optimizers] == [torch.optim.Adam]
    assert groups["backbone.patch_embed.proj.weight"] == (0.02, 0.75**9)
    assert groups["backbone.pos_embed"] == (0.0, 0.75**9)
    assert groups["backbone.blocks.0.attn.qkv.weight"] == (0.02, 0.75**8)
    assert groups["backbone.blocks.7.attn.qkv.bias"] == (0.0, 0.75)
    assert groups["patch_embed_coords.proj.weight"] == (0.02, 1.0)
    assert groups["head.conv_seg.weight"] == (0.02, 1.0)
    assert "backbone.head.weight" not in groups  # takes no part
    assert network.depth_of("backbone.cls_token") == 9


def test_a_frozen_backbone_keeps_its_weights():
    network = networks.build("simpleclick-xtiny", 32)
    optimizers, groups = groups_of(network, freeze_encoder=True)
    assert [type(each) for each in optimizers] == [torch.optim.AdamW]
    assert not any(name.startswith("backbone.") for name in groups)
    assert "patch_embed_coords.proj.weight" in groups


def test_muon_is_for_the_matrices_of_the_blocks_alone():
    network = networks.build("simpleclick-xtiny", 32)
    (rest, blocks), groups = groups_of(network, optimizer="muon")
    assert (type(rest), type(blocks)) == (torch.optim.AdamW, torch.optim.Muon)
    (group,) = blocks.param_groups
    assert len(group["params"]) == 4 * 8  # qkv, proj, fc1, fc2
    assert all(parameter.ndim == 2 for parameter in group["params"])
    trainable = [name for name, p in network.named_parameters() if p.requires_grad]
    assert sorted(groups) == sorted(trainable)


def test_muon_asks_for_the_pytorch_that_has_it(monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(ValueError, match=r"needs PyTorch 2\.9 or newer"):
        groups_of(networks.build("simpleclick-xtiny", 32), optimizer="muon")


def test_rates_rise_and_fall_or_drop():
    cosine = Stage(**STAGE, final_rate=0.1)
    rates = [rate_at(cosine, step) for step in range(100)]
    assert rates[0] == pytest.approx(1e-3 / 25)
    assert max(rates) <= 1e-3
    assert rates[-1] == pytest.approx(1e-4, rel=0.02)
    steps = Stage(**STAGE, drops=(50, 80))
    assert [rate_at(steps, step) for step in (0, 49, 50, 80)] == pytest.approx(
        [1e-3, 1e-3, 1e-4, 1e-5]
    )
