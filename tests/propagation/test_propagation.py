"""From slice to slice of a ball in noise."""

import numpy as np
import pytest
from scipy import ndimage

from napari_simpleclick import Predictor
from napari_simpleclick.inference import ObjectState
from napari_simpleclick.propagation import (
    Ending,
    Propagation,
    Slices,
    interpolated,
    propagate_mask,
)
from tests.helpers import DiskNetwork, LinearNetwork

COUNT = 24
CENTRE, RADIUS = 12, 9


@pytest.fixture
def predictor():
    network = LinearNetwork(0.41, radius_px=5, image_size=(128, 128))
    return Predictor(network, device="cpu", precision="float32")


def ball():
    depth, rows, columns = np.ogrid[:COUNT, :96, :96]
    squared = ((depth - CENTRE) / RADIUS) ** 2
    squared = squared + ((rows - 50) / 24) ** 2 + ((columns - 44) / 24) ** 2
    return squared <= 1


TRUTH = ball()
NOISE = np.random.default_rng(0).normal(0, 12, TRUTH.shape)
VOLUME = np.clip(60 + 90 * ndimage.gaussian_filter(TRUTH * 1.0, 0.7) + NOISE, 0, 255)
VOLUME = VOLUME.astype(np.uint8)


def dice(first, second):
    return 2 * (first & second).sum() / max(1, first.sum() + second.sum())


def run(predictor, annotated, start=CENTRE, low=0, high=COUNT - 1, **options):
    asked = []

    def lookup(index):
        asked.append(index)
        return annotated.get(index)

    slices = Slices(lambda index: VOLUME[index])
    propagation = Propagation(
        predictor, slices, start, annotated[start], lookup, **options
    )
    steps = list(propagation.run(low, high))
    return propagation, steps, asked


def test_the_bundled_network_goes_both_ways_until_the_object_ends(bundled):
    predictor = Predictor(bundled, device="cpu", precision="float32")
    propagation, steps, _ = run(predictor, {CENTRE: TRUTH[CENTRE]})
    found = {step.index: step for step in steps}
    for index in range(CENTRE - 6, CENTRE + 7):
        if index != CENTRE:
            assert dice(found[index].mask, TRUTH[index]) > 0.9, index
    assert min(found) >= CENTRE - RADIUS - 1
    assert max(found) <= CENTRE + RADIUS + 1
    (low, why_low), (high, why_high) = propagation.endings
    assert (low, high) == (min(found), max(found))
    assert Ending.RANGE not in (why_low, why_high)
    outward = [found[index].confidence for index in range(CENTRE + 1, max(found) + 1)]
    assert outward == sorted(outward, reverse=True)
    assert 0 < min(outward) <= max(outward) <= 1


def long_bar(end, bright=90):
    """A bar through slices that look the same beyond its end."""
    volume = np.random.default_rng(1).normal(60, 8, (14, 96, 96))
    volume[:end, 30:60, 36:66] += bright
    mask = np.zeros((96, 96), bool)
    mask[30:60, 36:66] = True
    return Slices(volume.clip(0, 255).astype(np.uint8).__getitem__), mask


@pytest.mark.parametrize("bright", [90, -40, 12])
def test_it_ends_where_nothing_looks_like_the_object_any_more(bright):
    follows_its_prior = DiskNetwork(5, image_size=(128, 128))
    predictor = Predictor(follows_its_prior, device="cpu", precision="float32")
    slices, mask = long_bar(9, bright)
    walk = Propagation(predictor, slices, 3, mask)
    assert max(step.index for step in walk.run(3, 13)) == 8
    assert walk.endings == [(8, Ending.GONE)]


class Knows:
    """A predictor that is sure of one mask on every slice."""

    def __init__(self, mask):
        self.answer = np.where(mask, np.float32(0.99), np.float32(0.01))

    def set_image(self, *_):
        pass

    def predict(self, *_, **__):
        return self.answer, ObjectState()


@pytest.mark.parametrize(("faded", "last"), [(1, 13), (2, 13), (3, 5)])
def test_slices_on_which_the_object_fades_do_not_end_it(faded, last):
    volume = np.random.default_rng(1).normal(100, 20, (14, 96, 96))
    mask = np.zeros((96, 96), bool)
    mask[30:60, 36:66] = True
    volume += np.where(mask, 50, 0)
    volume[6 : 6 + faded] -= np.where(mask, 44, 0)
    slices = Slices(volume.clip(0, 255).astype(np.uint8).__getitem__)
    walk = Propagation(Knows(mask), slices, 3, mask)
    assert [step.index for step in walk.run(3, 13)] == list(range(4, last + 1))
    assert walk.endings == [(last, Ending.GONE if last == 5 else Ending.RANGE)]


class Lags(Knows):
    """A predictor that sees on each slice what was there some slices before."""

    def __init__(self, volume, truth, lag):
        self.slices, self.truth, self.lag = list(volume), truth, lag

    def set_image(self, picture, *_):
        index = next(i for i, one in enumerate(self.slices) if (one == picture).all())
        super().__init__(self.truth[max(0, index - self.lag)])


def test_a_mask_that_lags_behind_an_object_that_tapers_off_is_narrowed():
    rows, columns = np.mgrid[:96, :96]
    radii = [24] * 5 + [22, 20, 18, 16, 14, 12, 10, 8, 6, 0, 0]
    truth = np.hypot(rows - 48, columns - 48) < np.reshape(radii, (-1, 1, 1))
    noise = np.random.default_rng(2).normal(0, 1, truth.shape)
    noise = ndimage.gaussian_filter(noise, (0, 2, 2))
    volume = np.clip(80 + 14 / noise.std() * noise + 30 * truth, 0, 255)
    volume = volume.astype(np.uint8)
    predictor = Lags(volume, truth, 4)
    walk = Propagation(predictor, Slices(volume.__getitem__), 2, truth[2])
    found = {step.index: step for step in walk.run(2, 15)}
    assert walk.endings == [(12, Ending.GONE)]
    assert dice(found[11].mask, truth[11]) < 0.5
    assert dice(found[12].mask, truth[12]) > 0.8
    assert found[12].confidence < 0.5 * found[11].confidence


def test_doubts_that_only_add_up_do_not_end_it(predictor):
    slices, mask = long_bar(14)
    walk = Propagation(predictor, slices, 0, mask, least_confidence=0.9)
    steps = list(walk.run(0, 13))
    assert walk.endings == [(13, Ending.RANGE)]
    assert steps[-1].confidence < 0.9


def test_a_range_is_kept(predictor):
    propagation, steps, _ = run(predictor, {CENTRE: TRUTH[CENTRE]}, low=10, high=12)
    assert [step.index for step in steps] == [11, 10]
    assert propagation.endings == [(10, Ending.RANGE)]


def test_low_confidence_stops_it(predictor):
    sure, steps, _ = run(predictor, {CENTRE: TRUTH[CENTRE]}, least_confidence=0.995)
    assert len(steps) < 12
    assert [why for _, why in sure.endings] == [Ending.UNSURE, Ending.UNSURE]
    assert all(step.confidence >= 0.995 for step in steps)


def test_annotated_slices_are_met_and_not_walked_over(predictor):
    annotated = {8: TRUTH[8], 16: TRUTH[16]}
    propagation, steps, asked = run(predictor, annotated, start=8, low=8)
    found = {step.index: step for step in steps}
    assert sorted(found) == list(range(9, 16))
    assert max(asked) == 16  # no look further than the next annotated slice
    assert propagation.endings == [(15, Ending.MET)]
    for index, step in found.items():
        assert dice(step.mask, TRUTH[index]) > 0.9, index
    assert len(steps) == 14  # forwards, then backwards and combined


def test_the_way_back_counts_where_the_way_there_gave_up(predictor):
    annotated = {8: TRUTH[8], 16: TRUTH[16]}
    slices = Slices(lambda index: VOLUME[index] if index != 9 else 0 * VOLUME[9])
    propagation = Propagation(
        predictor, slices, 8, annotated[8], annotated.get, least_confidence=0.9
    )
    found = {step.index: step for step in propagation.run(8, 20)}
    assert dice(found[15].mask, TRUTH[15]) > 0.9


def test_an_erased_slice_is_where_the_object_ends(predictor):
    annotated = {CENTRE: TRUTH[CENTRE], 15: TRUTH[0]}
    propagation, steps, asked = run(predictor, annotated, low=CENTRE)
    assert [step.index for step in steps] == [13, 14]
    assert max(asked) == 15
    assert [last for last, _ in propagation.endings] == [14]


def test_a_gap_between_two_annotated_slices_is_not_called_met(predictor):
    annotated = {6: TRUTH[6], 18: TRUTH[18]}
    slices = Slices(lambda index: VOLUME[index] if index in (6, 18) else VOLUME[0])
    propagation = Propagation(
        predictor, slices, 6, annotated[6], annotated.get, least_confidence=0.98
    )
    found = {step.index for step in propagation.run(6, 20)}
    assert len(found) < 11
    assert Ending.MET not in [why for _, why in propagation.endings]


def test_only_starts_within_the_range_count(predictor):
    mask = np.zeros_like(TRUTH)
    mask[[5, 14]] = TRUTH[[5, 14]]
    result = propagate_mask(predictor, VOLUME, mask, 0, low=12, high=16)
    assert sorted(result.confidence) == [12, 13, 15, 16]


def test_an_empty_annotation_is_refused(predictor):
    with pytest.raises(ValueError, match="no mask on slice 2; annotate"):
        Propagation(predictor, Slices(VOLUME.__getitem__), 2, TRUTH[0])


def test_shapes_alone(predictor):
    found = dict(interpolated(8, TRUTH[8], 12, TRUTH[12]))
    assert list(found) == [9, 10, 11]
    assert dice(found[10], TRUTH[10]) > 0.95


@pytest.mark.parametrize("order", [(1, 0, 2), (1, 2, 0)])
def test_any_axis_gives_the_same(predictor, order):
    straight = propagate_mask(
        predictor, VOLUME, TRUTH[CENTRE], 0, CENTRE, low=10, high=14
    )
    axis = order.index(0)
    turned = np.transpose(VOLUME, order)
    mask = np.transpose(TRUTH & (np.arange(COUNT) == CENTRE)[:, None, None], order)
    result = propagate_mask(predictor, turned, mask, axis, low=10, high=14)
    back = np.transpose(result.mask, np.argsort(order))
    np.testing.assert_array_equal(back, straight.mask)
    for index in range(10, 15):
        assert dice(back[index], TRUTH[index]) > 0.93
    assert result.annotated == (CENTRE,)


def test_all_annotated_slices_of_a_volume_are_starts(predictor):
    mask = np.zeros_like(TRUTH)
    mask[[8, 14]] = TRUTH[[8, 14]]
    result = propagate_mask(predictor, VOLUME, mask, 0, low=6, high=16)
    assert result.annotated == (8, 14)
    assert sorted(result.confidence) == [6, 7, 9, 10, 11, 12, 13, 15, 16]
    np.testing.assert_array_equal(result.mask[8], TRUTH[8])
    one = propagate_mask(predictor, VOLUME, mask, 0, 8, low=6, high=16)
    assert sorted(one.confidence) == [6, 7, 9, 10, 11, 12, 13]


def test_a_lazy_volume_is_read_slice_by_slice(predictor):
    class Lazy:
        shape = VOLUME.shape
        largest = 0

        def __getitem__(self, index):
            picture = VOLUME[index]
            self.largest = max(self.largest, picture.size)
            return picture

    lazy = Lazy()
    propagate_mask(predictor, lazy, TRUTH[CENTRE], 0, CENTRE, low=11, high=13)
    assert lazy.largest == 96 * 96


def test_a_colour_volume(predictor):
    colour = np.stack([VOLUME] * 3, axis=-1)
    result = propagate_mask(
        predictor, colour, TRUTH[CENTRE], 0, CENTRE, low=11, high=13
    )
    assert dice(result.mask[13], TRUTH[13]) > 0.93


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"mask": TRUTH[:, :, 0]}, "a slice of this volume has .96, 96."),
        ({"mask": np.zeros((96, 96))}, "empty on slice 12"),
        ({"index": None}, "needs the number of that slice"),
        ({"index": 24}, "axis 0 has slices 0 to 23"),
        ({"axis": 3}, "has axes 0, 1 and 2"),
        ({"low": 13}, "hold slice 12"),
        ({"high": 24}, "must lie within 0 to 23"),
        ({"volume": VOLUME[0]}, "give a volume"),
    ],
)
def test_what_does_not_fit_is_refused(predictor, change, sentence):
    given = {"volume": VOLUME, "mask": TRUTH[CENTRE], "axis": 0, "index": CENTRE}
    with pytest.raises(ValueError, match=sentence):
        propagate_mask(predictor, **(given | change))
