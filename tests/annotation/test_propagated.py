import numpy as np
import pytest

from napari_simpleclick import Click
from napari_simpleclick.annotation import (
    MaskChange,
    ObjectSlice,
    ObjectStack,
    PropagatedSlice,
    Session,
    fingerprint,
)
from napari_simpleclick.images import Plane

EMPTY = np.zeros((4, 4), bool)
FULL = np.ones((4, 4), bool)
HALF = FULL & (np.arange(4) < 2)
CHANGE = MaskChange.of((9, 4, 4), ([3], [0], [0]), [0], [1])
PLANE = Plane((1, 2), (3, 0, 0))


@pytest.fixture
def session():
    return Session()


def note(mask=FULL, confidence=0.8):
    return PropagatedSlice(fingerprint(mask), confidence)


def test_a_stack_follows_the_last_hidden_axis():
    stack = ObjectStack.containing(ObjectSlice(2, Plane((1, 3), (5, 0, 7, 0))))
    assert stack.axis == 2
    assert stack.object_slice(4) == ObjectSlice(2, Plane((1, 3), (5, 0, 4, 0)))
    assert stack.index(stack.object_slice(4)) == 4
    assert stack.index(ObjectSlice(1, stack.object_slice(4).plane)) is None
    assert stack.index(ObjectSlice(2, Plane((1, 3), (6, 0, 4, 0)))) is None
    assert stack.index(ObjectSlice(2, Plane((1, 2), (5, 0, 0, 4)))) is None
    assert ObjectStack.containing(ObjectSlice(1, Plane((0, 1), (0, 0)))) is None


def test_what_was_propagated_is_not_annotated_until_it_is_changed(session):
    object_slice = session.object_slice(PLANE)
    assert session.objects.is_annotated(object_slice, FULL)
    assert not session.objects.is_annotated(object_slice, EMPTY)
    session.propagate({object_slice: note()}, CHANGE)
    assert not session.objects.is_annotated(object_slice, FULL)
    assert session.objects.is_annotated(object_slice, HALF)
    assert session.objects.is_annotated(
        object_slice, EMPTY
    )  # erased: the object is not there
    session.requests.add(object_slice, Click(0, 0), FULL)
    assert session.objects.is_annotated(object_slice, FULL)


def test_a_click_on_a_propagated_mask_starts_from_it(session):
    object_slice = session.object_slice(PLANE)
    session.propagate({object_slice: note()}, CHANGE)
    assert session.requests.add(object_slice, Click(0, 0), FULL).base is FULL


def test_undo_and_redo_take_the_notes_along(session):
    object_slice = session.object_slice(PLANE)
    stack = ObjectStack.containing(object_slice)
    first, second = note(), note(HALF, 0.4)
    other = stack.object_slice(5)
    session.propagate({object_slice: first}, CHANGE)
    session.propagate({object_slice: second, other: first}, None)
    assert session.objects.propagated.along(stack) == {3: second, 5: first}
    edit = session.undo()
    assert edit.change is None
    assert session.objects.propagated.along(stack) == {3: first}
    session.undo()
    assert session.objects.propagated.along(stack) == {}
    session.redo()
    session.redo()
    assert session.objects.propagated.along(stack) == {3: second, 5: first}
    session.propagate({object_slice: None}, CHANGE)
    assert session.objects.propagated.along(stack) == {5: first}


def test_a_propagated_label_is_used(session):
    change = MaskChange.of((9, 4, 4), ([3], [0], [0]), [0], [4])
    session.propagate({ObjectSlice(4, PLANE): note()}, change)
    assert session.objects.free_label() == 5
    session.undo()
    assert session.objects.free_label() == 1  # numbers come again
