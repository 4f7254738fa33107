import numpy as np
import pytest
from scipy import ndimage

from napari_simpleclick.errors import UserError
from napari_simpleclick.training import TrainConfig
from napari_simpleclick.training.images import LabelledImage
from napari_simpleclick.training.samples import Samples
from napari_simpleclick.training.tumours import add_cavity, add_tumour


@pytest.fixture
def head():
    """A bright ellipse with dark fluid in its middle on a black ground."""
    rows, columns = np.mgrid[:200, :160]
    away = ((rows - 100) / 80) ** 2 + ((columns - 80) / 60) ** 2
    image = np.where(away < 1, 120, 0) + np.random.default_rng(0).normal(
        0, 3, (200, 160)
    )
    image[(away < 0.03)] = 40
    return np.clip(image, 0, 255).astype(np.uint8)


def test_tumours_lie_in_the_head_and_look_different(head):
    seen = 0
    for number in range(12):
        drawn = add_tumour(np.random.default_rng(number), head)
        assert drawn.image.shape == (200, 160, 3)
        assert drawn.image.dtype == np.uint8
        tumour = drawn.labels > 0
        assert set(np.unique(drawn.labels)) <= {0, 1}
        if not tumour.any():
            continue
        seen += 1
        assert (head[tumour] > 10).mean() > 0.9
        ring = ndimage.binary_dilation(tumour, iterations=25) & ~tumour & (head > 60)
        core = ndimage.binary_erosion(tumour, iterations=2)
        inside = drawn.image[core if core.any() else tumour].mean(0, dtype=float)
        change = np.abs(inside - drawn.image[ring].mean(0))
        assert change.max() > 3
    assert seen >= 10


def test_a_cavity_fills_a_part_of_the_tumour_alone():
    rows, columns = np.mgrid[:90, :80]
    tumour = np.hypot(rows - 40, columns - 45) < 25
    image = np.full((90, 80, 2), 0.8, np.float32)
    shares = []
    for number in range(12):
        rng = np.random.default_rng(number)
        changed = np.abs(add_cavity(rng, image, tumour, (0.0, 0.3)) - image) > 0.1
        assert not changed[~ndimage.binary_dilation(tumour, iterations=3)].any()
        shares.append(changed[tumour].mean())
    assert 0.05 < min(shares) < 0.35 < max(shares) < 0.95
    nothing = np.zeros_like(tumour)
    rng = np.random.default_rng(0)
    assert add_cavity(rng, image, nothing, (0.0, 0.3)) is image


def test_large_and_coloured_images_are_drawn_smaller(head):
    large = np.stack([np.kron(head, np.ones((3, 3), np.uint8))] * 3, 2)
    drawn = add_tumour(np.random.default_rng(0), large)
    assert drawn.image.shape[:2] == drawn.labels.shape
    assert max(drawn.labels.shape) <= 320


def test_an_empty_image_has_a_tumour_or_none_but_no_error():
    drawn = add_tumour(np.random.default_rng(0), np.zeros((90, 90), np.uint8))
    assert drawn.labels.shape == (90, 90)


def test_heads_alone_are_drawn_into(head):
    heads = [LabelledImage(head, (head > 60).astype(np.uint8))]
    others = [LabelledImage(np.full((90, 90), 200, np.uint8), np.ones((90, 90), int))]
    config = TrainConfig(
        network="simpleclick-xtiny",
        stages=({"size": 224, "batch": 1, "steps": 1, "rate": 1e-3},),
        weights={"heads": 0, "others": 0, "tumours": 1},
        heads={"heads": 1.0},
    )
    samples = Samples({"others": others, "heads": heads}, config, 224)
    for number in range(4):
        assert 0 < float(samples[number][1].mean()) < 0.95
    only = TrainConfig(**{**config.model_dump(), "heads": {}})
    assert float(Samples({"heads": heads}, only, 224)[0][1].sum()) > 0
    elsewhere = TrainConfig(**{**config.model_dump(), "heads": {"wobble": 1.0}})
    with pytest.raises(UserError, match="heads: none of these sets"):
        Samples({"heads": heads}, elsewhere, 224)
