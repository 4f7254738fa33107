"""A study, driven by real mouse and key events."""

import csv
import json

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from skimage.draw import disk
from skimage.io import imsave

from napari_simpleclick.evaluation import Result
from napari_simpleclick.plugin import settings
from napari_simpleclick.plugin.study.panel import RINGED, TASK
from tests.plugin.conftest import Hand

PLACES = [(30, 40), (70, 80), (50, 60), (40, 90), (75, 35), (60, 70)]


@pytest.fixture
def case_list(tmp_path):
    """Six bright discs, each in an image of its own, and their list."""
    rng = np.random.default_rng(0)
    rows = []
    for number, place in enumerate(PLACES):
        mask = np.zeros((110, 130), np.uint8)
        mask[disk(place, 18, shape=mask.shape)] = 3
        image = 40 + 160 * (mask > 0) + rng.normal(0, 5, mask.shape)
        imsave(tmp_path / f"i{number}.png", image.clip(0, 255).astype(np.uint8))
        imsave(tmp_path / f"m{number}.png", mask, check_contrast=False)
        rows.append((f"i{number}.png", f"m{number}.png", 3))
    path = tmp_path / "cases.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("image", "mask", "label"), *rows])
    return path


@pytest.fixture
def open_study(make_napari_viewer, qtbot):
    """Open a window with the study docked, as from the plugin menu."""

    def build():
        viewer = make_napari_viewer(show=True)
        viewer.window.resize(1200, 850)
        _, study = viewer.window.add_plugin_dock_widget(
            "napari-simpleclick", "SimpleClick study"
        )
        return viewer, study

    return build


def begin(viewer, study, path, qtbot, code="P01"):
    study.list.clear()
    study.participant.clear()
    QTest.keyClicks(study.list, str(path))
    QTest.keyClicks(study.participant, code)
    QTest.mouseClick(study.begin, Qt.MouseButton.LeftButton)
    if study.panel is None:
        return None
    qtbot.waitUntil(lambda: "case" in str(viewer.layers))
    hand = Hand(viewer, study.panel, qtbot)
    study.panel.workflow.queue.answered.connect(hand.answers.append)
    study.panel.workflow.trouble.connect(lambda text, _: hand.troubles.append(text))
    return hand


def press(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def click_case(hand, study, shift=0):
    """Click on the disc of the case that is shown."""
    hand.settle()
    number = int(study.study.current.name[1:])
    row, column = PLACES[number]
    count = len(hand.answers)
    hand.click(row + shift, column)
    hand.wait(count + 1)


@pytest.mark.slow
def test_six_cases_a_restart_and_the_report(open_study, case_list, qtbot):
    viewer, study = open_study()
    hand = begin(viewer, study, case_list, qtbot)
    assert study.progress.text() == "Case 1 of 6"
    assert study.study.path.name == "P01.jsonl"
    for _ in range(2):
        click_case(hand, study)
        press(study.next)
        assert study.status.text() == TASK
    click_case(hand, study)
    viewer.close()

    viewer, study = open_study()
    hand = begin(viewer, study, case_list, qtbot)
    assert study.progress.text() == "Case 3 of 6"
    for _ in range(2):
        click_case(hand, study)
        click_case(hand, study, shift=-10)
        press(study.next)
    press(study.pause)
    shown = [layer.name for layer in viewer.layers if layer.visible]
    assert shown == []
    hand.click(*PLACES[int(study.study.current.name[1:])])
    assert not study.next.isEnabled()
    seconds = study.study.seconds
    QTest.qWait(50)
    assert study.study.seconds == seconds
    press(study.pause)
    click_case(hand, study)
    press(study.next)
    click_case(hand, study)
    pages = []
    study.reported.connect(pages.append)
    press(study.next)
    qtbot.waitUntil(lambda: bool(pages))
    page = pages[0]
    assert "report" in study.status.text()
    assert page.exists()

    person = Result.read(page.with_name("person.json"))
    robot = Result.read(page.with_name("robot.json"))
    assert person.annotator == "P01"
    assert person.instances == robot.instances == 6
    assert [len(case.clicks) for case in person.cases] == [1, 1, 2, 2, 1, 1]
    for case in person.cases:
        number = int(case.name[1:])
        row, column, positive = case.clicks[0]
        assert abs(row - PLACES[number][0]) <= 1
        assert abs(column - PLACES[number][1]) <= 1
        assert positive
        assert 0 < case.times[0] < case.seconds
    lines = study.study.path.read_text().splitlines()
    events = [json.loads(line) for line in lines]
    clicks = [event for event in events if event["event"] == "click"]
    assert len(clicks) == 9  # one of them in the case that was cut off
    assert {"at", "zoom", "seconds", "iou", "dice"} <= clicks[0].keys()
    assert all(0 < case.final_iou <= 1 for case in person.cases)


def test_the_reference_is_never_shown(open_study, case_list, qtbot):
    viewer, study = open_study()
    begin(viewer, study, case_list, qtbot)
    for layer in viewer.layers:
        if type(layer).__name__ == "Labels":
            assert not np.asarray(layer.data).any()


def test_a_ring_shows_which_of_several_objects(open_study, case_list, qtbot):
    mask = np.zeros((110, 130), np.uint8)
    mask[disk((30, 40), 12)], mask[disk((80, 90), 12)] = 3, 4
    for number in range(len(PLACES)):
        imsave(case_list.with_name(f"m{number}.png"), mask, check_contrast=False)
    viewer, study = open_study()
    hand = begin(viewer, study, case_list, qtbot)
    ring = viewer.layers["case 1 object"].data[0]
    assert (ring.min(0) < (18, 28)).all()
    assert (ring.max(0) < (68, 78)).all()
    assert study.status.text() == RINGED
    hand.settle()
    hand.click(30, 40)
    hand.wait(1)
    press(study.next)
    assert "case 1 object" not in viewer.layers
    assert "case 2 object" in viewer.layers


def test_what_cannot_be_begun(open_study, case_list, tmp_path, qtbot):
    viewer, study = open_study()
    begin(viewer, study, tmp_path / "none.csv", qtbot)
    assert "cannot be read" in study.status.text()
    begin(viewer, study, case_list, qtbot, code="Ada Lovelace")
    assert "is not a participant code" in study.status.text()
    assert not study.start.isHidden()


def test_the_model_stays_the_same_and_nothing_distracts(open_study, case_list, qtbot):
    settings.save(tour=True)
    viewer, study = open_study()
    panel = begin(viewer, study, case_list, qtbot).panel
    device = panel.sections["model"]
    for choice in (device.model, device.device, device.precision):
        assert not choice.isEnabled()
    assert not panel.tour.isVisible()
    study.leave()
    assert device.model.isEnabled()


def test_a_case_without_a_click_is_not_finished(open_study, case_list, qtbot):
    viewer, study = open_study()
    begin(viewer, study, case_list, qtbot)
    press(study.next)
    assert "Click on the object first" in study.status.text()
    assert study.progress.text() == "Case 1 of 6"


def test_the_last_click_is_waited_for_and_undo_is_noted(
    held, open_study, case_list, qtbot
):
    viewer, study = open_study()
    hand = begin(viewer, study, case_list, qtbot)
    click_case(hand, study)
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    row, column = PLACES[int(study.study.current.name[1:])]
    held.holding = True
    hand.click(row, column)
    press(study.next)  # its answer is still to come
    assert "Waiting" in study.status.text()
    held.release_all()
    qtbot.waitUntil(lambda: study.progress.text() == "Case 2 of 6")
    assert len(study.study.finished[0].clicks) == 2
    events = [json.loads(line) for line in study.study.path.read_text().splitlines()]
    assert any(e["event"] == "changed" and e["clicks"] == 0 for e in events)


def test_the_person_sees_what_the_robot_sees(open_study, case_list, qtbot):
    for number in range(len(PLACES)):
        image = np.zeros((110, 130), np.uint16)
        image[20:90, 20:100] = 1000
        image[0, 0] = 60000
        imsave(case_list.with_name(f"i{number}.png"), image, check_contrast=False)
    viewer, study = open_study()
    begin(viewer, study, case_list, qtbot)
    assert viewer.layers["case 1"].contrast_limits[1] <= 1000
