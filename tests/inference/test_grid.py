import numpy as np
import pytest
from skimage.io import imread

from napari_simpleclick import Click
from napari_simpleclick.inference import ObjectState
from napari_simpleclick.inference.crops import Crop
from napari_simpleclick.inference.square_grid import SquareGrid
from napari_simpleclick.samples import sample_path


def test_square_pixels_stay_as_they_are():
    assert SquareGrid.covering((50, 60), (0.7, 0.7)) is None
    assert SquareGrid.covering((50, 60), (0.7, 0.72)) is None
    assert SquareGrid.covering((1, 60), (5, 1)) is None


def test_oblong_pixels_are_cut_into_square_ones():
    grid = SquareGrid.covering((11, 60), (5, 1))
    assert grid.square == (51, 60)
    assert grid.click(Click(2, 7, False)) == Click(10, 7, False)
    assert grid.click(Click(-0.5, 59.4)) == Click(0, 59)
    picture = np.arange(11)[:, None] * np.ones(60)
    np.testing.assert_allclose(grid.there(picture)[:, 0], np.arange(51) / 5, atol=1e-5)
    np.testing.assert_allclose(grid.back(grid.there(picture)), picture, atol=1e-5)


def test_the_extent_holds_all_that_a_crop_changes():
    grid = SquareGrid.covering((11, 60), (5, 1))
    there = np.zeros(grid.square, np.float32)
    box = Crop(12, 23, 30, 40)
    there[box.slices] = 1
    changed = grid.back(there) > 0
    extent = grid.extent(box)
    changed[extent.slices] = False
    assert not changed.any()
    assert (extent.height, extent.width) == (4, 13)


def test_a_wrong_spacing_does_not_fill_the_memory():
    assert SquareGrid.covering((50, 2048), (1, 0.0003)).square == (785, 2048)


@pytest.mark.parametrize("spacing", [(0, 1), (1, -2), (np.nan, 1)])
def test_pixels_without_area_are_refused(spacing):
    with pytest.raises(ValueError, match="has no area"):
        SquareGrid.covering((10, 10), spacing)


def test_a_thinned_image_gives_the_thinned_answer(predictor):
    """Every fourth row, and four times the spacing: the same object."""
    image = imread(sample_path("em.tif"))[2][:249]
    predictor.set_image(image)
    full = predictor.predict([Click(152, 155)])
    predictor.set_image(image[::4], spacing=(4.0, 1.0))
    thin = predictor.predict([Click(38, 155)])
    assert thin.shape == image[::4].shape
    first, second = full[::4] > 0.5, thin > 0.5
    assert (first & second).sum() / (first | second).sum() > 0.8
    clicks = [Click(38, 155), Click(60, 20, False)]
    again, state = predictor.predict(clicks, thin, state=ObjectState())
    assert again.shape == thin.shape
    assert predictor.extent(state).row_max < 63
