"""Carrying a mask through the slices, and the review, without a window."""

from dataclasses import replace

import numpy as np
import pytest

from napari_simpleclick.propagation import LEAST_CONFIDENCE
from napari_simpleclick.workflow import propagator
from napari_simpleclick.workflow.carried_object import Patch
from napari_simpleclick.workflow.engine import PredictionEngine
from napari_simpleclick.workflow.propagation_run import NO_PAIR
from napari_simpleclick.workflow.propagator import Whom
from tests.executors import HeldExecutor
from tests.workflow.conftest import load_stub

PLACE = (12, 30, 30)


def ready(open_image, data, place=PLACE, executor=None, **look):
    """An image with one clicked object."""
    person = open_image(data, executor, **look)
    person.click(*place)
    return person


@pytest.fixture
def held(open_image, balls):
    """One clicked object; what comes next is done when it is released."""
    person = ready(open_image, balls, executor=HeldExecutor())
    person.executor.release()
    return person


def filled(mask, label=1, axis=0):
    others = tuple(a for a in range(mask.ndim) if a != axis)
    return np.flatnonzero((mask == label).any(axis=others)).tolist()


def go(person, reach=0, down=True, up=True):
    person.workflow.propagator.reach = reach
    person.workflow.propagate(down, up)


def profile(person):
    return person.workflow.propagator.profile()


def sentences(person):
    return [text for text, _ in person.troubles]


def test_default_confidence_is_that_of_the_core():
    assert propagator.LEAST_CONFIDENCE == LEAST_CONFIDENCE


def test_both_ways_is_one_undo_step(open_image, balls):
    person = ready(open_image, balls)
    before = person.mask.copy()
    go(person)
    after = person.mask.copy()
    slices = filled(after)
    assert slices == list(range(slices[0], slices[-1] + 1))
    assert slices[0] <= 6
    assert slices[-1] >= 18
    np.testing.assert_array_equal(after[12], before[12])
    assert set(profile(person).confidence) == set(slices) - {12}
    assert profile(person).annotated == {12}
    start = f"Slices {slices[0]}\N{EN DASH}{slices[-1]}: "
    assert profile(person).sentence.startswith(start)
    person.workflow.undo()
    np.testing.assert_array_equal(person.mask, before)
    assert profile(person).confidence == {}
    assert len(person.points()) == 1
    person.workflow.redo()
    np.testing.assert_array_equal(person.mask, after)
    assert person.troubles == []


def test_pixels_of_other_objects_are_kept(open_image, balls):
    person = ready(open_image, balls)
    where = tuple(np.array([at]) for at in (10, 30, 30))
    person.canvas.mask.data_setitem(where, np.uint16(9))
    go(person)
    assert person.mask[10, 30, 30] == 9
    assert person.mask[10, 31, 31] == 1


def test_directions_and_limit(open_image, balls):
    person = ready(open_image, balls)
    go(person, 2, up=False)
    assert filled(person.mask) == [10, 11, 12]
    go(person, 2, down=False)
    assert filled(person.mask) == [10, 11, 12, 13, 14]
    assert "14, reached the end of the range" in profile(person).sentence


def test_a_least_confidence_of_one_reaches_nothing(open_image, balls):
    person = ready(open_image, balls)
    person.workflow.propagator.least_confidence = 1.0
    go(person)
    assert filled(person.mask) == [12]
    assert "No slice was reached: 12" in profile(person).sentence


def test_cancel_keeps_what_was_reached(held):
    go(held)
    held.executor.release(3)
    assert held.workflow.propagator.run is not None
    go(held)  # one at a time
    assert "One propagation is under way" in held.troubles.pop()[0]
    held.workflow.propagator.cancel()
    held.executor.release_all()
    assert held.workflow.propagator.run is None
    assert len(filled(held.mask)) == 4
    assert "cancelled" in profile(held).sentence
    assert held.troubles == []


def test_what_was_reached_is_known_while_it_goes_on(held):
    changes = []
    go(held)
    held.workflow.propagator.changed.connect(lambda: changes.append(1))
    held.executor.release(2)
    assert len(changes) == 2
    assert len(profile(held).confidence) == 2
    assert filled(held.mask) == [12]  # written at the end, as one step


def test_a_click_during_a_run_is_answered_and_kept(held):
    go(held)
    held.executor.release(2)
    run = held.workflow.propagator.run
    reached = next(iter(run.objects[1].patches))
    held.click(reached, 60, 90)
    while len(held.answers) < 2:
        held.executor.release()
    assert held.workflow.propagator.run is run
    answered = held.mask[reached].copy()
    assert answered[60, 90] == 1
    held.executor.release_all()
    np.testing.assert_array_equal(held.mask[reached], answered)
    assert len(filled(held.mask)) > 8
    held.go(12)
    assert "1 of them left as made by hand" in profile(held).sentence


def test_painting_during_a_run_is_kept(held):
    go(held)
    held.executor.release(2)
    reached = next(iter(held.workflow.propagator.run.objects[1].patches))
    held.canvas.mask.paint((reached, 80, 20), 1)
    held.executor.release_all()
    assert held.mask[reached, 80, 20] == 1
    assert held.mask[reached, 30, 30] == 0
    before = filled(held.mask)
    held.workflow.undo()
    assert filled(held.mask) == sorted({reached, 12})
    held.workflow.redo()
    assert filled(held.mask) == before


def test_a_corrected_slice_bounds_the_next_run(open_image, balls):
    person = ready(open_image, balls)
    go(person, 4)
    kept = person.mask.copy()
    person.go(14)
    assert 14 in profile(person).confidence
    person.click(14, 30, 30)
    step = person.answers[-1].request.prompts[0]
    np.testing.assert_array_equal(step.base, kept[14] == 1)
    assert 14 in profile(person).annotated
    go(person, 0, up=False)
    np.testing.assert_array_equal(person.mask[:13], kept[:13])
    assert "13, reached the next annotated slice" in profile(person).sentence
    np.testing.assert_array_equal(person.mask[15:], kept[15:])


def test_painting_on_a_propagated_slice_annotates_it(open_image, balls):
    person = ready(open_image, balls)
    go(person, 3, down=False)
    person.go(14)
    person.canvas.mask.paint((14, 80, 20), 1)
    assert profile(person).annotated == {12, 14}
    painted = person.mask[14].copy()
    person.go(12)
    go(person, 3, down=False)
    np.testing.assert_array_equal(person.mask[14], painted)
    assert profile(person).annotated == {12, 14}
    person.workflow.undo()
    person.workflow.undo()
    assert set(profile(person).confidence) == {13, 14, 15}


def test_a_propagated_slice_may_be_propagated_on(open_image, balls):
    person = ready(open_image, balls)
    go(person, 1, down=False)
    person.go(13)
    go(person, 1, down=False)
    assert filled(person.mask) == [12, 13, 14]


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0)])
def test_other_axes(open_image, balls, order):
    person = open_image(balls)
    person.viewer.dims.order = order
    person.click(*PLACE)
    go(person, 2)
    axis = order[0]
    assert filled(person.mask, axis=axis) == [28, 29, 30, 31, 32]
    person.workflow.propagator.go_to(31)
    assert person.canvas.current_plane().index[axis] == 31


def test_only_the_last_hidden_axis_moves_in_a_time_series(open_image, balls):
    person = ready(open_image, np.stack([balls] * 2), (1, *PLACE))
    go(person, 2)
    assert person.mask[0].sum() == 0
    assert filled(person.mask[1]) == [10, 11, 12, 13, 14]
    person.workflow.propagator.go_to(13)
    assert person.canvas.current_plane().index == (1, 13, 0, 0)


def test_oblong_pixels_are_known_to_the_network(open_image, balls):
    look = {"scale": (5, 1, 0.5), "units": ("um", "mm", "mm")}
    person = ready(open_image, balls, **look)
    go(person, 1)
    assert filled(person.mask) == [11, 12, 13]
    assert {spacing for _, _, spacing in person.predictor.shown} == {(1.0, 0.5)}
    person.workflow.propagator.go_to(13)
    assert person.canvas.current_plane().index == (13, 0, 0)


def test_colour_with_transparency(open_image, balls):
    rgba = np.stack([balls] * 3 + [np.full_like(balls, 255)], axis=-1)
    person = ready(open_image, rgba, rgb=True)
    go(person, 1)
    assert filled(person.mask) == [11, 12, 13]
    assert person.troubles == []


def test_interpolate_fills_between_annotated_slices(open_image, balls):
    person = ready(open_image, balls)
    person.workflow.propagator.interpolate()
    assert sentences(person) == [NO_PAIR]
    person.click(8, 30, 30)
    before = person.mask.copy()
    person.go(10)
    person.workflow.propagator.interpolate()
    assert filled(person.mask) == [8, 9, 10, 11, 12]
    np.testing.assert_array_equal(person.mask[[8, 12]], before[[8, 12]])
    assert profile(person).confidence == {9: None, 10: None, 11: None}
    assert "slices 8, 12" in profile(person).sentence
    person.workflow.undo()
    np.testing.assert_array_equal(person.mask, before)
    person.go(12)
    person.workflow.propagator.interpolate()
    assert filled(person.mask) == [8, 9, 10, 11, 12]


def here(person):
    return person.canvas.current_plane().index[0]


def test_the_review_goes_on_to_the_other_side_of_what_was_corrected(open_image, balls):
    person = ready(open_image, balls)
    person.workflow.check_next()
    assert "press Both first" in person.said[-1]
    go(person, 3)
    person.workflow.check_next()
    first = here(person)
    assert first in profile(person).confidence
    person.click(first, 30, 30)
    person.workflow.check_next()
    second = here(person)
    assert (first < 12) != (second < 12)
    person.workflow.check_next()  # never stays where it is
    assert here(person) != second


def test_a_slice_is_accepted_without_a_click(open_image, balls):
    person = ready(open_image, balls)
    go(person, 3, down=False)
    person.workflow.check_next()
    at, before = here(person), person.mask.copy()
    person.workflow.accept()
    assert at in profile(person).annotated
    assert at not in profile(person).confidence
    np.testing.assert_array_equal(person.mask, before)
    go(person, 3, down=False)  # and it bounds the next run
    np.testing.assert_array_equal(person.mask[at], before[at])
    for _ in range(2):
        person.workflow.undo()
    assert at in profile(person).confidence


def test_the_end_of_the_object_clears_what_lies_beyond(open_image, balls):
    person = ready(open_image, balls)
    go(person, 5)
    before = person.mask.copy()
    assert filled(before)[-1] >= 15
    person.go(14)
    person.workflow.end_here()
    assert not person.mask[14:].any()
    np.testing.assert_array_equal(person.mask[:14], before[:14])
    assert 14 in profile(person).annotated
    person.go(12)
    go(person, 5, down=False)  # it does not go there again
    assert not person.mask[14:].any()
    for _ in range(2):
        person.workflow.undo()
    np.testing.assert_array_equal(person.mask, before)


@pytest.mark.parametrize("how", ["closed", "mask", "image", "model", "pixels"])
def test_a_run_whose_ground_is_gone_is_dropped(held, balls, how):
    canvas, controller = held.canvas, held.controller
    go(held)
    held.executor.release(2)
    run = held.workflow.propagator.run
    if how == "closed":
        controller.close()
    elif how == "mask":
        held.viewer.layers.remove(canvas.mask)
    elif how == "image":
        controller.use_image(held.viewer.add_image(balls[::-1], name="other"))
    elif how == "model":
        load_stub(controller)
    else:
        canvas.image.data = balls[::-1].copy()
    held.executor.release_all()
    assert held.workflow.propagator.run is None
    assert run.objects[1].patches
    assert filled(canvas.mask.data) == [12]
    assert held.troubles == []


def test_a_run_goes_on_while_what_was_learned_begins_to_answer(held):
    go(held)
    held.executor.release(2)
    models = held.workflow.models
    models.exchange(PredictionEngine(held.predictor, models.engine.card))
    held.executor.release_all()
    assert held.workflow.propagator.run is None
    assert len(filled(held.mask)) > 1
    assert held.troubles == []


def test_an_error_keeps_what_was_reached(held):
    go(held)
    held.executor.release(3)
    run = held.workflow.propagator.run
    held.predictor.errors.append(MemoryError("no memory left"))
    held.executor.release_all()
    assert sentences(held) == ["no memory left"]
    assert filled(held.mask) == sorted({12, *run.objects[1].patches})


def test_without_a_mask_a_sentence_says_what_to_do(open_image, balls):
    person = ready(open_image, balls)
    person.workflow.new_object()
    go(person)
    assert sentences(person) == [
        "There is no mask of object 2 on this slice; click on it first."
    ]


def test_a_run_waits_for_the_clicks_before_it(open_image, balls):
    person = open_image(balls, HeldExecutor())
    person.click(*PLACE)
    go(person, 1)
    assert person.workflow.propagator.run is None
    person.executor.release()
    assert person.workflow.propagator.run is not None
    person.executor.release_all()
    assert filled(person.mask) == [11, 12, 13]


def test_a_run_that_waits_goes_with_the_image(open_image, balls):
    person = open_image(balls, HeldExecutor())
    person.click(*PLACE)
    go(person, 1)
    canvas = person.canvas
    person.controller.use_image(None)
    person.executor.release_all()
    person.controller.use_image(canvas.image)
    person.click(*PLACE)
    assert filled(person.mask) == [12]


def test_a_single_slice_and_3d_are_explained(open_image, balls):
    person = ready(open_image, balls[12], PLACE[1:])
    go(person)
    assert "only one slice" in sentences(person)[0]
    person = ready(open_image, balls)
    person.viewer.dims.ndisplay = 3
    go(person)
    assert "2-D view" in sentences(person)[0]


def test_without_a_model_that_is_said(open_image, balls):
    person = open_image(balls)
    person.workflow.models.engine = None
    go(person)
    assert "model is still being loaded" in sentences(person)[0]


def test_a_hidden_mask_is_written(open_image, balls):
    person = ready(open_image, balls)
    person.canvas.mask.visible = False
    go(person, 1)
    assert filled(person.mask) == [11, 12, 13]


def test_a_slice_that_turns_out_empty_can_be_kept():
    empty = Patch.cut(np.zeros((4, 5), bool), 0.7)
    assert not empty.paste((4, 5)).any()
    mask = np.zeros((4, 5), bool)
    mask[1:3, 2] = True
    assert (Patch.cut(mask).paste((4, 5)) == mask).all()


def two(open_image, data, places, executor=None):
    """Several objects, clicked on one slice."""
    person = open_image(data, executor)
    for number, place in enumerate(places):
        if number:
            person.workflow.new_object()
        person.click(*place)
        if executor is not None:
            executor.release_all()
    person.workflow.propagator.whom = Whom.ALL
    return person


BOTH = ((12, 30, 30), (12, 60, 90))


def test_all_objects_of_a_slice_go_in_one_undo_step(open_image, balls):
    person = two(open_image, balls, BOTH)
    before = person.mask.copy()
    go(person, 4)
    after = person.mask.copy()
    assert filled(after, 1) == filled(after, 2) == list(range(8, 17))
    np.testing.assert_array_equal(after[12], before[12])
    assert profile(person).sentence == "Slices 8\N{EN DASH}16: 2 objects."
    person.workflow.choose(1)
    assert set(profile(person).confidence) == {*range(8, 12), *range(13, 17)}
    assert profile(person).sentence.endswith("2 objects.")
    person.workflow.undo()
    np.testing.assert_array_equal(person.mask, before)
    person.workflow.redo()
    np.testing.assert_array_equal(person.mask, after)
    assert person.troubles == []


def test_selected_objects_alone_are_carried(open_image, balls):
    person = two(open_image, balls, (*BOTH, (12, 30, 32)))
    person.workflow.propagator.whom = Whom.SELECTED
    person.workflow.propagator.selected = frozenset({2})
    person.workflow.choose(2)
    go(person, 2)
    assert filled(person.mask, 1) == [12]
    assert filled(person.mask, 2) == [10, 11, 12, 13, 14]


@pytest.fixture
def halves():
    """Two blocks that touch along column 40, one brighter than the other."""
    volume = np.full((9, 80, 80), 40, np.uint8)
    volume[:, 20:60, 15:40] = 180
    volume[:, 20:60, 40:65] = 240
    return volume


def test_objects_that_touch_are_kept_apart(open_image, halves):
    person = two(open_image, halves, ((4, 5, 5), (4, 75, 75)))
    person.mask[4] = 0
    person.canvas.mask.data_setitem(np.nonzero(halves == 180), 0)
    drawn = np.zeros_like(person.mask)
    drawn[4, 20:60, 15:40], drawn[4, 20:60, 40:65] = 1, 2
    for label in (1, 2):
        where = np.nonzero(drawn == label)
        person.canvas.mask.data_setitem(where, np.uint16(label))
    go(person, 3)
    for index in range(1, 8):
        for label in (1, 2):
            found, truth = person.mask[index] == label, drawn[4] == label
            overlap = (found & truth).sum() / (found | truth).sum()
            assert overlap > 0.8, (index, label)


def test_what_is_there_by_hand_or_locked_is_protected(open_image, balls):
    person = two(open_image, balls, BOTH)
    person.click(14, 60, 90)
    third = np.nonzero(np.ones((3, 3)))
    where = (np.full(9, 11), 30 + third[0], 30 + third[1])
    person.canvas.mask.data_setitem(where, np.uint16(3))
    person.workflow.object_list.lock([3])
    before = person.mask.copy()
    person.go(12)
    go(person, 3)
    np.testing.assert_array_equal(person.mask[14] == 2, before[14] == 2)
    np.testing.assert_array_equal(person.mask == 3, before == 3)
    assert filled(person.mask, 1) == list(range(9, 16))
    assert filled(person.mask, 2) == list(range(9, 15))


def test_a_locked_object_is_not_carried_with_the_others(open_image, balls):
    person = two(open_image, balls, BOTH)
    person.workflow.object_list.lock([1])
    go(person, 2)
    assert filled(person.mask, 1) == [12]
    assert filled(person.mask, 2) == [10, 11, 12, 13, 14]
    person.workflow.object_list.lock([2])
    go(person, 2)
    assert "no mask of any object on this slice" in sentences(person)[0]


def test_what_one_object_gives_up_another_may_have(open_image, balls):
    person = two(open_image, balls, BOTH)
    go(person, 2)
    first = person.mask.copy()
    swapped = np.zeros_like(first)
    swapped[first == 1], swapped[first == 2] = 2, 1
    for _ in range(3):
        person.workflow.undo()
    assert not person.mask.any()
    person.workflow.choose(2)
    person.click(*BOTH[0])
    person.workflow.choose(1)
    person.click(*BOTH[1])
    go(person, 2)
    np.testing.assert_array_equal(person.mask, swapped)


def test_cancel_keeps_what_all_have_reached(open_image, balls):
    person = two(open_image, balls, BOTH, HeldExecutor())
    person.executor.holding = True
    go(person)
    person.executor.release(4)
    assert person.workflow.propagator.run is not None
    person.workflow.propagator.cancel()
    person.executor.release_all()
    assert person.workflow.propagator.run is None
    assert len(filled(person.mask, 1)) == len(filled(person.mask, 2)) == 3
    assert "2 objects, cancelled" in profile(person).sentence


def test_the_review_goes_from_object_to_object(open_image, balls):
    person = two(open_image, balls, BOTH)
    go(person, 4)
    notes = person.canvas.session.objects.propagated
    doubtful = {
        where: replace(note, confidence=0.2)
        for label in (1, 2)
        for where, note in notes.of(label).items()
        if where.plane.index[0] in (9, 10)
    }
    person.canvas.session.propagate(doubtful, None)
    person.workflow.choose(1)
    person.workflow.check_next()
    seen = set()
    for _ in range(4):
        seen.add((person.canvas.session.label, here(person)))
        person.workflow.accept()
        person.workflow.check_next()
    assert seen == {(1, 9), (1, 10), (2, 9), (2, 10)}
    assert "slices to look at, 2 objects" in " ".join(person.said)


def test_a_time_series_is_gone_through_along_time(open_image, balls):
    person = ready(open_image, np.stack([balls] * 5), (2, *PLACE))
    person.workflow.propagator.axis = 0
    go(person, 1)
    assert filled(person.mask) == [1, 2, 3]
    assert filled(person.mask[1]) == [12]
    person.workflow.propagator.go_to(3)
    assert person.canvas.current_plane().index == (3, 12, 0, 0)
    assert profile(person).length == 5


def test_an_axis_of_one_slice_is_passed_over(open_image, balls):
    person = ready(open_image, balls[:, None], (12, 0, 30, 30))
    go(person, 1)
    assert filled(person.mask) == [11, 12, 13]
