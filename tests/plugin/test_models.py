import http.server
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_simpleclick.plugin import settings
from napari_simpleclick.plugin.sections import model
from napari_simpleclick.weights import catalogue, store
from napari_simpleclick.weights.catalogue import BUNDLED
from napari_simpleclick.weights.store import checksum

XTINY = Path(store.__file__).parent / "simpleclick-xtiny.safetensors"


class Slow(http.server.SimpleHTTPRequestHandler):
    """Serves the bundled weights; half of them at first, the rest when it may."""

    def do_GET(self):
        content = XTINY.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        half = len(content) // 2
        try:
            self.wfile.write(content[:half])
            self.wfile.flush()
            if self.server.may_go_on.wait(30):
                for start in range(half, len(content), 2**16):
                    self.wfile.write(content[start : start + 2**16])
        except OSError:
            pass

    def log_message(self, *_):
        pass


@pytest.fixture
def remote(monkeypatch):
    """A model that has to be downloaded; the server waits in the middle."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow) as service:
        service.may_go_on = threading.Event()
        threading.Thread(target=service.serve_forever, daemon=True).start()
        card = replace(
            catalogue()["simpleclick-xtiny"],
            name="remote",
            title="remote",
            file="remote.safetensors",
            sha256=checksum(XTINY),
            url=f"http://127.0.0.1:{service.server_port}/remote.safetensors",
        )
        cards = {"remote": card, **catalogue()}  # one key from the first
        monkeypatch.setattr(
            sys.modules[catalogue.__module__], "catalogue", lambda: cards
        )
        monkeypatch.setattr(model, "catalogue", lambda: cards)
        yield service
        service.may_go_on.set()
        service.shutdown()


def open_section(hand):
    section = hand.panel.sections["model"]
    section.expand()
    QTest.qWait(50)
    return section


def choose(box, text):
    """Choose from a list with the keyboard, as the person does."""
    box.setFocus()
    start = box.currentIndex()
    end = box.findText(text)
    assert end >= 0
    key = Qt.Key.Key_Down if end > start else Qt.Key.Key_Up
    for _ in range(abs(end - start)):
        QTest.keyClick(box, key)


def wait_for(hand, name):
    hand.qtbot.waitUntil(lambda: hand.controller.engine.card.name == name)


def test_the_section_tells_size_and_licence(open_window, discs):
    hand = open_window(discs)
    section = open_section(hand)
    assert section.model.currentText() == catalogue()[BUNDLED].title
    assert (
        f"{catalogue()[BUNDLED].bytes / 1e6:.1f} MB, on this computer"
        in section.about.text()
    )
    assert "BSD-3-Clause" in section.about.text()
    assert section.model.findText("cocolvis_vit_huge") > 0
    tips = [
        section.model.itemData(row, Qt.ItemDataRole.ToolTipRole)
        for row in range(section.model.count() - 1)
    ]
    assert all("Licence:" in tip for tip in tips)


def test_the_section_tells_what_the_model_is_and_how_fast_here(open_window, discs):
    hand = open_window(discs)
    loader = hand.workflow.models
    assert not loader.speeds  # nobody has asked yet
    section = open_section(hand)
    words = section.words.text()
    for part in ("7.08 million parameters", "Good for: ", "Trained on: 40 medical"):
        assert part in words
    hand.qtbot.waitUntil(lambda: loader.choice in loader.speeds)
    assert section.timing.isVisible()
    assert "On this computer: " in section.timing.text()
    tips = [
        section.model.itemData(row, Qt.ItemDataRole.ToolTipRole)
        for row in range(section.model.count() - 1)
    ]
    assert any("Not for commercial use" in tip for tip in tips)
    assert all("Good for: " in tip for tip in tips)


def test_device_and_precision_change_in_the_background(held, open_window, discs):
    hand = open_window(discs)
    section = open_section(hand)
    before = hand.controller.engine
    assert [section.device.itemText(i) for i in range(2)] == ["auto", "cpu"]
    held.holding = True
    choose(section.precision, "bfloat16")
    assert hand.controller.engine is before
    assert section.waiting.isVisible()
    held.release_all()
    assert not section.waiting.isVisible()
    hand.qtbot.waitUntil(lambda: hand.controller.engine is not before)
    assert hand.controller.engine.predictor.dtype == torch.bfloat16
    assert settings.load().precision == "bfloat16"
    hand.click(0, 60, 60)
    hand.wait(1)


def test_exact_mode_decides_the_precision(open_window, discs):
    hand = open_window(discs)
    section = open_section(hand)
    before = hand.controller.engine
    assert section.mode.currentText() == "Fast"
    choose(section.mode, "Exact")
    hand.qtbot.waitUntil(lambda: hand.controller.engine is not before)
    assert hand.controller.engine.predictor.flip
    assert not section.precision.isEnabled()
    assert settings.load().mode == "exact"
    hand.click(0, 60, 60)
    hand.wait(1)


def test_the_choice_comes_back_the_next_time(open_window, discs):
    settings.save(device="cpu", precision="float32")
    hand = open_window(discs)
    section = open_section(hand)
    assert section.device.currentText() == "cpu"
    assert section.precision.currentText() == "float32"
    assert hand.controller.engine.predictor.dtype == torch.float32


def test_a_file_is_a_model_too(threads, open_window, discs, tmp_path, monkeypatch):
    hand = open_window(discs)
    section = open_section(hand)
    path = tmp_path / "own.safetensors"
    path.write_bytes(XTINY.read_bytes())
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    before = hand.controller.engine
    section.model.setFocus()
    QTest.keyClick(section.model, Qt.Key.Key_End)  # the models before it would load
    assert section.model.itemText(section.model.count() - 1) == model.OPEN_FILE
    hand.qtbot.waitUntil(lambda: hand.controller.engine is not before)
    assert section.model.currentText() == "own.safetensors"
    assert settings.load().model == str(path)


def test_milliseconds_are_the_median_of_the_last_five(open_window, discs):
    hand = open_window(discs)
    section = open_section(hand)
    assert not section.speed.isVisible()
    for count in range(1, 8):
        hand.click(0, 10 * count, 30)
        hand.wait(count)
    last = [answer.milliseconds for answer in hand.answers[-5:]]
    assert section.speed.text() == f"{np.median(last):.0f} ms per click"
    assert section.speed.isVisible()


def test_a_download_shows_its_bytes_and_ends_in_use(
    threads, open_window, discs, remote
):
    hand = open_window(discs)
    section = open_section(hand)
    choose(section.model, "remote")
    hand.qtbot.waitUntil(lambda: "of 7.7 MB" in section.waiting.text())
    assert "not on this computer" in section.about.text()
    bar = hand.panel.sections["model"].bar.bar
    assert bar.total == XTINY.stat().st_size
    assert 0 < bar.n < bar.total
    hand.click(0, 30, 30)  # the old model goes on answering
    hand.wait(1)
    before = hand.controller.engine
    remote.may_go_on.set()
    hand.qtbot.waitUntil(lambda: hand.controller.engine is not before)
    assert not section.waiting.isVisible()
    assert "on this computer" in section.about.text()
    assert settings.load().model == "remote"


def test_a_cancelled_download_leaves_everything_as_it_was(
    threads, open_window, discs, remote, cache
):
    hand = open_window(discs)
    section = open_section(hand)
    before = hand.controller.engine
    choose(section.model, "remote")
    hand.qtbot.waitUntil(lambda: "of 7.7 MB" in section.waiting.text())
    hand.press(section.cancel)
    assert section.model.currentText() == catalogue()[BUNDLED].title
    assert not section.cancel.isVisible()
    remote.may_go_on.set()
    hand.qtbot.waitUntil(lambda: not any(Path(cache).glob("*")))
    assert hand.controller.engine is before
    assert not hand.troubles
    hand.click(0, 30, 30)
    hand.wait(1)


def test_the_panel_may_be_closed_during_a_download(
    threads, open_window, discs, remote, cache
):
    hand = open_window(discs)
    section = open_section(hand)
    choose(section.model, "remote")
    hand.qtbot.waitUntil(lambda: "of 7.7 MB" in section.waiting.text())
    hand.panel.parent().destroyOnClose()
    hand.qtbot.waitUntil(lambda: hand.controller.closed)
    hand.qtbot.waitUntil(lambda: hand.panel.sections["model"].bar.bar is None)
    remote.may_go_on.set()
    hand.qtbot.waitUntil(lambda: not any(Path(cache).glob("*")))
