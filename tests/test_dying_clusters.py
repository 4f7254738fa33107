"""Schedulers and workers that die while commands work; what was done is kept."""

import sys

import numpy as np
import pytest

from napari_simpleclick.errors import UserError
from napari_simpleclick.evaluation import find_cases, robot
from napari_simpleclick.images import Plane
from napari_simpleclick.images.view import View
from napari_simpleclick.inference.encoding import EncoderSettings
from napari_simpleclick.inference.feature_store import FeatureStore
from napari_simpleclick.propagation.volume_files import (
    AnnotatedVolume,
    PropagationSettings,
)
from napari_simpleclick.tasks.pool import open_pool
from napari_simpleclick.workflow.encode_volume import VolumeSlices, encode_volume
from napari_simpleclick.workflow.propagate_volumes import propagate_volumes
from tests.clusters import cluster
from tests.evaluation.conftest import QUICK, discs  # noqa: F401
from tests.test_propagate_many import scans  # noqa: F401

pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="no signals"),
]


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

    return work, lambda: out.with_name("out.json.unfinished").read_text().count('"ious')


def encoding(folder, request):
    """A volume of six slices into a store; gives the content of its files."""
    volume = np.random.default_rng(0).integers(0, 255, (6, 30, 40)).astype(np.uint8)
    planes = tuple(Plane((1, 2), (index, 0, 0)) for index in range(6))
    slices = VolumeSlices(View(volume), planes)
    store = FeatureStore(folder / "store")

    def work(address, report):
        settings = EncoderSettings("encode-once")
        with open_pool(scheduler=address, kept="All is kept.") as pool:
            encode_volume(
                slices, settings, store, pool, report=lambda done, _: report(done)
            )
        paths = sorted(store.folder.glob("*.safetensors"))
        return [(path.name, path.read_bytes()) for path in paths]

    return work, lambda: len(list(store.folder.glob("*.safetensors")))


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

    return work, lambda: len(list(out.glob("*.nii")))


@pytest.mark.parametrize("command", [evaluating, encoding, propagating])
def test_what_was_finished_is_kept_and_the_rest_is_the_same(command, tmp_path, request):
    work, count_kept = command(tmp_path / "interrupted", request)
    (tmp_path / "interrupted").mkdir(exist_ok=True)
    with cluster(1, tmp_path) as first:

        def end_scheduler(done):
            if done == 1:
                first.kill(0)

        with pytest.raises(UserError, match=r"does not answer any more\. .*kept"):
            work(first.address, end_scheduler)
    kept = count_kept()
    assert kept >= 1
    told = []
    with cluster(2, tmp_path) as second:

        def end_worker(done):
            told.append(done)
            if len(told) == 1:
                second.kill(1)

        found = work(second.address, end_worker)
    (tmp_path / "whole").mkdir()
    undisturbed, _ = command(tmp_path / "whole", request)
    assert found == undisturbed("", lambda _: None)
