import pytest
import torch

from napari_simpleclick import networks
from napari_simpleclick.train import Stage, TrainConfig
from napari_simpleclick.train.optimisation import (
    choose_trainable,
    layer_of,
    make_optimizer,
    rate_at,
)

STAGE = {"size": 32, "batch": 2, "steps": 100, "rate": 1e-3}


def config(**more):
    return TrainConfig(network="simpleclick-xtiny", stages=[STAGE], **more)


def groups_of(network, **more):
    choose_trainable(network, more.get("freeze_backbone", False))
    optimizer = make_optimizer(network, config(**more))
    names = {id(p): name for name, p in network.named_parameters()}
    return optimizer, {
        names[id(parameter)]: (group["weight_decay"], group["scale"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


def test_layers_learn_at_published_rates():
    network = networks.build("simpleclick-xtiny", 32)
    optimizer, groups = groups_of(network, layer_decay=0.75, optimizer="adam")
    assert type(optimizer) is torch.optim.Adam
    assert groups["backbone.patch_embed.proj.weight"] == (0.02, 0.75**9)
    assert groups["backbone.pos_embed"] == (0.0, 0.75**9)
    assert groups["backbone.blocks.0.attn.qkv.weight"] == (0.02, 0.75**8)
    assert groups["backbone.blocks.7.attn.qkv.bias"] == (0.0, 0.75)
    assert groups["patch_embed_coords.proj.weight"] == (0.02, 1.0)
    assert groups["head.conv_seg.weight"] == (0.02, 1.0)
    assert "backbone.head.weight" not in groups  # takes no part
    assert layer_of("backbone.cls_token", 8) == 0


def test_a_frozen_backbone_keeps_its_weights():
    network = networks.build("simpleclick-xtiny", 32)
    optimizer, groups = groups_of(network, freeze_backbone=True)
    assert type(optimizer) is torch.optim.AdamW
    assert not any(name.startswith("backbone.") for name in groups)
    assert "patch_embed_coords.proj.weight" in groups


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
