import numpy as np
import pytest
from scipy import ndimage

from napari_simpleclick.inference.shapes import signed_distance
from napari_simpleclick.propagation.interpolation import interpolate_shape
from napari_simpleclick.propagation.motion import follow
from napari_simpleclick.propagation.voting import Voters, _log_loss

SHAPE = (90, 110)


def disk(radius, row=45, column=55):
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def texture(seed=0):
    noise = np.random.default_rng(seed).random(SHAPE)
    smooth = ndimage.gaussian_filter(noise, 2)
    return (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)


def dice(first, second):
    return 2 * (first & second).sum() / (first.sum() + second.sum())


@pytest.mark.parametrize("shift", [(4, 0), (0, -4), (3, 3)])
def test_an_outline_moves_with_the_image(shift):
    image = texture()
    moved = np.roll(image, shift, (0, 1))
    there = disk(15, 45 + shift[0], 55 + shift[1])
    assert dice(follow(image, moved, disk(15)) > 0, there) > 0.95
    assert dice(disk(15), there) < 0.88


def test_motion_on_a_crop_of_a_few_pixels():
    image = np.zeros((7, 40), np.uint8)
    image[2:5, 10:30] = 200
    assert follow(image, image, image > 0).shape == (7, 40)


def test_a_network_that_knows_the_object_leads():
    truth = disk(20)
    image = texture()
    voters = Voters(image, truth, lambda prior: 5 * np.sign(signed_distance(truth)))
    assert voters.network_leads
    assert voters.network_gain > 0.9
    other = disk(22)
    logits = 5 * np.sign(signed_distance(other))
    votes = voters.votes(image, signed_distance(truth), logits)
    assert dice(votes.leader > 0, other) > 0.98


def test_the_loss_of_a_certain_mistake_is_finite():
    """What the votes gain is a ratio of losses."""
    table, certain = np.ones((1, 1), np.float32), np.array([40.0, 0.0])
    assert _log_loss(table, np.array([False]), certain) == pytest.approx(30, rel=0.01)


def test_brightness_helps_a_network_that_is_at_a_loss():
    truth = disk(20)
    image = np.where(truth, 180, 60).astype(np.uint8)
    voters = Voters(image, truth, lambda prior: np.zeros(SHAPE, np.float32))
    assert not voters.network_leads
    assert voters.total_gain > 0.5
    other = disk(23)
    bright = np.where(other, 180, 60).astype(np.uint8)
    votes = voters.votes(bright, signed_distance(truth), np.zeros(SHAPE, np.float32))
    assert dice(votes.leader > 0, other) > 0.97
    assert dice(votes.prior > 0, other) < 0.94


def test_without_any_evidence_the_prior_stays():
    """No drift: neither growth nor shrinkage is favoured."""
    truth = disk(20)
    voters = Voters(texture(), truth, lambda prior: np.zeros(SHAPE, np.float32))
    mask = truth
    for seed in range(1, 11):
        nothing = np.zeros(SHAPE, np.float32)
        votes = voters.votes(texture(seed), signed_distance(mask), nothing)
        mask = votes.leader > 0
    assert dice(mask, truth) > 0.95


@pytest.mark.parametrize("mask", [np.ones(SHAPE, bool), disk(0), disk(200)])
def test_masks_with_nothing_to_learn_from(mask):
    nothing = np.zeros(SHAPE, np.float32)
    voters = Voters(texture(), mask, lambda prior: nothing)
    votes = voters.votes(texture(), signed_distance(mask), nothing)
    np.testing.assert_array_equal(votes.leader > 0, mask)


def test_shapes_are_interpolated_by_distance():
    middle = interpolate_shape(disk(10), disk(20), 0.5)
    assert dice(middle, disk(15)) > 0.98
    assert dice(interpolate_shape(disk(10), disk(20), 0.25), disk(12.5)) > 0.97
    np.testing.assert_array_equal(interpolate_shape(disk(10), disk(20), 0), disk(10))
