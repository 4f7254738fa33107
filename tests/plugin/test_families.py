"""A model of each family answers clicks in a window, and replays from a session."""

import nibabel
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from napari_simpleclick import networks
from napari_simpleclick.cli import app
from napari_simpleclick.networks.focalclick.segformer import SegFormerSize
from napari_simpleclick.networks.hrnet import HRNetSize
from napari_simpleclick.plugin import settings
from napari_simpleclick.sessions.folder import folder
from napari_simpleclick.weights import Card, save_weights

VIT = {"width": 32, "heads": 2}
FAMILIES = {
    "simpleclick-xtiny": {},
    "encode-once-lite0": {},
    "focalclick-segformer-b0-s2": {
        "size": SegFormerSize((8, 16, 20, 32), (1,) * 4, 16)
    },
    "ritm-hrnet18s": {"size": HRNetSize(4, 8, small=True)},
    "interformer-tiny": {**VIT, "depth": 2},
    "mst-main": {**VIT, "pyramid": (8, 16, 32, 64), "head": 16},
    "sam-vit-b": {
        **{**VIT, "channels": 64, "hidden": 32, "depth": 2},
        **{"looking_at_all": (1,), "window": 3},
    },
}


@pytest.fixture
def weights(request, tmp_path):
    """A file with random weights, chosen before the window opens."""
    torch.manual_seed(0)
    name = request.param
    network = networks.build(name, 64, **FAMILIES[name]).eval()
    for key, parameter in network.named_parameters():
        if key == "neck.patch_embed" or "cls_head" in key:
            torch.nn.init.normal_(parameter, std=3)
    path = tmp_path / f"{name}.safetensors"
    save_weights(network, path, Card("random", name, path.name))
    settings.save(model=str(path))
    return path


@pytest.mark.parametrize("weights", FAMILIES, indirect=True)
def test_clicks_are_answered_and_replayed(
    weights, make_napari_viewer, qtbot, hand_on, discs, tmp_path
):
    image = tmp_path / "discs.nii.gz"
    nibabel.save(nibabel.Nifti1Image(discs, np.eye(4)), image)
    viewer = make_napari_viewer(show=True)
    viewer.open(image, plugin="napari-simpleclick")
    hand = hand_on(viewer)
    assert hand.controller.engine.card.name == "random"
    middle = np.array(viewer.layers[0].data.shape) // 2
    place = middle[0]
    viewer.dims.set_current_step(0, int(place))
    hand.settle()
    hand.click(*middle)
    hand.wait(1)
    hand.click(place, middle[1] - 5, middle[2] + 5, modifier="control")
    hand.wait(2)
    drawn = np.asarray(hand.canvas.mask.data).copy()
    assert np.array_equal(drawn[place] > 0, hand.answers[-1].mask)
    hand.canvas.recorder.close()
    (session,) = folder().glob("*.simpleclick")
    out = tmp_path / "again.nii.gz"
    result = CliRunner().invoke(
        app, ["replay", str(session), "--weights", str(weights), "-o", str(out)]
    )
    assert result.exit_code == 0, result.output
    again = np.asarray(nibabel.load(out).dataobj)
    assert (again > 0).sum() == (drawn > 0).sum()
