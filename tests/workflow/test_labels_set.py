"""Labels that are set as a whole, by a person's script or by another plugin."""

import numpy as np
import pytest

FIRST, SECOND = (12, 30, 30), (12, 60, 90)


@pytest.fixture
def person(open_image, balls):
    person = open_image(balls)
    person.click(*FIRST)
    return person


def counts(person):
    session = person.canvas.session
    found = {
        label: session.objects.voxel_counts.voxels(label)
        for label in session.objects.labels()
    }
    return {label: count for label, count in found.items() if count}


def true_counts(person):
    values, found = np.unique(person.mask[person.mask > 0], return_counts=True)
    return dict(zip(values.tolist(), found.tolist(), strict=True))


def other_labels(person):
    new = person.mask.copy()
    new[12, 20:40, 20:40] = 0
    new[3, 10:15, 10:15] = 7
    return new


def test_counts_follow_and_undo_brings_all_back(person):
    before = person.mask.copy()
    new = other_labels(person)
    person.canvas.mask.data = new
    np.testing.assert_array_equal(person.mask, new)
    assert counts(person) == true_counts(person)
    assert person.canvas.session.objects.free_label() == 8
    person.workflow.undo()
    np.testing.assert_array_equal(person.mask, before)
    assert counts(person) == true_counts(person)
    person.workflow.redo()
    np.testing.assert_array_equal(person.mask, new)
    assert counts(person) == true_counts(person)


def test_deletion_takes_all_pixels_of_an_object(person):
    person.canvas.mask.data = other_labels(person)
    person.workflow.delete_object(7)
    assert not (person.mask == 7).any()
    person.workflow.undo()
    assert (person.mask == 7).sum() == 25


def test_the_next_click_starts_from_what_was_set(person):
    new = person.mask.copy()
    new[12, 80:85, 15:20] = 1
    person.canvas.mask.data = new
    person.click(12, 32, 32)
    assert person.answers[-1].request.prompts[-1].base[82, 17]


def test_the_same_labels_are_no_undo_step(person):
    last = person.canvas.session.last
    person.canvas.mask.data = person.mask.copy()
    assert person.canvas.session.last is last


def test_labels_too_large_for_the_mask_are_kept(person):
    new = person.mask.astype(np.int32)
    new[3, 5, 5] = 100_000
    person.canvas.mask.data = new
    assert person.mask[3, 5, 5] == 100_000
    assert counts(person) == true_counts(person)
    person.workflow.undo()
    assert person.mask[3, 5, 5] == 0
    person.click(*SECOND)
    assert person.mask[SECOND] == 1


def test_small_integers_do_not_make_the_mask_small(person):
    person.canvas.mask.data = person.mask.astype(np.uint8)
    person.canvas.choose(300)
    person.click(*SECOND)
    assert person.mask[SECOND] == 300


def test_labels_of_another_shape_end_the_work_on_the_image(person):
    person.canvas.mask.data = np.zeros((5, 6, 7), np.uint16)
    assert person.canvas is None
    assert "differ in shape" in person.troubles[0][0]


def test_what_was_set_is_in_the_session_file(open_image, balls):
    from napari_simpleclick.sessions import SessionDatabase, SessionReader

    person = open_image(balls, recorded=True)
    person.click(*FIRST)
    person.canvas.mask.data = other_labels(person)
    recorder, mask = person.canvas.recorder, person.mask.copy()
    recorder.flush()
    path = recorder.path
    person.controller.close()
    recorder.close()
    again = np.zeros_like(mask)
    with SessionDatabase(path) as store:
        for _ in SessionReader(store).play(again):
            pass
    np.testing.assert_array_equal(again, mask)
