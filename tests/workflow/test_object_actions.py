"""Whole objects: merged, split, shaped, locked, hidden and put in order."""

import numpy as np
import pytest

from napari_simpleclick.annotation import ObjectSlice, fingerprint
from napari_simpleclick.images import Plane

FIRST, SECOND = (12, 30, 30), (12, 60, 90)


@pytest.fixture
def person(open_image, balls):
    """Two balls that were painted whole, as objects 1 and 2."""
    person = open_image(balls)
    put(person, (balls > 100) * np.where(np.arange(120) < 60, 1, 2))
    person.go(12)
    return person


def put(person, labels):
    person.canvas.mask.data = labels.astype(np.uint16)


def counts(person):
    values, found = np.unique(person.mask[person.mask > 0], return_counts=True)
    true = dict(zip(values.tolist(), found.tolist(), strict=True))
    objects = person.canvas.session.objects
    known = {k: objects.voxel_counts.voxels(k) for k in objects.labels()}
    assert {k: n for k, n in known.items() if n} == true
    return true


def undone_and_redone(person, before):
    """See that undo brings the labels back, and redo what they are now."""
    after = person.mask.copy()
    person.workflow.undo()
    np.testing.assert_array_equal(person.mask, before)
    counts(person)
    person.workflow.redo()
    np.testing.assert_array_equal(person.mask, after)
    return counts(person)


def told(person):
    return [sentence for sentence, _ in person.troubles]


def test_merged_objects_are_the_first_of_them(person):
    actions, before = person.workflow.object_actions, person.mask.copy()
    person.workflow.object_list.classify([2], "ball")
    actions.merge([2, 1])
    assert undone_and_redone(person, before) == {2: int((before > 0).sum())}
    assert person.canvas.session.label == 2
    assert person.canvas.session.objects.labels() == [2]
    person.click(*FIRST)
    assert person.answers[-1].request.prompts[-1].base[30, 30]


@pytest.mark.parametrize("labels", [[1], [], [1, 9], [1, 1]])
def test_too_few_objects_to_merge(person, labels):
    before = person.mask.copy()
    person.workflow.object_actions.merge(labels)
    assert "Choose two or more objects of this image" in told(person)[0]
    np.testing.assert_array_equal(person.mask, before)


def test_propagated_slices_stay_propagated_when_merged(person):
    session, plane = person.canvas.session, person.canvas.current_plane()
    from napari_simpleclick.annotation import PropagatedSlice

    def note(label, sure):
        where = ObjectSlice(label, plane)
        mask = person.canvas.object_mask(plane, label)
        return {where: PropagatedSlice(fingerprint(mask), sure)}

    session.propagate(note(1, 0.9) | note(2, 0.7), None)
    person.workflow.object_actions.merge([1, 2])
    (found,) = session.objects.propagated.of(1).values()
    merged = person.canvas.object_mask(plane, 1)
    assert (found.confidence, found.fingerprint) == (0.7, fingerprint(merged))
    assert not session.objects.propagated.of(2)
    assert not session.objects.is_annotated(ObjectSlice(1, plane), merged)


@pytest.mark.parametrize("all_slices", [False, True])
def test_parts_become_objects(person, all_slices):
    person.workflow.object_actions.merge([1, 2])
    before = person.mask.copy()
    person.canvas.session.give_style(1, person.canvas.session.objects.style(1))
    person.workflow.object_actions.split_parts(1, all_slices)
    assert set(undone_and_redone(person, before)) == {1, 2}
    changed = np.unique(np.nonzero(person.mask != before)[0])
    assert (changed.tolist() == [12]) != all_slices
    assert (person.mask > 0).sum() == (before > 0).sum()


def test_an_object_in_one_piece_is_not_split(person):
    for all_slices in (False, True):
        person.workflow.object_actions.split_parts(1, all_slices)
    assert len(told(person)) == 2
    assert "in one piece" in told(person)[0]


@pytest.mark.parametrize("all_slices", [False, True])
def test_a_stroke_cuts_an_object_in_two(person, all_slices):
    before, plane = person.mask.copy(), Plane((1, 2), (12, 0, 0))
    stroke = [(10, 33), (30, 34), (50, 33)]
    person.workflow.object_actions.cut(1, plane, stroke, all_slices)
    found = undone_and_redone(person, before)
    assert set(found) == {1, 2, 3}
    assert person.mask[12, 30, 20] == 1  # the larger part
    assert person.mask[12, 30, 42] == 3
    assert (person.mask[8, 30, 42] == 3) == all_slices
    np.testing.assert_array_equal(person.mask > 0, before > 0)


@pytest.mark.parametrize(
    "stroke", [[(10, 33), (30, 33)], [(90, 0), (90, 119)], [(30, 30)]]
)
def test_a_cut_that_cuts_nothing(person, stroke):
    before = person.mask.copy()
    plane = Plane((1, 2), (12, 0, 0))
    person.workflow.object_actions.cut(1, plane, stroke, True)
    assert "does not cut the object in two" in told(person)[0]
    np.testing.assert_array_equal(person.mask, before)


@pytest.mark.parametrize("all_slices", [False, True])
def test_clicks_split_what_touches(open_image, balls, all_slices):
    """Two balls that overlap, with a click in each."""
    grid = np.indices(balls.shape)
    blob = np.zeros(balls.shape, bool)
    for column in (40, 64):
        far = sum(
            ((g - c) / r) ** 2
            for g, c, r in zip(grid, (12, 50, column), (9, 16, 16), strict=True)
        )
        blob |= far <= 1
    person = open_image(np.where(blob, 200, 40).astype(np.uint8))
    put(person, blob)
    person.click(12, 50, 40)
    person.click(12, 50, 64)
    before = person.mask.copy()
    person.workflow.object_actions.split_at_clicks(1, all_slices)
    assert undone_and_redone(person, before).keys() == {1, 2}
    assert person.mask[12, 50, 30] == 1
    assert person.mask[12, 50, 75] == 2
    neck = np.flatnonzero(person.mask[12, 50] == 2)[0]
    assert abs(neck - 52) <= 2
    assert (person.mask[8, 50, 68] == 2) == all_slices
    assert not person.canvas.session.objects.placed(
        ObjectSlice(1, person.canvas.current_plane())
    )
    person.click(12, 50, 30)  # corrects its part, and leaves the other alone
    assert person.mask[12, 50, 75] == 2


def test_a_split_at_clicks_needs_two(person):
    person.click(*FIRST)
    person.workflow.object_actions.split_at_clicks(1, False)
    assert "fewer than two" in told(person)[0]


def test_new_parts_have_the_class_and_a_name(person):
    from napari_simpleclick.annotation import ObjectStyle

    person.workflow.object_actions.merge([1, 2])
    person.canvas.session.give_style(1, ObjectStyle("cell", category="round"))
    person.workflow.object_actions.split_parts(1, True)
    style = person.canvas.session.objects.style(2)
    assert (style.name, style.category) == ("cell 2", "round")


def test_holes_are_filled_on_a_slice_or_on_all(person):
    labels = person.mask.copy()
    labels[8:17, 28:33, 28:33] = 0
    labels[12, 30, 30] = 2  # another object in the hole stays
    put(person, labels)
    before = person.mask.copy()
    reshape = person.workflow.object_actions.reshape
    reshape("fill holes", 1, False)
    undone_and_redone(person, before)
    assert person.mask[12, 29, 29] == 1
    assert person.mask[12, 30, 30] == 2
    assert person.mask[10, 29, 29] == 0
    reshape("fill holes", 1, True)
    assert person.mask[10, 29, 29] == 1
    reshape("fill holes", 1, True)
    assert "no hole" in told(person)[0]


def test_growing_goes_round_others_and_shrinking_back(person):
    reshape = person.workflow.object_actions.reshape
    labels = person.mask.copy()
    labels[12, 30, 47:50] = 2
    put(person, labels)
    before = person.mask.copy()
    reshape("grow", 1, False, 2)
    undone_and_redone(person, before)
    assert (person.mask == 2).sum() == (before == 2).sum()
    assert person.mask[12, 12, 30] == 1
    assert (person.mask[11] == before[11]).all()
    size = (person.mask == 1).sum()
    reshape("shrink", 1, False)
    assert (person.mask == 1).sum() < size


def test_growing_in_all_slices_goes_by_the_voxel_size(open_image, balls):
    person = open_image(balls, scale=(3, 1, 1))
    put(person, balls > 100)
    slices = np.flatnonzero(person.mask.any((1, 2)))
    reshape = person.workflow.object_actions.reshape
    reshape("grow", 1, True, 2)
    assert (np.flatnonzero(person.mask.any((1, 2))) == slices).all()
    reshape("grow", 1, True, 3)
    assert len(np.flatnonzero(person.mask.any((1, 2)))) == len(slices) + 2


def test_nothing_is_shrunk_away(person):
    before = person.mask.copy()
    person.workflow.object_actions.reshape("shrink", 1, True, 50)
    assert "leave nothing" in told(person)[0]
    np.testing.assert_array_equal(person.mask, before)


def test_the_largest_part_is_kept(person):
    person.workflow.object_actions.merge([1, 2])
    person.canvas.mask.data_setitem(tuple(np.array([n]) for n in (12, 95, 5)), 1)
    before = person.mask.copy()
    person.workflow.object_actions.reshape("largest part", 1, False)
    undone_and_redone(person, before)
    assert person.mask[12, 95, 5] == 0
    assert len(np.unique(np.nonzero(person.mask != before)[0])) == 1


def test_a_slice_without_the_object(person):
    person.go(0)
    person.workflow.object_actions.reshape("smooth", 1, False)
    assert "no pixels on this slice" in told(person)[0]


def test_a_number_is_changed_with_all_that_belongs_to_it(person):
    person.click(12, 31, 31)
    person.workflow.object_list.classify([1], "ball")
    before = person.mask.copy()
    person.workflow.object_actions.renumber(1, 7)
    assert undone_and_redone(person, before).keys() == {2, 7}
    objects = person.canvas.session.objects
    assert objects.style(7).category == "ball"
    assert [where.label for where, placed in objects.prompts.items() if placed] == [7]
    person.workflow.object_actions.renumber(7, 2)
    person.workflow.object_actions.renumber(7, 70_000)
    assert "is the number of Object 2" in told(person)[0]
    assert "from 1 to 65,535" in told(person)[1]


def test_a_locked_object_is_never_changed(person):
    flow, before = person.workflow, person.mask.copy()
    flow.object_list.lock([1])
    for label, place in ((1, FIRST), (2, SECOND)):
        person.canvas.choose(label)
        person.click(*place)
        flow.clear()
    person.canvas.choose(1)
    flow.propagate()
    flow.end_here()
    flow.object_actions.merge([2, 1])
    flow.object_actions.merge([1, 2])
    flow.object_actions.delete([2, 1])
    flow.object_actions.renumber(1, 9)
    flow.object_actions.reshape("grow", 1, True)
    flow.object_actions.split_parts(1, True)
    person.canvas.mask.paint((12, 30, 30), 2)
    person.canvas.mask.data = np.zeros_like(before)
    np.testing.assert_array_equal(person.mask == 1, before == 1)
    assert sum("locked" in sentence for sentence in told(person)) == 12
    counts(person)
    flow.object_list.lock([1], False)
    flow.object_actions.delete([1])
    assert not (person.mask == 1).any()


def test_a_new_mask_takes_no_pixel_of_a_locked_object(person):
    from dataclasses import replace

    person.workflow.object_list.lock([1])
    person.canvas.session.use(replace(person.canvas.options, overwrite=True))
    before = person.mask.copy()
    person.canvas.choose(3)
    person.click(*FIRST)
    np.testing.assert_array_equal(person.mask, before)
    person.click(*SECOND)
    assert person.mask[SECOND] == 3


def test_a_lock_waits_for_clicks_that_were_made_before(open_image, balls):
    from tests.executors import HeldExecutor

    executor = HeldExecutor()
    person = open_image(balls, executor)
    person.click(*FIRST)
    person.workflow.object_list.lock([1])
    assert not person.canvas.session.objects.locked()
    executor.release_all()
    assert person.mask[FIRST] == 1
    assert person.canvas.session.objects.locked() == {1}


def test_hidden_objects_are_not_drawn_and_not_clicked_on(person):
    listing = person.workflow.object_list
    listing.isolate([1])
    colour = person.canvas.mask.get_color
    assert colour(2)[3] == 0
    assert colour(1)[3] == 1
    person.canvas.choose(2)
    person.click(*SECOND)
    assert "Object 2 is hidden" in told(person)[0]
    person.canvas.choose(1)
    person.workflow.pick(SECOND)
    assert person.canvas.session.label == 1
    listing.isolate([1])
    assert colour(2)[3] == 1
    listing.set_opacity([2], 0.25)
    assert abs(colour(2)[3] - 0.25) < 0.01
    person.workflow.undo()
    assert colour(2)[3] == 1


def test_objects_are_moved_in_the_list(person):
    labels = person.mask.copy()
    labels[0, 0, 0] = 5
    put(person, labels)
    listing, objects = person.workflow.object_list, person.canvas.session.objects
    listing.move([5], False)
    assert objects.listed() == [1, 5, 2]
    listing.move([1, 5], True)
    assert objects.listed() == [2, 1, 5]
    listing.move([5], True)  # it is the last already
    person.workflow.undo()
    assert objects.listed() == [1, 5, 2]
    names = person.canvas.mask.metadata["napari-simpleclick names"]()
    assert [one.label for one in names] == [1, 5, 2]


def test_next_and_previous_leave_out_what_is_hidden(person):
    labels = person.mask.copy()
    labels[0, 0, 0] = 5
    put(person, labels)
    listing = person.workflow.object_list
    listing.show([2], False)
    visited = []
    for forward in (True, True, False):
        listing.step(forward)
        visited.append(person.canvas.session.label)
    assert visited == [5, 1, 5]


def test_what_waits_is_answered_before_a_merge(open_image, balls):
    from tests.executors import HeldExecutor

    executor = HeldExecutor()
    person = open_image(balls, executor)
    executor.holding = False
    person.click(*FIRST)
    executor.holding = True
    person.canvas.choose(2)
    person.click(*SECOND)
    person.workflow.object_actions.merge([1, 2])
    executor.release_all()
    assert set(counts(person)) == {1}
    assert person.mask[SECOND] == person.mask[FIRST] == 1
