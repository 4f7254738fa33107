"""From a file to features that the window finds."""

import shutil

import nibabel
import numpy as np
import pytest
from napari.components import ViewerModel
from typer.testing import CliRunner

from napari_simpleclick import load_weights
from napari_simpleclick.cli import app
from napari_simpleclick.inference.feature_store import FeatureStore
from napari_simpleclick.inference.modes import Mode
from napari_simpleclick.plugin.controller import Controller
from napari_simpleclick.plugin.files import read_layers
from napari_simpleclick.workflow import InlineExecutor
from napari_simpleclick.workflow.engine import PredictionEngine

runner = CliRunner(env={"COLUMNS": "400", "NO_COLOR": "1"})

MODEL = ("-w", "encode-once", "--jobs", 1)


def encode(*words):
    return runner.invoke(app, ["encode", *map(str, words)])


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}


@pytest.fixture
def scan(tmp_path):
    """A volume of three slices that stands another way round in a viewer."""
    values = np.random.default_rng(3).integers(-300, 900, (24, 20, 3)).astype(np.int16)
    path = tmp_path / "scan.nii"
    nibabel.save(nibabel.Nifti1Image(values, np.diag([-1.0, 1.0, 2.5, 1.0])), path)
    return path


def encodes_in_a_window(path, watch, axis=0, **limits):
    """How often the network of a window has to encode, as slices are gone through."""
    viewer = ViewerModel()
    ((data, look, _),) = read_layers(str(path))
    image = viewer.add_image(data, **look)
    for name, value in limits.items():
        setattr(image, name, value)
    viewer.dims.order = (axis, *(other for other in range(3) if other != axis))
    controller = Controller(viewer, InlineExecutor())
    network, card = load_weights("encode-once")
    predictor = Mode.named("fast").predictor(network, store=FeatureStore())
    calls = watch(predictor.encoder)
    controller.workflow.models.engine = PredictionEngine(predictor, card)
    controller.use_image(image)
    for index in range(data.shape[axis]):
        viewer.dims.set_current_step(axis, index)
    controller.close()
    return len(calls)


@pytest.fixture
def watch(monkeypatch):
    """Note what a network encodes."""

    def begin(encoder):
        calls, compute = [], encoder.compute

        def noted(pixels):
            calls.append(pixels)
            return compute(pixels)

        monkeypatch.setattr(encoder, "compute", noted)
        return calls

    return begin


def test_the_window_finds_what_the_command_has_encoded(scan, cache, watch):
    result = encode(scan, *MODEL)
    assert result.exit_code == 0, result.output
    assert "3 slices of 'scan', 3 of them new" in result.stdout
    assert len(contents(cache / "features")) == 3
    assert encodes_in_a_window(scan, watch) == 0
    before = contents(cache / "features")
    result = encode(scan, *MODEL)
    assert "0 of them new" in result.stdout
    assert contents(cache / "features") == before
    result = encode(scan, *MODEL, "--window=-100:500")
    assert "3 of them new" in result.stdout
    assert encodes_in_a_window(scan, watch, contrast_limits=(-100, 500)) == 0


def test_a_run_that_was_stopped_goes_on_and_the_bytes_are_the_same(scan, tmp_path):
    whole, halted = tmp_path / "whole", tmp_path / "halted"
    encode(scan, *MODEL, "--out", whole)
    shutil.copytree(whole, halted)
    gone, damaged, _ = halted.iterdir()
    gone.unlink()
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    result = encode(scan, *MODEL, "-o", halted)
    assert "2 of them new" in result.stdout
    assert contents(halted) == contents(whole)


@pytest.mark.slow
def test_workers_give_the_same_bytes(scan, tmp_path):
    distributed = pytest.importorskip("distributed")
    alone, many, dask = (tmp_path / name for name in ("alone", "many", "dask"))
    encode(scan, *MODEL, "-o", alone)
    result = encode(scan, "-w", "encode-once", "--jobs", 2, "-o", many)
    assert result.exit_code == 0, result.output
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, dashboard_address=None
    )
    with cluster:
        address = cluster.scheduler_address
        result = encode(scan, *MODEL, "--dask", address, "-o", dask)
    assert result.exit_code == 0, result.output
    assert contents(alone) == contents(many) == contents(dask)
    assert len(contents(alone)) == 3


def test_another_axis_and_slices_that_look_the_same(scan, tmp_path, cache, watch):
    values = np.zeros((6, 5, 4), np.uint8)
    values[2] = 200
    path = tmp_path / "steps.nii"
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    result = encode(path, *MODEL, "--axis", 0)
    assert "6 slices of 'steps', 2 of them new" in result.stdout
    assert encodes_in_a_window(path, watch, axis=2) == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-w", "simpleclick"), "neither a file nor known weights"),
        (("--weights", "sbd_vit_xtiny"), "has to be fetched by hand"),
        (("--axis", 7), "No slices follow axis 7"),
        (("--window", "wide"), "'wide' is no window"),
        (("--window", "5:2"), "'5:2' is no window"),
        (("--limit", 0.001), "Features of 3 slices take 0.017 GB"),
        (("--limit", "inf"), "--limit is 'inf'; give a number of gigabytes above 0"),
        (("--limit", -1), "--limit is '-1.0'; give a number"),
        (("--device", "abacus"), "no device 'abacus'"),
        (("--precision", "int3"), "no precision 'int3'"),
    ],
)
def test_what_cannot_be_is_one_sentence(scan, words, told):
    result = encode(scan, *MODEL, *words)
    assert result.exit_code == 2, result.output
    (line,) = [part for part in result.stderr.splitlines() if "napari-sim" in part]
    assert told in line


def test_a_network_that_encodes_at_each_click_is_refused(scan):
    result = encode(scan, "-w", "simpleclick-xtiny")
    assert result.exit_code == 2
    assert "there is nothing to encode ahead" in result.stderr


def test_a_full_disk_ends_in_a_sentence(scan, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    result = encode(scan, *MODEL)
    assert result.exit_code == 2
    assert "No space left on device" in result.stderr
    assert "what is there stays" in result.stderr
