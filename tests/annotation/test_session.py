import numpy as np
import pytest

from napari_simpleclick import Click
from napari_simpleclick.annotation import MaskChange, ObjectSlice, Session
from napari_simpleclick.images import Plane

PLANE = Plane((1, 2), (3, 0, 0))
OTHER = Plane((0, 2), (0, 5, 0))
EMPTY = np.zeros((4, 4), bool)
FULL = np.ones((4, 4), bool)
CHANGE = MaskChange.of((9, 4, 4), ([3], [0], [0]), [0], [1])


@pytest.fixture
def session():
    return Session()


def answer(session, mask=EMPTY):
    request = session.requests.pending
    assert session.requests.is_pending(request)
    session.record(request, CHANGE, mask)
    return request


def test_clicks_queue_in_order_and_are_never_merged(session):
    object_slice = session.object_slice(PLANE)
    for row in range(3):
        session.requests.add(object_slice, Click(row, 0), EMPTY)
    counts = []
    for _ in range(3):
        counts.append(len(answer(session).prompts))
        assert len(session.objects.placed(object_slice)) == 3
    assert counts == [1, 2, 3]
    assert session.requests.pending is None


def test_undo_goes_back_click_by_click(session):
    object_slice = session.object_slice(PLANE)
    for row in range(2):
        session.requests.add(object_slice, Click(row, 0), EMPTY)
        answer(session)
    edit = session.undo()
    assert edit.change is CHANGE
    assert [step.click.row for step in session.objects.placed(object_slice)] == [0]
    session.undo()
    assert session.objects.placed(object_slice) == ()
    assert session.undo() is None


def test_undo_withdraws_a_waiting_click_first(session):
    object_slice = session.object_slice(PLANE)
    session.requests.add(object_slice, Click(0, 0), EMPTY)
    answer(session)
    session.requests.add(object_slice, Click(1, 0), EMPTY)
    running = session.requests.pending
    assert session.undo() is None
    assert not session.requests.is_pending(running)
    assert len(session.objects.placed(object_slice)) == 1


def test_objects_and_slices_keep_their_own_clicks(session):
    session.requests.add(session.object_slice(PLANE), Click(0, 0), EMPTY)
    session.requests.add(session.object_slice(OTHER), Click(1, 1), EMPTY)
    session.label = 2
    session.requests.add(session.object_slice(PLANE), Click(2, 2), EMPTY)
    assert {
        object_slice: len(steps)
        for object_slice, steps in session.objects.prompts.items()
    } == {
        ObjectSlice(1, PLANE): 1,
        ObjectSlice(1, OTHER): 1,
        ObjectSlice(2, PLANE): 1,
    }


def test_a_mask_that_someone_painted_is_the_start_of_the_next_click(session):
    object_slice = session.object_slice(PLANE)
    assert session.requests.add(object_slice, Click(0, 0), EMPTY).base is None
    answer(session, FULL)
    assert session.requests.add(object_slice, Click(1, 1), FULL).base is None
    answer(session, FULL)
    painted = FULL.copy()
    painted[0] = False
    assert session.requests.add(object_slice, Click(2, 2), painted).base is painted
    answer(session, FULL)
    session.undo()
    assert session.requests.add(object_slice, Click(2, 2), painted).base is painted


def test_a_mask_painted_while_waiting_is_asked_for_again(session):
    object_slice = session.object_slice(PLANE)
    session.requests.add(object_slice, Click(0, 0), EMPTY)
    session.requests.add(object_slice, Click(1, 1), EMPTY)
    request = session.requests.pending
    assert not session.requests.is_outdated(request, EMPTY)
    assert session.requests.is_outdated(request, FULL)
    session.requests.restart(request, FULL)
    assert not session.requests.is_pending(request)
    again = answer(session, FULL)
    assert again.prompts[0].base is FULL
    assert (
        session.requests.pending.prompts[0]
        is session.objects.placed(object_slice)[0]
        is again.prompts[0]
    )


def test_deleting_the_only_click_leaves_what_was_painted_before(session):
    object_slice = session.object_slice(PLANE)
    session.requests.add(object_slice, Click(0, 0), FULL)
    answer(session, EMPTY)
    session.requests.move(object_slice, {}, EMPTY)
    request = session.requests.pending
    assert request.prompts == ()
    assert request.rest is FULL
    session.requests.clear(object_slice)
    answer(session)
    assert session.requests.pending.rest is None


def test_moved_and_deleted_points_are_one_request(session):
    object_slice = session.object_slice(PLANE)
    orders = [
        session.requests.add(object_slice, Click(row, 0), EMPTY).order
        for row in range(3)
    ]
    while session.requests.pending:
        answer(session)
    places = {orders[0]: Click(9, 9), orders[2]: Click(2, 0)}
    session.requests.move(object_slice, places, EMPTY)
    request = answer(session)
    assert [step.click.row for step in request.prompts] == [9, 2]
    session.requests.move(object_slice, places, EMPTY)
    assert session.requests.pending is None
    session.undo()
    assert len(session.objects.placed(object_slice)) == 3


def test_withdrawing_everything_takes_waiting_clicks_back(session):
    object_slice = session.object_slice(PLANE)
    session.requests.add(object_slice, Click(0, 0), EMPTY)
    answer(session)
    session.requests.add(object_slice, Click(1, 0), EMPTY)
    session.requests.add(object_slice, Click(2, 0), EMPTY)
    session.requests.withdraw()
    assert len(session.objects.placed(object_slice)) == 1
    assert session.requests.pending is None


def test_redo_until_something_else_is_done(session):
    object_slice = session.object_slice(PLANE)
    session.requests.add(object_slice, Click(0, 0), EMPTY)
    answer(session)
    session.undo()
    assert session.redo().after.prompts == {
        object_slice: session.objects.placed(object_slice)
    }
    assert len(session.objects.placed(object_slice)) == 1
    session.undo()
    session.paint(CHANGE)
    assert session.redo() is None


def test_free_label_follows_clicks_and_paint(session):
    assert session.objects.free_label() == 1
    session.paint(MaskChange.of((9, 4, 4), ([3], [0], [0]), [0], [4]))
    assert session.objects.free_label() == 5
    session.requests.add(ObjectSlice(9, PLANE), Click(0, 0), EMPTY)
    assert session.objects.free_label() == 10


def test_clicks_that_wait_go_on_from_the_first_and_not_from_the_same_mask(session):
    """On a mask that was painted or propagated."""
    object_slice = session.object_slice(PLANE)
    first, second = (
        session.requests.add(object_slice, Click(row, 0), FULL) for row in (0, 1)
    )
    assert first.base is FULL
    assert second.base is None
    answer(session)
    answer(session, FULL)
    third = session.requests.add(object_slice, Click(2, 0), EMPTY)  # painted since
    assert third.base is EMPTY


def test_withdrawing_one_object_leaves_the_clicks_of_others(session):
    one, other = ObjectSlice(1, PLANE), ObjectSlice(2, PLANE)
    for object_slice in (one, other, one):
        session.requests.add(object_slice, Click(0, 0), EMPTY)
    session.requests.withdraw(1)
    assert session.objects.placed(one) == ()
    assert len(session.objects.placed(other)) == 1
    assert session.requests.pending.object_slice == other
