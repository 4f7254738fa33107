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
