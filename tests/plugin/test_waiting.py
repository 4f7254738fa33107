"""A window that is closed while a file is being written."""

from pathlib import Path

import pytest
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QMainWindow, QProgressDialog

from napari_simpleclick.plugin.waiting import WaitForSaving


@pytest.fixture
def window(qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    window.show()
    return window


@pytest.mark.parametrize("written", [True, False])
def test_a_window_waits_and_stays_open_if_nothing_was_written(window, written):
    waiting = WaitForSaving(Path("mask.nii.gz"), window)
    said = []

    def end():
        (dialog,) = window.findChildren(QProgressDialog)
        said.append((dialog.labelText(), window.isVisible()))
        waiting.end(written)

    QTimer.singleShot(0, end)
    window.close()
    text, open_meanwhile = said[0]
    assert text == "Saving 'mask.nii.gz'. The window closes when it is written."
    assert open_meanwhile
    assert window.isVisible() is not written


def test_a_window_closes_at_once_when_all_is_written(window):
    WaitForSaving(Path("mask.nii.gz"), window).end(True)
    window.close()
    assert not window.isVisible()
