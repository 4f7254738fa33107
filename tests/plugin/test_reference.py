"""IoU, Dice, clicks and seconds against a reference layer."""

import re

import numpy as np
from qtpy.QtCore import Qt


def test_the_score_appears_after_each_click(open_window, discs):
    truth = np.where(discs > 120, 1, 0).astype(np.uint8)
    truth[:, :, 60:] *= 7
    hand = open_window(discs)
    layer = hand.viewer.add_labels(truth, name="truth")
    hand.viewer.layers.selection.active = hand.canvas.points[True]
    box = hand.panel.sections["reference"]
    assert box.content().height() == 0
    hand.press(box.toggleButton())
    hand.qtbot.waitUntil(lambda: box.content().height() > 50)
    hand.press(box.toggleButton())
    hand.qtbot.waitUntil(lambda: box.content().height() == 0)
    hand.press(box.toggleButton())
    assert layer in box.choice.choices
    box.choice.value = layer
    box.hide.setChecked(True)
    assert not layer.visible
    hand.viewer.dims.set_point(0, 12)
    hand.settle()
    hand.click(12, 60, 90)
    hand.wait(1)
    mask = hand.canvas.mask.data[12] == 1
    inside = truth[12] == 7
    iou = (mask & inside).sum() / (mask | inside).sum()
    shown = box.score.text()
    assert f"IoU {iou:.3f}" in shown
    assert f"Dice {2 * iou / (1 + iou):.3f}" in shown
    assert re.search(r"1 click · \d+ s", shown)
    hand.click(12, 66, 90)
    hand.wait(2)
    before = box.score.text().split(" · ")[:3]
    assert before[-1] == "2 clicks"
    hand.click(12, 30, 30)
    hand.wait(3)
    assert box.score.text().split(" · ")[0] != before[0]
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert box.score.text().split(" · ")[:3] == before
    hand.press(hand.panel.new_object)
    hand.click(12, 5, 5)
    hand.wait(4)
    assert "no object under the first click" in box.score.text()
    box.hide.setChecked(False)
    assert layer.visible


def test_the_mask_itself_is_no_reference(open_window, discs):
    hand = open_window(discs)
    hand.click(12, 60, 90)
    hand.wait(1)
    box = hand.panel.sections["reference"]
    box.choice.reset_choices()
    box.choice.value = hand.viewer.layers[hand.canvas.mask.name]
    assert "the mask itself" in box.score.text()


def test_a_reference_of_another_shape_is_named(open_window, discs):
    hand = open_window(discs)
    other = hand.viewer.add_labels(np.ones((5, 6), np.uint8), name="other")
    hand.viewer.layers.selection.active = hand.canvas.points[True]
    hand.panel.sections["reference"].choice.reset_choices()
    hand.panel.sections["reference"].choice.value = other
    hand.click(0, 30, 30)
    hand.wait(1)
    score = hand.panel.sections["reference"].score
    assert "choose a reference of the same shape" in score.text()
    hand.press(hand.panel.sections["reference"].toggleButton())
    hand.qtbot.waitUntil(lambda: score.height() >= score.heightForWidth(score.width()))


def test_a_reference_may_lack_times(open_window, discs):
    film = np.stack([np.stack([discs] * 2, axis=1)] * 2)
    hand = open_window(film, axis_labels=("time", "z", "channel", "y", "x"))
    truth = hand.viewer.add_labels((discs > 120)[:, None].astype(np.uint8))
    hand.viewer.layers.selection.active = hand.canvas.points[True]
    reference = hand.panel.sections["reference"]
    reference.choice.value = truth
    hand.viewer.dims.set_point(1, 12)
    hand.settle()
    hand.click(0, 12, 0, 30, 30)
    hand.wait(1)
    assert reference.score.text().startswith("IoU")
