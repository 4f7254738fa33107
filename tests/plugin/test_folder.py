"""*Folder of cases* and *Export…* in a window, by mouse and keys."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox

from napari_simpleclick.annotation import ObjectStyle
from napari_simpleclick.exports import KINDS, kind_of
from napari_simpleclick.images.source import SOURCE_KEY, Source
from napari_simpleclick.workflow.case_queue import CaseState, open_queue
from tests.workflow.queue_person import write_scans

SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def scans(tmp_path):
    write_scans(tmp_path / "scans", 4)
    return tmp_path / "scans"


@pytest.fixture
def hand(make_napari_viewer, hand_on):
    viewer = make_napari_viewer(show=True)
    return hand_on(viewer)


@pytest.fixture
def section(hand, scans):
    """The section, open on the folder, whose path was typed."""
    section = hand.panel.sections["folder"]
    hand.press(section.toggleButton())
    section.place.setFocus()
    QTest.keyClicks(section.place, str(scans))
    QTest.keyClick(section.place, Qt.Key.Key_Return)
    QApplication.processEvents()
    return section


def rows(section):
    table = section.table
    items = [table.topLevelItem(row) for row in range(table.topLevelItemCount())]
    return [(item.text(0), item.text(1)) for item in items]


def click_on_the_box(hand):
    """Click in the middle of the bright box, on the slice in sight."""
    axis = hand.viewer.dims.order[0]
    hand.viewer.dims.set_current_step(axis, 2)
    hand.settle()
    pixels = np.asarray(hand.canvas.image.data)[2]
    places = np.argwhere(pixels > 100)
    count = len(hand.answers)
    hand.click(2, *places.mean(axis=0))
    hand.wait(count + 1)


@pytest.mark.slow
def test_a_folder_is_worked_through_with_mouse_and_keys(hand, section, scans):
    assert rows(section) == [
        (f"scan {number}", "\N{WHITE CIRCLE} untouched") for number in range(4)
    ]
    assert hand.canvas.image.name == "scan 0"
    section.format.setCurrentIndex(section.format.findData("nnunet"))
    section.format.activated.emit(section.format.currentIndex())
    click_on_the_box(hand)
    assert rows(section)[0][1].endswith("in work")
    drawn = np.array(hand.canvas.mask.data)
    hand.press(section.done)
    assert hand.troubles == []
    assert hand.canvas.image.name == "scan 1"
    assert rows(section)[0][1].endswith("done")
    assert section.progress.text() == "1 of 4 done"
    found = nibabel.load(scans / "exports" / "labelsTr" / "scan_0.nii.gz")
    assert np.asarray(found.dataobj).sum() == (drawn > 0).sum() > 0
    click_on_the_box(hand)
    hand.key(Qt.Key.Key_N, SHIFT)
    assert hand.canvas.image.name == "scan 2"
    assert rows(section)[1][1].endswith("in work")
    hand.key(Qt.Key.Key_B, SHIFT)
    assert hand.canvas.image.name == "scan 1"
    assert hand.canvas.mask.data.any()
    hand.key(Qt.Key.Key_D, SHIFT)
    assert rows(section)[1][1].endswith("done")
    hand.press(section.skip)
    assert rows(section)[2][1].endswith("skip")
    about = json.loads((scans / "exports" / "dataset.json").read_text())
    assert about["numTraining"] == 2
    assert hand.canvas.image.name == "scan 3"
    assert {layer.name[:6] for layer in hand.viewer.layers} == {"scan 3"}


def test_another_list_is_chosen_when_the_case_is_there(hand, section):
    work, choices = section.work, (section.place, section.folder, section.list)
    seen = []
    work.changed.connect(lambda: seen.append((work.busy, choices[0].isEnabled())))
    hand.press(section.next)
    hand.settle()
    assert (True, False) in seen
    assert not work.busy
    assert all(widget.isEnabled() for widget in choices)


def test_a_double_click_opens_a_case_and_not_done_takes_it_back(hand, section):
    table = section.table
    item = table.topLevelItem(2)
    place = table.visualItemRect(item).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    QTest.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    QApplication.processEvents()
    assert hand.canvas.image.name == "scan 2"
    hand.press(section.done)
    item = table.topLevelItem(2)
    table.setCurrentItem(item)
    assert section.reopen.isEnabled()
    hand.press(section.reopen)
    assert rows(section)[2][1].endswith("in work")


def test_a_second_window_says_that_it_looks_on(hand, section, scans):
    other = open_queue(str(scans))
    assert other.read_only
    other.close()
    hand.panel.leave()
    mine = open_queue(str(scans))
    assert not mine.read_only
    mine.close()


def test_a_list_that_is_open_elsewhere_is_shown(hand, scans, monkeypatch):
    mine = open_queue(str(scans))
    section = hand.panel.sections["folder"]
    hand.press(section.toggleButton())
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(scans))
    hand.settle()
    hand.press(section.folder)
    assert "open in another window" in section.told.text()
    assert section.told.isVisible()
    assert not section.done.isEnabled()
    hand.press(section.next)
    assert hand.canvas.image.name == "scan 1"
    assert all(case.state is CaseState.UNTOUCHED for case in mine.cases)
    mine.close()


def test_a_folder_without_images_is_said(hand, tmp_path):
    (tmp_path / "empty").mkdir()
    section = hand.panel.sections["folder"]
    hand.press(section.toggleButton())
    section.place.setText(str(tmp_path / "empty"))
    QTest.keyClick(section.place, Qt.Key.Key_Return)
    assert "There is no image in" in hand.troubles[0]
    assert section.table.isHidden()


def test_a_key_without_a_folder_is_explained(open_window, discs):
    hand = open_window(discs)
    hand.key(Qt.Key.Key_N, SHIFT)
    assert hand.troubles == ["Open a folder of cases first."]


# -- Export… ---------------------------------------------------------------------------


def choose(button, name):
    """Choose a format in the list of the button."""
    title = f"{kind_of(name).title}…"
    action = next(one for one in button.menu().actions() if one.text() == title)
    action.trigger()
    QApplication.processEvents()


@pytest.fixture
def drawn(open_window, discs):
    """A window on a stack with two objects of a class."""
    hand = open_window(discs, name="cells")
    mask = np.zeros(discs.shape[1:], bool)
    mask[20:40, 20:40] = True
    for label, shift in ((1, 0), (2, 50)):
        plane = hand.canvas.current_plane()
        change = hand.canvas.write(plane, label, np.roll(mask, shift, axis=1))
        hand.canvas.session.paint(change)
        hand.canvas.session.give_style(label, ObjectStyle("", "", "cell"))
    return hand


def answer_box(monkeypatch, text):
    """Press a button of the next question."""

    def press(box):
        chosen = next(one for one in box.buttons() if one.text().strip("&") == text)
        chosen.click()

    monkeypatch.setattr(QMessageBox, "exec", press)


@pytest.mark.parametrize(("answer", "count"), [("Objects", 2), ("Classes", 1)])
def test_objects_or_classes_are_added_to_a_data_set(
    drawn, tmp_path, monkeypatch, answer, count
):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    answer_box(monkeypatch, answer)
    choose(drawn.panel.export, "coco")
    assert drawn.troubles == []
    assert "Exported 'cells'" in drawn.panel.status.text()
    found = json.loads((tmp_path / "annotations.json").read_text())
    assert [one["name"] for one in found["categories"]] == ["cell"]
    assert len(found["annotations"]) == count


def test_a_case_is_replaced_if_the_person_says_so(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    choose(drawn.panel.export, "nnunet")
    before = (tmp_path / "labelsTr" / "cells.nii.gz").stat().st_mtime_ns
    for answer in (QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes):
        monkeypatch.setattr(QMessageBox, "question", lambda *_, a=answer: a)
        choose(drawn.panel.export, "nnunet")
        after = (tmp_path / "labelsTr" / "cells.nii.gz").stat().st_mtime_ns
        assert (after == before) is (answer == QMessageBox.StandardButton.No)
    assert drawn.panel.export.isEnabled()


@pytest.mark.parametrize("files", [(), (Path("slice.dcm"),)])
def test_what_refers_to_dicom_files_is_offered_where_there_are_some(drawn, files):
    ndim = drawn.canvas.image.ndim
    placed = tuple(range(ndim)), (False,) * ndim, (1.0,) * ndim, (0.0,) * ndim
    source = Source(None, drawn.canvas.image.data.shape, *placed, files=files)
    drawn.canvas.image.metadata[SOURCE_KEY] = source
    menu = drawn.panel.export.menu()
    menu.aboutToShow.emit()
    offered = {one.text(): one for one in menu.actions()}
    for kind in KINDS:
        action = offered[f"{kind.title}…"]
        assert action.isEnabled() is (not kind.of_dicom or bool(files))
        assert ("DICOM files" in action.toolTip()) is not action.isEnabled()


def test_what_has_no_place_is_said(drawn, tmp_path, monkeypatch):
    target = str(tmp_path / "cells.dcm")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (target, ""))
    answer_box(monkeypatch, "Objects")
    choose(drawn.panel.export, "rtstruct")
    assert "is no DICOM series" in drawn.troubles[0]


def test_a_mistake_leaves_the_list_that_is_open(hand, section):
    before = rows(section)
    section.place.setText("/no/such/folder")
    section.place.returnPressed.emit()
    assert rows(section) == before
    assert section.work.open_case == "scan 0"
    hand.press(section.next)
    hand.settle()
    assert section.work.open_case == "scan 1"
