"""Every family learns, with all that its published recipe asks of it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_simpleclick import networks
from napari_simpleclick.training import TrainConfig, read_config, train
from napari_simpleclick.training.batches import BatchLearner, draw_corrections
from napari_simpleclick.training.optimisation import choose_trainable, make_optimizers
from tests.helpers import square_sets
from tests.training.test_devices import OneDevice

HRNET = {"size": {"width": 4, "ocr_width": 4, "small": True}}
SEGFORMER = {
    "size": {"widths": (8, 10, 20, 16), "depths": (1, 1, 1, 1), "decoder": 8},
}
VIT = {"width": 32, "depth": 3, "heads": 2, "pyramid": (8, 8, 8, 8), "head": 8}

SMALL = {
    "ritm-hrnet18s": HRNET,
    "focalclick-hrnet18s-s1": HRNET,
    "focalclick-hrnet18s-s2": HRNET,
    "focalclick-segformer-b0-s2": SEGFORMER,
    "interformer-light": {"width": 32, "depth": 2, "heads": 2},
    "interformer-tiny": {"width": 32, "depth": 2, "heads": 2},
    "mst-main": {**VIT, "scoring": {"blocks": (0, 2), "share": 2}},
    "mst-448": {**VIT, "scoring": {"blocks": (0, 2), "share": 2, "heads": 4}},
    "mst-224": {**VIT, "scoring": {"blocks": (0, 2), "share": 2}},
}
"""What is left of each network; MST selects many tokens, as its crops are small."""

RECIPES = {
    "ritm-hrnet18s": "coco-lvis-ritm-hrnet18s",
    "focalclick-hrnet18s-s1": "coco-lvis-focalclick-hrnet",
    "focalclick-hrnet18s-s2": "coco-lvis-focalclick-hrnet",
    "focalclick-segformer-b0-s2": "coco-lvis-focalclick-segformer",
    "interformer-light": "coco-lvis-interformer-light",
    "interformer-tiny": "coco-lvis-interformer-tiny",
    "mst-main": "coco-lvis-mst-main",
    "mst-448": "coco-lvis-mst-448",
    "mst-224": "coco-lvis-mst-224",
}
"""The run that trains it as published."""

SIDE = 128


def published(name, **changes):
    """The published run of a network, on one small crop size, with less of it."""
    run = read_config(Path(RECIPES[name])).model_dump()
    stage = {"size": SIDE, "batch": 2, "steps": 2, "rate": 1e-3, "warm_up": 0}
    small = {
        "network": name,
        "changes": SMALL[name],
        "start": "",
        "data": "folders",
        "stages": [stage],
        "accelerator": "cpu",
        "workers": 0,
        "threads": 1,
    }
    return TrainConfig(**{**run, **small, **changes})


def batch(seed=0):
    """Two drawn images with a bright square each, a click on it and one beside it."""
    rng = np.random.default_rng(seed)
    image = 0.2 * rng.random((2, 3, SIDE, SIDE))
    target, points = np.zeros((2, 1, SIDE, SIDE)), np.full((2, 48, 2), -1.0)
    for number, (top, left) in enumerate(rng.integers(4, 60, (2, 2))):
        target[number, 0, top : top + 60, left : left + 60] = 1
        points[number, 0], points[number, 24] = (top + 30, left + 30), (1, 1)
    image += 0.7 * target
    maps = (torch.from_numpy(part).float() for part in (image, target, 0 * target))
    return (*maps, torch.from_numpy(points).float())


def learner(name, **changes):
    config = published(name, **changes)
    torch.manual_seed(0)
    network = networks.build(name, SIDE, **SMALL[name])
    choose_trainable(network, config.freeze_encoder)
    optimizers = make_optimizers(network, config)
    for group in optimizers[0].param_groups:
        group["lr"] = 1e-3 * group["scale"]
    return network, BatchLearner(
        config, OneDevice(), network, network, optimizers, lambda: None
    )


@pytest.mark.parametrize("name", SMALL)
def test_every_parameter_that_is_trained_is_reached(name):
    network, learns = learner(name)
    reached = set()
    for parameter_name, parameter in network.named_parameters():
        if parameter.requires_grad:
            parameter.register_hook(
                lambda gradient, found=parameter_name: reached.add(found)
            )
    learns.learn(batch(), 0)
    trained = {n for n, p in network.named_parameters() if p.requires_grad}
    assert trained == reached
    left_out = {n for n, p in network.named_parameters() if not p.requires_grad}
    assert all(
        any(part in n for part in ("f_pixel", "f_object", "maps_tr", "feature_gate"))
        for n in left_out
    )


@pytest.mark.parametrize("name", SMALL)
def test_two_steps_on_the_same_images_lower_the_loss(name):
    _, learns = learner(name, corrections={"most": 0})
    losses = [learns.learn(batch(), 0)[0] for _ in range(3)]
    assert np.isfinite(losses).all()
    assert losses[2] < losses[0]


@pytest.mark.parametrize(
    "name", ["focalclick-hrnet18s-s2", "interformer-tiny", "mst-main"]
)
def test_a_published_run_goes_on_where_it_was_stopped(name, tmp_path):
    data, config = square_sets(tmp_path), published(name)
    straight = train(config, data, tmp_path / "a")

    def stop(now):
        if now.step == 2:
            raise KeyboardInterrupt

    every = config.model_copy(update={"save_every": 1})
    with pytest.raises(KeyboardInterrupt):
        train(every, data, tmp_path / "b", stop)
    resumed = train(every, data, tmp_path / "b")
    for one, other in zip(straight.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", ["focalclick-hrnet18s-s2", "mst-main"])
def test_weights_of_losses_change_what_is_learnt(name):
    found = []
    for weight in (0.0, 1.0):
        keys = ("auxiliary", "refined", "boundary", "contrast", "score")
        _, learns = learner(name, losses=dict.fromkeys(keys, weight))
        found.append(learns.learn(batch(), 0)[0])
    assert found[0] < found[1]


def test_a_batch_can_begin_again_with_one_click():
    _, learns = learner("mst-main", corrections={"restart": 1.0})
    parts = batch()
    learns.learn(parts, 0)
    assert ((parts[3] >= 0).all(-1).sum(1) == 1).all()
    inside = [
        float(target[0, int(row), int(column)])
        for target, (row, column) in zip(parts[1], parts[3][:, 23], strict=True)
    ]
    assert inside == [1, 1]


def test_numbers_of_corrections_fall_off_as_told():
    corrections = published("interformer-light").corrections
    assert (corrections.most, corrections.decay) == (20, 0.6)
    rng = np.random.default_rng(0)
    drawn = [draw_corrections(corrections, rng) for _ in range(4000)]
    counts = np.bincount(drawn, minlength=21)
    assert counts[1] / counts[0] == pytest.approx(0.6, abs=0.06)
    assert counts[0] / 4000 == pytest.approx(0.4, abs=0.04)


def test_rates_go_by_how_names_begin():
    config = published("focalclick-hrnet18s-s2")
    assert config.rates == {"feature_extractor": 2.0}
    network = networks.build("focalclick-hrnet18s-s2", SIDE, **HRNET)
    choose_trainable(network, freeze_encoder=False)
    (optimizer,) = make_optimizers(network, config)
    names = {id(p): name for name, p in network.named_parameters()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            inside = names[id(parameter)].startswith("feature_extractor.")
            assert group["scale"] == (2.0 if inside else 1.0)


def test_refined_answers_are_learnt_on_a_device(tmp_path):
    network, learns = learner("focalclick-segformer-b0-s2")
    assert isinstance(network, torch.nn.Module)
    before = {n: p.clone() for n, p in network.refiner.named_parameters()}
    learns.learn(batch(), 0)
    moved = {n for n, p in network.refiner.named_parameters() if (p != before[n]).any()}
    assert {"refine_pred.weight", "refine_trimap.weight"} <= moved
    assert not any("feature_gate" in name for name in moved)


@pytest.mark.parametrize(
    "name", ["focalclick-hrnet18s-s2", "interformer-light", "mst-main"]
)
def test_families_learn_in_bfloat16(name, tmp_path):
    data, seen = square_sets(tmp_path), []
    config = published(name, precision="bf16-mixed")
    train(config, data, tmp_path / "a", lambda now: seen.append(now.loss))
    assert len(seen) == 2
    assert np.isfinite(seen).all()


def test_one_sample_at_a_time_is_refused_where_there_are_batch_norms(tmp_path):
    stage = {"size": 64, "batch": 1, "steps": 1, "rate": 1e-3}
    config = published("ritm-hrnet18s", stages=[stage])
    with pytest.raises(ValueError, match="give a batch of 2 or more"):
        train(config, square_sets(tmp_path), tmp_path / "a")
