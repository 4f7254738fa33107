"""Boxes, scribbles and lassos, from the drag to the mask."""

import numpy as np
import pytest

from napari_simpleclick import Box, Click, Lasso, Scribble
from napari_simpleclick.workflow import Tool

SQUARE = ((12, 12, 12), (12, 12, 48), (12, 48, 48), (12, 48, 12))


def prompts_of(person):
    placed = person.canvas.session.objects.prompts.values()
    return [step.prompt for steps in placed for step in steps]


def test_a_box_becomes_a_prompt_and_a_mask(open_image, balls):
    person = open_image(balls)
    person.draw(Tool.BOX, (12, 12, 14), (12, 48, 46))
    assert prompts_of(person) == [Box(12, 14, 48, 46)]
    assert person.mask[12, 30, 30] == 1 and person.mask[11].sum() == 0
    shown = person.canvas.shown_shapes()
    assert [(one.kind, one.order, one.moved) for one in shown] == [
        ("rectangle", 1, False)
    ]
    assert not person.troubles


def test_a_lasso_and_a_scribble_become_prompts(open_image, balls):
    person = open_image(balls)
    person.draw(Tool.LASSO, *SQUARE)
    person.draw(Tool.SCRIBBLE, (12, 2, 2), (12, 2, 8), (12, 4, 8), positive=False)
    lasso, scribble = prompts_of(person)
    assert lasso == Lasso(tuple(place[1:] for place in SQUARE))
    assert scribble == Scribble(((2, 2), (2, 8), (4, 8)), positive=False)
    assert person.mask[12, 30, 30] == 1


def test_a_scribble_is_inside_the_mask_whatever_the_network_says(open_image, balls):
    person = open_image(balls)
    person.draw(Tool.SCRIBBLE, (12, 30, 20), (12, 30, 70))
    assert (person.mask[12, 30, 20:71] == 1).all()
    person.draw(Tool.SCRIBBLE, (12, 10, 30), (12, 60, 30), positive=False)
    assert (person.mask[12, 10:61, 30] == 0).all()


@pytest.mark.parametrize("tool", [Tool.BOX, Tool.SCRIBBLE, Tool.LASSO])
def test_undo_and_redo(open_image, balls, tool):
    person = open_image(balls)
    person.draw(tool, SQUARE[0], SQUARE[3], SQUARE[2])
    there, mask = prompts_of(person), person.mask.copy()
    assert there and mask.any()
    person.workflow.undo()
    assert not prompts_of(person) and not person.mask.any()
    assert not person.canvas.shown_shapes()
    person.workflow.redo()
    assert prompts_of(person) == there
    np.testing.assert_array_equal(person.mask, mask)
    assert len(person.canvas.shown_shapes()) == 1


def test_shapes_are_moved_and_deleted_like_clicks(open_image, balls):
    person = open_image(balls)
    person.draw(Tool.BOX, (12, 12, 14), (12, 48, 46))
    person.click(12, 60, 90)
    layer = person.canvas.shapes.layer
    layer.data = [layer.data[0] + (0, 0, 2)]
    assert prompts_of(person) == [Box(12, 16, 48, 48), Click(60, 90)]
    layer.selected_data = {0}
    layer.remove_selected()
    assert prompts_of(person) == [Click(60, 90)]
    person.workflow.undo()
    assert len(prompts_of(person)) == 2 and len(layer.data) == 1
    assert not person.troubles


def test_shapes_of_naparis_own_tools_are_prompts(open_image, balls):
    person = open_image(balls)
    person.draw(Tool.BOX, (12, 12, 14), (12, 48, 46))
    layer = person.canvas.shapes.layer
    layer.add_paths(np.array([(12, 55, 85), (12, 65, 95)], float))
    assert prompts_of(person)[1] == Scribble(((55, 85), (65, 95)))
    assert person.canvas.shown_shapes()[1].order == 2


@pytest.mark.parametrize(
    ("tool", "places", "sentence"),
    [
        (Tool.BOX, ((12, 5, 5), (12, 5, 40)), "no area"),
        (Tool.BOX, ((12, -30, -30), (12, -9, -9)), "outside the image"),
        (Tool.SCRIBBLE, ((12, -30, -30), (12, -9, -9)), "outside the image"),
        (Tool.LASSO, ((12, -30, -30), (12, -9, -9), (12, -30, -9)), "outside"),
        (Tool.LASSO, ((12, 5, 5), (12, 9, 9)), "no area"),
    ],
)
def test_what_says_nothing_is_refused_and_nothing_is_lost(
    open_image, balls, tool, places, sentence
):
    person = open_image(balls)
    person.click(12, 30, 30)
    before = person.mask.copy()
    person.draw(tool, *places)
    assert len(person.troubles) == 1 and sentence in person.troubles[0][0]
    assert prompts_of(person) == [Click(30, 30)]
    assert not person.canvas.shown_shapes()
    np.testing.assert_array_equal(person.mask, before)


def test_a_stroke_that_leaves_the_image_and_comes_back(open_image, balls):
    person = open_image(balls)
    person.draw(Tool.SCRIBBLE, (12, 30, 30), (12, 30, -9), (12, 40, -9), (12, 40, 20))
    assert (person.mask[12, 30, :31] == 1).all()
    assert (person.mask[12, 40, :21] == 1).all()
    assert not person.troubles


def test_a_change_of_slice_ends_the_stroke(open_image, balls):
    person = open_image(balls)
    person.go(12)
    person.workflow.use_tool(Tool.SCRIBBLE)
    drawing = person.controller.drawing
    drawing.begin((12, 30, 20), False)
    drawing.go((12, 30, 40))
    person.go(13)
    drawing.go((13, 30, 60))
    drawing.end()
    assert prompts_of(person) == [Scribble(((30, 20), (30, 40)))]
    assert not person.mask[13].any()
    assert any("slice was changed" in text for text in person.said)


def test_cancelling_forgets_the_drag_and_then_the_tool(open_image, balls):
    person = open_image(balls)
    person.workflow.use_tool(Tool.BOX)
    drawing = person.controller.drawing
    drawing.begin((12, 5, 5), False)
    drawing.go((12, 50, 50))
    person.controller.cancel()
    drawing.go((12, 60, 60))
    drawing.end()
    assert not prompts_of(person) and not person.canvas.shown_shapes()
    assert person.workflow.tool is Tool.BOX
    person.controller.cancel()
    assert person.workflow.tool is Tool.CLICK


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_on_any_axis_of_a_scaled_image(open_image, balls, axis):
    person = open_image(balls, scale=(3, 1, 0.5), translate=(5, -3, 9))
    person.viewer.dims.order = (axis, *(a for a in range(3) if a != axis))
    low, high = [4, 14, 14], [20, 46, 46]
    low[axis] = high[axis] = (12, 30, 30)[axis]
    person.draw(Tool.BOX, low, high)
    assert person.mask[12, 30, 30] == 1
    (where,) = person.canvas.session.objects.prompts
    assert where.plane.index[axis] == low[axis]
    assert not person.troubles


def test_a_drag_that_is_answered_meanwhile_keeps_its_rubber_band(open_image, balls):
    person = open_image(balls)
    person.draw(Tool.BOX, (12, 12, 14), (12, 48, 46))
    drawing = person.controller.drawing
    drawing.begin((12, 50, 70), False)
    drawing.go((12, 70, 100))
    person.canvas.show_steps()
    assert len(person.canvas.shapes.layer.data) == 2
    drawing.go((12, 76, 110))
    drawing.end()
    assert prompts_of(person)[1] == Box(50, 70, 76, 110)


def test_nothing_is_drawn_where_clicks_are_counted(open_image, balls):
    person = open_image(balls)
    person.workflow.only_clicks = True
    person.workflow.use_tool(Tool.BOX)
    assert person.workflow.tool is Tool.CLICK
    assert "clicks are counted" in person.troubles[0][0]


def test_a_click_between_two_slices_lies_on_the_nearer_one(open_image, balls):
    """The point that is shown may lie between two, after a click in another view."""
    person = open_image(balls)
    person.click(12.3, 30.5, 30)
    np.testing.assert_allclose(person.points(), [[12, 30.5, 30]])
    assert person.mask[12].any()
    assert not person.mask[11].any()
    person.click(11.6, 34, 32)
    np.testing.assert_allclose(person.points()[:, 0], 12)
