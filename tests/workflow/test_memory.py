"""What a click and an undo step take of memory, by what NumPy asks for."""

import tracemalloc

import numpy as np
import pytest

from napari_simpleclick import Click, Predictor
from napari_simpleclick.annotation import MaskChange
from napari_simpleclick.images.viewport import Viewport
from napari_simpleclick.inference import ObjectState
from tests.helpers import DiskNetwork

SIDE = 5000
PIXELS = SIDE * SIDE


@pytest.fixture
def traced():
    tracemalloc.start()
    yield tracemalloc
    tracemalloc.stop()


@pytest.mark.parametrize(
    "viewport", [None, Viewport(1000, 1700, 1000, 1900)], ids=["whole", "close"]
)
def test_clicks_on_a_large_image_make_no_map_of_floats(viewport, traced):
    predictor = Predictor(DiskNetwork(), device="cpu", precision="float32")
    predictor.set_image(np.zeros((SIDE, SIDE), np.uint8))
    before = traced.get_traced_memory()[0]
    traced.reset_peak()
    probability, state = None, ObjectState(viewport=viewport)
    clicks = [Click(1300, 1300), Click(1350, 1500)]
    for count in (1, 2):
        probability, state = predictor.predict_local(clicks[:count], probability, state)
        mask = probability.above(0.49).full()
    assert mask[1300, 1300] and mask[1350, 1500] and not mask[4000, 4000]
    held, peak = traced.get_traced_memory()
    assert peak - before < 3.5 * PIXELS  # some masks, but floats have 4 bytes
    assert held - before < 1.5 * PIXELS


def test_the_answers_of_both_ways_are_the_same():
    predictor = Predictor(DiskNetwork(), device="cpu", precision="float32")
    predictor.set_image(np.eye(700, 900, dtype=np.uint8))
    clicks = [Click(130, 130), Click(400, 800), Click(140, 150, positive=False)]
    probability, state = None, ObjectState()
    for count, expected in enumerate(predictor.replay(clicks), start=1):
        probability, state = predictor.predict_local(clicks[:count], probability, state)
        np.testing.assert_array_equal(probability.full(), expected)


def test_an_undo_step_of_500_slices_is_small():
    shape = (500, 120, 120)
    rows, columns = np.indices(shape[1:])
    labels = np.zeros(shape, np.uint16)
    for index, labelled in enumerate(labels):
        labelled[np.hypot(rows - 60, columns - 60) < 30 + index % 20] = 1
    change = MaskChange.of(shape, np.nonzero(labels), 0, 1)
    assert len(change.packed) < labels.size / 10
    change.apply(labels, undo=True)
    assert not labels.any()
