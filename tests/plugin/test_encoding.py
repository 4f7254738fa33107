"""The button that encodes a volume, in a real window."""

import numpy as np
import pytest

from napari_simpleclick.inference.feature_store import FeatureStore

pytestmark = pytest.mark.usefixtures("qtbot")


@pytest.fixture
def hand(open_window):
    rng = np.random.default_rng(0)
    found = open_window(rng.integers(0, 255, (4, 40, 50)).astype(np.uint8))
    found.panel.sections["encoding"].expand()
    return found


def shows(hand, text):
    section = hand.panel.sections["encoding"]
    hand.qtbot.waitUntil(lambda: text in section.outcome.text())
    return section


def test_a_volume_is_encoded_cancelled_and_gone_on_with(held, hand):
    hand.workflow.use_model("encode-once")
    section = shows(hand, "Slices are encoded as they are shown")
    held.holding = True
    assert section.start.isEnabled()
    hand.press(section.start)
    held.release(2)
    hand.qtbot.waitUntil(lambda: section.bar.isVisible())
    hand.qtbot.waitUntil(lambda: section.bar.value() == 2)
    assert section.bar.maximum() == 4
    assert not section.start.isEnabled()
    hand.press(section.cancel)
    held.release_all()
    shows(hand, "2 of 4 slices are encoded; press it to go on.")
    assert not section.bar.isVisible()
    store = FeatureStore()
    written = {path: path.stat().st_ino for path in store.folder.iterdir()}
    assert len(written) == 2
    hand.press(section.start)
    shows(hand, "All 4 slices are encoded")
    assert len(list(store.folder.iterdir())) == 4
    assert written.items() <= {
        (path, path.stat().st_ino) for path in store.folder.iterdir()
    }
    assert hand.troubles == []


def test_a_full_disk_is_told_and_clicks_go_on(hand, monkeypatch):
    hand.workflow.use_model("encode-once")
    section = shows(hand, "Slices are encoded as they are shown")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        hand.press(section.start)
    assert len(hand.troubles) == 1
    assert "No space left on device" in hand.troubles[0]
    hand.troubles.clear()
    hand.click(2, 20, 25)
    hand.wait(1)
    shows(hand, "0 of 4 slices are encoded; press it to go on.")


def test_a_model_that_has_nothing_to_encode_says_so(hand):
    hand.workflow.use_model("simpleclick-xtiny")
    section = shows(hand, "looks at the image anew at each click")
    assert not section.start.isEnabled()
