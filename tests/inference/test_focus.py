"""FocalClick's focus crops as published, and its steps with a small network."""

import numpy as np
import pytest
import torch

from napari_simpleclick import Click, Predictor, networks
from napari_simpleclick.inference import Crop, ZoomIn
from napari_simpleclick.inference.focus import box_in, focus_crop
from napari_simpleclick.networks import Network, NetworkConfig, NetworkSpec
from napari_simpleclick.networks.hrnet import HRNetSize

SHAPE = (200, 300)
WHOLE = Crop.whole(SHAPE)


def mask(*boxes):
    result = np.zeros(SHAPE, bool)
    for box in boxes:
        result[Crop(*box).slices] = True
    return result


BEFORE = (60, 120, 80, 160)


@pytest.mark.parametrize(
    ("after", "before", "click", "view", "expected"),
    [
        ([BEFORE], [], (90, 100), WHOLE, (47, 132, 63, 176)),
        ([(60, 120, 80, 210)], [BEFORE], (90, 190), WHOLE, (47, 132, 150, 220)),
        ([(60, 120, 80, 170)], [BEFORE], (90, 165), WHOLE, (64, 115, 139, 190)),
        (
            [BEFORE, (150, 190, 220, 280)],
            [BEFORE],
            (170, 250),
            WHOLE,
            (113, 200, 193, 300),
        ),
        ([(60, 120, 80, 210)], [BEFORE], (10, 10), WHOLE, (0, 200, 0, 300)),
        (
            [(60, 120, 80, 210)],
            [BEFORE],
            (90, 190),
            Crop(50, 129, 70, 219),
            (50, 130, 150, 220),
        ),
        ([], [BEFORE], (90, 100), WHOLE, (5, 174, 15, 184)),
        ([(60, 61, 80, 83)], [], (60, 80), WHOLE, (0, 200, 0, 300)),
    ],
)
def test_published_focus_crops(after, before, click, view, expected):
    top, bottom, left, right = expected
    found = focus_crop(mask(*after), mask(*before), Click(*click), view)
    assert found == (top, bottom - 1, left, right - 1)


def test_there_is_no_focus_beside_the_view():
    view = Crop(0, 19, 0, 19)
    after = mask((150, 190, 220, 280))
    assert focus_crop(after, mask(), Click(170, 250), view) is None


def test_a_focus_crop_lies_in_its_view():
    view = Crop(50, 149, 20, 219)
    box = box_in(Crop(75, 99, 120, 219), view, (256, 256))
    assert box == (128, 64, 256, 128)


def test_target_crops_follow_the_object_closely():
    zoom = ZoomIn.of(networks.NETWORKS["focalclick-hrnet18s-s2"].spec)
    assert zoom.size == (256, 256)
    prior = np.zeros((600, 600), np.float32)
    prior[200:301, 200:301] = 0.495
    clicks = [Click(250, 250)]
    assert zoom.choose(None, clicks, prior.shape, None) == Crop.whole(prior.shape)
    clicks.append(Click(250, 260))
    near = zoom.choose(prior, clicks, prior.shape, Crop(150, 350, 150, 350))
    assert near == (179, 321, 179, 321)
    assert zoom.network_size(near, prior.shape) == (256, 256)
    assert zoom.choose(0 * prior, clicks, prior.shape, near) == Crop.whole(prior.shape)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    size = HRNetSize(4, 8, small=True)
    network = networks.build("focalclick-hrnet18s-s2", 64, size=size).eval()
    torch.nn.init.normal_(network.feature_extractor.cls_head.weight, std=20)
    return network


def predictor_of(network, image, **options):
    predictor = Predictor(network, device="cpu", precision="float32", **options)
    predictor.set_image(image)
    return predictor


class Unrefined(type(networks.build("ritm-hrnet18s", size=HRNetSize(4, 8, True)))):
    """The segmentor of a FocalClick network alone."""

    def __init__(self, network):
        super().__init__(
            networks.NETWORKS["ritm-hrnet18s"].__class__(network.config.size)
        )
        self.load_state_dict(network.state_dict(), strict=False)


def test_a_click_is_refined_in_the_focus_crop_alone(network):
    image = np.random.default_rng(0).random((90, 120))
    clicks = [Click(40, 50)]
    fine = predictor_of(network, image).predict(clicks)
    zoom = ZoomIn.of(network.spec)
    coarse = predictor_of(Unrefined(network), image, zoom=zoom).predict(clicks)
    crop = focus_crop(
        coarse > 0.6201, np.zeros(coarse.shape, bool), clicks[0], Crop.whole((90, 120))
    )
    changed = fine != coarse
    assert changed[crop.slices].mean() > 0.9
    changed[crop.slices] = False
    assert not changed.any()


class Close(Network):
    """Keeps the prior, adds a disk at each click, and is sure when it looks again."""

    def encode(self, image):
        return (image,)

    def segment(self, features, prompt):
        prior, positive, _ = prompt.split(1, 1)
        return 8 * (prior + positive - 0.5), prior

    def encode_focus(self, prompts):
        return self.encode_prompt(prompts)[0]

    def refine(self, image, prompt, features, logits, box):
        return torch.full((1, 1, 64, 64), 5.0)


class CloseConfig(NetworkConfig):
    @property
    def spec(self):
        return NetworkSpec((64, 64), refines=True)


@pytest.mark.parametrize("count", [10, 11])
def test_after_ten_clicks_only_the_focus_crop_changes(count):
    prior = np.zeros((300, 300), np.float32)
    prior[100:200, 100:200] = 0.9
    clicks = [*[Click(150, 150)] * (count - 1), Click(150, 205)]
    predictor = predictor_of(Close(CloseConfig()), np.zeros((300, 300)))
    answer = predictor.predict(clicks, prior)
    focus = answer == np.float32(1 / (1 + np.exp(-5)))
    rows, columns = np.flatnonzero(focus.any(1)), np.flatnonzero(focus.any(0))
    assert rows[0] < 150 < rows[-1]
    assert columns[0] < 205 < columns[-1]
    assert focus[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert focus.sum() < 70 * 70
    kept = answer[~focus] == prior[~focus]
    assert kept.all() if count > 10 else not kept.all()


def test_flipping_refines_too(network):
    image = np.random.default_rng(2).random((70, 80))
    answer = predictor_of(network, image, flip=True).predict([Click(30, 30)])
    assert answer.shape == (70, 80)
    assert 0 <= answer.min() <= answer.max() <= 1
