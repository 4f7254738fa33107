"""FocalClick in its own protocol: masks to be corrected, DAVIS-585."""

import json

import numpy as np
import pytest
import torch
from skimage.io import imsave
from typer.testing import CliRunner

from napari_simpleclick import networks
from napari_simpleclick.cli import app
from napari_simpleclick.evaluation import RobotSettings, find_cases, robot
from napari_simpleclick.evaluation.annotator import annotate
from napari_simpleclick.inference import Predictor
from napari_simpleclick.weights import Card, load_weights, save_weights
from tests.networks.vectors import fill_by_formula

TINY = {"size": {"widths": (8, 10, 20, 16), "depths": (1, 1, 1, 1), "decoder": 8}}


@pytest.fixture
def weights(tmp_path):
    name = "focalclick-segformer-b0-s2"
    network = networks.build(name, **TINY).eval()
    with torch.no_grad():
        fill_by_formula(network)
    path = tmp_path / "focal.safetensors"
    save_weights(network, path, Card("focal", name, path.name))
    return path


@pytest.fixture
def davis(tmp_path):
    """Two sequences; in one a corner of the object is missing, in the other extra."""
    rng = np.random.default_rng(0)
    root = tmp_path / "davis585"
    for sequence, missing in (("cat", True), ("dog", False)):
        truth = np.zeros((120, 150), np.uint8)
        truth[30:90, 40:100] = 255
        given = truth.copy()
        if missing:
            given[30:60, 40:70] = 0
        else:
            given[50:80, 110:140] = 255
        image = (truth[..., None] // 2 + rng.integers(0, 60, (*truth.shape, 3))).astype(
            np.uint8
        )
        (root / sequence).mkdir(parents=True)
        imsave(root / sequence / "00003.jpg", image)
        for name in ("object1_00003", "init_sp_object1_00003"):
            mask = given if name.startswith("init") else truth
            path = root / sequence / f"{name}.png"
            imsave(path, mask, check_contrast=False)
    return root


def test_masks_of_davis_585_are_corrected_as_published(davis, weights, tmp_path):
    out = tmp_path / "a.json"
    words = [
        *("evaluate", "--dataset", "davis585", "--root", davis, "--weights", weights),
        *("--initial-masks", "sp", "--clicks", 3, "--threshold", 0.5, "--no-flip"),
        *("--jobs", 1, "--json", out),
    ]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    assert (found["dataset"], found["instances"]) == ("davis585", 2)
    assert found["settings"]["size"] == [256, 256]
    assert found["settings"]["initial"] == "sp"
    cat, dog = sorted(found["cases"], key=lambda case: case["name"])
    row, column, positive = cat["clicks"][0]  # in the middle of what is missing
    assert positive
    assert abs(row - 44.5) <= 1 and abs(column - 54.5) <= 1
    row, column, positive = dog["clicks"][0]
    assert not positive
    assert abs(row - 64.5) <= 1 and abs(column - 124.5) <= 1
    assert len(cat["ious"]) == 3


def test_a_click_only_adds_or_only_takes_away(davis, weights):
    predictor = Predictor(load_weights(weights)[0], "cpu", threads=1)
    for case in find_cases("davis585", davis):
        given = case.initial("sp")
        image, truth = case.load()
        predictor.set_image(image)
        (turn,) = annotate(predictor, truth, 1, threshold=0.5, initial=given)
        if turn.prompt.positive:
            assert not (given & ~turn.mask).any()  # it only adds
        else:
            assert not (turn.mask & ~given).any()  # it only takes away


def test_from_nothing_no_mask_is_merged(davis, weights):
    settings = RobotSettings(weights=str(weights), clicks=2, flip=False, threshold=0.5)
    result = robot("davis585", find_cases("davis585", davis), settings)
    assert [case.clicks[0][2] for case in result.cases] == [True, True]
    assert result.noc["90"] is not None
