"""A session of a real window, read back by the command line."""

import json

import nibabel
import numpy as np
import pytest
from qtpy.QtCore import Qt
from typer.testing import CliRunner

from napari_simpleclick.annotation import MaskOptions
from napari_simpleclick.cli import app
from napari_simpleclick.images import files
from napari_simpleclick.images.source import SOURCE_KEY
from napari_simpleclick.sessions.folder import folder

CONTROL = Qt.KeyboardModifier.ControlModifier


def run(*arguments):
    return CliRunner().invoke(app, ["replay", *map(str, arguments)])


@pytest.fixture
def volume(tmp_path, discs):
    """The discs as a file whose axes are turned."""
    path = tmp_path / "knee.nii.gz"
    affine = np.array([[0, 0, 2.0, 5], [-1, 0, 0, 3], [0, -1, 0, 1], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(discs, affine), path)
    return path


@pytest.fixture
def worked(volume, make_napari_viewer, qtbot, hand_on):
    """Clicks, a correction, an undo, painting, an option; then the mask as saved."""
    viewer = make_napari_viewer(show=True)
    viewer.open(volume, plugin="napari-simpleclick")
    hand = hand_on(viewer)
    shape = viewer.layers[0].data.shape
    bright = np.argwhere(np.asarray(viewer.layers[0].data) > 150)
    middle = bright[len(bright) // 2]
    viewer.dims.set_current_step(0, int(middle[0]))
    hand.settle()
    place = viewer.layers[0].world_to_data(viewer.dims.point)[0], *middle[1:]
    hand.click(*place)
    hand.click(place[0], place[1] + 3, place[2] + 2)
    hand.wait(2)
    hand.key(Qt.Key.Key_N)
    hand.click(place[0], 5, 5)
    hand.wait(3)
    hand.key(Qt.Key.Key_Z, CONTROL)
    hand.canvas.session.use(MaskOptions(threshold=0.4, intensities="slice"))
    hand.click(place[0], shape[1] - 8, shape[2] - 8)
    hand.wait(4)
    places = tuple(np.array([at, at]) for at in (0, 1, 2))
    hand.canvas.mask.data_setitem(places, 5)
    hand.canvas.recorder.close()
    (session,) = folder().glob("*.simpleclick")
    return session, hand.canvas


def test_replay_gives_the_mask_of_the_window(worked, tmp_path):
    session, canvas = worked
    out = tmp_path / "out.nii.gz"
    result = run(session, "-o", out, "--json", tmp_path / "report.json")
    assert result.exit_code == 0, result.output
    expected = tmp_path / "expected.nii.gz"
    source = canvas.mask.metadata[SOURCE_KEY]
    files.write_labels(expected, canvas.mask.data, source)
    mine, theirs = nibabel.load(out), nibabel.load(expected)
    assert (np.asarray(mine.dataobj) == np.asarray(theirs.dataobj)).all()
    assert np.allclose(mine.affine, theirs.affine)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["clicks"] == 4
    assert {one["label"] for one in report["objects"]} >= {1, 5}
    voxels = {one["label"]: one["voxels"] for one in report["objects"]}
    assert voxels[1] == (canvas.mask.data == 1).sum() > 0


def test_the_same_model_predicts_the_same_again(worked):
    session, _ = worked
    result = run(session, "--weights", "bundled", "--json", "-")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    agreement = {one["label"]: one["dice_with_recorded"] for one in report["objects"]}
    assert agreement[5] == 1.0  # painted
    assert min(agreement.values()) > 0.995


def test_an_image_that_has_moved_is_given(worked, volume, tmp_path):
    session, _ = worked
    moved = volume.rename(tmp_path / "moved.nii.gz")
    refused = run(session, "--weights", "bundled", "--json", "-")
    assert refused.exit_code == 2
    assert "--image" in refused.output
    result = run(session, "--image", moved, "-o", tmp_path / "out.nii.gz")
    assert result.exit_code == 0, result.output
    other = tmp_path / "other.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), np.uint8), np.eye(4)), other)
    wrong = run(session, "--image", other, "-o", tmp_path / "out.nii.gz")
    assert wrong.exit_code == 2
    assert "not the image of this session" in wrong.output


def test_bad_input_is_one_sentence(tmp_path):
    path = tmp_path / "a.simpleclick"
    for arguments in ((path, "--json", "-"), (path,)):
        result = run(*arguments)
        assert result.exit_code == 2
        assert len(result.output.strip().splitlines()) == 1
    assert not path.exists()
