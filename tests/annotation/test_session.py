import numpy as np
import pytest

from napari_simpleclick import Click
from napari_simpleclick.annotate import Change, Session, Spot
from napari_simpleclick.volumes import Plane

PLANE = Plane((1, 2), (3, 0, 0))
OTHER = Plane((0, 2), (0, 5, 0))
EMPTY = np.zeros((4, 4), bool)
FULL = np.ones((4, 4), bool)
CHANGE = Change.of((9, 4, 4), ([3], [0], [0]), [0], [1])


@pytest.fixture
def session():
    return Session()


def answer(session, mask=EMPTY):
    request = session.pending
    assert session.is_pending(request)
    session.record(request, CHANGE, mask)
    return request


def test_clicks_queue_in_order_and_are_never_merged(session):
    spot = session.spot(PLANE)
    for row in range(3):
        session.add(spot, Click(row, 0), EMPTY)
    counts = []
    for _ in range(3):
        counts.append(len(answer(session).steps))
        assert len(session.clicks(spot)) == 3
    assert counts == [1, 2, 3]
    assert session.pending is None


def test_undo_goes_back_click_by_click(session):
    spot = session.spot(PLANE)
    for row in range(2):
        session.add(spot, Click(row, 0), EMPTY)
        answer(session)
    edit = session.undo()
    assert edit.change is CHANGE
    assert [step.click.row for step in session.clicks(spot)] == [0]
    session.undo()
    assert session.clicks(spot) == ()
    assert session.undo() is None


def test_undo_withdraws_a_waiting_click_first(session):
    spot = session.spot(PLANE)
    session.add(spot, Click(0, 0), EMPTY)
    answer(session)
    session.add(spot, Click(1, 0), EMPTY)
    running = session.pending
    assert session.undo() is None
    assert not session.is_pending(running)
    assert len(session.clicks(spot)) == 1


def test_objects_and_slices_keep_their_own_clicks(session):
    session.add(session.spot(PLANE), Click(0, 0), EMPTY)
    session.add(session.spot(OTHER), Click(1, 1), EMPTY)
    session.label = 2
    session.add(session.spot(PLANE), Click(2, 2), EMPTY)
    assert {spot: len(steps) for spot, steps in session.steps.items()} == {
        Spot(1, PLANE): 1,
        Spot(1, OTHER): 1,
        Spot(2, PLANE): 1,
    }


def test_a_mask_that_someone_painted_is_the_start_of_the_next_click(session):
    spot = session.spot(PLANE)
    assert session.add(spot, Click(0, 0), EMPTY).base is None
    answer(session, FULL)
    assert session.add(spot, Click(1, 1), FULL).base is None
    answer(session, FULL)
    painted = FULL.copy()
    painted[0] = False
    assert session.add(spot, Click(2, 2), painted).base is painted
    answer(session, FULL)
    session.undo()
    assert session.add(spot, Click(2, 2), painted).base is painted


def test_a_mask_painted_while_waiting_is_asked_for_again(session):
    spot = session.spot(PLANE)
    session.add(spot, Click(0, 0), EMPTY)
    session.add(spot, Click(1, 1), EMPTY)
    request = session.pending
    assert not session.is_outdated(request, EMPTY)
    assert session.is_outdated(request, FULL)
    session.restart(request, FULL)
    assert not session.is_pending(request)
    again = answer(session, FULL)
    assert again.steps[0].base is FULL
    assert session.pending.steps[0] is session.clicks(spot)[0] is again.steps[0]


def test_deleting_the_only_click_leaves_what_was_painted_before(session):
    spot = session.spot(PLANE)
    session.add(spot, Click(0, 0), FULL)
    answer(session, EMPTY)
    session.move(spot, {}, EMPTY)
    request = session.pending
    assert request.steps == ()
    assert request.rest is FULL
    session.clear(spot)
    answer(session)
    assert session.pending.rest is None


def test_moved_and_deleted_points_are_one_request(session):
    spot = session.spot(PLANE)
    orders = [session.add(spot, Click(row, 0), EMPTY).order for row in range(3)]
    while session.pending:
        answer(session)
    places = {orders[0]: Click(9, 9), orders[2]: Click(2, 0)}
    session.move(spot, places, EMPTY)
    request = answer(session)
    assert [step.click.row for step in request.steps] == [9, 2]
    session.move(spot, places, EMPTY)
    assert session.pending is None
    session.undo()
    assert len(session.clicks(spot)) == 3


def test_withdrawing_everything_takes_waiting_clicks_back(session):
    spot = session.spot(PLANE)
    session.add(spot, Click(0, 0), EMPTY)
    answer(session)
    session.add(spot, Click(1, 0), EMPTY)
    session.add(spot, Click(2, 0), EMPTY)
    session.withdraw()
    assert len(session.clicks(spot)) == 1
    assert session.pending is None


def test_redo_until_something_else_is_done(session):
    spot = session.spot(PLANE)
    session.add(spot, Click(0, 0), EMPTY)
    answer(session)
    session.undo()
    assert session.redo().after.steps == {spot: session.clicks(spot)}
    assert len(session.clicks(spot)) == 1
    session.undo()
    session.paint(CHANGE)
    assert session.redo() is None


def test_free_label_follows_clicks_and_paint(session):
    assert session.free_label() == 1
    session.paint(Change.of((9, 4, 4), ([3], [0], [0]), [0], [4]))
    assert session.free_label() == 5
    session.add(Spot(9, PLANE), Click(0, 0), EMPTY)
    assert session.free_label() == 10


def test_clicks_that_wait_go_on_from_the_first_and_not_from_the_same_mask(session):
    """On a mask that was painted or propagated."""
    spot = session.spot(PLANE)
    first, second = (session.add(spot, Click(row, 0), FULL) for row in (0, 1))
    assert first.base is FULL
    assert second.base is None
    answer(session)
    answer(session, FULL)
    third = session.add(spot, Click(2, 0), EMPTY)  # painted since
    assert third.base is EMPTY


def test_withdrawing_one_object_leaves_the_clicks_of_others(session):
    one, other = Spot(1, PLANE), Spot(2, PLANE)
    for spot in (one, other, one):
        session.add(spot, Click(0, 0), EMPTY)
    session.withdraw(1)
    assert session.clicks(one) == ()
    assert len(session.clicks(other)) == 1
    assert session.pending.spot == other
