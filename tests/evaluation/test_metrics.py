import numpy as np
import pytest

from napari_simpleclick.evaluation import CaseResult, Result, dice, iou
from napari_simpleclick.evaluation.metrics import (
    clicks_needed,
    mean_interval,
    summarise,
)


def case(number, *ious, seconds=1.0):
    clicks = tuple((0, k, True) for k in range(len(ious)))
    return CaseResult(
        name=f"c{number}", instance=1, clicks=clicks, ious=ious, seconds=seconds
    )


def test_iou_leaves_ignored_pixels_out():
    truth = np.array([[1, 1, 0, -1]])
    assert iou(np.array([[True, False, True, True]]), truth) == pytest.approx(1 / 3)
    assert np.isnan(iou(np.zeros((1, 2), bool), np.zeros((1, 2), int)))
    assert dice(1 / 3) == pytest.approx(0.5)


def test_clicks_needed_compares_in_float32():
    assert (
        clicks_needed([0.5, float(np.float32(0.85)), 0.9], 0.8500000000000001, 20) == 2
    )
    assert clicks_needed([0.5], 0.85, 20) == 20


def test_summary_of_known_sequences():
    cases = [case(0, 0.5, 0.84, 0.91), case(1, 0.7, 0.8, 0.82), case(2, 0.9, 0.2, 0.95)]
    result = summarise("set", cases, weights="w", settings={"size": (10, 20)}, most=3)
    assert result.noc == {
        "80": pytest.approx((2 + 2 + 1) / 3),
        "85": pytest.approx((3 + 3 + 1) / 3),
        "90": pytest.approx((3 + 3 + 1) / 3),
    }
    assert result.failures == {"80": 0, "85": 1, "90": 1}
    assert result.at_limit == {"80": 0, "85": 2, "90": 2}
    assert result.miou == pytest.approx((0.7, 1.84 / 3, 2.68 / 3))
    assert result.seconds_per_click == pytest.approx(3 / 9)
    assert result.pie == pytest.approx(3 / 9 / 200)
    low, high = result.noc_interval["80"]
    assert 1 <= low <= result.noc["80"] <= high <= 2


def test_summary_of_a_run_that_stopped():
    cases = [case(0, 0.86), case(1, 0.3, 0.4, 0.87)]
    result = summarise("set", cases, weights="w", settings={}, stop_at=0.85)
    assert result.noc == {"80": 2.0, "85": 2.0, "90": None}
    assert result.failures["90"] is result.noc_interval["90"] is None
    assert len(result.miou) == 1
    assert result.pie is None


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(60):
        low, high = mean_interval(rng.exponential(4, 40))
        hits += low <= 4 <= high
    assert 48 <= hits <= 60
    assert mean_interval(np.array([7])) == (7, 7)


def test_results_are_read_back_and_others_refused(tmp_path):
    result = summarise("set", [case(0, 0.5)], weights="w", settings={})
    result.save(tmp_path / "a.json")
    assert Result.read(tmp_path / "a.json") == result
    lines = (tmp_path / "a.json").read_text().splitlines()
    assert lines[1] == ' "version": 1,'
    for text in ("", "{}", "[1]", '{"version": 2}'):
        (tmp_path / "b.json").write_text(text)
        with pytest.raises(ValueError, match="not a result of evaluate"):
            Result.read(tmp_path / "b.json")
    with pytest.raises(ValueError, match="no file"):
        Result.read(tmp_path / "none.json")
