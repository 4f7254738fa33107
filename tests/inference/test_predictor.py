import numpy as np
import pytest
import torch

from napari_simpleclick import Click, Predictor, networks
from napari_simpleclick.inference import ObjectState
from napari_simpleclick.inference.devices import choose_device, choose_precision
from tests.helpers import DiskNetwork, LinearNetwork


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, bool])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (37, 53), (60, 40, 3)])
def test_any_image_gives_a_probability_map(shape, dtype):
    predictor = Predictor(LinearNetwork(0.5), device="cpu", precision="float32")
    rng = np.random.default_rng(0)
    predictor.set_image((rng.random(shape) * 200).astype(dtype))
    probability = predictor.predict([Click(0, 0)])
    assert probability.shape == shape[:2]
    assert probability.dtype == np.float32
    assert 0 <= probability.min() <= probability.max() <= 1


def test_intensity_range_does_not_matter(predictor):
    image = np.random.default_rng(1).integers(0, 256, (90, 120)).astype(np.uint8)
    clicks = [Click(40, 50)]
    answers = []
    for same in (image, image / 255, np.asfortranarray(image), image[:, ::-1][:, ::-1]):
        predictor.set_image(same)
        answers.append(predictor.predict(clicks))
    for answer in answers[1:]:
        np.testing.assert_allclose(answer, answers[0], atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_broken_pixel_does_not_poison_the_result(predictor, value):
    image = np.random.default_rng(2).random((80, 80)).astype(np.float32)
    predictor.set_image(image)
    clean = predictor.predict([Click(40, 40)])
    image[3, 3] = value
    predictor.set_image(image)
    broken = predictor.predict([Click(40, 40)])
    assert np.isfinite(broken).all()
    assert abs(broken - clean).mean() < 0.05


def test_an_image_of_nothing_but_nan(predictor):
    predictor.set_image(np.full((30, 30), np.nan))
    assert np.isfinite(predictor.predict([Click(3, 3)])).all()


@pytest.mark.parametrize("side", [8400, pytest.param(16384, marks=pytest.mark.slow)])
def test_very_large_image(side):
    predictor = Predictor(DiskNetwork(), device="cpu", precision="float32")
    image = np.zeros((side, side), np.uint8)
    image[8000:8400, 8000:8400] = 200
    predictor.set_image(image)
    prior = np.zeros(image.shape, np.float32)
    prior[8000:8400, 8000:8400] = 1
    probability, state = predictor.predict(
        [Click(8200, 8200)], prior, state=ObjectState()
    )
    assert probability.shape == image.shape
    assert state.crop.height < 1000
    assert probability[0, 0] == 0


def test_flip_makes_the_answer_symmetric(bundled):
    image = np.random.default_rng(3).integers(0, 256, (64, 64)).astype(np.uint8)
    predictor = Predictor(bundled, device="cpu", precision="float32", flip=True)
    predictor.set_image(image)
    left = predictor.predict([Click(20, 10)])
    predictor.set_image(image[:, ::-1])
    right = predictor.predict([Click(20, 64 - 1 - 10 + 1 - 64 / 448)])
    np.testing.assert_allclose(left, right[:, ::-1], atol=1e-4)


def test_prediction_repeats_exactly(predictor):
    predictor.set_image(np.random.default_rng(4).random((70, 70)))
    clicks = [Click(30, 30), Click(10, 10, positive=False)]
    first = list(predictor.replay(clicks))
    again = list(predictor.replay(clicks))
    assert len(first) == 2
    np.testing.assert_array_equal(first[1], again[1])


def test_prior_is_used(predictor):
    predictor.set_image(np.random.default_rng(5).random((300, 300)))
    prior = np.zeros((300, 300), bool)
    prior[100:180, 100:180] = True
    _, state = predictor.predict([Click(140, 140)], prior, state=ObjectState())
    assert state.crop == (40, 240, 40, 240)


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (np.zeros(10), "a row of numbers cannot be segmented"),
        (np.zeros((10, 10, 4)), "choose one or three of its channels"),
        (np.zeros((5, 10, 10, 10)), "take one slice"),
        (np.zeros((0, 10)), "holds no pixels"),
        (np.array([["a"]]), "convert it to integers or floats"),
    ],
)
def test_images_that_cannot_be_used(predictor, image, sentence):
    with pytest.raises(ValueError, match=sentence):
        predictor.set_image(image)


def test_clicks_and_priors_that_cannot_be_used(predictor):
    with pytest.raises(ValueError, match="call set_image first"):
        predictor.predict([Click(1, 1)])
    predictor.set_image(np.zeros((20, 30), np.uint8))
    with pytest.raises(ValueError, match="There is no click yet"):
        predictor.predict([])
    with pytest.raises(ValueError, match="outside the image of 20 x 30 px"):
        predictor.predict([Click(20, 5)])
    with pytest.raises(ValueError, match="the image is 20 x 30 px"):
        predictor.predict([Click(1, 1)], np.zeros((30, 20)))


def test_devices_and_precisions():
    assert choose_device("cpu").type == "cpu"
    with pytest.raises(ValueError, match="has no device"):
        choose_device("cuda:99")
    cpu = torch.device("cpu")
    assert choose_precision("float32", cpu) == torch.float32
    assert choose_precision("bfloat16", cpu) == torch.bfloat16
    assert choose_precision("auto", cpu) in (torch.float32, torch.bfloat16)
    with pytest.raises(ValueError, match="no precision"):
        choose_precision("float16", cpu)


def test_bfloat16_agrees_with_float32(bundled):
    image = np.random.default_rng(6).integers(0, 256, (100, 100)).astype(np.uint8)
    answers = []
    for precision in ("float32", "bfloat16"):
        predictor = Predictor(bundled, device="cpu", precision=precision)
        predictor.set_image(image)
        answers.append(predictor.predict([Click(50, 50)]))
    assert abs(answers[0] - answers[1]).mean() < 0.02


def test_zoom_size_follows_the_network():
    predictor = Predictor(networks.build("simpleclick-xtiny", 128), device="cpu")
    assert predictor.zoom.size == (128, 128)
