"""The results of a report: how each is called, and which pairs are tested."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.evaluation.comparison import PairedTest, common_cases, compare
from napari_simpleclick.evaluation.metrics import TARGETS, clicks_needed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_simpleclick.evaluation.result import CaseResult, Result

ROBOT = "robot"
"""Annotator of the published protocol; every other is a person."""

SHORT = 20
"""Longest setting in the name of a result, characters."""


@dataclass(frozen=True)
class Entry:
    """A result on the page.

    Parameters
    ----------
    series : int
        Number of the result, from 0, which gives its colour.
    result : Result
        The result.
    label : str
        Its name on the page.
    """

    series: int
    result: Result
    label: str

    @property
    def target(self) -> str | None:
        """Highest IoU, in percent, that has a number of clicks."""
        reached = [name for name in TARGETS if self.result.noc[name] is not None]
        return reached[-1] if reached else None

    @property
    def person(self) -> bool:
        """Whether a person clicked."""
        return self.result.annotator != ROBOT

    @property
    def failures(self) -> list[CaseResult]:
        """Objects that never reach ``target``, the lowest IoU first."""
        counts = zip(self.result.cases, target_counts(self), strict=True)
        missed = [case for case, count in counts if not count]
        return sorted(missed, key=lambda case: max(case.ious))

    @property
    def finish(self) -> list[float]:
        """Seconds from the start to the last click of every object that has times."""
        return [case.times[-1] for case in self.result.cases if case.times]

    @property
    def content(self) -> float | None:
        """Mean IoU of the final masks of a person; None where not recorded."""
        final = [case.final_iou for case in self.result.cases]
        known = [value for value in final if value is not None]
        return float(np.mean(known)) if known else None

    @property
    def quartiles(self) -> list[float]:
        """Lower quartile, median and upper quartile of ``finish``, s."""
        return [float(value) for value in np.percentile(self.finish, (25, 50, 75))]


@dataclass(frozen=True)
class Pair:
    """Two results and the tests between them; none where no object is in both."""

    first: Entry
    second: Entry
    tests: list[PairedTest]


def entries_of(results: Sequence[Result]) -> list[Entry]:
    """Give each result of a page its number and name."""
    return [
        Entry(series, result, label)
        for series, (result, label) in enumerate(
            zip(results, labels(results), strict=True)
        )
    ]


def labels(results: Sequence[Result]) -> list[str]:
    """Names of results: weights, who clicked, and what differs where those agree."""
    people = any(result.annotator != ROBOT for result in results)
    names = []
    for result in results:
        weights = PureWindowsPath(result.weights).name or result.weights
        weights = weights.removesuffix(".safetensors").removesuffix(".pth")
        names.append(f"{result.annotator}, {weights}" if people else weights)
    return [
        ", ".join([name, *differences(results, names, place)])
        for place, name in enumerate(names)
    ]


def differences(
    results: Sequence[Result], names: Sequence[str], place: int
) -> list[str]:
    """Say what sets a result apart from others of the same name."""
    own = results[place]
    twins = [
        result
        for result, name in zip(results, names, strict=True)
        if name == names[place]
    ]
    if len(twins) == 1:
        return []
    if any(twin.dataset != own.dataset for twin in twins):
        return [own.dataset]
    settings = [
        f"{key} {shown(value)}"
        for key, value in own.settings.items()
        if any(twin.settings.get(key) != value for twin in twins)
        and len(shown(value)) <= SHORT
    ]
    return settings[:2] or [f"result {place + 1}"]


def target_counts(entry: Entry) -> list[int]:
    """Clicks of every object to the entry's target IoU, 0 where never."""
    target = TARGETS[entry.target] if entry.target else np.inf
    return [clicks_needed(case.ious, target, 0) for case in entry.result.cases]


def pairs(entries: Sequence[Entry]) -> Iterator[Pair]:
    """Each later result against the first, and each person against a robot."""
    first, *later = entries
    for entry in later:
        yield paired(first, entry)
    for person in (entry for entry in later if entry.person):
        robots = [
            robot
            for robot in entries
            if not robot.person and common_cases(robot.result, person.result)[0]
        ]
        if robots and first not in robots:
            yield paired(robots[0], person)


def paired(first: Entry, second: Entry) -> Pair:
    """Test two results where they have objects in common."""
    common = common_cases(first.result, second.result)[0]
    return Pair(first, second, compare(first.result, second.result) if common else [])


def shown(value: Any) -> str:
    """Write the value of a setting: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str)
