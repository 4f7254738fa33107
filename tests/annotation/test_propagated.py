import numpy as np
import pytest

from napari_simpleclick import Click
from napari_simpleclick.annotate import Change, Note, Session, Spot, Stack, fingerprint
from napari_simpleclick.volumes import Plane

EMPTY = np.zeros((4, 4), bool)
FULL = np.ones((4, 4), bool)
HALF = FULL & (np.arange(4) < 2)
CHANGE = Change.of((9, 4, 4), ([3], [0], [0]), [0], [1])
PLANE = Plane((1, 2), (3, 0, 0))


@pytest.fixture
def session():
    return Session()


def note(mask=FULL, confidence=0.8):
    return Note(fingerprint(mask), confidence)


def test_a_stack_follows_the_last_hidden_axis():
    stack = Stack.through(Spot(2, Plane((1, 3), (5, 0, 7, 0))))
    assert stack.axis == 2
    assert stack.spot(4) == Spot(2, Plane((1, 3), (5, 0, 4, 0)))
    assert stack.index(stack.spot(4)) == 4
    assert stack.index(Spot(1, stack.spot(4).plane)) is None
    assert stack.index(Spot(2, Plane((1, 3), (6, 0, 4, 0)))) is None
    assert stack.index(Spot(2, Plane((1, 2), (5, 0, 0, 4)))) is None
    assert Stack.through(Spot(1, Plane((0, 1), (0, 0)))) is None


def test_what_was_propagated_is_not_annotated_until_it_is_changed(session):
    spot = session.spot(PLANE)
    assert session.is_annotated(spot, FULL)
    assert not session.is_annotated(spot, EMPTY)
    session.propagate({spot: note()}, CHANGE)
    assert not session.is_annotated(spot, FULL)
    assert session.is_annotated(spot, HALF)
    assert session.is_annotated(spot, EMPTY)  # erased: the object is not there
    session.add(spot, Click(0, 0), FULL)
    assert session.is_annotated(spot, FULL)


def test_a_click_on_a_propagated_mask_starts_from_it(session):
    spot = session.spot(PLANE)
    session.propagate({spot: note()}, CHANGE)
    assert session.add(spot, Click(0, 0), FULL).base is FULL


def test_undo_and_redo_take_the_notes_along(session):
    spot = session.spot(PLANE)
    stack = Stack.through(spot)
    first, second = note(), note(HALF, 0.4)
    other = stack.spot(5)
    session.propagate({spot: first}, CHANGE)
    session.propagate({spot: second, other: first}, None)
    assert session.propagated.along(stack) == {3: second, 5: first}
    edit = session.undo()
    assert edit.change is None
    assert session.propagated.along(stack) == {3: first}
    session.undo()
    assert session.propagated.along(stack) == {}
    session.redo()
    session.redo()
    assert session.propagated.along(stack) == {3: second, 5: first}
    session.propagate({spot: None}, CHANGE)
    assert session.propagated.along(stack) == {5: first}


def test_a_propagated_label_is_used(session):
    session.propagate({Spot(4, PLANE): note()}, CHANGE)
    assert session.free_label() == 5
