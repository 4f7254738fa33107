"""The section of measures, in a real window."""

import json

import numpy as np
import pytest
from napari.layers import Surface
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog, QMessageBox

from napari_simpleclick.plugin.layers.diameter_lines import NAME

FIRST, SECOND = (12, 30, 30), (12, 60, 90)
MM = {"scale": (3.0, 0.5, 0.5), "units": ("mm", "mm", "mm")}


def two_balls():
    labels = np.zeros((24, 100, 120), np.uint16)
    grid = np.indices(labels.shape)
    for label, centre in enumerate((FIRST, SECOND), start=1):
        far = sum(
            ((g - c) / r) ** 2
            for g, c, r in zip(grid, centre, (6, 16, 12 * label), strict=True)
        )
        labels[far <= 1] = label
    return labels


@pytest.fixture
def opened(open_window, discs):
    """Open the section on an image with two objects."""

    def build(labels=None, data=discs, **look):
        hand = open_window(data, **look)
        hand.section = hand.panel.sections["measures"]
        hand.canvas.mask.data = two_balls() if labels is None else labels
        hand.press(hand.section.toggleButton())
        hand.settle()
        finish(hand)
        return hand

    return build


def finish(hand):
    hand.qtbot.waitUntil(lambda: not hand.section._soon.isActive())


def cells(hand, column):
    table = hand.section.table
    titles = [table.horizontalHeaderItem(k).text() for k in range(table.columnCount())]
    return [
        table.item(row, titles.index(column)).text() for row in range(table.rowCount())
    ]


def click_row(hand, row):
    table = hand.section.table
    place = table.visualItemRect(table.item(row, 0)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    finish(hand)
    return place


def say_file(monkeypatch, path, chosen="CSV (*.csv)"):
    answer = (str(path), chosen)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: answer)


def test_the_table_lists_and_chooses_objects(opened):
    hand = opened(**MM)
    pixels = np.bincount(hand.canvas.mask.data.ravel())
    shown = [float(text) for text in cells(hand, "Volume (mL)")]
    assert shown == pytest.approx(pixels[1:] * 0.75 / 1000, rel=0.01)
    assert float(cells(hand, "Longest (mm)")[1]) == pytest.approx(24, abs=0.5)
    assert float(cells(hand, "Across (mm)")[1]) == pytest.approx(16, abs=0.5)
    click_row(hand, 1)
    assert hand.canvas.session.label == 2
    hand.viewer.dims.set_current_step(0, 3)
    place = click_row(hand, 1)
    left = Qt.MouseButton.LeftButton
    QTest.mouseDClick(hand.section.table.viewport(), left, pos=place)
    assert hand.viewer.dims.current_step[0] == 12
    hand.canvas.delete(1)
    finish(hand)
    assert cells(hand, "Object") == ["Object 2"]


def test_a_click_on_the_image_is_measured(open_window, discs):
    hand = open_window(discs)
    hand.section = hand.panel.sections["measures"]
    hand.press(hand.section.toggleButton())
    hand.settle()
    finish(hand)
    assert not hand.section.table.isVisible()
    assert "No object has a mask yet" in hand.section.note.text()
    hand.viewer.dims.set_point(0, 12)
    hand.click(*FIRST)
    hand.wait(1)
    finish(hand)
    area = np.count_nonzero(hand.canvas.mask.data)
    (shown,) = cells(hand, "Volume (voxels)")
    assert float(shown.replace(",", "")) == pytest.approx(area, rel=0.005)
    assert hand.section.table.isVisible()


def test_what_is_copied_can_be_pasted_into_a_spreadsheet(opened):
    hand = opened(**MM)
    hand.press(hand.section.copy)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert len(lines) == 3
    assert lines[0].split("\t")[:3] == ["object", "name", "voxels"]
    assert hand.panel.status.text() == "Copied 2 rows."


def test_files_are_written_and_never_lost(opened, tmp_path, monkeypatch):
    hand = opened(**MM)
    target = tmp_path / "out.json"
    say_file(monkeypatch, target)
    hand.press(hand.section.save)
    rows = json.loads(target.read_text())
    assert [row["object"] for row in rows] == [1, 2]
    say_file(monkeypatch, tmp_path / "out", "JSON (*.json)")  # there already
    no = QMessageBox.StandardButton.No
    monkeypatch.setattr(QMessageBox, "question", lambda *_: no)
    hand.canvas.delete(1)
    hand.press(hand.section.save)
    assert json.loads(target.read_text()) == rows
    say_file(monkeypatch, tmp_path / "out.txt")
    hand.press(hand.section.save)
    assert "use .csv, .json" in hand.troubles[-1]
    say_file(monkeypatch, "")
    hand.press(hand.section.save)
    assert [one.name for one in tmp_path.glob("out*")] == ["out.json"]


def test_diameters_are_drawn_on_the_slice(opened):
    hand = opened(**MM)
    hand.viewer.dims.set_current_step(0, 12)
    assert NAME not in hand.viewer.layers
    QTest.mouseClick(
        hand.section.diameters, Qt.MouseButton.LeftButton, pos=QPoint(8, 8)
    )
    finish(hand)
    lines = hand.viewer.layers[NAME].data
    assert lines.shape == (4, 2, 3)
    lengths = np.linalg.norm(lines[:, 1] * (3, 0.5, 0.5), axis=1)
    assert sorted(lengths)[-1] == pytest.approx(24, abs=0.5)
    assert (lines[:, 0, 0] == 12).all()
    hand.canvas.delete(2)
    finish(hand)
    assert len(hand.viewer.layers[NAME].data) == 2
    hand.viewer.dims.set_current_step(0, 0)
    finish(hand)
    assert len(hand.viewer.layers[NAME].data) == 0
    QTest.mouseClick(
        hand.section.diameters, Qt.MouseButton.LeftButton, pos=QPoint(8, 8)
    )
    finish(hand)
    assert NAME not in hand.viewer.layers


def surfaces(hand):
    return [one for one in hand.viewer.layers if isinstance(one, Surface)]


def test_surfaces_lie_on_their_masks_and_follow_on_request(opened):
    hand = opened(translate=(10, 20, 30), **MM)
    hand.viewer.dims.order = (2, 0, 1)
    hand.press(hand.section.surfaces)
    assert hand.viewer.dims.order == (0, 1, 2)  # or napari would turn the masks alone
    first, second = surfaces(hand)
    assert hand.viewer.dims.ndisplay == 3
    assert (first.name, second.name) == ("Object 1 surface", "Object 2 surface")
    middle = second.data_to_world(second.data[0].mean(axis=0))
    assert middle == pytest.approx((10 + 36, 20 + 30, 30 + 45), abs=0.3)
    reach = np.ptp(second.data[0], axis=0) * (3, 0.5, 0.5)
    assert reach == pytest.approx((36, 16, 24), abs=3.1)
    assert first.colormap.colors[0] != pytest.approx(second.colormap.colors[0])
    hand.canvas.mask.data = np.where(two_balls() == 1, 0, two_balls())
    second.opacity = 0.4
    assert len(surfaces(hand)) == 2  # only on request
    hand.press(hand.section.surfaces)
    (left,) = surfaces(hand)
    assert left is second
    assert left.opacity == 0.4


def test_surfaces_of_several_objects_ask_before_they_replace(
    opened, tmp_path, monkeypatch
):
    hand = opened(**MM)
    say_file(monkeypatch, tmp_path / "ball.stl", "STL (*.stl)")
    hand.press(hand.section.save_surfaces)
    made = sorted(one.name for one in tmp_path.glob("*.stl"))
    assert made == ["ball-1.stl", "ball-2.stl"]
    (tmp_path / "ball-1.stl").write_text("mine")
    no = QMessageBox.StandardButton.No
    monkeypatch.setattr(QMessageBox, "question", lambda *_: no)
    hand.press(hand.section.save_surfaces)
    assert (tmp_path / "ball-1.stl").read_text() == "mine"


def test_a_series_is_plotted_and_gone_through(opened):
    labels = np.zeros((5, 8, 40, 40), np.uint16)
    for time in range(5):
        labels[time, 2:6, 10 : 15 + 3 * time, 10:20] = 1
    data = np.where(labels, 200, 40).astype(np.uint8)
    hand = opened(labels, data, axis_labels=("t", "z", "y", "x"))
    section = hand.section
    assert section.plot.isVisible()
    assert cells(hand, "Time") == ["0", "1", "2", "3", "4"]
    assert section.time.currentText() == "t, 5 points"
    place = section.plot.place(3).toPoint()
    QTest.mouseClick(section.plot, Qt.MouseButton.LeftButton, pos=place)
    finish(hand)
    assert hand.viewer.dims.current_step[0] == 3
    assert section.table.selectedItems()[0].row() == 3
    click_row(hand, 1)
    assert hand.viewer.dims.current_step[0] == 1
    heights = [section.plot.place(t, v).y() for t, v in section.plot._values.items()]
    assert heights == sorted(heights, reverse=True)


def test_a_stack_is_a_series_when_the_person_says_so(opened):
    hand = opened(**MM)
    section = hand.section
    assert section.time.currentText() == "none"
    section.time.setFocus()
    QTest.keyClick(section.time, Qt.Key.Key_Down)
    finish(hand)
    assert hand.workflow.measures.axes().time == 0
    assert "Area (mm²)" in [
        section.table.horizontalHeaderItem(k).text()
        for k in range(section.table.columnCount())
    ]
    assert section.plot.isVisible()


def test_a_report_is_written(opened, tmp_path, monkeypatch):
    hand = opened(**MM)
    say_file(monkeypatch, tmp_path / "case", "PDF (*.pdf)")
    hand.press(hand.section.report)
    assert hand.panel.status.text() == f"Saved '{tmp_path / 'case.pdf'}'."
    assert (tmp_path / "case.pdf").read_bytes().startswith(b"%PDF")


def test_it_works_in_threads(opened, threads):
    hand = opened(**MM)
    hand.qtbot.waitUntil(lambda: hand.section.table.rowCount() == 2)
    hand.canvas.delete(1)
    hand.qtbot.waitUntil(lambda: hand.section.table.rowCount() == 1)
