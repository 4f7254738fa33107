"""Boxes, scribbles and lassos with a real mouse and real keys."""

import os

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_simpleclick import Box, Lasso, Scribble
from napari_simpleclick.workflow import Tool


def prompts_of(hand):
    placed = hand.canvas.session.objects.prompts.values()
    return [step.prompt for steps in placed for step in steps]


def test_a_box_is_drawn_and_the_view_stays(open_window, discs):
    hand = open_window(discs, scale=(3, 1, 1))
    hand.viewer.dims.set_point(0, 36)
    centre = tuple(getattr(hand.viewer, "scene", hand.viewer).camera.center)
    hand.press(hand.panel.drawing.buttons[0])
    assert hand.workflow.tool is Tool.BOX
    hand.drag((12, 12, 13), (12, 48, 47))
    hand.wait(1)
    (box,) = prompts_of(hand)
    assert isinstance(box, Box)
    corners = [box.row_min, box.column_min, box.row_max, box.column_max]
    assert np.allclose(corners, [12, 13, 48, 47], atol=1)
    assert hand.canvas.mask.data[12, 30, 30] == 1
    assert tuple(getattr(hand.viewer, "scene", hand.viewer).camera.center) == centre
    layer = hand.canvas.shapes.layer
    assert len(layer.data) == 1 and layer.shape_type == ["rectangle"]
    assert hand.viewer.layers.selection.active is not layer
    hand.click(12, 60, 90)  # a click stays a click
    hand.wait(2)
    assert len(hand.canvas.points[True].data) == 1


def test_keys_choose_what_is_drawn_and_escape_gives_it_up(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.key(Qt.Key.Key_D)
    hand.drag((12, 30, 22), (12, 30, 40))
    hand.wait(1)
    hand.key(Qt.Key.Key_G)
    at = [hand.pixel(*place) for place in ((12, 50, 75), (12, 70, 75), (12, 70, 105))]
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QTest.mousePress(hand.drawing, left, none, at[0])
    for place in at[1:]:
        hand.slide(place)
    assert len(hand.canvas.shapes.layer.data) == 2  # with the rubber band
    hand.key(Qt.Key.Key_Escape)
    assert len(hand.canvas.shapes.layer.data) == 1
    QTest.mouseRelease(hand.drawing, left, none, at[-1])
    QApplication.processEvents()
    (stroke,) = prompts_of(hand)
    assert isinstance(stroke, Scribble) and stroke.positive
    assert hand.workflow.tool is Tool.LASSO
    hand.key(Qt.Key.Key_Escape)
    assert hand.workflow.tool is Tool.CLICK
    before = tuple(getattr(hand.viewer, "scene", hand.viewer).camera.center)
    hand.drag((12, 30, 22), (12, 40, 40))  # and a drag pans again
    assert tuple(getattr(hand.viewer, "scene", hand.viewer).camera.center) != before
    assert len(prompts_of(hand)) == 1


def test_keys_work_whatever_layer_and_button_was_used_last(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.press(hand.panel.drawing.buttons[0])
    hand.drag((12, 14, 14), (12, 14, 40))
    hand.qtbot.waitUntil(lambda: bool(hand.troubles))
    assert hand.troubles and "no area" in hand.troubles.pop()
    hand.drag((12, 12, 13), (12, 48, 47))
    hand.wait(1)
    for layer in hand.canvas.layers:
        hand.viewer.layers.selection.active = layer
        hand.workflow.tool = Tool.CLICK
        hand.key(Qt.Key.Key_R)
        assert hand.workflow.tool is Tool.BOX, layer
        hand.key(Qt.Key.Key_G)
        assert hand.workflow.tool is Tool.LASSO, layer
        hand.key(Qt.Key.Key_Escape)
        assert hand.workflow.tool is Tool.CLICK, layer


def test_a_shape_is_dragged_and_deleted_with_naparis_tools(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.key(Qt.Key.Key_R)
    hand.drag((12, 12, 13), (12, 48, 47))
    hand.wait(1)
    (box,) = prompts_of(hand)
    hand.key(Qt.Key.Key_Escape)
    layer = hand.canvas.shapes.layer
    hand.viewer.layers.selection.active = layer
    layer.mode = "select"
    layer.selected_data = {0}
    edge = (12, 12, 30)
    hand.drag(edge, (12, 16, 30))
    hand.wait(2)
    (moved,) = prompts_of(hand)
    assert moved != box and isinstance(moved, Box)
    hand.key(Qt.Key.Key_Delete)
    assert prompts_of(hand) == []
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert prompts_of(hand) == [moved]


def test_what_is_drawn_can_be_seen(open_window, discs, tmp_path):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.key(Qt.Key.Key_R)
    hand.drag((12, 12, 13), (12, 48, 47))
    hand.key(Qt.Key.Key_D)
    hand.drag((12, 26, 22), (12, 34, 38))
    hand.drag((12, 80, 10), (12, 90, 60), button="right")
    hand.wait(3)
    assert [type(one) for one in prompts_of(hand)] == [Box, Scribble, Scribble]
    assert not prompts_of(hand)[2].positive
    kept = os.environ.get("SIMPLECLICK_PICTURES")
    if kept:
        hand.canvas.mask.visible = True
        hand.viewer.screenshot(f"{kept}/drawing.png", canvas_only=False, flash=False)
    hand.viewer.layers.selection.active = hand.canvas.mask
    hand.canvas.mask.visible = False
    picture = hand.viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    green = (picture[..., 1] > 150) & (picture[..., 0] < 120) & (picture[..., 2] < 120)
    red = (picture[..., 0] > 150) & (picture[..., 1] < 110) & (picture[..., 2] < 110)
    assert green.sum() > 300 and red.sum() > 100
    hand.viewer.dims.set_point(0, 11)
    picture = hand.viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    green = (picture[..., 1] > 150) & (picture[..., 0] < 120) & (picture[..., 2] < 120)
    assert green.sum() < 20  # they are on their slice alone


def test_a_lasso_on_another_axis(open_window, discs):
    hand = open_window(discs, scale=(3, 1, 1))
    hand.viewer.dims.order = (1, 0, 2)
    hand.settle()
    hand.viewer.dims.set_point(1, 30)
    hand.key(Qt.Key.Key_G)
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    ring = [(4, 30, 13), (4, 30, 47), (20, 30, 47), (20, 30, 13)]
    at = [hand.pixel(*place) for place in ring]
    QTest.mousePress(hand.drawing, left, none, at[0])
    for place in at[1:]:
        hand.slide(place)
    QTest.mouseRelease(hand.drawing, left, none, at[-1])
    hand.wait(1)
    (lasso,) = prompts_of(hand)
    assert isinstance(lasso, Lasso)
    (where,) = hand.canvas.session.objects.prompts
    assert where.plane.axes == (0, 2) and where.plane.index[1] == 30
    assert hand.canvas.mask.data[:, 30].any()
