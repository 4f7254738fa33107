"""The window's own drawing decides on what a first click looks at."""

import numpy as np
import pytest

WAVES = (np.add.outer(np.arange(600), np.arange(900)) % 200).astype(np.uint8)


def placed(hand):
    (prompts,) = hand.canvas.session.objects.prompts.values()
    return prompts[-1].viewport


def test_a_click_is_answered_with_what_the_window_shows(open_window):
    hand = open_window(WAVES)
    camera = getattr(hand.viewer, "scene", hand.viewer).camera
    camera.center, camera.zoom = (0, 300, 450), 4
    hand.qtbot.wait(30)
    hand.click(310, 460)
    hand.wait(1)
    seen, drawing = placed(hand), hand.drawing
    assert seen.row_max - seen.row_min == pytest.approx(drawing.height() / 4, abs=1)
    assert seen.column_max - seen.column_min == pytest.approx(
        drawing.width() / 4, abs=1
    )
    assert (seen.row_min + seen.row_max) / 2 == pytest.approx(300, abs=1)
    state = hand.controller.engine.latest(
        hand.canvas.source(), next(iter(hand.canvas.session.objects.prompts))
    ).state
    predictor = hand.controller.engine.predictor
    assert state.crop == predictor.first_crop(seen)[0]
    assert state.crop.height < 400


def test_the_whole_slice_can_be_chosen(open_window):
    hand = open_window(WAVES)
    section = hand.panel.sections["intensities"]
    row = section.first_look.findData("slice")
    section.first_look.setCurrentIndex(row)
    section.first_look.activated.emit(row)
    camera = getattr(hand.viewer, "scene", hand.viewer).camera
    camera.center, camera.zoom = (0, 300, 450), 4
    hand.click(310, 460)
    hand.wait(1)
    assert placed(hand) is None
