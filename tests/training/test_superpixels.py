import numpy as np
import pytest
import torch
from scipy import ndimage

import napari_simpleclick.training.samples as samples_of
from napari_simpleclick.training import TrainConfig, read_config
from napari_simpleclick.training.images import LabelledImage
from napari_simpleclick.training.samples import Samples
from napari_simpleclick.training.superpixels import superpixel_object

CONFIG = {
    "network": "simpleclick-xtiny",
    "single_click": 1.0,
    "stages": [{"size": 64, "batch": 1, "steps": 1, "rate": 1e-3}],
}


@pytest.fixture
def tiles():
    """Give tiles of 12 px, each with a brightness and a number of its own."""
    rng = np.random.default_rng(0)
    numbers = np.arange(100).reshape(10, 10).repeat(12, 0).repeat(12, 1)
    values = rng.permutation(np.linspace(20, 235, 100)).astype(np.uint8)
    return numbers, values[numbers]


def found_in(image, count, seed=0):
    drawn = (
        superpixel_object(np.random.default_rng((seed, n)), image) for n in range(count)
    )
    return [one.labels > 0 for one in drawn if one is not None]


def test_objects_are_whole_tiles_or_unions_of_adjacent_ones(tiles):
    numbers, image = tiles
    found = found_in(image, 60)
    assert len(found) > 30
    several = 0
    for mask in found:
        assert ndimage.label(mask, np.ones((3, 3)))[1] == 1
        covered = np.bincount(numbers.ravel(), mask.ravel()) / 144 > 0.5
        union = covered[numbers]
        assert (mask & union).sum() > 0.9 * (mask | union).sum()
        several += covered.sum() > 1
    assert 5 < several < len(found)


def test_their_sizes_differ_widely():
    rng = np.random.default_rng(1)
    coarse = ndimage.gaussian_filter(rng.random((400, 500)), 8)
    image = np.uint8(255 * (coarse - coarse.min()) / np.ptp(coarse))
    areas = [mask.sum() for mask in found_in(image, 60)]
    assert len(areas) > 30
    assert max(areas) > 30 * min(areas)


@pytest.mark.parametrize("shape", [(20, 300), (700, 90, 3), (51, 35)])
def test_any_image_will_do(shape):
    rng = np.random.default_rng(2)
    image = ndimage.gaussian_filter(
        rng.random(shape), 3 if len(shape) == 2 else (3, 3, 0)
    )
    image = np.uint8(255 * (image - image.min()) / np.ptp(image))
    found = found_in(image, 20)
    assert found
    assert all(mask.shape == shape[:2] and mask.any() for mask in found)


def test_what_no_border_surrounds_is_no_object():
    rng = np.random.default_rng(3)
    assert not found_in(np.zeros((200, 200), np.uint8), 10)
    assert not found_in(rng.integers(100, 103, (200, 200), dtype=np.uint8), 10)


def test_no_object_ends_where_the_part_that_was_segmented_does():
    # wider than any part, so that no part holds the stripe whole
    image = np.zeros((1000, 1000), np.uint8)
    image[490:510] = 200
    assert not found_in(image, 60)


def test_they_take_the_place_of_labels_as_often_as_told(tiles, monkeypatch):
    numbers, image = tiles
    dim, bright = image // 8, np.full_like(image, 255)
    square = np.zeros_like(image)
    square[40:80, 40:80] = 1
    monkeypatch.setattr(samples_of, "vary_intensity", lambda image, _: image)
    monkeypatch.setattr(
        samples_of, "superpixel_object", lambda *_: LabelledImage(bright, square)
    )
    sets = {"tiles": [LabelledImage(dim, (numbers == 44).astype(np.uint8))]}
    for told, weights in ((0.0, {}), (0.3, {}), (1.0, {}), (1.0, {"lesions": 1e9})):
        config = TrainConfig(**CONFIG, superpixels=told, weights=weights)
        samples = Samples(sets, config, 64)
        share = np.mean([bool(samples[n][0].max() == 1) for n in range(60)])
        assert share == pytest.approx(0 if weights else told, abs=0.15)


def test_labels_stay_where_nothing_stands_out(tiles):
    flat = LabelledImage(np.full((120, 120), 90, np.uint8), np.uint8(tiles[0] == 44))
    samples = Samples({"flat": [flat]}, TrainConfig(**CONFIG, superpixels=1.0), 64)
    assert all(samples[number][1].any() for number in range(5))


def test_a_share_is_a_probability(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(
        'network = "a"\nsuperpixels = 1.5\n'
        "[[stages]]\nsize = 32\nbatch = 1\nsteps = 1\nrate = 1"
    )
    with pytest.raises(ValueError, match="superpixels: Input should be less"):
        read_config(path)


def test_drawn_images_alone_need_no_share_of_the_sets(tiles):
    numbers, image = tiles
    sets = {"tiles": [LabelledImage(image, numbers)]}
    weights = {"tiles": 0.0, "synthetic": 1.0}
    samples = Samples(sets, TrainConfig(**CONFIG, weights=weights), 64)
    with_tiles = Samples(sets, TrainConfig(**CONFIG), 64)
    assert samples[0][1].any()
    assert not torch.equal(samples[0][1], with_tiles[0][1])
