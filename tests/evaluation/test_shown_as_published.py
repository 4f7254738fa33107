"""The robot with networks that look at an image in their own way."""

import numpy as np
import pytest
import torch
from skimage.io import imsave

from napari_simpleclick import networks
from napari_simpleclick.evaluation import find_cases, robot
from napari_simpleclick.evaluation.worker import RobotSettings, predictor_of
from napari_simpleclick.networks.hrnet import HRNetSize
from napari_simpleclick.weights import Card, save_weights


@pytest.fixture
def cases(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    truth = np.zeros((60, 90), np.uint8)
    truth[20:45, 30:70] = 1
    noise = np.random.default_rng(0).integers(0, 50, truth.shape)
    imsave(tmp_path / "images" / "a.png", (noise + 150 * truth).astype(np.uint8))
    imsave(tmp_path / "masks" / "a.png", truth, check_contrast=False)
    return find_cases("folder", tmp_path)


def stored(name, tmp_path):
    torch.manual_seed(0)
    network = networks.build(name, 64, size=HRNetSize(4, 8, small=True))
    path = tmp_path / f"{name}.safetensors"
    save_weights(network, path, Card(name, name, path.name))
    return str(path)


@pytest.mark.parametrize(
    ("name", "options", "size"),
    [
        ("ritm-hrnet18s", {"keep_aspect": True}, (400, 400)),
        ("focalclick-hrnet18s-s1", {"flip": False}, (256, 256)),
        (
            "focalclick-hrnet18s-s2",
            {"initial": "damaged", "threshold": 0.5},
            (256, 256),
        ),
    ],
)
def test_the_robot_shows_images_as_published(cases, tmp_path, name, options, size):
    settings = RobotSettings(
        weights=stored(name, tmp_path),
        clicks=2,
        device="cpu",
        precision="float32",
        **options,
    ).resolved("folder")
    assert settings.size == size
    zoom = predictor_of(settings).zoom
    assert (zoom.longest_side, zoom.skip) == (
        (400, 1) if settings.keep_aspect else (None, 0)
    )
    result = robot("folder", cases, settings)
    assert [len(case.ious) for case in result.cases] == [2]


def test_patches_cannot_keep_their_aspect_ratio():
    with pytest.raises(ValueError, match="multiples of 32 px"):
        RobotSettings(keep_aspect=True).resolved()
