import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from napari_simpleclick import Click, Predictor, load_weights, networks
from napari_simpleclick.errors import UserError
from napari_simpleclick.images.intensity import Window
from napari_simpleclick.inference import ObjectState, ZoomIn
from napari_simpleclick.inference.devices import (
    choose_device,
    choose_precision,
    with_lower_weights,
)
from napari_simpleclick.networks import Network, NetworkConfig, NetworkSpec
from napari_simpleclick.weights import Card, save_weights
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


def test_rows_of_different_lengths_are_refused(predictor):
    with pytest.raises(UserError, match="different lengths"):
        predictor.set_image([[1, 2], [3]])


def test_an_image_that_shows_nothing_is_refused(predictor):
    predictor.set_image(np.full((30, 30), np.nan))
    with pytest.raises(UserError, match="holds no numbers"):
        predictor.predict([Click(3, 3)])
    assert np.isfinite(predictor.predict([Click(3, 3)], np.ones((30, 30)))).all()
    predictor.set_image(np.full((30, 30), 7.0))
    assert np.isfinite(predictor.predict([Click(3, 3)])).all()
    with pytest.raises(UserError, match="no contrast"):
        next(predictor.replay([Click(3, 3)]))


def test_prompts_may_come_one_by_one(predictor):
    image = np.zeros((60, 60), np.uint8)
    image[20:40, 20:40] = 200
    predictor.set_image(image)
    clicks = [Click(30, 30), Click(5, 5, positive=False)]
    expected = predictor.predict(clicks)
    np.testing.assert_array_equal(predictor.predict(one for one in clicks), expected)
    assert len(list(predictor.replay(one for one in clicks))) == 2


def test_what_a_predictor_cannot_take_is_a_sentence(predictor):
    with pytest.raises(UserError, match="is no window"):
        predictor.set_image(np.eye(30), (0, 100))
    with pytest.raises(UserError, match="no first look 'x'; choose published or"):
        Predictor(DiskNetwork(), first_look="x")
    with pytest.raises(UserError, match="-1 threads"):
        Predictor(DiskNetwork(), threads=-1)


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


class Counting(Network):
    """Answers with a disk around each click on what it sees; counts encodings."""

    def __init__(self, once: bool) -> None:
        super().__init__(CountingConfig(once, image_size=(32, 32)))
        self.bias = torch.nn.Parameter(torch.zeros(1))
        self.encoded = 0

    def encode(self, image):
        self.encoded += 1
        return (image.mean(1, keepdim=True),)

    def decode(self, features, prompt):
        near = prompt[:, 1:2] - prompt[:, 2:]
        return 4 * near + features[0] + prompt[:, :1] - 1 + self.bias


@dataclass(frozen=True)
class CountingConfig(NetworkConfig):
    once: bool = False

    @property
    def spec(self):
        return NetworkSpec(self.image_size, encodes_once=self.once)


def small_crops(network, **options):
    """Make a predictor whose crops are small enough to move."""
    zoom = ZoomIn((32, 32), min_side=40)
    return Predictor(network, "cpu", "float32", zoom=zoom, **options)


FIRST = [Click(30, 30), Click(34, 26), Click(22, 38, False)]
SECOND = [Click(150, 160), Click(158, 150), Click(170, 170, False)]


def test_objects_can_be_alternated_between():
    predictor = small_crops(Counting(once=True))
    predictor.set_image(np.random.default_rng(7).random((200, 200)))
    apart = [list(predictor.replay(clicks)) for clicks in (FIRST, SECOND)]
    states = [ObjectState(), ObjectState()]
    priors = [None, None]
    together = [[], []]
    for count in range(1, 4):
        for index, clicks in enumerate((FIRST, SECOND)):
            priors[index], states[index] = predictor.predict(
                clicks[:count], priors[index], state=states[index]
            )
            together[index].append(priors[index])
    np.testing.assert_array_equal(apart, together)
    assert states[0] != states[1]
    assert states[0].crop.height < 200


def test_states_are_small_and_comparable():
    predictor = small_crops(Counting(once=True))
    predictor.set_image(np.random.default_rng(7).random((200, 200)))
    before = ObjectState()
    answer, first = predictor.predict(FIRST[:1], state=before)
    again, same = predictor.predict(FIRST[:1], state=ObjectState())
    assert before == ObjectState()
    assert first == same != before
    _, other = predictor.predict(FIRST[:2], answer, state=first)
    assert other != first
    np.testing.assert_array_equal(again, answer)
    assert len(pickle.dumps(other)) < 500
    assert not any(
        isinstance(value, np.ndarray | torch.Tensor) for value in vars(other).values()
    )
    assert pickle.loads(pickle.dumps(other)) == other


@pytest.mark.parametrize("once", [False, True])
def test_an_unchanged_crop_is_encoded_once(once):
    network = Counting(once)
    predictor = small_crops(network)
    image = np.random.default_rng(8).random((200, 200))
    predictor.set_image(image)
    answer, state = predictor.predict(FIRST[:1], state=ObjectState())
    for count in (1, 2, 3):  # no prior: the whole image is looked at again
        predictor.predict(FIRST[:count], state=state)
    assert network.encoded == 1
    predictor.predict(FIRST[:2], answer, state=state)
    assert network.encoded == 2
    predictor.set_image(image.copy())
    predictor.predict(FIRST[:1])
    assert network.encoded == (2 if once else 3)


def test_features_of_several_images_are_kept_within_a_bound():
    one = 32 * 32 * 4
    for limit, encoded in ((one // 2, 8), (4 * one, 4)):
        images = np.random.default_rng(9).random((4, 60, 60)).astype(np.float32)
        network = Counting(once=True)
        predictor = small_crops(network, features_bytes=limit)
        answers = []
        for _ in range(2):
            for image in images:
                predictor.set_image(image, Window(0, 1))
                answers.append(predictor.predict(FIRST[:1]))
        assert network.encoded == encoded
        np.testing.assert_array_equal(answers[:4], answers[4:])
        images[3] = 0  # in place: features are never those of what was there
        predictor.set_image(images[3], Window(0, 1))
        assert not np.array_equal(predictor.predict(FIRST[:1]), answers[3])


def test_the_network_that_is_given_keeps_its_weights(tmp_path):
    network = networks.build("encode-once-lite0", 64).eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    for precision in ("float32", "bfloat16"):
        predictor = Predictor(network, "cpu", precision)
        predictor.set_image(np.eye(64))
        predictor.predict([Click(20, 20)])
    assert before.keys() == network.state_dict().keys()
    for key, value in network.state_dict().items():
        assert value.dtype == before[key].dtype
        assert torch.equal(value, before[key])
    path = tmp_path / "a.safetensors"
    save_weights(network, path, Card("a", "encode-once-lite0", path.name))
    loaded, _ = load_weights(path)
    assert isinstance(loaded.encoder._bn0, torch.nn.BatchNorm2d)


def test_weights_cast_once_give_what_autocast_gives(bundled):
    image, prompt = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    lower = with_lower_weights(bundled, torch.bfloat16)
    assert bundled.head.conv_seg.weight.dtype == torch.float32
    assert lower.head.conv_seg.weight.dtype == torch.bfloat16
    assert lower.backbone.blocks[0].norm1.weight.dtype == torch.float32
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(lower(image, prompt), bundled(image, prompt))
    assert with_lower_weights(bundled, torch.float32) is bundled
