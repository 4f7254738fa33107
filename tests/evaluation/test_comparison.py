import numpy as np
import pytest

from napari_simpleclick.evaluation.comparison import compare
from napari_simpleclick.evaluation.metrics import summarise
from napari_simpleclick.evaluation.result import CaseResult


def case(name, ious, seconds=1.0, instance=1):
    clicks = tuple((row, 0, True) for row in range(len(ious)))
    return CaseResult(
        name=name, instance=instance, clicks=clicks, ious=tuple(ious), seconds=seconds
    )


def run(cases, **about):
    settings = {"clicks": about.get("most", 20)}
    return summarise("set", cases, weights="w", settings=settings, **about)


def reaching(count, most=20):
    """IoUs that reach every target with that many clicks."""
    return [0.5] * (count - 1) + [0.95] * (most - count + 1)


def by_metric(tests):
    return {test.metric: test for test in tests}


def test_known_differences():
    first = run([case(str(n), reaching(10)) for n in range(6)])
    second = run([case(str(n), reaching(9 - n)) for n in range(6)])
    test = by_metric(compare(first, second))["NoC@90"]
    assert (test.first, test.second, test.cases) == (10, 6.5, 6)
    assert test.difference == -3.5
    assert test.p_value == pytest.approx(2 / 2**6)
    low, high = test.interval
    assert -6 <= low < -3.5 < high <= -1


def test_metrics_and_their_means():
    first = run([case("a", [0.2, 0.4, 0.6, 0.8, 0.9] * 4, seconds=20.0)])
    second = run([case("a", [0.3, 0.4, 0.7, 0.8, 0.8, 0.86] + [0.86] * 14)], most=20)
    found = by_metric(compare(first, second))
    assert list(found) == [
        *("NoC@85", "NoC@90"),
        *("IoU@1", "IoU@3", "IoU@5", "seconds per click"),
    ]
    assert (found["NoC@85"].first, found["NoC@85"].second) == (5, 6)
    assert (found["NoC@90"].first, found["NoC@90"].second) == (5, 20)
    assert found["IoU@1"].difference == pytest.approx(0.1)
    assert found["IoU@3"].difference == pytest.approx(0.1)
    assert found["IoU@5"].difference == pytest.approx(-0.1)
    seconds = found["seconds per click"]
    assert (seconds.first, seconds.second) == (1.0, 0.05)


def test_equal_runs_have_p_one():
    same = run([case(str(n), reaching(n)) for n in range(1, 5)])
    for test in compare(same, same):
        assert (test.difference, test.interval, test.p_value) == (0, (0, 0), 1)


def test_only_common_objects_count():
    first = run([case("a", reaching(2)), case("b", reaching(3)), case("c", [0.1] * 20)])
    second = run(
        [
            case("b", reaching(5)),
            case("c", reaching(1), instance=2),
            case("a", reaching(3)),
        ]
    )
    for test in compare(first, second):
        assert test.cases == 2
    found = by_metric(compare(first, second))
    assert (found["NoC@90"].first, found["NoC@90"].second) == (2.5, 4)


def test_no_common_object():
    with pytest.raises(ValueError, match="no object in common; choose"):
        compare(run([case("a", [0.9])]), run([case("b", [0.9])]))


def test_metrics_after_an_early_stop_are_left_out():
    full = run([case("a", reaching(4)), case("b", reaching(5))])
    stopped = run([case("a", [0.5, 0.87]), case("b", [0.5, 0.7, 0.86])], stop_at=0.85)
    for pair in ((full, stopped), (stopped, full)):
        assert set(by_metric(compare(*pair))) == {
            *("NoC@85", "IoU@1", "seconds per click")
        }


@pytest.mark.parametrize("swap", [False, True])
def test_fewer_clicks_limit_the_count_of_both(swap):
    short = run([case("a", [0.5] * 10), case("b", reaching(4, 10))], most=10)
    long = run([case("a", reaching(15)), case("b", reaching(2))])
    assert long.noc["90"] == 8.5
    pair = (long, short) if swap else (short, long)
    test = by_metric(compare(*pair))["NoC@90"]
    expected = {"short": (10 + 4) / 2, "long": (10 + 2) / 2}
    names = ("long", "short") if swap else ("short", "long")
    assert (test.first, test.second) == tuple(expected[name] for name in names)


def test_interval_narrows_around_a_constant_difference():
    rng = np.random.default_rng(0)
    values = rng.uniform(0.2, 0.5, 40)
    first = run([case(str(n), [v] * 5) for n, v in enumerate(values)])
    second = run([case(str(n), [v + 0.25] * 5) for n, v in enumerate(values)])
    test = by_metric(compare(first, second))["IoU@1"]
    assert test.interval == pytest.approx((0.25, 0.25))
    assert test.p_value < 1e-6
