"""How sure a volume is."""

import csv
import io

import numpy as np
import pytest

from napari_simpleclick.measurement import (
    Sureness,
    measure,
    object_rows,
    to_csv,
    volume_margin,
)
from napari_simpleclick.measurement.volume_range import (
    BORDER,
    DOUBT,
    UNSEEN,
    border_lengths,
)


def disc(radius, depth=1):
    rows, columns = np.mgrid[-40:41, -40:41]
    return np.repeat((rows**2 + columns**2 <= radius**2)[None], depth, axis=0)


@pytest.mark.parametrize("radius", [10, 30])
def test_borders_have_their_length(radius):
    (length,) = border_lengths(disc(radius))
    assert length == pytest.approx(2 * np.pi * radius, rel=0.06)


@pytest.mark.parametrize("radius", [12, 30])
def test_the_border_may_be_off_by_some_pixels(radius):
    margin = volume_margin(disc(radius, depth=5), Sureness())
    off = BORDER * np.sqrt(radius / 2)  # half of it is area over border
    larger, smaller = disc(radius + off, 5).sum(), disc(radius - off, 5).sum()
    assert margin == pytest.approx((larger - smaller) / 2, rel=0.06)


def test_propagated_slices_are_less_sure():
    mask = disc(20, depth=4)
    drawn = volume_margin(mask, Sureness(0, {}))
    carried = volume_margin(mask, Sureness(0, {11: 0.8, 12: None, 40: 0.1}), start=10)
    area = mask[0].sum()
    assert carried - drawn == pytest.approx(DOUBT * area * (0.2 + 1 - UNSEEN))


def test_slices_may_follow_any_axis():
    mask = disc(20, depth=6)
    turned = np.moveaxis(mask, 0, 2)
    sure = {2: 0.5}
    assert volume_margin(turned, Sureness(2, sure)) == pytest.approx(
        volume_margin(mask, Sureness(0, sure))
    )


def test_nothing_is_said_of_an_object_without_an_end():
    labels = np.zeros((5, 81, 81), int)
    labels[1:4] = disc(10)
    (one,) = measure(labels, sureness={1: Sureness(0, {2: 0.9}, ended=False)})
    assert one.margin is None
    (row,) = object_rows([one])
    assert row["volume_px3_low"] is None
    assert to_csv([row]).splitlines()[1].count(",,") >= 1


def test_tables_have_the_range_in_the_unit_of_the_size():
    labels = np.zeros((5, 81, 81), int)
    labels[1:4] = disc(10)
    (solid,) = object_rows(measure(labels, (3.0, 0.5, 0.5)))
    assert solid["volume_ml_high"] + solid["volume_ml_low"] == pytest.approx(
        2 * solid["volume_ml"]
    )
    margin = volume_margin(labels > 0, Sureness()) * 0.75 / 1000
    assert solid["volume_ml_high"] - solid["volume_ml"] == pytest.approx(margin)
    (flat,) = csv.DictReader(io.StringIO(to_csv(object_rows(measure(labels[2])))))
    assert float(flat["area_px2_low"]) < 317 < float(flat["area_px2_high"])


def test_nothing_is_smaller_than_nothing():
    labels = np.zeros((9, 9), int)
    labels[4, 4] = 1
    guessed = {1: Sureness(0, {0: 0.0})}
    (row,) = object_rows(measure(labels, sureness=guessed))
    assert row["area_px2_low"] == 0
