"""Is one run better than another? Paired tests on the objects that both have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from napari_simpleclick.errors import UserError
from napari_simpleclick.evaluation.metrics import TARGETS, clicks_needed, mean_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_simpleclick.evaluation.result import CaseResult, Result

Values = NDArray[np.float64]


@dataclass(frozen=True)
class PairedTest:
    """One metric of two runs on the same objects.

    Parameters
    ----------
    metric : str
        ``NoC@85``, ``IoU@3``, ``seconds per click``, ...
    first, second : float
        Means of the two runs: clicks, IoU from 0 to 1, or seconds.
    difference : float
        Mean over the objects of the second run minus the first.
    interval : tuple of float
        Bootstrap 95 percent interval of ``difference``.
    p_value : float
        Of the Wilcoxon signed-rank test, two-sided; 1 where no object differs.
    cases : int
        Number of objects.
    """

    metric: str
    first: float
    second: float
    difference: float
    interval: tuple[float, float]
    p_value: float
    cases: int


def compare(first: Result, second: Result) -> list[PairedTest]:
    """Compare two runs on the objects (name and instance) that both have.

    Parameters
    ----------
    first, second : Result
        The two runs.

    Returns
    -------
    list of PairedTest
        NoC@85, NoC@90, the IoU after 1, 3 and 5 clicks, and seconds per click (mean
        over the objects). A metric is left out where one run stopped before that IoU
        or that click. Where one run gave up on objects after fewer clicks than the
        other, the NoC of both counts no more than those.

    Raises
    ------
    UserError
        If no object is in both.
    """
    ones, others = common_cases(first, second)
    if not ones:
        raise UserError(
            f"The results for '{first.weights}' and '{second.weights}' have no object "
            "in common; choose two results on the same data set."
        )
    tests = []
    for name in ("85", "90"):
        counts = paired_counts(first, ones, second, others, name)
        if counts is not None:
            tests.append(paired_test(f"NoC@{name}", *counts))
    for clicks in (1, 3, 5):
        if min(len(case.ious) for case in (*ones, *others)) >= clicks:
            overlaps = (
                np.array([case.ious[clicks - 1] for case in cases])
                for cases in (ones, others)
            )
            tests.append(paired_test(f"IoU@{clicks}", *overlaps))
    seconds = (
        np.array([case.seconds / len(case.clicks) for case in cases])
        for cases in (ones, others)
    )
    return [*tests, paired_test("seconds per click", *seconds)]


def common_cases(
    first: Result, second: Result
) -> tuple[list[CaseResult], list[CaseResult]]:
    """Objects that both runs have, in the order of the first; twice the same length."""
    theirs = {(case.name, case.instance): case for case in second.cases}
    ones = [case for case in first.cases if (case.name, case.instance) in theirs]
    return ones, [theirs[case.name, case.instance] for case in ones]


def paired_counts(
    first: Result,
    ones: Sequence[CaseResult],
    second: Result,
    others: Sequence[CaseResult],
    name: str,
) -> tuple[Values, Values] | None:
    """NoC (n,) of the same objects in two runs; None where one stopped before."""
    if first.noc[name] is None or second.noc[name] is None:
        return None
    known = [most_clicks(result, name) for result in (first, second)]
    limit = min((number for number in known if number is not None), default=0)
    counts = [
        np.array(
            [clicks_needed(case.ious, TARGETS[name], limit) for case in cases],
            np.float64,
        )
        for cases in (ones, others)
    ]
    if limit:
        counts = [np.minimum(values, limit) for values in counts]
    return counts[0], counts[1]


def most_clicks(result: Result, name: str) -> int | None:
    """Clicks that an object counts which never reaches an IoU; None without such."""
    return result.settings.get("clicks", 20) if result.failures[name] else None


def paired_test(metric: str, first: Values, second: Values) -> PairedTest:
    """Test whether the values (n,) of the same objects differ between two runs."""
    differences = second - first
    return PairedTest(
        metric=metric,
        first=float(first.mean()),
        second=float(second.mean()),
        difference=float(differences.mean()),
        interval=mean_interval(differences),
        p_value=float(stats.wilcoxon(differences).pvalue) if differences.any() else 1.0,
        cases=len(differences),
    )
