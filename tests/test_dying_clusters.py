"""Schedulers and workers that die while commands work; what was done is kept."""

import json
import sys

import nibabel
import numpy as np
import pytest

from napari_simpleclick.errors import UserError
from napari_simpleclick.evaluation import find_cases, robot
from napari_simpleclick.images.viewer_images import open_layers
from napari_simpleclick.inference.encoding import EncoderSettings
from napari_simpleclick.inference.feature_store import FeatureStore
from napari_simpleclick.plugin.as_opened import slices_as_opened
from napari_simpleclick.propagation.volume_files import (
    AnnotatedVolume,
    PropagationSettings,
)
from napari_simpleclick.tasks.pool import open_pool
from napari_simpleclick.workflow.encode_volume import encode_volume
from napari_simpleclick.workflow.propagate_volumes import propagate_volumes
from tests.clusters import cluster
from tests.evaluation.conftest import QUICK, discs  # noqa: F401
from tests.test_propagate_many import scans  # noqa: F401

pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="no signals"),
]


def files_of(folder, pattern):
    """Files, each with a number that changes when it is written again."""
    return {(path.name, path.stat().st_ino) for path in folder.glob(pattern)}


def evaluating(folder, request):
    """An evaluation of six objects; gives what it knows in the end."""
    cases = find_cases("folder", request.getfixturevalue("discs"))
    out = folder / "out.json"

    def work(address, report):
        result = robot(
            "folder",
            cases,
            QUICK,
            scheduler=address,
            out=out,
            progress=lambda done, total: report(done),
        )
        return [(case.name, case.instance, case.ious) for case in result.cases]

    def finished():
        record = out.with_name("out.json.unfinished")
        lines = record.read_text().splitlines()[1:] if record.exists() else ()
        cases = (
            map(json.loads, lines) if lines else json.loads(out.read_text())["cases"]
        )
        return {(case["name"], case["instance"], case["seconds"]) for case in cases}

    return work, finished


def encoding(folder, request):
    """A volume of six slices into a store; gives the content of its files."""
    folder.mkdir(exist_ok=True)
    volume = np.random.default_rng(0).integers(0, 255, (30, 40, 6)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), folder / "volume.nii")
    slices = slices_as_opened(*open_layers(folder / "volume.nii"))
    store = FeatureStore(folder / "store")

    def work(address, report):
        settings = EncoderSettings("encode-once")
        with open_pool(scheduler=address, kept="All is kept.") as pool:
            encode_volume(
                slices, settings, store, pool, report=lambda done, _: report(done)
            )
        paths = sorted(store.folder.glob("*.safetensors"))
        return [(path.name, path.read_bytes()) for path in paths]

    return work, lambda: files_of(store.folder, "*.safetensors")


def propagating(folder, request):
    """Three volumes; gives the labels."""
    root, out = request.getfixturevalue("scans"), folder / "labels"
    volumes = [
        AnnotatedVolume(path, root / "masks" / f"{path.name}.gz", 2, high=2)
        for path in sorted((root / "scans").iterdir())
    ]
    out.mkdir(parents=True, exist_ok=True)

    def work(address, report):
        with open_pool(scheduler=address, kept="All is kept.") as pool:
            settings = PropagationSettings()
            found = propagate_volumes(volumes, settings, out, pool)
            for number, outcome in enumerate(found, start=1):
                assert outcome.error is None
                report(number)
        return [(path.name, path.read_bytes()) for path in sorted(out.glob("*.nii"))]

    return work, lambda: files_of(out, "*.nii")


@pytest.mark.parametrize("command", [evaluating, encoding, propagating])
def test_what_was_finished_is_kept_and_the_rest_is_the_same(command, tmp_path, request):
    (tmp_path / "interrupted").mkdir()
    work, finished = command(tmp_path / "interrupted", request)
    with cluster(1, tmp_path) as first:

        def end_scheduler(done):
            if done == 1:
                first.kill(0)

        with pytest.raises(UserError, match=r"does not answer any more\. .*kept"):
            work(first.address, end_scheduler)
    kept = finished()
    assert len(kept) >= 1
    told = []
    with cluster(2, tmp_path) as second:

        def end_worker(done):
            told.append(done)
            if len(told) == 1:
                second.kill(1)

        found = work(second.address, end_worker)
    assert kept < finished()
    (tmp_path / "whole").mkdir()
    undisturbed, _ = command(tmp_path / "whole", request)
    assert found == undisturbed("", lambda _: None)
