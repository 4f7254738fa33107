"""Learning from objects, in a real window."""

import numpy as np

from tests.fake_teaching import FakeProcess, write_taught_file


def test_from_five_objects_to_learned_and_back(open_window, monkeypatch, tmp_path):
    taught_file = write_taught_file(tmp_path / "taught.safetensors")
    monkeypatch.setattr(FakeProcess, "made", [])
    monkeypatch.setattr(FakeProcess, "result_file", taught_file)
    image = np.full((200, 300), 40, np.uint8)
    places = [(50, 50), (50, 150), (50, 250), (150, 50), (150, 150)]
    for row, column in places:
        image[row - 20 : row + 20, column - 20 : column + 20] = 200
    hand = open_window(image)
    panel, teaching = hand.panel, hand.workflow.teaching
    teaching._make = FakeProcess
    section = panel.sections["teaching"]
    hand.press(section.toggleButton())
    assert section.state.text().startswith("0 of the 5 objects")
    assert not section.learn.isEnabled()
    for count, place in enumerate(places, start=1):
        hand.click(*place)
        hand.wait(count)
        assert not panel.teach_offer.isVisible()
        hand.press(panel.new_object)
    assert panel.teach_offer.isVisible()
    assert panel.teach_offer.text.text().startswith("5 objects are there")
    before = hand.controller.engine
    hand.press(panel.teach_offer.accept)
    assert not hand.troubles
    assert not panel.teach_offer.isVisible()
    assert section.state.text() == "Learned from 5 objects: better."
    assert section.used.isVisible()
    assert section.used.isChecked()
    assert hand.controller.engine is not before
    hand.press(section.used)
    assert hand.controller.engine is before
    hand.press(section.used)
    hand.press(section.undo)
    assert hand.controller.engine is before
    assert not section.used.isVisible()
    assert section.state.text().startswith("Undone")
