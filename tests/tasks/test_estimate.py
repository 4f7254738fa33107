"""How long many tasks are said to take."""

import pytest

from napari_simpleclick.errors import UserError
from napari_simpleclick.tasks.estimate import (
    Measured,
    Timing,
    in_words,
    makespan,
    spread_out,
    time_tasks,
)
from napari_simpleclick.tasks.pool import TaskPool


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1 s"),
        (89, "89 s"),
        (220, "3 min 40 s"),
        (300, "5 min"),
        (3000, "50 min"),
        (7700, "2 h 10 min"),
        (10800, "3 h"),
        (86400 * 3.25, "3.2 days"),
    ],
)
def test_times_in_words(seconds, text):
    assert in_words(seconds) == text


def test_workers_take_what_is_next():
    assert makespan([3, 3, 3], 1) == 9
    assert makespan([3, 3, 3], 2) == 6
    assert makespan([5, 1, 1, 1, 1], 2) == 5
    assert makespan([], 4) == 0


def test_a_few_are_chosen_from_first_to_last():
    assert spread_out(range(10), 3) == [1, 5, 8]
    assert spread_out([4, 5], 3) == [4, 5]


def test_the_time_of_all_follows_from_the_few():
    few = (Measured(1, 2.0), Measured(3, 6.0))
    span = Timing(2, 10.0, few).estimate([1, 1, 2, 2])
    assert span.seconds == pytest.approx(10 + 6)
    assert (span.low, span.high) == (span.seconds, span.seconds)
    assert Timing(2, 10.0, few).estimate([1, 1], serial_s=50).seconds == 60


def test_few_that_differ_say_less():
    span = Timing(1, 0.0, (Measured(1, 1.0), Measured(1, 3.0))).estimate([1] * 10)
    assert span.seconds == pytest.approx(20)
    assert span.low < span.seconds < span.high
    open_end = Timing(1, 0.0, (Measured(1, 2.0, (1.0, 3.0)),) * 4).estimate([1] * 10)
    assert tuple(open_end) == pytest.approx((20, 10, 30))


def measured(number):
    if number == 2:
        raise UserError("Two is not there.")
    return Measured(1, float(number))


def test_what_cannot_be_timed_is_left_out():
    timing = time_tasks(TaskPool(), [(measured, number) for number in range(5)])
    assert [one.seconds for one in timing.measured] == [1, 3, 4]
    with pytest.raises(UserError, match="Two is not there"):
        time_tasks(TaskPool(), [(measured, 2)])
