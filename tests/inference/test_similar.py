import numpy as np
import pytest
from scipy.special import logit

from napari_simpleclick import Predictor, UserError, networks
from napari_simpleclick.inference.crops import Crop
from napari_simpleclick.inference.similar import (
    Answers,
    ExampleSlice,
    Picture,
    SimilarFinder,
)
from napari_simpleclick.inference.similar.candidates import boxed, iou, suppressed
from napari_simpleclick.inference.similar.logistic import Logistic
from napari_simpleclick.inference.similar.picture import Tiling
from tests.helpers import PartNetwork

SMALL, LARGE = 9, 20


def disk(shape, row, column, radius):
    rows, columns = np.indices(shape)
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


GRID = [(row, column) for row in (40, 120, 200) for column in (40, 120, 200, 280)]
"""Where disks are; every other one is striped."""


@pytest.fixture
def scene():
    """Plain and striped disks of one size, with the masks of both kinds."""
    shape = (240, 320)
    image = np.full(shape, 40.0)
    plain, striped = [], []
    for number, (row, column) in enumerate(GRID):
        mask = disk(shape, row, column, LARGE)
        kind = (plain, striped)[(number + row // 80) % 2]
        kind.append(mask)
        stripes = 60 * (np.indices(shape)[0] // 3 % 2)
        image[mask] = 200 if kind is plain else (140 + stripes)[mask]
    noise = np.random.default_rng(0).normal(0, 3, shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8), plain, striped


def finder(**network):
    return SimilarFinder(Answers(Predictor(PartNetwork(0.35, **network))))


def learned(*slices, **network):
    found = finder(**network)
    for _ in found.learn(slices):
        pass
    return found


def whole(one, shape):
    mask = np.zeros(shape, bool)
    mask[one.box.slices] = one.mask
    return mask


def found_of(kind, objects, shape, least=0.3):
    """Tell which masks of a kind were found."""
    good = [boxed(whole(one, shape)) for one in objects if one.score > least]
    return [
        number
        for number, mask in enumerate(kind)
        if any(iou(boxed(mask), one) > 0.7 for one in good)
    ]


def test_the_other_objects_of_a_kind_are_found(scene):
    image, plain, striped = scene
    picture = Picture(image)
    known, rest = plain[:3], plain[3:]
    search = learned(ExampleSlice(picture, known, striped[:3]))
    objects = search.find(picture, np.any(known, axis=0))
    assert found_of(rest, objects, image.shape) == [0, 1, 2]
    assert not found_of(striped, objects, image.shape, least=0.5)
    assert found_of(known, objects, image.shape) == []
    scores = [one.score for one in objects]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_a_small_object_beside_a_large_one_is_found_too():
    """Both are one hill of likely places, whose top lies in the large one."""
    masks = []
    for row, column in GRID:
        masks.append(disk((240, 320), row, column, LARGE))
        masks.append(disk((240, 320), row, column + LARGE + SMALL + 2, SMALL))
    rng = np.random.default_rng(0)
    first, second = (
        np.where(np.any(masks, 0), 200, 40) + rng.normal(0, 3, (240, 320))
        for _ in range(2)
    )
    found = learned(ExampleSlice(Picture(first), masks[:6])).find(Picture(second))
    assert len(found) == len(masks)
    for mask in masks:
        assert (
            max(iou(boxed(whole(one, mask.shape)), boxed(mask)) for one in found) > 0.8
        )


def test_the_kind_is_that_of_the_examples(scene):
    image, plain, striped = scene
    picture = Picture(image)
    search = learned(ExampleSlice(picture, striped[:3], plain[:3]))
    objects = search.find(picture, np.any(striped[:3], axis=0))
    assert found_of(striped[3:], objects, image.shape) == [0, 1, 2]
    assert not found_of(plain, objects, image.shape, least=0.5)


def test_what_was_rejected_teaches(scene):
    image, plain, striped = scene
    picture, other = Picture(image), Picture(image[:, ::-1].copy())
    refused = plain[3][:, ::-1]

    def score(*others):
        search = learned(ExampleSlice(picture, plain[:3], [*others, *striped]))
        return max(
            one.score
            for one in search.find(other)
            if iou(boxed(refused), boxed(whole(one, image.shape))) > 0.7
        )

    assert score(plain[3]) < score() - 0.1


def test_the_same_examples_give_the_same_objects(scene):
    image, plain, _ = scene

    def run():
        picture = Picture(image)
        search = learned(ExampleSlice(picture, plain[:3]))
        return [
            (one.box, one.score, one.seed, one.mask.tobytes())
            for one in search.find(picture)
        ]

    assert run() == run()


def test_a_slice_that_was_marked_whole_is_learned_from_as_a_whole(scene):
    image, plain, striped = scene
    picture, other = Picture(image), Picture(image[:, ::-1].copy())
    search = learned(ExampleSlice(picture, plain, whole=True))
    objects = search.find(other)
    mirrored = [mask[:, ::-1] for mask in plain]
    assert found_of(mirrored, objects, image.shape) == [0, 1, 2, 3, 4, 5]
    rest = [mask[:, ::-1] for mask in striped]
    assert not found_of(rest, objects, image.shape, least=0.5)


def test_oblong_pixels_give_masks_on_their_own_grid(scene):
    image, plain, _ = scene
    oblong = image[::2]
    picture = Picture(oblong, spacing=(2.0, 1.0))
    masks = [mask[::2] for mask in plain]
    search = learned(ExampleSlice(picture, masks[:3]))
    objects = search.find(picture, np.any(masks[:3], axis=0))
    assert found_of(masks[3:], objects, oblong.shape) == [0, 1, 2]


def test_every_place_of_a_large_slice_is_looked_at_once():
    tiling = Tiling(64, 20, (64, 64))
    count = np.zeros((150, 201), int)
    for view, own in tiling.views(count.shape):
        assert (view.height, view.width) == (64, 64)
        assert view.row_min <= own.row_min <= own.row_max <= view.row_max
        assert view.column_min <= own.column_min <= own.column_max <= view.column_max
        count[own.slices] += 1
    assert (count == 1).all()
    (only,) = Tiling(64, 20, (64, 64)).views((30, 40))
    assert only == (Crop(0, 29, 0, 39), Crop(0, 29, 0, 39))


def test_seeds_are_decoded_together_as_they_are_alone():
    """The bundled network, with features for which one image was encoded once."""
    for name in ("simpleclick-xtiny", "encode-once-lite0"):
        answers = Answers(Predictor(networks.build(name, 64), precision="float32"))
        rng = np.random.default_rng(0)
        features = answers.encode(rng.random((64, 64), np.float32))
        places = [(10.0, 20.0), (40.0, 30.0), (60.0, 5.0)]
        priors = [None, rng.random((64, 64), np.float32), None]
        beside = [(), (), ((40.0, 30.0),)]
        together = answers.decode(features, places, priors, beside)
        alone = [
            answers.decode(features, [place], [prior], [other])[0]
            for place, prior, other in zip(places, priors, beside, strict=True)
        ]
        np.testing.assert_allclose(together, alone, atol=1e-4)
        assert answers.encoded == 1
        assert answers.decoded == 6


def test_a_flipping_predictor_is_averaged():
    network = networks.build("simpleclick-xtiny", 64)
    image = np.random.default_rng(0).random((64, 64), np.float32)
    plain = Answers(Predictor(network, precision="float32"))
    flipped = Answers(Predictor(network, precision="float32", flip=True))
    one, other = (
        answers.decode(answers.encode(image), [(20.0, 20.0)], [None])
        for answers in (plain, flipped)
    )
    assert one.shape == other.shape == (1, 64, 64)
    assert not np.allclose(one, other)


def test_too_few_examples_are_refused(scene):
    image, plain, _ = scene
    with pytest.raises(UserError, match="There are 2 examples; give at least 3"):
        learned(ExampleSlice(Picture(image), plain[:2]))
    with pytest.raises(ValueError, match="learn"):
        finder().find(Picture(image))


def test_better_masks_take_the_place_of_worse_ones():
    shape = (60, 60)
    masks = [boxed(disk(shape, 20, c, 10)) for c in (20, 24, 45)]
    assert suppressed(masks) == [0, 2]
    assert suppressed([]) == []


def test_a_line_between_two_kinds():
    rng = np.random.default_rng(0)
    rows = rng.normal(0, 1, (200, 5)).astype(np.float32)
    positive = rows[:, 2] > 0.5
    line = Logistic.fitted(rows, positive, penalty=0.001)
    right = (line.probability(rows) > 0.5) == positive
    assert right.mean() > 0.95
    assert np.abs(line.weights).argmax() == 2


def test_lines_are_mixed_by_their_log_odds():
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(60, 5)).astype(np.float32)
    own = Logistic.fitted(rows, rows[:, 1] > rng.normal(size=60), penalty=0.1)
    other = Logistic.fitted(rows[:, :2] + 3, rows[:, 0] > 0.2, penalty=0.1)
    odds = [logit(line.probability(rows)) for line in (own, other)]
    mixed = logit(own.mixed(other, 0.3).probability(rows))
    np.testing.assert_allclose(mixed, 0.7 * odds[0] + 0.3 * odds[1], atol=1e-4)
