import os

import numpy as np
from qtpy.QtCore import Qt

from napari_simpleclick import Predictor
from napari_simpleclick.plugin.layers.proposal_outlines import COLOURS, NAME
from napari_simpleclick.weights import find_card
from napari_simpleclick.workflow.engine import PredictionEngine
from tests.helpers import PartNetwork

SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
DISKS = [(40, 40), (40, 120), (40, 200), (120, 40), (120, 120), (120, 200)]


def scene() -> np.ndarray:
    image = np.full((160, 240), 40.0)
    rows, columns = np.indices(image.shape)
    for row, column in DISKS:
        image[(rows - row) ** 2 + (columns - column) ** 2 <= 18**2] = 200
    noise = np.random.default_rng(0).normal(0, 3, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def ghosts(hand):
    """How many proposals are outlined, and how many of them as the one in view."""
    if NAME not in hand.viewer.layers:
        return 0, 0
    layer = hand.viewer.layers[NAME]
    edges = np.asarray(layer.edge_color)
    in_view = np.isclose(edges, COLOURS[True]).all(axis=1)
    plane = hand.canvas.current_plane()
    return len(hand.workflow.similar.shown(plane)), int(in_view.any())


def wait_for(hand, count, in_view):
    hand.qtbot.waitUntil(lambda: ghosts(hand) == (count, in_view))


def test_the_rest_is_found_and_judged_by_key(open_window, qtbot):
    """Three clicks, then found, accepted, rejected, corrected and undone by key."""
    hand = open_window(scene())
    predictor = Predictor(PartNetwork(0.4, (128, 128)), threads=1)
    models = hand.workflow.models
    models.engine = PredictionEngine(predictor, find_card("bundled"))
    models.loaded.emit()
    section = hand.panel.sections["similar"]
    section.expand()
    qtbot.waitUntil(lambda: "three objects" in section.outcome.text())
    assert not section.here.isEnabled()
    for place in DISKS[:3]:
        hand.key(Qt.Key.Key_N)
        hand.click(*place)
    qtbot.waitUntil(section.here.isEnabled)
    hand.key(Qt.Key.Key_F, SHIFT)
    wait_for(hand, 3, 1)
    assert hand.canvas.mask.data.max() == 3
    assert section.place.text().startswith("Proposal 1 of 3, score ")
    if picture := os.environ.get("SIMILAR_PICTURE"):
        hand.viewer.window.screenshot(picture, canvas_only=False)
    hand.key(Qt.Key.Key_K, SHIFT)
    wait_for(hand, 2, 1)
    assert set(np.unique(hand.canvas.mask.data)) == {0, 1, 2, 3, 4}
    hand.key(Qt.Key.Key_J, SHIFT)
    wait_for(hand, 1, 1)
    (last,) = hand.canvas.session.objects.proposals.open()
    row, column = hand.canvas.session.objects.proposals.find(last).seed
    hand.click(row, column)
    wait_for(hand, 0, 0)
    assert hand.canvas.mask.data[round(row), round(column)] == 5
    assert len(hand.canvas.points[True].data) == 4
    assert NAME not in hand.viewer.layers
    for count in (0, 1, 2, 3):
        hand.key(Qt.Key.Key_Z, CONTROL)
        wait_for(hand, count, int(count > 0))
    assert hand.canvas.mask.data.max() == 3
    hand.key(Qt.Key.Key_H)
    qtbot.waitUntil(lambda: section.place.text().startswith("Proposal 2 of 3"))
    hand.press(section.no)
    wait_for(hand, 2, 1)
    hand.key(Qt.Key.Key_Z, CONTROL)
    wait_for(hand, 3, 1)
    hand.controller.use_image(None)
    qtbot.waitUntil(lambda: NAME not in hand.viewer.layers)
    assert not hand.troubles
