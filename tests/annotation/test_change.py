import numpy as np
import pytest

from napari_simpleclick.annotation import MaskChange, VoxelCounts

SHAPE = (3, 4, 5)


def change(mask, *, where, label):
    """Give voxels of a mask a label."""
    indices = np.nonzero(where)
    noted = MaskChange.of(SHAPE, indices, mask[indices], label)
    mask[indices] = label
    return noted


def random_changes(count=20, seed=0):
    rng = np.random.default_rng(seed)
    mask = np.zeros(SHAPE, np.uint16)
    states, changes = [mask.copy()], []
    for _ in range(count):
        where = rng.random(SHAPE) < 0.3
        changes.append(change(mask, where=where, label=int(rng.integers(0, 4))))
        states.append(mask.copy())
    return states, changes


def test_changes_are_made_and_taken_back():
    states, changes = random_changes()
    mask = states[0].copy()
    for noted, state in zip(changes, states[1:], strict=True):
        noted.apply(mask)
        assert (mask == state).all()
    for noted, state in zip(changes[::-1], states[-2::-1], strict=True):
        noted.apply(mask, undo=True)
        assert (mask == state).all()


def test_several_changes_are_one():
    states, changes = random_changes()
    joined = MaskChange.joined(changes)
    mask = states[0].copy()
    joined.apply(mask)
    assert (mask == states[-1]).all()
    joined.apply(mask, undo=True)
    assert (mask == states[0]).all()
    assert MaskChange.joined([]) is None
    assert MaskChange.joined(changes[:1]) is changes[0]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("side", [3, 60])
def test_what_differs_between_masks_is_found_in_a_box_too(order, side):
    shape, rng = (5, side, side), np.random.default_rng(side)
    old, new = (np.zeros(shape, np.uint16, order) for _ in range(2))
    old[1:4, 1:, :] = rng.integers(0, 3, (3, 1, 1))
    new[2:, :, 1:] = rng.integers(0, 3, (3, side, 1))
    new[4, 0] = rng.integers(0, 9, side)
    whole = MaskChange.between(old, new)
    indices, before, after = whole.voxels()
    assert (indices == np.flatnonzero(old != new)).all()
    assert (before == old.ravel()[indices]).all()
    assert (after == new.ravel()[indices]).all()
    mask = old.copy(order)
    for noted in (whole, MaskChange(shape, whole.packed)):
        noted.apply(mask)
        assert (mask == new).all()
        assert noted.is_made(mask)
        noted.apply(mask, undo=True)
        assert (mask == old).all()
        assert not noted.is_made(mask)
    box = (slice(1, 4), slice(0, 2), slice(1, 3))
    part = MaskChange.in_box(shape, (1, 0, 1), old[box], new[box])
    part.apply(mask)
    assert (mask[box] == new[box]).all()
    assert (mask != old).sum() == (old[box] != new[box]).sum()
    assert MaskChange.between(old, old) is None


def test_runs_that_go_on_in_the_next_line_are_counted_where_they_are():
    flat = np.arange(3, 33)
    noted = MaskChange.of(SHAPE, np.unravel_index(flat, SHAPE), 0, 2)
    assert len(noted.runs().starts) == 1
    mask = np.zeros(SHAPE, np.uint16)
    noted.apply(mask)
    counts = VoxelCounts()
    counts.follow(noted)
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        assert (counts.areas(2, axis) == mask.sum(axis=others) // 2).all()


def test_a_change_of_nothing_is_counted_and_made():
    nothing = MaskChange.of(SHAPE, np.nonzero(np.zeros(SHAPE)), 0, 1)
    counts, mask = VoxelCounts(), np.zeros(SHAPE, np.uint16)
    for one in (nothing, MaskChange(SHAPE, nothing.packed)):
        counts.follow(one)
        one.apply(mask)
    assert counts.labels() == set()
    assert not mask.any()


def test_parts_that_overlap_are_joined_in_the_order_of_their_making():
    mask = np.zeros(SHAPE, np.uint16)
    parts = [
        MaskChange.of(SHAPE, np.unravel_index(np.arange(*ends), SHAPE), before, after)
        for ends, before, after in (
            ((30, 40), 0, 5),
            ((0, 10), 0, 1),
            ((35, 50), [5] * 5 + [0] * 10, 7),
        )
    ]
    MaskChange.joined(parts).apply(mask)
    assert mask.ravel()[:10].tolist() == [1] * 10
    assert mask.ravel()[30:50].tolist() == [5] * 5 + [7] * 15
    MaskChange.joined(parts).apply(mask, undo=True)
    assert not mask.any()
    apart = MaskChange.joined(parts[:2])
    apart.apply(mask)
    assert np.flatnonzero(mask).tolist() == [*range(10), *range(30, 40)]


def test_voxels_far_apart_are_kept():
    shape = (2**33, 2)
    places = (np.array([0, 2**33 - 1]), np.array([0, 1]))
    indices, before, after = MaskChange.of(shape, places, [0, 0], [1, 2]).voxels()
    assert indices.tolist() == [0, 2**34 - 1]
    assert (before == 0).all()
    assert after.tolist() == [1, 2]


@pytest.mark.parametrize(
    "packed", [b"", b"no zlib", MaskChange.of((9,), ([1],), 0, 1).packed]
)
def test_damaged_changes_are_refused(packed):
    with pytest.raises(ValueError, match="change"):
        MaskChange((1,), packed).apply(np.zeros(1, np.uint16))


def test_voxel_counts_count_as_a_search_does():
    states, changes = random_changes()
    voxel_counts = VoxelCounts()
    for noted in changes:
        voxel_counts.follow(noted)
    for noted, state in zip(changes[::-1], states[-2::-1], strict=True):
        voxel_counts.follow(noted, undo=True)
        assert voxel_counts.labels() == set(np.unique(state)) - {0}
        for label in range(1, 4):
            assert voxel_counts.voxels(label) == (state == label).sum()
            for axis in range(3) if label in voxel_counts.labels() else ():
                others = tuple(other for other in range(3) if other != axis)
                expected = (state == label).sum(axis=others)
                assert (voxel_counts.areas(label, axis) == expected).all()
