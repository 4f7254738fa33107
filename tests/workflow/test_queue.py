"""From clicks to masks, without a window."""

import numpy as np
import pytest

from napari_simpleclick.errors import UserError
from napari_simpleclick.workflow import explain
from tests.executors import HeldExecutor

FIRST, SECOND = (12, 30, 30), (12, 60, 90)


@pytest.fixture
def held(open_image, balls):
    """Nothing is answered before it is released."""
    return open_image(balls, HeldExecutor())


def test_a_click_becomes_a_mask_on_its_slice(open_image, balls):
    person = open_image(balls)
    person.click(*FIRST)
    np.testing.assert_array_equal(person.mask[12] == 1, (balls[12] > 120) & left())
    assert person.mask[:12].sum() == person.mask[13:].sum() == 0
    assert person.workflow.queue.working is False


def left():
    return np.arange(120)[None] < 60


def test_clicks_are_answered_one_after_the_other(held):
    for place in (FIRST, SECOND):
        held.click(*place)
    assert held.workflow.queue.working
    assert held.answers == []
    held.executor.release()
    assert [len(answer.request.prompts) for answer in held.answers] == [1]
    held.executor.release()
    assert [len(answer.request.prompts) for answer in held.answers] == [1, 2]
    assert held.mask[SECOND] == held.mask[FIRST] == 1


def test_the_answer_to_a_withdrawn_click_is_dropped(held):
    held.click(*FIRST)
    held.workflow.undo()
    held.executor.release_all()
    assert held.answers == []
    assert not held.mask.any()
    assert len(held.points()) == 0


def test_an_error_fails_one_click_and_the_next_is_answered(held):
    held.predictor.errors = [UserError("The slice cannot be read; choose another.")]
    for place in (FIRST, SECOND):
        held.click(*place)
    held.executor.release_all()
    assert held.troubles == [("The slice cannot be read; choose another.",) * 2]
    ((answer,), (steps,)) = held.answers, held.canvas.session.objects.prompts.values()
    assert [step.order for step in steps] == [2]
    assert answer.request.prompts == steps
    np.testing.assert_array_equal(held.points(), [SECOND])
    assert held.mask[SECOND] == 1
    assert held.mask[FIRST] == 0
    held.workflow.undo()
    assert not held.mask.any()
    assert len(held.points()) == 0


def test_a_failed_click_on_another_slice_does_not_touch_those_that_wait(held):
    held.predictor.errors = [OSError("The disk is gone")]
    held.click(*FIRST)
    held.click(10, 60, 90)
    held.executor.release_all()
    assert [text for text, _ in held.troubles] == ["The disk is gone"]
    assert held.mask[10, 60, 90] == 1
    assert not held.mask[12].any()


def test_a_moved_click_that_fails_is_where_it_was(held):
    held.click(*FIRST)
    held.executor.release()
    held.predictor.errors = [OSError("The disk is gone")]
    points = held.canvas.points[True]
    points.data = np.array([(12, 32, 32)])
    held.click(*SECOND)
    held.executor.release_all()
    (steps,) = held.canvas.session.objects.prompts.values()
    assert [(step.click.row, step.click.column) for step in steps] == [
        FIRST[1:],
        SECOND[1:],
    ]


def test_an_error_before_a_prediction_starts_fails_one_click(
    open_image, balls, monkeypatch
):
    person = open_image(balls)
    view, errors = person.canvas.view, [OSError("The file of the image is gone")]

    def sometimes():
        if errors:
            raise errors.pop()
        return view()

    monkeypatch.setattr(person.canvas, "view", sometimes)
    person.click(*FIRST)
    assert [text for text, _ in person.troubles] == ["The file of the image is gone"]
    assert len(person.points()) == 0
    assert person.workflow.queue.working is False
    person.click(*SECOND)
    assert person.mask[SECOND] == 1


def test_a_bug_is_called_one_and_keeps_its_traceback(open_image, balls):
    person = open_image(balls)
    person.predictor.errors = [ValueError("operands could not be broadcast")]
    person.click(*FIRST)
    ((sentence, details),) = person.troubles
    assert "This is a bug" in sentence
    assert "ValueError, operands could not be broadcast" in sentence
    assert "Traceback" in details
    assert "in predict" in details


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UserError("Give a name."), "Give a name."),
        (MemoryError("There is not enough memory for it."), "not enough memory for it"),
        (MemoryError(), "There is not enough memory; close"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(), "This is a bug of napari-simpleclick: OSError."),
        (KeyError("a"), "This is a bug of napari-simpleclick: KeyError, 'a'."),
        (ValueError("x"), "This is a bug"),
    ],
)
def test_what_is_shown_of_an_error(error, expected):
    assert expected in explain.explain(error)


def test_an_answer_that_cannot_be_written_is_said_and_the_queue_goes_on(
    open_image, balls, monkeypatch
):
    person = open_image(balls)
    write = person.canvas.write

    def full(*_, **__):
        monkeypatch.setattr(person.canvas, "write", write)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(person.canvas, "write", full)
    person.click(*FIRST)
    ((sentence, details),) = person.troubles
    assert sentence.startswith("The mask could not be written: ")
    assert "OSError" in details
    person.click(*SECOND)
    assert person.mask[SECOND] == 1


def test_a_listener_that_fails_does_not_stop_the_queue(open_image, balls):
    person = open_image(balls)
    broken = [KeyError("x")]

    def listen(_):
        if broken:
            raise broken.pop()

    person.workflow.queue.answered.connect(listen)
    person.click(*FIRST)
    assert "This is a bug" in person.troubles[0][0]
    person.click(*SECOND)
    assert person.mask[SECOND] == 1


def test_a_mask_painted_while_the_answer_is_on_its_way_is_what_it_starts_from(held):
    held.click(*FIRST)
    held.canvas.mask.paint((12, 80, 20), 1)
    held.executor.release_all()
    assert held.answers[0].request.prompts[0].base[80, 20]
    assert held.mask[12, 80, 20] == 1


def test_clicks_wait_where_they_are_not_predicted_by_themselves(open_image, balls):
    from dataclasses import replace

    person = open_image(balls)
    session = person.canvas.session
    session.use(replace(session.options, auto=False))
    for place in (FIRST, SECOND):
        person.click(*place)
    assert person.answers == []
    assert "Enter" in person.said[-1]
    person.workflow.predict()
    assert len(person.answers) == 2
    person.click(12, 30, 32)
    assert len(person.answers) == 2


def test_nothing_is_answered_for_an_image_that_was_left(held):
    held.click(*FIRST)
    canvas = held.canvas
    held.controller.use_image(None)
    held.executor.release_all()
    assert held.answers == []
    assert not canvas.mask.data.any()
    held.controller.use_image(canvas.image)
    held.click(*FIRST)
    assert held.mask[FIRST] == 1


def test_clear_empties_the_slice_and_can_be_undone(open_image, balls):
    person = open_image(balls)
    person.click(*FIRST)
    person.click(10, 30, 30)
    before = person.mask.copy()
    person.workflow.clear()
    assert not person.mask[10].any()
    np.testing.assert_array_equal(person.mask[12], before[12])
    person.workflow.undo()
    np.testing.assert_array_equal(person.mask, before)
    assert len(person.points()) == 2


def test_a_negative_click_takes_away(open_image, balls):
    person = open_image(balls)
    for place in (FIRST, SECOND):
        person.click(*place)
    person.click(*SECOND, positive=False)
    assert person.mask[FIRST] == 1
    assert person.mask[SECOND] == 0


def test_objects_keep_their_pixels(open_image, balls):
    person = open_image(balls)
    person.click(*FIRST)
    person.workflow.new_object()
    person.click(*FIRST)
    assert set(np.unique(person.mask)) == {0, 1}
    person.click(*SECOND)
    assert person.mask[SECOND] == 2
    person.workflow.pick(FIRST)
    assert person.canvas.session.label == 1
    person.workflow.delete_object(2)
    assert set(np.unique(person.mask)) == {0, 1}
    person.workflow.undo()
    assert person.mask[SECOND] == 2


def test_the_largest_slice_of_an_object_is_shown(open_image, balls):
    person = open_image(balls)
    person.click(*FIRST)
    person.click(18, 30, 30)
    person.go(3)
    person.workflow.show_object(1)
    assert person.canvas.current_plane().index[0] == 12


def test_a_click_outside_is_explained_and_leaves_no_point(open_image, balls):
    person = open_image(balls)
    person.click(12, -3, 10)
    assert "outside the image" in person.troubles[0][0]
    assert len(person.points()) == 0


def test_a_click_is_shown_once_and_told_of_once(open_image, balls):
    person = open_image(balls)
    told = []
    layer = person.canvas.points[True]
    layer.events.data.connect(lambda event: told.append(str(event.action)))
    person.click(*FIRST)
    person.click(*SECOND)
    orders = [point.order for point in person.canvas.shown_points()]
    assert orders == [1, 2]
    assert told == ["added", "added"]
    assert layer.features["object"].tolist() == [1, 1]
    assert not person.canvas.fresh_points()
