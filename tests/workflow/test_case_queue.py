"""A list of cases, without a window: what is found, where each stands, what is kept."""

import csv
import errno
import json
import os
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from napari_simpleclick import UserError
from napari_simpleclick.exports import ExportCase
from napari_simpleclick.images.source import Source
from napari_simpleclick.workflow import InlineExecutor
from napari_simpleclick.workflow.case_queue import (
    CaseState,
    CaseWork,
    ExportChoice,
    open_queue,
)
from napari_simpleclick.workflow.case_queue.find_cases import case_names, find_cases
from tests.executors import HeldExecutor
from tests.images.dicom_files import series

UNTOUCHED, IN_WORK, DONE, SKIP = CaseState


def scan(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4)), path)


@pytest.fixture
def folder(tmp_path):
    """Twelve scans, one of which has a mask beside it."""
    for number in range(1, 13):
        scan(tmp_path / "in" / f"knee {number}.nii.gz")
    scan(tmp_path / "in" / "knee 3_seg.nii.gz")
    return tmp_path / "in"


# -- what is found ---------------------------------------------------------------------


def test_a_folder_is_its_images_in_the_order_of_their_numbers(folder):
    found = find_cases(str(folder))
    names = case_names(found.paths, found.home)
    assert names == [f"knee {number}" for number in range(1, 13)]


def test_cases_that_are_folders_are_one_each(tmp_path):
    pytest.importorskip("pydicom")
    for case in ("BraTS-2", "BraTS-10"):
        for part in ("flair", "t1", "seg"):
            scan(tmp_path / "HGG" / case / f"{case}-{part}.nii.gz")
    (tmp_path / "ct").mkdir()
    series(tmp_path / "ct", (0, 2, 4))
    (tmp_path / "stack").mkdir()
    for number in range(3):
        Image.new("L", (8, 8)).save(tmp_path / "stack" / f"z{number}.png")
    Image.new("L", (8, 8)).save(tmp_path / "cell.png")
    (tmp_path / "notes.txt").write_text("no image")
    found = find_cases(str(tmp_path))
    names = case_names(found.paths, found.home)
    assert names == ["cell", "ct", "BraTS-2", "BraTS-10", "stack"]


def test_names_are_told_apart_by_folders_and_endings(tmp_path):
    for name in ("a/flair.nii.gz", "b/flair.nii.gz", "b/flair.nii", "c/t1.nii.gz"):
        scan(tmp_path / name)
    found = find_cases(str(tmp_path))
    names = dict(zip(found.paths, case_names(found.paths, found.home), strict=True))
    assert names[tmp_path / "a" / "flair.nii.gz"] == "a_flair"
    assert names[tmp_path / "b" / "flair.nii"] == "b_flair.nii"
    assert names[tmp_path / "c" / "t1.nii.gz"] == "t1"


def test_a_pattern_and_a_list(tmp_path):
    for case in ("p1", "p2"):
        scan(tmp_path / case / "flair.nii.gz")
        scan(tmp_path / case / "t1.nii.gz")
    found = find_cases(str(tmp_path / "*" / "flair.nii.gz"))
    assert [path.parent.name for path in found.paths] == ["p1", "p2"]
    assert found.home == tmp_path
    table = tmp_path / "cases.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerows([["id", "image"], [1, "p2/t1.nii.gz"], [2, "gone.nii"]])
    found = find_cases(str(table))
    assert [path.name for path in found.paths] == ["t1.nii.gz", "gone.nii"]
    queue = open_queue(str(table))
    assert queue.file.path.name == "cases-queue.json"
    assert [queue.is_missing(case) for case in queue.cases] == [False, True]
    queue.close()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda place: None, "There is no folder or list"),
        (lambda place: place.mkdir(), "There is no image in"),
        (
            lambda place: [scan(place / f"{n}.nii") for n in ("t1", "seg")],
            "is one case",
        ),
    ],
)
def test_what_is_no_list_of_cases_is_said(tmp_path, make, said):
    make(tmp_path / "x")
    with pytest.raises(UserError, match=said):
        open_queue(str(tmp_path / "x"))


def test_a_list_needs_a_column(tmp_path):
    (tmp_path / "cases.csv").write_text("scan\na.nii\n")
    with pytest.raises(UserError, match="has no column 'image'"):
        open_queue(str(tmp_path / "cases.csv"))


# -- where each case stands ------------------------------------------------------------


def test_the_next_day_all_is_as_it_was(folder):
    queue = open_queue(str(folder))
    queue.choose_export(ExportChoice("nnunet", "Dataset1", True))
    queue.mark("knee 1", DONE, exported=True)
    queue.mark("knee 2", SKIP)
    queue.go_to("knee 3")
    queue.mark("knee 3", IN_WORK)
    before = queue.record
    queue.close()
    again = open_queue(str(folder))
    assert again.record == before
    assert again.current.name == "knee 3"
    assert again.get("knee 1").exported
    assert again.export_target() == folder / "Dataset1"
    again.close()


def test_next_leaves_out_what_is_over_and_begins_again(folder):
    queue = open_queue(str(folder))
    queue.mark("knee 2", DONE)
    queue.mark("knee 3", SKIP)
    assert queue.next().name == "knee 1"
    queue.go_to("knee 1")
    assert queue.next().name == "knee 4"
    assert queue.previous() is None
    queue.go_to("knee 12")
    assert queue.previous().name == "knee 11"
    assert queue.next().name == "knee 1"
    for case in queue.cases:
        queue.mark(case.name, DONE)
    assert queue.next() is None
    queue.close()


def test_files_that_moved_or_came_keep_or_get_their_state(folder):
    queue = open_queue(str(folder))
    for name in ("knee 1", "knee 2"):
        queue.mark(name, DONE)
    (folder / "old").mkdir()
    (folder / "knee 1.nii.gz").rename(folder / "old" / "knee 1.nii.gz")
    (folder / "knee 2.nii.gz").unlink()
    scan(folder / "knee 13.nii.gz")
    assert queue.is_missing(queue.get("knee 1"))
    queue.look_again()
    assert queue.get("knee 1").state is DONE
    assert queue.path(queue.get("knee 1")) == folder / "old" / "knee 1.nii.gz"
    assert queue.is_missing(queue.get("knee 2"))
    assert queue.get("knee 2").state is DONE
    assert queue.get("knee 13").state is UNTOUCHED
    queue.close()
    moved = folder.rename(folder.with_name("elsewhere"))
    again = open_queue(str(moved))
    assert again.get("knee 1").state is DONE
    again.close()


def test_another_patient_does_not_get_the_state_of_one_that_is_gone(tmp_path):
    for number in range(1, 5):
        scan(tmp_path / f"patient {number}" / "flair.nii.gz")
    queue = open_queue(str(tmp_path))
    for name in ("patient 1_flair", "patient 2_flair"):
        queue.mark(name, DONE)
    (tmp_path / "old").mkdir()
    (tmp_path / "patient 1").rename(tmp_path / "old" / "patient 1")
    (tmp_path / "patient 2" / "flair.nii.gz").unlink()
    queue.look_again()
    scan(tmp_path / "patient 9" / "flair.nii.gz")
    queue.look_again()
    states = {case.path: case.state for case in queue.cases}
    assert states["old/patient 1/flair.nii.gz"] is DONE
    assert states["patient 2/flair.nii.gz"] is DONE
    assert states["patient 9/flair.nii.gz"] is UNTOUCHED
    queue.close()


def test_what_was_exported_is_no_case(folder):
    scan(folder / "exports" / "of another.nii.gz")
    queue = open_queue(str(folder))
    queue.choose_export(ExportChoice("nnunet"))
    queue.mark("knee 1", DONE, exported=True)
    scan(folder / "exports" / "imagesTr" / "knee_1_0000.nii.gz")
    scan(folder / "knee 13.nii.gz")
    queue.look_again()
    names = sorted(case.name for case in queue.cases)
    expected = ["of another", *(f"knee {number}" for number in range(1, 14))]
    assert names == sorted(expected)
    queue.close()


def test_an_image_that_is_listed_twice_is_one_case(folder):
    listed = folder / "list.csv"
    listed.write_text("image,note\nknee 1.nii.gz,a\nknee 2.nii.gz,\nknee 1.nii.gz,b\n")
    queue = open_queue(str(listed))
    assert [case.name for case in queue.cases] == ["knee 1", "knee 2"]
    queue.close()


def test_a_second_window_looks_on(folder):
    queue = open_queue(str(folder))
    other = open_queue(str(folder))
    assert not queue.read_only
    assert "open in another window" in other.read_only
    before = queue.file.path.exists()
    other.mark("knee 1", DONE)
    assert queue.file.path.exists() == before
    queue.close()
    third = open_queue(str(folder))
    assert not third.read_only
    third.close()


def test_a_damaged_file_is_left_alone(folder):
    path = folder / "simpleclick-queue.json"
    for content in ("{", '{"version": 99}', '{"cases": [{"name": 3}]}'):
        path.write_text(content)
        with pytest.raises(UserError, match="is no list of cases, is damaged or of"):
            open_queue(str(folder))
        assert path.read_text() == content


def test_a_full_disk_is_said_and_the_file_stays_whole(folder, monkeypatch):
    queue = open_queue(str(folder))
    queue.mark("knee 1", DONE)
    before = queue.file.path.read_bytes()
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail(_):
        raise full

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(UserError, match="No space left on device"):
            queue.mark("knee 2", DONE)
    assert queue.file.path.read_bytes() == before
    assert queue.get("knee 2").state is DONE
    assert not list(folder.glob(".*.json"))
    queue.mark("knee 3", DONE)
    states = [one["state"] for one in json.loads(queue.file.path.read_text())["cases"]]
    assert states[:3] == ["done"] * 3
    queue.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(folder, tmp_path):
    folder.chmod(0o500)
    queue = open_queue(str(folder))
    assert queue.file.path.is_relative_to(tmp_path / "sessions")
    queue.close()


# -- working through them --------------------------------------------------------------


class Viewer:
    """Shows cases to nobody; a case is drawn on by :meth:`draw`."""

    def __init__(self):
        self.shown, self.log, self.drawn, self.kept = None, [], set(), []
        self.problem = None

    def read(self, path):
        if "damaged" in path.name:
            raise UserError(f"'{path}' is damaged.")
        return lambda: self._show(path)

    def _show(self, path):
        assert self.shown is None
        self.shown = path
        self.log.append(path.name)

    def take_away(self):
        self.shown = None

    def draw(self):
        self.drawn.add(self.shown)

    def clear(self):
        self.drawn.discard(self.shown)

    def is_touched(self):
        return self.shown in self.drawn

    def trouble(self):
        return self.problem

    def belongs_to(self, queue):
        self.kept.append((self.shown, queue))

    def to_export(self, name):
        labels = np.zeros((6, 7), np.uint8)
        labels[1:3, 2:4] = self.is_touched()
        source = Source.of_layer((6, 7), (1.0, 1.0), (0.0, 0.0))
        image = np.zeros((6, 7), np.uint8)
        return ExportCase.of_layers(name, labels, source, (), image)


class Work:
    """A person who works through a folder."""

    def __init__(self, folder, executor=None):
        self.viewer = Viewer()
        self.work = CaseWork(self.viewer, executor or InlineExecutor())
        self.said, self.troubles = [], []
        self.work.status.connect(self.said.append)
        self.work.failed.connect(lambda error: self.troubles.append(str(error)))
        self.queue = open_queue(str(folder))
        self.work.begin(self.queue)

    @property
    def shown(self):
        return self.work.open_case

    def state(self, name):
        return self.queue.get(name).state


@pytest.fixture
def work(folder):
    found = Work(folder)
    yield found
    found.work.close()


def test_the_first_open_case_is_shown_and_marked_when_something_is_done(work):
    assert work.shown == "knee 1"
    assert work.state("knee 1") is UNTOUCHED
    work.viewer.draw()
    work.work.touch()
    work.work.touch()
    assert work.state("knee 1") is IN_WORK
    first = work.queue.path(work.queue.cases[0])
    assert work.viewer.kept == [(first, work.queue.file.path)]
    work.work.next()
    assert work.shown == "knee 2"
    work.work.previous()
    assert work.shown == "knee 1"
    work.work.previous()
    assert work.said[-1] == "This is the first case."


def test_done_and_skip_go_on(work):
    work.work.done()
    work.work.skip()
    assert work.shown == "knee 3"
    assert (work.state("knee 1"), work.state("knee 2")) == (DONE, SKIP)
    work.work.open("knee 1")
    assert work.state("knee 1") is DONE
    work.work.touch()
    assert work.state("knee 1") is IN_WORK
    work.work.reopen("knee 2")
    assert work.state("knee 2") is IN_WORK


def test_a_case_without_an_object_is_done_and_not_exported(work, folder):
    work.queue.choose_export(ExportChoice("coco"))
    work.work.done()
    assert work.state("knee 1") is DONE
    assert not work.queue.get("knee 1").exported
    assert work.shown == "knee 2"
    assert work.said[-1].startswith("'knee 1' has no object")
    assert not (folder / "exports").exists()
    work.viewer.draw()
    work.work.done()
    work.work.open("knee 2")
    work.viewer.clear()
    work.work.done()  # what was exported of it would stay
    assert "is empty" in work.troubles.pop()
    assert work.state("knee 2") is DONE
    assert work.shown == "knee 2"


def test_done_exports_first(work, folder):
    work.queue.choose_export(ExportChoice("coco"))
    work.viewer.draw()
    work.work.done()
    assert work.state("knee 1") is DONE
    assert work.queue.get("knee 1").exported
    assert work.shown == "knee 2"
    found = json.loads((folder / "exports" / "annotations.json").read_text())
    assert [one["case"] for one in found["images"]] == ["knee_1"]
    work.work.open("knee 1")
    work.work.done()
    assert work.troubles == []
    assert work.shown == "knee 2"
    work.queue.choose_export(ExportChoice("coco", "other"))
    assert not work.queue.get("knee 1").exported


def test_what_others_have_put_there_is_not_replaced(work, folder):
    work.queue.choose_export(ExportChoice("tiff"))
    (folder / "exports").mkdir()
    (folder / "exports" / "knee_1.tif").write_bytes(b"mine")
    work.viewer.draw()
    work.work.done()
    assert "is there already" in work.troubles[0]
    assert (folder / "exports" / "knee_1.tif").read_bytes() == b"mine"
    assert work.shown == "knee 1"
    assert not work.work.busy


def test_what_is_done_while_a_case_is_exported_has_it_exported_again(folder):
    executor = HeldExecutor()
    work = Work(folder, executor)
    executor.release()
    work.queue.choose_export(ExportChoice("coco"))
    work.viewer.draw()
    work.work.done()
    work.work.touch()
    executor.release_all()
    assert "changed while it was exported" in work.troubles.pop()
    assert work.shown == "knee 1"
    assert work.state("knee 1") is IN_WORK
    work.work.done()
    assert work.troubles == []
    assert work.state("knee 1") is DONE
    work.work.close()


def test_a_case_whose_work_is_not_saved_is_not_left(work):
    work.viewer.problem = UserError("Your work is not being saved.")
    work.work.next()
    for leave in (work.work.done, work.work.skip):
        leave()
        assert work.state("knee 1") is UNTOUCHED
    assert work.shown == "knee 1"
    assert set(work.troubles) == {"Your work is not being saved."}


def test_a_case_that_is_gone_or_damaged_is_said(folder):
    (folder / "knee 2.nii.gz").rename(folder / "damaged 2.nii.gz")
    work = Work(folder)
    (folder / "knee 1.nii.gz").unlink()
    work.work.open("knee 1")
    assert "is gone; put it back" in work.troubles.pop()
    work.work.open("damaged 2")
    assert "is damaged" in work.troubles.pop()
    assert work.shown == ""
    work.work.next()
    assert work.shown == "knee 3"
    work.work.close()


def test_only_one_case_is_opened_at_a_time(folder):
    executor = HeldExecutor()
    work = Work(folder, executor)
    work.work.next()
    work.work.done()
    assert work.work.busy
    executor.release_all()
    assert work.viewer.log == ["knee 1.nii.gz"]
    assert not work.work.busy
    work.work.close()


def test_the_last_case_ends_it(work):
    for _ in range(12):
        work.work.done()
    assert work.said[-1] == "All cases are done or skipped."
    assert work.shown == "knee 12"
    assert all(case.state is DONE for case in work.queue.cases)


def test_who_looks_on_changes_nothing(work, folder):
    other = Work(folder)
    other.work.touch()
    other.work.done()
    other.work.skip()
    assert other.state("knee 1") is UNTOUCHED
    assert "open in another window" in other.troubles[0]
    other.work.next()
    assert other.shown == "knee 2"
    assert work.queue.current.name == "knee 1"
    other.work.close()


def test_a_folder_is_looked_through_in_the_background(folder):
    executor = HeldExecutor()
    work, troubles = CaseWork(Viewer(), executor), []
    work.failed.connect(lambda error: troubles.append(str(error)))
    work.find(str(folder))
    assert work.busy
    assert work.queue is None
    work.close()  # the panel is closed meanwhile
    executor.release_all()
    assert work.queue is None
    assert not work.busy
    work.find(str(folder))
    assert [case.name for case in work.queue.cases]
    shown = work.queue
    work.find(str(folder / "nowhere"))
    assert "There is no folder or list" in troubles[0]
    assert work.queue is shown
    assert not work.busy
    work.close()


def test_without_a_folder_there_is_a_sentence():
    work, troubles = CaseWork(Viewer(), InlineExecutor()), []
    work.failed.connect(lambda error: troubles.append(str(error)))
    work.next()
    assert troubles == ["Open a folder of cases first."]


def test_paths_are_told_relative_to_the_folder(folder):
    queue = open_queue(str(folder))
    assert all(not Path(case.path).is_absolute() for case in queue.cases)
    queue.close()
