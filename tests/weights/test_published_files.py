"""Checkpoints of SimpleClick's neighbours in the formats of their authors."""

import os
import sys
import types
from collections import OrderedDict
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from napari_simpleclick import load_weights, networks
from napari_simpleclick.weights import Card, WeightsError, save_weights, spec_of

NEIGHBOURS = {
    "focalclick-hrnet18s-s1": {},
    "focalclick-hrnet18s-s2": {},
    "focalclick-segformer-b0-s2": {},
    "ritm-hrnet18s": {},
    "interformer-tiny": {
        "image_size": 64,
        "width": 32,
        "depth": 2,
        "heads": 2,
    },
    "mst-main": {"image_size": 64, "width": 32, "heads": 2, "head": 32},
    "mst-448": {"image_size": 64, "width": 48, "heads": 2, "head": 32},
    "mst-224": {"image_size": 64, "width": 32, "heads": 2, "head": 32},
}
MST = {"pyramid": (24, 48, 96, 192), "depth": 12}


def build(name):
    torch.manual_seed(0)
    changes = dict(NEIGHBOURS[name])
    if name.startswith("mst"):
        changes |= MST
    return networks.build(name, **changes).eval()


def official(name, network):
    """Content of a file as the authors' trainers write it."""
    state = OrderedDict(network.state_dict())
    if name.startswith("interformer"):
        state = OrderedDict((f"module.{k}", v) for k, v in state.items())
        settings = sys.modules["mmcv.utils.config"].ConfigDict(model={"type": "x"})
        meta = {
            "CLASSES": ("background", "foreground"),
            "PALETTE": np.zeros((2, 3)),
            "seed": np.float64(3.5),
            "config": settings,
            "epoch": 3,
        }
        return {"meta": meta, "state_dict": state, "optimizer": {"state": {}}}
    params = {"with_prev_mask": {"type": "builtin", "value": True, "specified": True}}
    if name.startswith("focalclick"):
        version = {"type": "builtin", "value": name[-2:], "specified": True}
        params["pipeline_version"] = version
    if name.startswith("mst"):
        loss = sys.modules[LOSS].CrossEntropyLoss()
        loss.cls_criterion = sys.modules[LOSS].cross_entropy
        params["backbone_params"] = {"value": {"num_heads": network.config.heads}}
        params["head_params"] = {"value": {"loss_decode": loss}}
        state["backbone.cls_token"] = torch.zeros(1, 1, 8)
    return {"state_dict": state, "config": {"class": "isegm.X", "params": params}}


LOSS = "isegm.model.modeling.transformer_helper.cross_entropy_loss"


@contextmanager
def authors_packages():
    """Pretend that the authors' packages are here, to write files with."""
    loss, config = types.ModuleType(LOSS), types.ModuleType("mmcv.utils.config")
    exec("class CrossEntropyLoss: pass\ndef cross_entropy(): pass", loss.__dict__)
    exec("class ConfigDict(dict): pass", config.__dict__)
    names = {}
    for module in (loss, config):
        parts = module.__name__.split(".")
        for count in range(1, len(parts)):
            name = ".".join(parts[:count])
            names[name] = types.ModuleType(name)
        names[module.__name__] = module
    sys.modules.update(names)
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_the_authors_files_load_as_they_are(tmp_path, name):
    network, path = build(name), tmp_path / "weights.pth"
    with authors_packages():
        torch.save(official(name, network), path)
    loaded, card = load_weights(path)
    assert "isegm" not in sys.modules
    assert not loaded.training
    assert loaded.config == network.config
    assert spec_of(path) == network.spec
    state = loaded.state_dict()
    for key, tensor in network.state_dict().items():
        assert torch.equal(state[key], tensor), key
    whole = not NEIGHBOURS[name]
    assert card.network == (name if whole else "custom")


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_our_files_hold_all_that_is_needed(tmp_path, name):
    network, path = build(name), tmp_path / "a.safetensors"
    save_weights(network, path, Card("mine", name, path.name))
    loaded, _ = load_weights(path)
    assert loaded.config == network.config
    state = loaded.state_dict()
    for key, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            torch.testing.assert_close(state[key], tensor, atol=1e-3, rtol=1e-3)
        else:
            assert torch.equal(state[key], tensor)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("focalclick-segformer-b0-s2", "config"),
        ("ritm-hrnet18s", "state_dict"),
        ("interformer-tiny", "meta"),
        ("interformer-tiny", "optimizer"),
        ("mst-main", "config"),
    ],
)
def test_nothing_that_a_hostile_file_names_is_run(tmp_path, name, place):
    trap, path = tmp_path / "trap", tmp_path / "weights.pth"
    with authors_packages():
        content = official(name, build(name))
        content.setdefault(place, {})["extra"] = Bomb(trap)
        torch.save(content, path)
    with pytest.raises(WeightsError, match=r"wants to run '\w+\.mkdir'"):
        load_weights(path)
    assert not trap.exists()


def test_a_focalclick_file_has_to_say_at_which_size_it_works(tmp_path):
    network, path = build("focalclick-hrnet18s-s1"), tmp_path / "weights.pth"
    torch.save({"state_dict": network.state_dict(), "config": {}}, path)
    with pytest.raises(WeightsError, match="does not say whether its segmentor"):
        load_weights(path)


def test_relative_positions_of_another_grid_are_refused(tmp_path):
    network, path = build("interformer-tiny"), tmp_path / "weights.pth"
    state = network.state_dict()
    state["backbone.layers.1.attn.relative_position_index"] = torch.zeros(17, 17)
    torch.save({"state_dict": state}, path)
    with pytest.raises(WeightsError, match="relative_position_index' is not that of"):
        load_weights(path)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("focalclick-hrnet18s-s1", "feature_extractor.cls_head.weight"),
        (
            "focalclick-segformer-b0-s2",
            "feature_extractor.decode_head.linear_pred.bias",
        ),
        ("ritm-hrnet18s", "feature_extractor.transition1.0.0.weight"),
        ("interformer-tiny", "backbone.pos_embed"),
        ("mst-main", "neck.down_8.2.weight"),
    ],
)
def test_a_tensor_that_is_missing_is_named(tmp_path, name, key):
    network, path = build(name), tmp_path / "weights.pth"
    with authors_packages():
        content = official(name, network)
        prefix = "module." if name.startswith("interformer") else ""
        del content["state_dict"][prefix + key]
        torch.save(content, path)
    with pytest.raises(WeightsError, match=f"lacks '{key}'"):
        load_weights(path)


SAM = {
    **{"image_size": 64, "channels": 64, "hidden": 32, "width": 32, "depth": 2},
    **{"heads": 2, "looking_at_all": (1,), "window": 3},
}


@pytest.mark.parametrize("form", ["bare", "micro-sam", "medsam"])
def test_files_of_the_sam_family_load_as_they_are(tmp_path, form):
    network, path = networks.build("sam-vit-b", **SAM).eval(), tmp_path / "vit_b.pt"
    state = network.state_dict()
    if form == "micro-sam":
        prefixed = {f"sam.{key}": tensor for key, tensor in state.items()}
        torch.save({"model_state": prefixed, "epoch": 3, "best_metric": 0.1}, path)
    elif form == "medsam":
        torch.save(OrderedDict(state, pixel_mean=torch.zeros(3, 1, 1)), path)
    else:
        torch.save(state, path)
    loaded, _ = load_weights(path)
    assert loaded.config == network.config
    for key, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, state[key]), key


def test_a_hostile_file_of_the_sam_family_runs_nothing(tmp_path):
    trap, path = tmp_path / "trap", tmp_path / "vit_b.pt"
    state = networks.build("sam-vit-b", **SAM).state_dict()
    torch.save({"model_state": state, "optimizer_state": Bomb(trap)}, path)
    with pytest.raises(WeightsError, match=r"wants to run '\w+\.mkdir'"):
        load_weights(path)
    assert not trap.exists()


def test_a_sam_that_lacks_a_tensor_names_it(tmp_path):
    path, state = tmp_path / "vit_b.pt", networks.build("sam-vit-b", **SAM).state_dict()
    del state["mask_decoder.iou_token.weight"]
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"lacks .mask_decoder\.iou_token\.weight."):
        load_weights(path)
