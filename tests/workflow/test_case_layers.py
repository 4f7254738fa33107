"""Cases of a folder in a viewer, with their sessions; and a person who is killed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile

from napari_simpleclick.exports import ExportCase, export, kind_of
from napari_simpleclick.images.source import Source
from napari_simpleclick.sessions import folder as sessions
from napari_simpleclick.sessions.folder import folder as sessions_folder
from napari_simpleclick.sessions.folder import tidy
from napari_simpleclick.workflow.case_queue import CaseState, ExportChoice, open_queue
from tests.executors import HeldExecutor
from tests.workflow.queue_person import Worker, write_scans

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def scans(tmp_path):
    write_scans(tmp_path / "scans", 4)
    return tmp_path / "scans"


@pytest.fixture
def begin(scans):
    """Open the folder in a new viewer."""
    workers = []

    def begin(executor=None):
        worker = Worker(scans, executor)
        workers.append(worker)
        worker.begin()
        return worker

    yield begin
    for worker in workers:
        worker.close()


def names(worker):
    return [layer.name for layer in worker.controller.viewer.layers]


def test_one_case_is_shown_at_a_time(begin):
    worker = begin()
    assert names(worker) == [
        "scan 0",
        "scan 0 mask",
        "scan 0 negative clicks",
        "scan 0 positive clicks",
    ]
    worker.work.next()
    assert {name.partition(" ")[2][0] for name in names(worker)} == {"1"}
    assert len(names(worker)) == 4
    assert worker.queue.get("scan 0").state is CaseState.UNTOUCHED


def test_the_case_of_a_list_that_was_closed_is_taken_away(begin, tmp_path):
    worker = begin()
    write_scans(tmp_path / "others", 2)
    worker.click(2)
    worker.work.close()
    worker.work.begin(open_queue(str(tmp_path / "others")))
    assert worker.work.open_case == "scan 0"
    assert len(names(worker)) == 4
    worker.work.next()
    assert len(names(worker)) == 4


def test_what_was_done_is_there_again(begin):
    worker = begin()
    worker.click(2)
    before = np.array(worker.mask)
    assert before.any()
    assert worker.queue.get("scan 0").state is CaseState.IN_WORK
    worker.work.next()
    assert not worker.mask.any()
    worker.work.previous()
    np.testing.assert_array_equal(worker.mask, before)
    worker.click(3)
    worker.person.workflow.undo()
    worker.person.workflow.undo()
    assert not worker.mask.any()


def test_a_done_case_that_is_changed_is_in_work_again(begin):
    worker = begin()
    worker.click(2)
    worker.work.done()
    worker.work.open("scan 0")
    assert worker.queue.get("scan 0").state is CaseState.DONE
    worker.click(3)
    assert worker.queue.get("scan 0").state is CaseState.IN_WORK


def test_there_is_nothing_to_click_on_while_a_case_is_opened(begin):
    executor = HeldExecutor()
    worker = begin(executor)
    executor.release_all()
    worker.click(2)
    executor.release_all()
    executor.holding = True
    worker.work.next()
    assert worker.controller.canvas is None
    executor.release_all()
    worker.work.previous()
    executor.release_all()
    assert worker.mask[2].any()


def test_sessions_of_cases_stay_as_long_as_their_list(begin, monkeypatch):
    worker = begin()
    for _ in range(3):
        worker.click(2)
        worker.work.next()
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 1)
    worker.work.close()
    tidy()
    assert len(list(sessions_folder().glob("*.simpleclick"))) == 3
    worker.queue.file.path.unlink()
    tidy()
    assert len(list(sessions_folder().glob("*.simpleclick"))) == 1


def test_a_session_that_is_damaged_is_said(begin, monkeypatch):
    told = []
    monkeypatch.setattr(
        "napari_simpleclick.plugin.case_layers.show_warning", told.append
    )
    worker = begin()
    worker.click(2)
    worker.work.next()
    monkeypatch.setattr(
        "napari_simpleclick.plugin.case_layers.read_session", raise_value_error
    )
    worker.work.previous()
    assert "cannot be opened (it is damaged)" in told[0]
    assert not worker.mask.any()


def raise_value_error(*_):
    from napari_simpleclick import UserError

    raise UserError("it is damaged")


def test_a_pyramid_is_clicked_on_at_full_resolution(tmp_path):
    pytest.importorskip("zarr")
    pixels = np.full((5, 300, 320), 40, np.uint8)
    pixels[1:5, 100:151, 200:233] = 200
    source = Source.of_layer(pixels.shape, (2.0, 0.5, 0.5), (0.0,) * 3, ("um",) * 3)
    labels = (pixels > 100).astype(np.uint8)
    case = ExportCase.of_layers("cells", labels, source, (), pixels)
    export(case, kind_of("ome-zarr"), tmp_path / "in" / "cells.ome.zarr")
    shutil.rmtree(tmp_path / "in" / "cells.ome.zarr" / "labels")
    worker = Worker(tmp_path / "in")
    worker.queue.choose_export(ExportChoice("tiff"))
    worker.begin()
    image = worker.layers.canvas.image
    assert [level.shape for level in image.data] == [(5, 300, 320), (5, 150, 160)]
    place = image.data_to_world((2, 125, 215))
    worker.controller.viewer.dims.set_point(range(3), place)
    worker.controller.click(tuple(place), True)
    np.testing.assert_array_equal(worker.mask[2] > 0, pixels[2] > 100)
    worker.work.done()
    assert worker.person.troubles == []
    found = tifffile.imread(tmp_path / "in" / "exports" / "cells.tif")
    np.testing.assert_array_equal(found, worker.mask)
    worker.close()


# -- killed ----------------------------------------------------------------------------

CASES = 20


def read_until(process, wanted):
    """Read lines until there is one that begins as it should; then kill."""
    seen = []
    for line in process.stdout:
        seen.append(line.split())
        if line.startswith(wanted):
            process.kill()
            process.wait()
            break
    return seen


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_twenty_cases_with_kills_in_the_middle(tmp_path):
    folder = tmp_path / "scans"
    write_scans(folder, CASES)
    queue = open_queue(str(folder))
    queue.choose_export(ExportChoice("nnunet", str(tmp_path / "Dataset001")))
    queue.close()
    paths = [str(PROJECT / "src"), str(PROJECT)]
    where = os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])
    script = (
        "import importlib.util, sys; "
        "from pathlib import Path; "
        "from tests.workflow.queue_person import main; main(Path(sys.argv[1]))"
    )

    def start():
        return subprocess.Popen(
            [sys.executable, "-c", script, str(folder)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": where},
        )

    first = read_until(start(), "clicked scan 9 2")
    assert [line[0] for line in first].count("done") == 9
    second = read_until(start(), "done scan 13")
    assert second[0] == ["opened", "scan", "9", "1", "2"]
    assert second[1] == ["clicked", "scan", "9", "3"]
    last = start()
    third = [line.split() for line in last.stdout]
    assert last.wait() == 0
    assert third[0][:3] == ["opened", "scan", "14"]
    done = [line[2] for line in (*first, *second, *third) if line[0] == "done"]
    assert sorted(map(int, done)) == list(range(CASES))
    check_exports(folder, tmp_path / "Dataset001")


def check_exports(folder, data_set):
    """Every export holds the bright box of its scan, whole."""
    about = json.loads((data_set / "dataset.json").read_text())
    assert about["numTraining"] == CASES
    for number in range(CASES):
        pixels = np.asarray(nibabel.load(folder / f"scan {number}.nii.gz").dataobj)
        mask = nibabel.load(data_set / "labelsTr" / f"scan_{number}.nii.gz")
        np.testing.assert_array_equal(np.asarray(mask.dataobj) > 0, pixels > 100)
    again = open_queue(str(folder))
    assert all(case.state is CaseState.DONE for case in again.cases)
    assert all(case.exported for case in again.cases)
    again.close()
