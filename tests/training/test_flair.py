import numpy as np
import pytest
from scipy import ndimage

from napari_simpleclick.training import TrainConfig
from napari_simpleclick.training.flair import as_flair, with_shape_of
from napari_simpleclick.training.images import LabelledImage
from napari_simpleclick.training.samples import Samples


@pytest.fixture
def scan():
    """T2-weighted: grey tissue, white fluid, and a tumour of two classes between."""
    rows, columns = np.mgrid[:200, :160]
    head = ((rows - 100) / 80) ** 2 + ((columns - 80) / 60) ** 2 < 1
    fluid = ((rows - 100) / 30) ** 2 + ((columns - 70) / 12) ** 2 < 1
    away = np.hypot(rows - 100, columns - 110)
    image = np.where(head, 90, 0)
    image[head] += np.random.default_rng(0).integers(-4, 5, head.sum())
    image[fluid] = 230
    image[away < 15] = 150
    labels = np.where(away < 15, 1, 0) + (away < 6)
    labels[(away > 5) & (away < 7)] = 0  # a gap between the classes
    return LabelledImage(image.astype(np.uint8), labels.astype(np.uint8), "a"), fluid


def test_fluid_is_dark_and_the_tumour_bright(scan):
    image, fluid = scan
    coloured = skulls = brighter = 0
    for number in range(16):
        shown = as_flair(np.random.default_rng(number), image)
        assert shown.image.shape == (200, 160, 3)
        assert shown.image.dtype == np.uint8
        flair = shown.image[..., 1].astype(float)
        tumour = shown.labels > 0
        around = ndimage.binary_dilation(tumour, iterations=12) & ~tumour & ~fluid
        tissue = np.median(flair[around])
        assert flair[ndimage.binary_erosion(fluid, iterations=2)].mean() < tissue
        brighter += np.percentile(flair[tumour], 85) > tissue  # beside a cavity
        coloured += np.ptp(shown.image, axis=2).max() > 10
        skulls += shown.image[:15].max() > 5
    assert brighter >= 13  # the rest are full of fluid
    assert 3 < coloured < 13
    assert 3 < skulls < 13


def test_gaps_between_classes_belong_to_the_nearest(scan):
    shown = as_flair(np.random.default_rng(0), scan[0])
    assert set(np.unique(shown.labels)) == {0, 1, 2}
    rows, columns = np.mgrid[:200, :160]
    inside = np.hypot(rows - 100, columns - 110) < 14
    assert shown.labels[inside].all()
    assert not shown.labels[ndimage.binary_dilation(inside, iterations=3) == 0].any()


def test_colours_and_sizes(scan):
    image = scan[0]
    large = LabelledImage(
        np.stack([np.kron(image.image, np.ones((3, 3), np.uint8))] * 3, 2),
        np.kron(image.labels, np.ones((3, 3), np.uint8)),
    )
    shown = as_flair(np.random.default_rng(0), large)
    assert shown.image.shape == (*shown.labels.shape, 3)
    assert max(shown.labels.shape) <= 320
    dark = LabelledImage(np.zeros((90, 90), np.uint8), np.ones((90, 90), np.uint8))
    assert as_flair(np.random.default_rng(0), dark) is dark


def test_the_shape_of_another_tumour_is_labelled_inside_the_head(scan):
    image = scan[0]
    rows, columns = np.mgrid[:120, :100]
    donor = LabelledImage(
        np.zeros((120, 100), np.uint8),
        ((rows < 40) & (columns > 80)).astype(np.uint8) * 3,  # 40 x 19 at the border
    )
    beyond = ndimage.binary_erosion(image.image == 0, iterations=3)
    areas, middles = [], []
    for number in range(16):
        given = with_shape_of(np.random.default_rng(number), image, donor)
        assert given.image is image.image
        added = given.labels == 3
        np.testing.assert_array_equal(given.labels[~added], image.labels[~added])
        assert not given.labels[beyond].any()
        areas.append(added.sum())
        middles.append(np.argwhere(added).mean(0))
    assert max(areas) > 2 * min(areas) > 0
    assert max(areas) < 1.7**2 * 40 * 19
    assert np.ptp(middles, axis=0).min() > 40
    nothing = LabelledImage(donor.image, np.zeros((120, 100), np.uint8))
    assert with_shape_of(np.random.default_rng(0), image, nothing) is image


def test_a_share_of_a_set_is_shown_so(scan):
    def targets(**options):
        config = TrainConfig(
            network="simpleclick-xtiny",
            stages=({"size": 224, "batch": 1, "steps": 1, "rate": 1e-3},),
            **options,
        )
        samples = Samples({"heads": [scan[0]]}, config, 224)
        return np.stack([samples[number][1].numpy() for number in range(3)])

    np.testing.assert_array_equal(targets(), targets(flair={"heads": 0.0}))
    shown = targets(flair={"heads": 1.0})
    assert not np.array_equal(targets(), shown)
    shapes = targets(flair={"heads": 1.0}, tumour_shapes=1.0)
    assert not np.array_equal(shown, shapes)
