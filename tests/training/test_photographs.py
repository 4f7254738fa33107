import pickle

import cv2
import numpy as np
import pytest
import torch
from scipy.io import savemat

from napari_simpleclick.training import multi_points, train
from napari_simpleclick.training.colours import distort, vary_colour
from napari_simpleclick.training.multi_points import draw_points, select
from napari_simpleclick.training.parts import Photographs
from napari_simpleclick.training.photographs import (
    PUBLISHED,
    PhotographSamples,
    published_samples,
)
from napari_simpleclick.training.published_sets import Objects
from napari_simpleclick.training.simulated_clicks import SLOTS, inner_distance
from napari_simpleclick.weights import load_weights
from tests.training.test_families import published

COCO_LIKE = PUBLISHED["coco-lvis"]
SBD_LIKE = PUBLISHED["sbd"].model_dump(exclude_unset=True)
STILL = {"scales": (1, 1), "least_px": 1, "keep_background": 0.5}


class Album(list):
    """Photographs in memory."""

    def draw(self, index, rng):
        return self[index]


def box(rows, columns, shape=(48, 48)):
    mask = np.zeros(shape, bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


def samples(*photographs, size=48, seed=0, rotate=False, **changes):
    found = Album(photographs)
    how = Photographs(**{**STILL, **changes})
    return PhotographSamples(found, size=size, seed=seed, how=how, rotate=rotate)


def photograph(*masks, parts=(), value=100):
    shape = masks[0].shape if masks else (48, 48)
    return Objects(np.full((*shape, 3), value, np.uint8), list(masks), list(parts))


def filled(points):
    """Positive and negative clicks, which fill their slots from the first on."""
    blocks = []
    for block in (np.asarray(points)[:SLOTS], np.asarray(points)[SLOTS:]):
        count = int((block >= 0).all(1).sum())
        assert (block[count:] == -1).all()
        assert (block[:count] >= 0).all()
        blocks.append(block[:count].astype(int))
    return blocks


def inside(mask, places):
    return np.asarray(mask)[places[:, 0], places[:, 1]]


@pytest.fixture
def sbd(tmp_path):
    """Three photographs with two or no objects."""
    rng = np.random.default_rng(0)
    for name in ("img", "inst"):
        (tmp_path / name).mkdir()
    for number in range(3):
        labels = np.zeros((90, 120), np.uint8)
        if number < 2:
            labels[10:50, 10:60], labels[60:85, 70:110] = 1, 2
        image = rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "img" / f"{number}.jpg"), image)
        content = {"GTinst": {"Segmentation": labels}}
        savemat(tmp_path / "inst" / f"{number}.mat", content)
    (tmp_path / "train.txt").write_text("0\n1\n2\n")
    return tmp_path


def test_samples_are_functions_of_their_number(sbd):
    found, again = (published_samples("sbd", sbd, 64, 3) for _ in range(2))
    other = published_samples("sbd", sbd, 64, 4)
    again[40]
    seen = set()
    for number in range(30):
        sample = found[number]
        for one, same in zip(sample, again[number], strict=True):
            assert torch.equal(one, same)
        assert not torch.equal(sample[0], other[number][0])
        seen.add(sample[0].numpy().tobytes())
    assert len(seen) == 30


@pytest.mark.parametrize("size", [64, 200])
def test_shapes_and_ranges(sbd, size):
    found = published_samples("sbd", sbd, size, 0)
    empty = 0
    for number in range(40):
        image, target, prior, points = found[number]
        assert image.shape == (3, size, size)
        assert target.shape == prior.shape == (1, size, size)
        assert points.shape == (48, 2)
        tensors = (image, target, prior, points)
        assert {tensor.dtype for tensor in tensors} == {torch.float32}
        assert 0 <= image.min() < image.max() <= 1
        assert set(target.unique().tolist()) <= {0.0, 1.0}
        assert not prior.any()
        assert points.max() < size
        assert torch.equal(points, points.round())
        positives, negatives = filled(points)
        assert inside(target[0], positives).all()
        assert not inside(target[0], negatives).any()
        assert (len(positives) > 0) == bool(target.any())
        empty += not target.any()
    assert 2 < empty < 30  # a third of the photographs has no object


def test_the_published_settings(sbd):
    found = published_samples("sbd", sbd, 64, 0)
    assert (found.how.scales, found.rotate) == ((0.75, 1.25), True)
    assert (found.how.least_px, found.how.keep_background) == (80, 0.01)
    how = Photographs(keep_background=0.1)
    changed = published_samples("sbd", sbd, 64, 0, how).how
    assert (changed.scales, changed.keep_background) == ((0.75, 1.25), 0.1)
    assert (
        Photographs(scales=(0.75, 1.40), least_px=1000, keep_background=0.05)
        == COCO_LIKE
    )
    with pytest.raises(ValueError, match="choose 'sbd' or 'coco-lvis'"):
        published_samples("voc", sbd, 64, 0)


# Points


def means(draws):
    counts = [[len(places) for places in filled(points)] for points in draws]
    return np.mean(counts, axis=0)


def test_means_of_the_counts():
    rng = np.random.default_rng(0)
    target, other = box((10, 30), (10, 30)), box((35, 45), (5, 15))
    objects = target | other
    draws = [draw_points([target], target, objects, False, rng) for _ in range(4000)]
    assert means(draws) == pytest.approx((4.886, 3.905), abs=0.25)  # 3.5 and more sigma
    assert {len(filled(points)[0]) for points in draws} >= {1, 2, 15}
    for points in draws:
        positives, negatives = filled(points)
        assert inside(target, positives).all()
        assert not inside(target, negatives).any()


def test_positive_clicks_keep_away_from_the_border():
    rng = np.random.default_rng(0)
    target = box((0, 30), (10, 40))  # it touches the border of the image
    inner = box((0, 27), (13, 37))
    draws = [draw_points([target], target, target, True, rng) for _ in range(1500)]
    away = [inside(inner, filled(points)[0]).all() for points in draws]
    # the others are drawn from all of the object, a few of those in the inner part only
    assert np.mean(away) == pytest.approx(0.93, abs=0.03)
    rows = np.concatenate([filled(points)[0][:, 0] for points in draws])
    assert rows.min() == 0  # the border of the image is none of the object


@pytest.mark.parametrize(("side", "whole"), [(9, True), (10, False)])
def test_small_objects_are_not_eroded(side, whole):
    """9 x 9 px would leave 9; 10 x 10 px leave 16, more than 10."""
    rng = np.random.default_rng(0)
    target = box((20, 20 + side), (20, 20 + side))
    draws = [draw_points([target], target, target, True, rng) for _ in range(300)]
    places = np.concatenate([filled(points)[0] for points in draws])
    margin = np.minimum(places, 2 * 20 + side - 1 - places).min(1) - 20
    share = np.mean(margin < 3)
    assert (share > 0.5) == whole


def test_where_negative_clicks_are():
    rng = np.random.default_rng(0)
    shape = (200, 200)
    target = box((80, 120), (80, 120), shape)
    other = box((0, 40), (0, 40), shape)
    border = box((76, 124), (76, 124), shape) & ~target  # a tenth of 40 px
    objects = target | other
    draws = [draw_points([target], target, objects, False, rng) for _ in range(1500)]
    places = np.concatenate([filled(points)[1] for points in draws])
    area = shape[0] * shape[1] - target.sum()
    for mask, share in ((border, 0.5), (other, 0.4)):
        expected = share + 0.1 * mask.sum() / area
        assert inside(mask, places).mean() == pytest.approx(expected, abs=0.025)


def test_negative_clicks_where_there_are_no_others():
    rng = np.random.default_rng(0)
    target = box((10, 30), (10, 30))
    # alone: the background stands in; hidden by the target: such clicks are left out
    for alone, mean in ((True, 3.905), (False, 0.6 * 3.905)):
        draws = [draw_points([target], target, target, alone, rng) for _ in range(3000)]
        assert means(draws)[1] == pytest.approx(mean, abs=0.25)
    # nothing is outside a target that fills the crop
    target[:] = True
    assert len(filled(draw_points([target], target, target, True, rng))[1]) == 0


def test_no_target():
    rng = np.random.default_rng(0)
    none, objects = box((0, 0), (0, 0)), box((0, 40), (0, 48))
    draws = [draw_points([], none, objects, True, rng) for _ in range(3000)]
    assert means(draws) == pytest.approx((0, 3.905), abs=0.25)
    assert not any(inside(objects, filled(points)[1]).any() for points in draws)


def test_two_objects():
    rng = np.random.default_rng(0)
    small, large = box((2, 12), (2, 12)), box((15, 47), (15, 47))
    target = small | large
    shares, counts = [], []
    for _ in range(3000):
        positives, _ = filled(draw_points([small, large], target, target, True, rng))
        assert inside(small, positives[:1]).all()
        assert inside(large, positives[1:2]).all()
        shares.extend(inside(small, positives[2:]))
        counts.append(len(positives))
    # two first clicks, and as many more as there are negative ones, cut at 24
    weights = 0.8 ** np.arange(25)
    expected = (weights * np.minimum(np.arange(25) + 2, 24)).sum() / weights.sum()
    assert np.mean(counts) == pytest.approx(expected, abs=0.3)
    assert min(counts) == 2
    assert max(counts) <= 24
    assert np.mean(shares) == pytest.approx(0.5, abs=0.03)


def test_no_more_than_24_clicks_on_two_objects(monkeypatch):
    counts = iter((24, 0))
    monkeypatch.setattr(multi_points, "draw_count", lambda rng, most: next(counts))
    pair = [box((2, 12), (2, 12)), box((15, 47), (15, 47))]
    target = pair[0] | pair[1]
    points = draw_points(pair, target, target, True, np.random.default_rng(0))
    positives, negatives = filled(points)
    assert (len(positives), len(negatives)) == (24, 0)


# Targets


def test_share_of_two_objects():
    rng = np.random.default_rng(0)
    masks = [box((5 * n, 5 * n + 4), (0, 10)) for n in range(5)]
    drawn = [select(masks, rng) for _ in range(3000)]
    merged = [len(pair) == 2 for pair in drawn]
    assert np.mean(merged) == pytest.approx(0.15, abs=0.025)
    assert all(one is not other for one, other in (p for p in drawn if len(p) == 2))
    for mask in masks:
        share = np.mean([any(one is mask for one in chosen) for chosen in drawn])
        assert share == pytest.approx(1.15 / 5, abs=0.03)
    assert all(len(select(masks[:1], rng)) == 1 for _ in range(50))
    assert select([], rng) == []


def test_targets_are_one_object_or_two():
    one, two = box((5, 20), (5, 20)), box((25, 40), (10, 45))
    found = samples(photograph(one, two), size=60)  # padded by 6 px
    areas = [int(found[number][1].sum()) for number in range(300)]
    assert set(areas) == {225, 525, 750}
    assert areas.count(750) / 300 == pytest.approx(0.15, abs=0.06)


def test_images_are_drawn_uniformly():
    found = samples(*(photograph(box((0, n), (0, 1))) for n in (1, 2, 3)))
    areas = [int(found[number][1].sum()) for number in range(600)]
    for area in (1, 2, 3):
        assert areas.count(area) == pytest.approx(200, abs=50)


def test_small_objects_are_no_targets():
    small = box((0, 8), (0, 48))
    found = samples(photograph(small, box((20, 40), (0, 48))), least_px=385)
    assert {int(found[number][1].sum()) for number in range(60)} == {20 * 48}
    found = samples(photograph(small), least_px=384)
    assert {int(found[number][1].sum()) for number in range(60)} == {8 * 48}
    # a dropped object is no background either
    empty = samples(photograph(small), least_px=385)
    rows = []
    for number in range(60):
        _, target, _, points = empty[number]
        positives, negatives = filled(points)
        assert not target.any()
        assert len(positives) == 0
        rows.extend(negatives[:, 0])
    assert min(rows) == 8


def test_parts_are_no_targets_but_others():
    whole, part = box((10, 30), (0, 48)), box((10, 30), (0, 24))
    found = samples(photograph(whole, parts=[part]))
    counts = []
    for number in range(600):
        _, target, _, points = found[number]
        assert target.sum() == whole.sum()
        counts.append(len(filled(points)[1]))
    # the part is another object, all of it in the target
    assert np.mean(counts) == pytest.approx(0.6 * 3.905, abs=0.5)


@pytest.mark.parametrize("keep", [0.0001, 0.2])
def test_empty_crops(keep):
    line = box((0, 1), (0, 60), (60, 60))
    found = samples(photograph(line), size=57, keep_background=keep)
    empty = [not found[number][1].any() for number in range(400)]
    # crops start at one of 4 rows, and only the first has the object
    expected = 0.75 * keep / (0.25 + 0.75 * keep)
    assert np.mean(empty) == pytest.approx(expected, abs=0.07)
    assert any(empty) == (keep == 0.2)


def test_photographs_without_objects_are_empty_crops():
    image, target, _, points = samples(photograph(), keep_background=1e-9)[0]
    assert not target.any()
    assert image.shape == (3, 48, 48)
    assert len(filled(points)[0]) == 0


# Changes


def extents(found, number):
    """Rows and columns of the target."""
    target = found[number][1][0].numpy()
    return int(target.any(1).sum()), int(target.any(0).sum())


def test_scales():
    mask = box((0, 40), (0, 80), (40, 80))
    found = samples(photograph(mask), size=120, scales=(0.75, 1.4))
    sides = np.array([extents(found, number) for number in range(200)])
    np.testing.assert_allclose(sides[:, 1] / sides[:, 0], 2, atol=0.05)
    assert sides[:, 0].min() in (30, 31)
    assert sides[:, 0].max() in (55, 56)
    assert sides[:, 0].mean() == pytest.approx(43, abs=2)


def test_padding_is_centred_and_black():
    mask = box((0, 10), (0, 13), (10, 13))
    found = samples(photograph(mask), size=24)
    for number in range(20):
        _, target, _, points = found[number]
        np.testing.assert_array_equal(target[0], box((7, 17), (5, 18), (24, 24)))
        places = np.concatenate(filled(points))
        assert places.max() < 24
    image = next(
        image for image, *_ in map(found.__getitem__, range(100)) if image.min() == 0
    )
    assert image[:, :7].max() < image[:, 7:17, 5:18].min()


def test_crops_are_anywhere():
    cross = box((2, 3), (0, 50), (50, 50)) | box((0, 50), (2, 3), (50, 50))
    found = samples(photograph(cross), size=48)
    seen = set()
    for number in range(200):
        target = found[number][1][0]
        row, column = target.sum(1).argmax(), target.sum(0).argmax()
        seen.add((int(row), int(column)))
    # lines 2 of 50 in crops from 0 to 2; the column may be flipped
    assert {row for row, _ in seen} == {0, 1, 2}
    assert {column for _, column in seen} == {0, 1, 2, 45, 46, 47}


CORNER = box((0, 20), (0, 10))
"""One of the eight ways that flips and turns of an image of 48 x 48 px can put it."""


def ways(**changes):
    found = samples(photograph(CORNER), **changes)
    counts = {}
    for number in range(800):
        rows, columns = np.nonzero(found[number][1][0].numpy())
        way = (
            rows.mean() < 23.5,
            columns.mean() < 23.5,
            np.ptp(rows) > np.ptp(columns),
        )
        counts[way] = counts.get(way, 0) + 1 / 800
    return counts


def test_flips():
    counts = ways()
    assert set(counts) == {(True, True, True), (True, False, True)}
    assert counts[True, True, True] == pytest.approx(0.5, abs=0.06)


def test_flips_and_turns():
    counts = ways(rotate=True)
    assert len(counts) == 8
    # of the turns, 5/8 are none, 1/8 each of the others; of the flips, 1/2 are none
    # and 1/6 each of the others; half turns are flips both ways
    flips = {"none": 1 / 2, "both": 1 / 6, "one": 1 / 6}
    none = 5 / 8 * flips["none"] + 1 / 8 * flips["both"]
    assert counts[True, True, True] == pytest.approx(none, abs=0.06)
    one = 5 / 8 * flips["one"] + 1 / 8 * flips["one"]
    assert counts[True, False, True] == pytest.approx(one, abs=0.05)
    assert counts[False, True, True] == pytest.approx(one, abs=0.05)
    upright = sum(share for way, share in counts.items() if way[2])
    assert upright == pytest.approx(0.75, abs=0.06)


def test_tilts_and_shifts():
    bar = box((94, 106), (40, 160), (200, 200))
    found = samples(photograph(bar), size=200, rotate=True)
    shifts, angles = [], []
    for number in range(200):
        places = np.argwhere(found[number][1][0].numpy())
        shifts.append(places.mean(0) - 99.5)
        (rows, mixed), (_, columns) = np.cov(places.T)
        slope = mixed / columns if columns > rows else -mixed / rows
        angles.append(np.degrees(np.arctan(slope)))
    still = (np.array(shifts) == 0).all(1) & (np.array(angles) == 0)
    assert still.mean() == pytest.approx(0.25, abs=0.1)
    assert 5 < np.max(shifts) < 6.6  # 3 % of 200 px
    assert -6.6 < np.min(shifts) < -5
    assert 2.7 < max(angles) < 3.2
    assert -3.2 < min(angles) < -2.7


def test_image_and_target_move_together():
    mask = box((30, 70), (50, 90), (100, 140))
    image = np.where(mask[..., None], 200, 60).astype(np.uint8).repeat(3, 2)
    found = samples(Objects(image, [mask]), size=128, rotate=True, **SBD_LIKE)
    for number in range(40):
        picture, target, *_ = found[number]
        if not target.any():
            continue
        inner = cv2.erode(target[0].numpy(), np.ones((5, 5))) > 0
        near = cv2.dilate(target[0].numpy(), np.ones((13, 13))) > 0
        ring = near & (cv2.dilate(target[0].numpy(), np.ones((5, 5))) == 0)
        picture = picture.mean(0).numpy()
        assert picture[inner].min() > picture[ring].max() + 0.1


def test_masks_stay_sharp_and_images_are_smooth():
    mask = np.tile(np.arange(40) % 3 == 0, (40, 1))
    image = np.repeat((mask * 200)[..., None], 3, 2).astype(np.uint8)
    found = samples(Objects(image, [mask]), size=53, scales=(1.325, 1.325))
    picture, target, *_ = found[0]
    nearest = mask[0, np.arange(53) * 40 // 53]
    assert target[0, 0].tolist() in (nearest.tolist(), nearest[::-1].tolist())
    assert len(picture[0, 30].unique()) > 2  # not only dark and bright


def test_colours():
    image = np.full((4, 4, 3), 100, np.uint8)
    drawn = np.array(
        [
            vary_colour(image, np.random.default_rng(n), Photographs())[0, 0]
            for n in range(2000)
        ],
        int,
    )
    assert (drawn == 100).all(1).mean() == pytest.approx(1 / 16, abs=0.02)
    # without a shift of the channels they stay alike: a quarter, and a few by chance
    alike = (np.ptp(drawn, axis=1) == 0).mean()
    assert alike == pytest.approx(0.25, abs=0.04)
    assert np.ptp(drawn, axis=1).max() in range(17, 21)
    # 100 x 0.85 - 63.75 - 10 and 100 x 1.4 + 63.75 + 10
    assert 11 <= drawn.min() < 20
    assert 200 < drawn.max() <= 213
    same = vary_colour(image, np.random.default_rng(5), Photographs())
    assert same.dtype == np.uint8
    assert (same == same[0, 0]).all()


def test_colours_are_cut_at_black_and_white():
    image = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        dark, bright = vary_colour(image, rng, Photographs())[0].astype(int)
        assert (dark <= bright).all()
        assert dark.max() <= 64 + 10
        assert bright.min() >= 255 * 0.85 - 64 - 11


def test_photographs_are_drawn_as_often_as_their_scores_say(sbd):
    scores = [(0, "0", 0.9), (1, "1", 0.2), (2, "2", 1.0)]
    (sbd / "sbd_samples_weights.pkl").write_bytes(pickle.dumps(scores))
    samples = published_samples("sbd", sbd, 64, 3)
    drawn = []
    samples.images.draw = lambda index, _: drawn.append(index) or samples.images[index]
    for number in range(200):
        samples[number]
    wanted = 0.8**1.25 / (0.1**1.25 + 0.8**1.25)
    assert np.mean(np.array(drawn) == 1) == pytest.approx(wanted, abs=0.05)
    assert 2 not in drawn


def test_stretched_windows_are_of_any_shape_and_fill_the_sample():
    mask = box((30, 90), (40, 100), (120, 200))
    image = np.where(mask[..., None], 200, 60).astype(np.uint8).repeat(3, 2)
    plain = {"brightness": 0, "contrast": (0, 0), "shift": 0, "keep_background": 1e-9}
    found = samples(
        Objects(image, [mask]), size=64, stretched=True, least_px=200, **plain
    )
    ratios = []
    for number in range(40):
        picture, target, *_ = found[number]
        inside = target[0].numpy() > 0
        rows, columns = np.nonzero(inside)
        assert inside.sum() >= 200
        assert picture[:, cv2.erode(target[0].numpy(), np.ones((5, 5))) > 0].min() > 0.5
        if rows.min() > 0 and rows.max() < 63 and columns.min() and columns.max() < 63:
            ratios.append(np.ptp(rows) / np.ptp(columns))
    assert min(ratios) < 1 < 1.5 * min(ratios) < max(ratios)


def test_small_parts_and_large_objects_are_no_targets():
    speck, whole = box((0, 3), (0, 3)), box((10, 30), (10, 30))
    found = samples(photograph(speck | whole), part_px=20)
    assert all(found[number][1].sum() in (0, 400) for number in range(10))
    large = box((0, 48), (0, 40))
    found = samples(photograph(large, whole), largest=0.6)
    assert {int(found[number][1].sum()) for number in range(20)} == {400}


def test_first_clicks_are_where_they_are_asked_for():
    bar = box((20, 29), (4, 44))
    for first, depth in (("central", 5 / 1.7), ("alone", 4.9)):
        found = samples(photograph(bar), first_click=first)
        for number in range(30):
            _, target, _, points = found[number]
            positive, negative = filled(points)
            distance = inner_distance(target[0].numpy() > 0)
            row, column = positive[0]
            assert distance[row, column] > depth
            if first == "alone":
                assert len(positive) == 1
                assert len(negative) == 0


def test_distorted_colours_change_hue_and_keep_grey_grey():
    grey = np.full((4, 4, 3), 120, np.uint8)
    red = np.zeros((4, 4, 3), np.uint8) + np.array([200, 60, 60], np.uint8)
    found = [distort(red, np.random.default_rng(seed))[0, 0] for seed in range(60)]
    assert len({tuple(colour) for colour in found}) > 20
    assert all(colour[0] == colour.max() for colour in found)  # hues turn by 36 degrees
    assert len({int(colour[1]) - int(colour[2]) for colour in found}) > 5
    for seed in range(20):
        shade = distort(grey, np.random.default_rng(seed))
        assert np.ptp(shade.reshape(-1, 3), axis=1).max() == 0
    how = Photographs(distorted=True)
    same = vary_colour(red, np.random.default_rng(3), how)
    assert np.array_equal(same, distort(red, np.random.default_rng(3)))


@pytest.mark.parametrize(
    "name", ["focalclick-segformer-b0-s2", "interformer-light", "mst-224"]
)
def test_published_runs_learn_from_photographs(sbd, tmp_path, name):
    config = published(name, data="sbd")
    seen = []
    train(config, sbd, tmp_path / "out", lambda now: seen.append(now.loss))
    assert len(seen) == 2
    assert np.isfinite(seen).all()
    load_weights(tmp_path / "out" / "weights.safetensors")
