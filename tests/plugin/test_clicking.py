import numpy as np
from qtpy.QtCore import Qt


def test_a_click_becomes_a_mask_on_its_slice(open_window, discs):
    hand = open_window(discs, scale=(3, 1, 1))
    hand.viewer.dims.set_point(0, 36)
    hand.click(12, 30, 30)
    hand.wait(1)
    mask = hand.canvas.mask.data
    assert mask[12, 30, 30] == 1
    assert mask[:12].sum() == mask[13:].sum() == 0
    assert len(hand.canvas.points[True].data) == 1
    features = hand.canvas.points[True].features.iloc[0]
    assert (features["object"], features["slice"], features["order"]) == (1, 12, 1)
    assert "1 click" in hand.panel.status.text()


def test_right_and_control_click_are_negative(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.click(12, 30, 30)
    hand.click(12, 80, 20, button="right")
    hand.click(12, 85, 60, modifier="control")
    hand.wait(3)
    negative = hand.canvas.points[False].data
    np.testing.assert_allclose(negative, [[12, 80, 20], [12, 85, 60]], atol=1)
    assert hand.canvas.mask.data[12, 80, 20] == 0
    assert hand.canvas.mask.data[12, 85, 60] == 0


def test_the_tool_of_the_mask_stays_as_it_was_chosen(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.settle()
    mask = hand.canvas.mask
    hand.click(12, 30, 30)
    mask.mode = "paint"
    hand.wait(1)
    assert mask.mode == "paint"
    mask.mode = "pan_zoom"
    hand.click(12, 60, 90)
    hand.wait(2)
    assert mask.mode == "pan_zoom"


def test_dragging_pans_and_makes_no_click(open_window, discs):
    hand = open_window(discs)
    before = hand.viewer.camera.center
    hand.drag((0, 30, 30), (0, 60, 60))
    assert len(hand.canvas.points[True].data) == 0
    assert not np.allclose(hand.viewer.camera.center, before)


def test_the_second_of_two_quick_clicks_counts_and_does_not_zoom(open_window, discs):
    hand = open_window(discs)
    zoom = hand.viewer.camera.zoom
    hand.double_click(0, 30, 30)
    hand.wait(2)
    assert len(hand.canvas.points[True].data) == 2
    assert hand.viewer.camera.zoom == zoom


def test_any_axis_and_transposed_views(open_window, discs):
    hand = open_window(discs)
    for order in [(0, 1, 2), (1, 0, 2), (2, 0, 1), (0, 2, 1)]:
        hand.viewer.dims.order = order
        hand.viewer.dims.set_point(range(3), (12, 30, 30))
        hand.settle()
        hand.click(12, 30, 30)
        hand.wait(1)
        changed = np.argwhere(hand.canvas.mask.data)
        points = hand.canvas.points[True].data
        np.testing.assert_allclose(points, [[12, 30, 30]], atol=0.6)
        assert (changed[:, order[0]] == (12, 30, 30)[order[0]]).all(), order
        assert hand.canvas.mask.data[12, 30, 30] == 1, order
        hand.press(hand.panel.undo)
        assert not hand.canvas.mask.data.any()
        hand.answers.clear()


def test_keys_choose_the_sign(open_window, discs):
    hand = open_window(discs)
    hand.click(0, 30, 30)
    hand.key(Qt.Key.Key_W)
    assert hand.panel.negative.isChecked()
    hand.click(0, 80, 20)
    hand.key(Qt.Key.Key_Q)
    assert hand.panel.positive.isChecked()
    hand.wait(2)
    assert len(hand.canvas.points[False].data) == 1


def test_a_click_outside_the_image_is_explained(open_window, discs):
    hand = open_window(discs)
    hand.click(0, -3, 10)
    assert "outside the image" in hand.troubles[0]
    assert hand.panel.trouble.text() == hand.troubles[0]
    assert len(hand.canvas.points[True].data) == 0
    hand.press(hand.panel.copy_details)


def test_clicks_count_whichever_layer_is_active(open_window, discs):
    hand = open_window(discs)
    hand.viewer.layers.selection.active = hand.canvas.image
    hand.click(0, 30, 30)
    hand.wait(1)
    hand.viewer.layers.selection.active = hand.canvas.mask
    hand.click(0, 60, 90)
    hand.wait(2)


def test_painting_is_left_to_napari_and_starts_the_next_click(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    mask = hand.canvas.mask
    hand.viewer.layers.selection.active = mask
    mask.mode, mask.brush_size = "paint", 10
    hand.drag((12, 80, 20), (12, 80, 40))
    mask.mode = "pan_zoom"
    assert mask.data[12, 80, 20] == 1
    assert len(hand.canvas.points[True].data) == 0
    hand.click(12, 80, 20)
    hand.wait(1)
    step = next(iter(hand.canvas.session.objects.prompts.values()))[0]
    assert step.base[80, 20]


def test_points_added_with_naparis_own_tool_are_clicks(open_window, discs):
    hand = open_window(discs)
    hand.canvas.points[True].mode = "add"
    hand.click(0, 30, 30)
    hand.wait(1)
    assert len(hand.canvas.points[True].data) == 1
