"""What is shown is encoded before it is clicked on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_simpleclick.inference import Predictor
from napari_simpleclick.weights import catalogue
from napari_simpleclick.workflow.engine import PredictionEngine
from tests.executors import HeldExecutor
from tests.helpers import DiskNetwork, EncodeOnceDisks

STEP = 20
"""Between two slices, in gray values; columns of a slice differ by less."""


@pytest.fixture
def slices():
    """Nine slices that their values tell apart, as they do parts of a slice."""
    columns = np.linspace(0, STEP - 1, 60).round()
    return (STEP * np.arange(9)[:, None, None] + columns + np.zeros((60, 1))).astype(
        np.uint8
    )


def load(person, network=None, **options):
    """Let a network answer that encodes once, unless another is given."""
    network = network or EncodeOnceDisks()
    predictor = Predictor(network, "cpu", "float32", threads=1, **options)
    models = person.workflow.models
    models.engine = PredictionEngine(predictor, catalogue()["encode-once"])
    models.loaded.emit()
    return network


def whole(network):
    """Slices that were encoded as a whole, one after the other."""
    return [low // STEP for low, high in network.seen if high - low == STEP - 1]


@pytest.fixture
def person(open_image, slices):
    return open_image(slices)


@pytest.fixture
def held(open_image, slices):
    return open_image(slices, HeldExecutor())


def test_the_shown_slice_is_encoded_and_its_neighbours_after_it(person):
    network = load(person)
    assert whole(network) == [4, 5, 3]
    person.go(8)
    assert whole(network)[3:] == [8, 7]
    person.go(7)
    assert whole(network)[5:] == [6]
    person.go(8)
    assert len(whole(network)) == 6


def test_the_first_click_is_a_decode_only(person):
    network = load(person)
    person.go(6)
    before, shown = list(network.seen), []
    set_image = person.workflow.engine.predictor.set_image
    person.workflow.engine.predictor.set_image = lambda *a: shown.append(set_image(*a))
    found = []
    person.workflow.queue.answered.connect(
        lambda _: found.append((list(network.seen), list(shown)))
    )
    person.click(6, 30, 30)
    assert found == [(before, [])]
    assert person.mask[6, 30, 30] == 1


def test_what_is_seen_of_a_slice_is_encoded_when_the_view_changes(open_image):
    image = np.add.outer(np.zeros(400), np.linspace(0, 250, 400)).astype(np.uint8)
    person = open_image(image)
    network = load(person)
    assert network.seen == [(0, 250)]
    camera = getattr(person.viewer, "scene", person.viewer).camera
    camera.center = 0, 100, 100
    camera.zoom = 8
    low, high = network.seen[-1]
    assert high - low < 100
    count, found = len(network.seen), []
    person.workflow.queue.answered.connect(lambda _: found.append(len(network.seen)))
    person.click(105, 98)
    assert found == [count]


def test_the_newest_slice_comes_first_and_what_was_passed_by_is_dropped(held):
    network = load(held)
    for index in (0, 2, 7):
        held.go(index)
    assert len(held.executor.held) == 1
    held.executor.release_all()
    assert whole(network) == [4, 7, 8, 6]


def test_a_click_goes_before_all_that_is_not_under_way(held):
    network = load(held)
    held.executor.release()
    held.click(4, 30, 30)
    assert len(held.executor.held) == 2
    held.executor.release()
    assert whole(network) == [4]
    held.executor.release()
    assert len(held.answers) == 1
    assert whole(network) == [4]
    held.executor.release_all()
    assert whole(network) == [4, 5, 3]
    assert held.mask[4, 30, 30] == 1


def test_the_next_click_on_a_new_mask_is_a_decode_too(open_image):
    image = np.add.outer(np.zeros(900), np.linspace(0, 250, 900)).astype(np.uint8)
    person = open_image(image)
    network = load(person)
    person.click(450, 450)
    assert len(network.seen) == 2
    (_, high), (low, end) = network.seen
    assert end - low < high
    person.click(450, 452, positive=False)
    person.click(452, 450)
    assert len(network.seen) == 2
    assert len(person.answers) == 3


def test_masks_are_those_of_a_network_that_encodes_when_it_is_asked(open_image, slices):
    masks = []
    for features_bytes in (2**28, 1):
        person = open_image(slices)
        load(person, features_bytes=features_bytes)
        for place in ((4, 30, 30), (4, 20, 40), (5, 30, 30), (4, 10, 10)):
            person.click(*place)
        masks.append(person.mask.copy())
    np.testing.assert_array_equal(*masks)
    assert masks[0].any()


def test_no_more_neighbours_are_encoded_than_memory_holds(person):
    one = 64 * 64 * 4
    network = load(person, features_bytes=2 * one)
    assert whole(network) == [4, 5]
    person.click(4, 30, 30)
    assert whole(network) == [4, 5]


def test_another_model_encodes_anew(person):
    load(person)
    network = load(person)
    assert whole(network) == [4, 5, 3]


def test_a_network_that_encodes_at_each_click_is_left_alone(held):
    load(held, DiskNetwork())
    held.go(2)
    assert held.executor.held == []


def test_other_pixels_and_other_intensities_are_encoded_anew(person, slices):
    network = load(person)
    image = person.canvas.image
    image.data = slices[::-1].copy() + 1
    assert network.seen[3][0] == STEP * 4 + 1
    count = len(network.seen)
    image.contrast_limits = 0, 200
    assert len(network.seen) == count + 3
    image.contrast_limits = 0, 200
    person.viewer.dims.order = person.viewer.dims.order
    assert len(network.seen) == count + 3
    session = person.canvas.session
    session.use(replace(session.options, intensities="slice"))
    assert network.seen[count + 3] == (0, 255)


def test_no_slice_in_view_and_a_deleted_layer_leave_nothing_to_encode(held):
    network = load(held)
    held.viewer.dims.ndisplay = 3
    held.executor.release()
    assert held.executor.held == []
    held.viewer.dims.ndisplay = 2
    assert len(held.executor.held) == 1
    held.executor.release()
    held.viewer.layers.remove(held.canvas.mask)
    held.executor.release_all()
    assert 3 not in whole(network)
    assert held.troubles == []


def test_another_image_is_encoded_when_it_is_chosen(person, slices):
    network = load(person)
    other = person.viewer.add_image(slices + 30)
    person.controller.use_image(other)
    assert [low for low, _ in network.seen[3:]] == [110, 130, 90]


def test_propagation_goes_first(held):
    network = load(held)
    held.executor.release_all()
    done = []
    held.workflow.encode_ahead.encoded.connect(lambda wish: done.append(wish.what))
    held.click(4, 30, 30)
    assert done == ["next"]
    count = len(network.seen)
    held.executor.holding = True
    held.workflow.propagate()
    assert held.workflow.propagator.run is not None
    held.go(0)
    assert len(held.executor.held) == 1
    held.executor.release_all()
    assert held.workflow.propagator.run is None
    assert (0, STEP - 1) in network.seen[count:]


class Torn:
    """A volume of which one slice cannot be read."""

    def __init__(self, data, bad):
        self.data, self.bad = data, bad
        self.shape, self.dtype, self.ndim = data.shape, data.dtype, data.ndim
        self.size = data.size

    def __getitem__(self, index):
        if isinstance(index, tuple) and index[0] == self.bad:
            raise OSError("Slice 5 cannot be read")
        return self.data[index]

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.data, dtype)


def test_a_neighbour_that_cannot_be_read_is_told_when_it_is_clicked_on(
    open_image, slices
):
    person = open_image(Torn(slices, 5), contrast_limits=(0, 255))
    network = load(person)
    assert whole(network) == [4, 3]
    assert person.troubles == []


def test_a_store_gives_what_was_encoded_on_another_day(person, tmp_path: Path):
    from napari_simpleclick.inference.encoding import packed
    from napari_simpleclick.inference.feature_store import FeatureStore

    store = FeatureStore(tmp_path)
    network = load(person, store=store)
    predictor = person.workflow.engine.predictor
    for index in (4, 5):
        beside = predictor.beside()
        beside.set_image(person.canvas.image.data[index])
        pixels = beside.first_pixels()
        store.write(beside.encoder.stored_key(pixels), packed(beside, pixels))
    network = load(person, store=store)
    assert whole(network) == [3]
