import numpy as np
import pytest
import torch
from torch.nn import functional

from napari_simpleclick import Click
from napari_simpleclick.inference.crops import (
    Crop,
    ZoomIn,
    box_iou,
    map_click,
    resize_crop,
)


def filled(box, shape):
    mask = np.zeros(shape, bool)
    mask[Crop(*box).slices] = True
    return mask


@pytest.mark.parametrize(
    ("box", "min_side", "shape", "expected"),
    [
        ((210, 250, 220, 280), 1, (800, 800), (201, 259, 207, 293)),
        ((210, 250, 220, 280), 200, (800, 800), (130, 330, 150, 350)),
        ((107, 112, 199, 340), 1, (800, 800), (105, 114, 170, 369)),
        ((107, 112, 199, 340), 200, (800, 800), (10, 210, 170, 370)),
        ((100, 299, 5, 399), 200, (300, 400), (60, 299, 0, 399)),
    ],
)
def test_box_around_a_mask(box, min_side, shape, expected):
    zoom = ZoomIn(min_side=min_side)
    assert zoom.around(filled(box, shape), []) == expected


def test_only_positive_clicks_extend_the_box():
    mask = filled((100, 120, 100, 120), (400, 400))
    clicks = [Click(150.7, 110), Click(390, 390, positive=False)]
    box = ZoomIn(min_side=1).around(mask, clicks)
    assert box == (89, 161, 95, 125)


def test_box_iou_is_the_product_of_both_axes():
    assert box_iou(Crop(10, 50, 20, 80), Crop(0, 99, 0, 99)) == pytest.approx(0.2501)


def test_crop_stays_until_a_positive_click_leaves_it():
    zoom, shape = ZoomIn(), (600, 600)
    prior = filled((200, 300, 200, 300), shape).astype(np.float32)
    current = Crop(150, 350, 150, 350)
    inside, edge = Click(250, 250), Click(350, 250)
    far = Click(500, 500, positive=False)
    assert zoom.choose(prior, [inside, far], shape, current) == current
    assert zoom.choose(prior, [inside, edge], shape, current) != current
    assert zoom.choose(None, [inside], shape, None) == (0, 599, 0, 599)


def test_click_mapping_is_not_the_pixel_mapping():
    click = Click(19, 0)
    assert map_click(click, Crop(10, 19, 5, 14), (100, 100)) == (90.0, -50.0)


@pytest.mark.parametrize("size", [(448, 448), (7, 5), (1, 3)])
@pytest.mark.parametrize("shape", [(60, 80), (60, 80, 3), (1, 1)])
def test_resizing_a_crop_is_torchs_aligned_bilinear(shape, size):
    image = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    whole = Crop(0, shape[0] - 1, 0, shape[1] - 1)
    box = Crop(5, 44, 10, 29) if shape[0] > 1 else whole
    got = resize_crop(image, box, size)
    crop = torch.from_numpy(image[box.slices].astype(np.float32)).reshape(
        box.height, box.width, -1
    )
    expected = functional.interpolate(
        crop.permute(2, 0, 1)[None], size=size, mode="bilinear", align_corners=True
    )[0].permute(1, 2, 0)
    np.testing.assert_allclose(got.reshape(*size, -1), expected.numpy(), atol=1e-3)


def test_the_aspect_ratio_is_kept_and_the_first_click_sees_all():
    zoom, shape = ZoomIn.keeping_aspect(400), (300, 700)
    prior = filled((100, 150, 100, 400), shape).astype(np.float32)
    clicks = [Click(120, 200)]
    assert zoom.choose(prior, clicks, shape, None) is None
    assert zoom.network_size(None, shape) == shape
    clicks.append(Click(120, 210))
    crop = zoom.choose(prior, clicks, shape, None)
    assert crop == (25, 225, 39, 461)
    assert zoom.network_size(crop, shape) == (190, 400)
    assert zoom.choose(prior, clicks, shape, crop) == crop
    assert zoom.choose(0 * prior, clicks, shape, crop) is None


@pytest.mark.parametrize(
    ("side", "input_side"), [(10, 320), (256, 320), (257, 384), (307, 384), (308, 448)]
)
def test_small_crops_around_an_object_have_a_smaller_input(side, input_side):
    zoom, crop, shape = ZoomIn(most_enlarged=1.25), Crop(5, 14, 7, 6 + side), (600, 600)
    assert zoom.network_size(crop, shape, around=True) == (input_side, input_side)
    assert zoom.network_size(crop, shape) == (448, 448)
    assert ZoomIn().network_size(crop, shape, around=True) == (448, 448)


def test_the_whole_of_a_small_image_is_always_enlarged():
    zoom, shape = ZoomIn(most_enlarged=1.25), (100, 120)
    for crop in (None, Crop.whole(shape)):
        assert zoom.network_size(crop, shape, around=True) == (448, 448)


@pytest.mark.parametrize("size", [(448, 448), (400, 500), (64, 64)])
def test_all_sizes_of_the_input_are_known(size):
    zoom, shape = ZoomIn(size, most_enlarged=1.25), (900, 900)
    crops = [Crop(0, side, 0, side) for side in range(600)]
    found = {zoom.network_size(crop, shape, around=True) for crop in crops}
    assert found == set(zoom.sizes)
    assert zoom.sizes[0] == size
    assert ZoomIn(size).sizes == (size,)
