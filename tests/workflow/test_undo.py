"""Clicks, paint and masks are one undo stack, without a window."""

import numpy as np
import pytest

FIRST, SECOND = (12, 30, 30), (12, 60, 90)


@pytest.fixture
def person(open_image, balls):
    return open_image(balls)


def test_undo_takes_back_click_and_mask_together(person):
    masks = [person.mask.copy()]
    for place in (FIRST, (12, 80, 20), SECOND):
        person.click(*place)
        masks.append(person.mask.copy())
    for left in (2, 1, 0):
        person.workflow.undo()
        np.testing.assert_array_equal(person.mask, masks[left])
        assert len(person.points()) == left
    person.workflow.undo()
    person.click(*FIRST)
    np.testing.assert_array_equal(person.mask, masks[1])


def test_redo_brings_click_and_mask_back(person):
    for place in (FIRST, SECOND):
        person.click(*place)
    after = person.mask.copy()
    for act in ("undo", "undo", "redo", "redo"):
        getattr(person.workflow, act)()
    np.testing.assert_array_equal(person.mask, after)
    assert len(person.points()) == 2
    person.workflow.redo()
    person.workflow.undo()
    assert len(person.points()) == 1


def test_painting_and_clicks_are_one_stack(person):
    person.click(*FIRST)
    clicked = person.mask.copy()
    person.canvas.mask.paint((12, 80, 20), 1)
    assert person.mask[12, 80, 20] == 1
    person.workflow.undo()
    np.testing.assert_array_equal(person.mask, clicked)
    assert len(person.points()) == 1
    person.workflow.undo()
    assert person.mask.sum() == 0


def test_a_stroke_between_clicks_survives_undo(person):
    person.click(*FIRST)
    person.canvas.mask.paint((12, 80, 20), 1)
    person.click(12, 32, 32)
    person.workflow.undo()
    assert person.mask[12, 80, 20] == 1
    person.click(12, 32, 32)
    assert person.answers[-1].request.prompts[-1].base[80, 20]


def test_strokes_made_while_no_panel_is_open_stay_in_step(person):
    person.click(*FIRST)
    clicked, canvas = person.mask.copy(), person.canvas
    person.controller.use_image(None)
    canvas.mask.paint((12, 80, 20), 1)
    person.controller.use_image(canvas.image)
    assert person.canvas is canvas
    person.workflow.undo()
    np.testing.assert_array_equal(canvas.mask.data, clicked)
    assert len(person.points()) == 1


def test_labels_painted_by_napari_are_objects(person):
    mask = person.canvas.mask
    mask.selected_label = 7
    mask.data_setitem((np.array([3, 4]), np.array([1, 1]), np.array([2, 2])), 7)
    session = person.canvas.session
    assert session.objects.voxel_counts.voxels(7) == 2
    person.workflow.undo()
    assert session.objects.voxel_counts.voxels(7) == 0
    assert not (person.mask == 7).any()
