"""Clicks, crops and answers of the released evaluations with a network of one line."""

import numpy as np
import pytest
import torch

from napari_simpleclick import Click, Predictor
from napari_simpleclick.evaluation.annotator import annotate
from napari_simpleclick.images.intensity import Window
from napari_simpleclick.inference import ZoomIn
from napari_simpleclick.networks import Network, NetworkConfig, NetworkSpec, draw_disks


class Formula(Network):
    """Red channel, prior and large disks, added up."""

    def encode(self, image):
        return (image[:, :1],)

    def encode_prompt(self, prompts, memory=None):
        size = prompts.prior.shape[2:]
        disks = draw_disks(prompts.points(), size, 40)
        return torch.cat([prompts.prior, disks], 1), None

    def decode(self, features, prompt):
        prior, positive, negative = prompt.split(1, 1)
        return (
            8 * (features[0] - 0.78) + 2 * (prior - 0.5) + 6 * positive - 6 * negative
        )


class FormulaConfig(NetworkConfig):
    @property
    def spec(self):
        return NetworkSpec((448, 448))


@pytest.fixture(scope="module")
def case():
    y, x = np.mgrid[:300, :400].astype(np.float64)
    red = 0.5 + 0.35 * np.sin(x / 23) * np.cos(y / 31)
    red = red + 0.3 * np.exp(-(((x - 250) / 90) ** 2 + ((y - 140) / 60) ** 2))
    image = np.stack([red, 1 - red, 0.5 * red], 2).clip(0, 1)
    image = np.round(image * 255).astype(np.uint8)
    assert image.sum() == 38886063
    inner = ((x - 250) / 80) ** 2 + ((y - 140) / 55) ** 2 <= 1
    outer = ((x - 250) / 85) ** 2 + ((y - 140) / 60) ** 2 <= 1
    return image, np.where(inner, 1, np.where(outer, -1, 0))


SIMPLECLICK = [
    ((140, 250, True), (0, 299, 0, 399), 0.289310, 14677.278, 5044),
    ((140, 192, True), (40, 240, 142, 362), 0.362136, 10911.162, 9171),
    ((140, 308, True), (40, 240, 142, 362), 0.422378, 12342.454, 11074),
    ((172, 272, True), (40, 240, 142, 362), 0.481012, 13515.308, 12403),
    ((172, 228, True), (40, 240, 142, 362), 0.542865, 14556.105, 13646),
    ((197, 324, False), (40, 240, 142, 362), 0.579301, 13789.852, 12663),
]
RITM = [
    ((140, 250, True), None, 0.388276, 16058.879, 6479),
    ((138, 190, True), (40, 240, 142, 362), 0.426820, 11793.358, 10284),
    ((138, 310, True), (40, 240, 142, 362), 0.492794, 13343.865, 12358),
    ((171, 278, True), (40, 240, 142, 362), 0.560289, 14719.263, 13881),
    ((197, 324, False), (40, 240, 142, 362), 0.601076, 13744.217, 12505),
    ((173, 226, True), (40, 240, 142, 362), 0.685178, 14922.828, 14002),
]


@pytest.mark.parametrize(
    ("zoom", "expected"),
    [(ZoomIn(), SIMPLECLICK), (ZoomIn.keeping_aspect(400), RITM)],
)
def test_clicks_crops_and_answers_are_the_published_ones(case, zoom, expected):
    image, truth = case
    predictor = Predictor(
        Formula(FormulaConfig()), "cpu", "float32", flip=True, zoom=zoom
    )
    predictor.set_image(image, Window(0, 255))
    turns = annotate(predictor, truth, len(expected))
    for turn, (place, crop, iou, total, area) in zip(turns, expected, strict=True):
        assert turn.click == Click(*place)
        assert turn.crop == crop
        assert turn.iou == pytest.approx(iou, abs=1e-6)
        assert turn.probability.sum(dtype=np.float64) == pytest.approx(total, abs=0.01)
        assert turn.mask.sum() == area
