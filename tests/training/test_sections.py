import numpy as np
import pytest
from scipy import ndimage

from napari_simpleclick.training import TrainConfig
from napari_simpleclick.training.images import LabelledImage
from napari_simpleclick.training.samples import Samples
from napari_simpleclick.training.sections import add_organelles, whole_section

CONFIG = {
    "network": "simpleclick-xtiny",
    "single_click": 1.0,
    "stages": [{"size": 224, "batch": 1, "steps": 1, "rate": 1e-3}],
}


@pytest.fixture
def piece():
    """Cells of 60 px with dark walls of 4 px between them, on 180 x 240 px."""
    rows, columns = np.mgrid[:180, :240]
    wall = (rows % 60 < 4) | (columns % 60 < 4)
    numbers = 1 + rows // 60 * 4 + columns // 60
    grain = np.random.default_rng(0).normal(0, 4, wall.shape)
    image = np.clip(np.where(wall, 40, 180) + grain, 0, 255).astype(np.uint8)
    return LabelledImage(image, np.where(wall, 0, numbers).astype(np.uint8))


def test_a_piece_is_mirrored_to_a_section_with_a_number_for_each_cell(piece):
    for number in range(5):
        section = whole_section(np.random.default_rng(number), piece, (500, 900))
        assert 500 <= min(section.labels.shape) <= 900
        assert section.image.shape == section.labels.shape
        bright = section.image > 110
        assert (bright == (section.labels > 0)).mean() > 0.999
        numbers = np.unique(section.labels[section.labels > 0])
        assert len(numbers) == ndimage.label(section.labels > 0)[1]
        assert len(numbers) > len(np.unique(piece.labels)) - 1


def test_a_large_image_stays_and_colours_are_mirrored_too(piece):
    same = whole_section(np.random.default_rng(0), piece, (100, 150))
    np.testing.assert_array_equal(same.image, piece.image)
    coloured = LabelledImage(np.stack([piece.image] * 3, 2), piece.labels)
    section = whole_section(np.random.default_rng(0), coloured, (400, 400))
    assert section.image.shape == (400, 400, 3)


def test_organelles_lie_in_cells_and_are_all_that_is_labelled(piece):
    seen = 0
    for number in range(6):
        rng = np.random.default_rng(number)
        section = whole_section(rng, piece, (400, 500))
        drawn = add_organelles(rng, section)
        assert drawn.image.shape == section.image.shape
        assert not (drawn.labels.astype(bool) & (section.labels == 0)).any()
        far = ~ndimage.binary_dilation(drawn.labels > 0, iterations=8)
        off = drawn.image[far].astype(int) - section.image[far]
        assert np.abs(off).max() <= 1
        for one, box in drawn.objects().items():
            inside = drawn.labels[box] == one
            assert ndimage.label(inside)[1] == 1
            assert len(np.unique(section.labels[box][inside])) == 1
            seen += 1
    assert seen > 30


def test_organelles_differ_from_what_is_around_them(piece):
    rng = np.random.default_rng(3)
    section = whole_section(rng, piece, (400, 500))
    drawn = add_organelles(rng, section)
    inside = drawn.labels > 0
    change = drawn.image[inside].mean() - section.image[inside].mean()
    assert abs(change) > 0.06 * 255 * 0.8


def test_no_cells_no_organelles():
    empty = LabelledImage(np.full((300, 300), 90, np.uint8), np.zeros((300, 300), int))
    drawn = add_organelles(np.random.default_rng(0), empty)
    assert not drawn.labels.any()
    assert (drawn.image == 90).all()


def test_half_the_targets_of_sections_are_small(piece):
    def shares(**more):
        config = TrainConfig(**CONFIG, **more)
        samples = Samples({"em": [piece]}, config, 224)
        return np.array([samples[n][1].mean() ** 0.5 for n in range(60)])

    plain, small = shares(), shares(sections={"em": 1.0})
    assert np.median(small) < 0.6 * np.median(plain)
    assert (small < 64 / 224).mean() > 0.5
    drawn = shares(sections={"em": 1.0}, organelles={"em": 1.0})
    assert (drawn < 64 / 224).mean() > 0.4


def test_a_set_that_is_not_named_gives_the_samples_it_gave(piece):
    sets = {"em": [piece], "other": [piece]}
    one = Samples(sets, TrainConfig(**CONFIG), 224)
    two = Samples(sets, TrainConfig(**CONFIG, sections={"else": 1.0}), 224)
    for number in range(10):
        for a, b in zip(one[number], two[number], strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
