"""Pretrained encoders that the published networks of every family start from."""

import pickle

import pytest
import torch

from napari_simpleclick import networks
from napari_simpleclick.weights import WeightsError, load_encoder

WIDTH, DEPTH, HEADS = 32, 3, 2
VIT = {"width": WIDTH, "depth": DEPTH, "heads": HEADS}
PYRAMID = {"pyramid": (8, 8, 8, 8), "head": 8}
HRNET = {"size": {"width": 4, "ocr_width": 4, "small": True}}
SEGFORMER = {"size": {"widths": (8, 10, 20, 16), "depths": (1, 1, 1, 1), "decoder": 8}}
MST = {**VIT, **PYRAMID, "scoring": {"blocks": (0, 2)}}


def build(name, size=64, **changes):
    return networks.build(name, size, **changes)


def noise(state):
    return {key: torch.randn(value.shape) for key, value in state.items()}


@pytest.fixture
def mae(tmp_path):
    """An encoder of a grid of 3 x 3 patches, with a classifier's norm beside it."""
    state = build("simpleclick-xtiny", **VIT, **PYRAMID).backbone.state_dict()
    state = noise(state) | {
        "pos_embed": torch.randn(1, 10, WIDTH),
        "norm.weight": torch.ones(WIDTH),
    }
    torch.save({"model": state}, tmp_path / "mae.pth")
    return tmp_path / "mae.pth", state


def test_mst_starts_from_an_mae_encoder(mae):
    path, state = mae
    network = build("mst-224", **MST)
    fresh = {key: value.clone() for key, value in network.state_dict().items()}
    assert load_encoder(network, "mae", path).licence == "CC BY-NC 4.0"
    found = network.state_dict()
    key = "blocks.2.mlp.fc1.weight"
    assert torch.equal(found[f"backbone.{key}"], state[key])
    assert not torch.equal(found["backbone.pos_embed"], fresh["backbone.pos_embed"])
    for key in ("backbone.blocks.2.score.norm1.weight", "head.conv_seg.weight"):
        assert torch.equal(found[key], fresh[key])


def test_interformer_starts_from_an_mae_encoder(mae):
    path, state = mae
    network = build("interformer-light", **VIT)
    load_encoder(network, "mae", path)
    found = network.backbone.state_dict()
    for key, other in (
        ("layers.1.ffn.layers.0.0.weight", "blocks.1.mlp.fc1.weight"),
        ("layers.2.ffn.layers.1.bias", "blocks.2.mlp.fc2.bias"),
        ("layers.0.ln2.weight", "blocks.0.norm2.weight"),
        ("layers.0.attn.qkv.weight", "blocks.0.attn.qkv.weight"),
        ("patch_embed.projection.weight", "patch_embed.proj.weight"),
        ("cls_token", "cls_token"),
    ):
        assert torch.equal(found[key], state[other])
    assert found["pos_embed"].shape == (1, 17, WIDTH)
    assert torch.equal(found["pos_embed"][:, 0], state["pos_embed"][:, 0])
    assert (found["layers.0.gamma_1"] == 1).all()
    assert not found["layers.0.attn.relative_position_bias_table"].any()


def test_mst_starts_from_simpleclick(tmp_path):
    begun = build("simpleclick-xtiny", **VIT, **PYRAMID)
    state = noise(begun.state_dict())
    torch.save({"state_dict": state, "config": {}}, tmp_path / "a.pth")
    network = build("mst-main", **MST)
    load_encoder(network, "simpleclick", tmp_path / "a.pth")
    found = network.state_dict()
    for key in (
        "backbone.pos_embed",
        "backbone.blocks.1.attn.qkv.weight",
        "neck.down_4.0.weight",
        "head.conv_seg.weight",
        "patch_embed_coords.proj.weight",
    ):
        assert torch.equal(found[key], state[key])
    assert (found["backbone.blocks.0.gamma"] == 1).all()


@pytest.mark.parametrize("name", ["ritm-hrnet18s", "focalclick-hrnet18s-s2"])
def test_hrnets_start_from_imagenet(tmp_path, name):
    network = build(name, **HRNET)
    state = noise(network.feature_extractor.state_dict())
    state |= {"classifier.weight": torch.ones(3)}
    torch.save(state, tmp_path / "hrnet.pth")
    fresh = network.feature_extractor.cls_head.weight.clone()
    load_encoder(network, "hrnet", tmp_path / "hrnet.pth")
    found = network.feature_extractor.state_dict()
    for key in (
        "conv1.weight",
        "bn2.running_var",
        "stage4.1.branches.3.0.conv1.weight",
    ):
        assert torch.equal(found[key], state[key])
    assert torch.equal(found["cls_head.weight"], fresh)


def test_segformers_start_from_imagenet(tmp_path):
    network = build("focalclick-segformer-b0-s2", **SEGFORMER)
    backbone = network.feature_extractor.backbone
    state = noise(backbone.state_dict())
    fresh = backbone.patch_embed_side1.proj.weight.clone()
    torch.save(state, tmp_path / "mit.pth")
    start = load_encoder(network, "mit", tmp_path / "mit.pth")
    assert "not for commercial use" in start.licence
    key = "block3.0.attn.kv.weight"
    assert torch.equal(backbone.state_dict()[key], state[key])
    assert torch.equal(backbone.patch_embed_side1.proj.weight, fresh)
    with pytest.raises(WeightsError, match="is for networks with a SegFormer"):
        load_encoder(
            build("focalclick-hrnet18s-s2", **HRNET), "mit", tmp_path / "mit.pth"
        )


@pytest.mark.parametrize(
    ("kind", "name", "changes"),
    [
        ("hrnet", "ritm-hrnet18s", HRNET),
        ("mit", "focalclick-segformer-b0-s2", SEGFORMER),
        ("mae", "mst-main", MST),
        ("simpleclick", "mst-main", MST),
        ("mae", "interformer-light", VIT),
    ],
)
def test_other_files_are_refused_in_a_sentence(tmp_path, kind, name, changes):
    network = build(name, **changes)
    torch.save({"conv1.weight": torch.ones(2)}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"does not fit|is not an MAE"):
        load_encoder(network, kind, tmp_path / "a.pth")
    torch.save([1, 2], tmp_path / "b.pth")
    with pytest.raises(WeightsError, match=r"holds no weights|is not an MAE"):
        load_encoder(network, kind, tmp_path / "b.pth")

    class Hostile:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    with (tmp_path / "c.pth").open("wb") as file:
        pickle.dump({"model": Hostile()}, file, protocol=2)
    with pytest.raises(WeightsError, match="refused"):
        load_encoder(network, kind, tmp_path / "c.pth")
    assert not (tmp_path / "ran").exists()
