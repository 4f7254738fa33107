"""Several objects through the same slices."""

import numpy as np

from napari_simpleclick.inference import ObjectState
from napari_simpleclick.propagation import (
    Leg,
    Propagation,
    SideBySide,
    Slices,
    propagate_labels,
)

COUNT, SIDE = 7, 160
rows, columns = np.indices((SIDE, SIDE))


class Agreeing:
    """Takes every prior for the object, and remembers what it was shown around."""

    encodes_once = True
    input_side = 64

    def __init__(self):
        self.focus = []

    def set_image(self, image, window=None, spacing=(1.0, 1.0)):
        self.image = image

    def predict(self, prompts, prior=None, *, state=None, focus=None):
        self.focus.append(focus)
        bright = (self.image > 120) & np.asarray(prior, bool)
        return np.where(bright, 0.9, 0.1).astype(np.float32), ObjectState()


def block(top, left, side=20):
    inside = (rows >= top) & (rows < top + side)
    return inside & (columns >= left) & (columns < left + side)


def volume(*masks):
    noise = np.random.default_rng(0).normal(0, 3, (COUNT, SIDE, SIDE))
    picture = np.full((SIDE, SIDE), 60.0)
    for mask in masks:
        picture[mask] = 200
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def labels_of(*masks):
    labels = np.zeros((SIDE, SIDE), np.uint8)
    for number, mask in enumerate(masks):
        labels[mask] = number + 1
    return labels


def test_objects_that_are_close_share_a_view_and_far_ones_have_their_own():
    masks = block(20, 20), block(20, 45), block(130, 130)
    predictor = Agreeing()
    data, labels = volume(*masks), labels_of(*masks)
    found = propagate_labels(predictor, data, labels, 0, 3, low=2, high=4)
    assert set(np.unique(found.labels[4])) == {0, 1, 2, 3}
    shown = [None if one is None else one.astype(bool) for one in predictor.focus]
    close = [one for one in shown if one is not None]
    assert len(close) > 4
    assert any(one is None for one in shown)
    for one in close:
        assert one[25, 25]
        assert one[25, 50]
        assert not one[135, 135]


def test_touching_objects_share_no_pixel_and_miss_none():
    masks = block(40, 40), block(40, 60)
    data, labels = volume(*masks), labels_of(*masks)
    found = propagate_labels(Agreeing(), data, labels, 0, 3)
    for index in range(COUNT):
        both = masks[0] | masks[1]
        filled = found.labels[index] > 0
        assert (filled & both).sum() / (filled | both).sum() > 0.9
        for label in (1, 2):
            mine = found.labels[index] == label
            assert (mine & masks[label - 1]).sum() / mine.sum() > 0.8
    assert found.confidence[1].keys() == {0, 1, 2, 4, 5, 6}


def test_annotated_slices_of_each_object_are_kept():
    masks = block(20, 20), block(90, 90)
    full = np.zeros((COUNT, SIDE, SIDE), np.uint8)
    full[1] = labels_of(*masks)
    full[4][block(92, 92)] = 2
    found = propagate_labels(Agreeing(), volume(*masks), full, 0)
    np.testing.assert_array_equal(found.labels[4] == 2, full[4] == 2)
    assert found.annotated == {1: (1,), 2: (1, 4)}
    assert 4 in found.confidence[1]
    assert 4 not in found.confidence[2]


def test_what_is_taken_belongs_to_none_of_them():
    mask = block(40, 40)
    data, stripe = volume(mask), block(40, 50)
    slices = Slices(lambda index: data[index])
    leg = Leg(5, Propagation(Agreeing(), slices, 3, mask & ~stripe), 1, 5)
    steps = list(SideBySide([leg], lambda index: stripe).run())
    assert {(label, step.index) for label, step in steps} == {
        (5, index) for index in (1, 2, 4, 5)
    }
    assert not any((step.mask & stripe).any() for _, step in steps)
