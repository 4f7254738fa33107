"""Numbers of clicks, overlaps and their intervals from sequences of IoU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_simpleclick.evaluation.result import CaseResult, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

TARGETS = {"80": 0.80, "85": 0.85, "90": 0.90}
"""IoU targets of the published tables, by their name in percent."""

Mask = NDArray[np.bool_]


def iou(mask: Mask, truth: NDArray[np.signedinteger]) -> float:
    """Intersection over union of a mask and the object, where not ignored.

    Parameters
    ----------
    mask : ndarray
        (H, W) bool.
    truth : ndarray
        (H, W) integer: 1 object, 0 background, -1 ignored.

    Returns
    -------
    float
        0 to 1; NaN if both are empty.
    """
    inside, valid = truth == 1, truth != -1
    union = np.count_nonzero((mask | inside) & valid)
    shared = np.count_nonzero(mask & inside & valid)
    return float(shared / union) if union else float("nan")


def dice(overlap: float) -> float:
    """Dice coefficient of an IoU, both 0 to 1."""
    return 2 * overlap / (1 + overlap)


def clicks_needed(ious: Sequence[float], target: float, most: int) -> int:
    """Count the clicks (NoC) until the IoU reaches ``target``; ``most`` if never.

    The comparison is in float32, as in the released code.
    """
    reached = np.asarray(ious, np.float32) >= np.float32(target)
    return int(reached.argmax()) + 1 if reached.any() else most


def summarise(
    dataset: str,
    cases: Sequence[CaseResult],
    *,
    weights: str,
    settings: dict[str, Any],
    most: int = 20,
    stop_at: float | None = None,
    annotator: str = "robot",
) -> Result:
    """Sum up the cases of one run.

    Parameters
    ----------
    dataset, weights, annotator : str
        As in :class:`Result`.
    cases : sequence of CaseResult
        At least one.
    settings : dict
        Recorded as they are; ``size``, if there, is the (height, width) of the
        network's input, px.
    most : int
        Most clicks per object, which failures count as.
    stop_at : float or None
        IoU at which clicking stopped; higher targets have no number.
    annotator : str
        ``robot``, or the code of a person.

    Returns
    -------
    Result
        With every metric.
    """
    noc: dict[str, float | None] = {}
    interval: dict[str, tuple[float, float] | None] = {}
    failures: dict[str, int | None] = {}
    at_limit: dict[str, int | None] = {}
    for name, target in TARGETS.items():
        if stop_at is not None and target > stop_at + 1e-9:
            noc[name] = interval[name] = failures[name] = at_limit[name] = None
            continue
        needed = [clicks_needed(case.ious, target, most) for case in cases]
        counts = np.minimum(needed, most)
        noc[name] = float(counts.mean())
        interval[name] = mean_interval(counts)
        missed = [max(case.ious) < np.float32(target) for case in cases]
        failures[name] = int(np.sum(missed))
        at_limit[name] = int(np.sum(counts == most))
    shortest = min(len(case.ious) for case in cases)
    curves = np.array([case.ious[:shortest] for case in cases])
    total = sum(case.seconds for case in cases)
    per_click = total / sum(len(case.clicks) for case in cases)
    size = settings.get("size")
    return Result(
        dataset=dataset,
        annotator=annotator,
        instances=len(cases),
        noc=noc,
        noc_interval=interval,
        failures=failures,
        at_limit=at_limit,
        miou=tuple(float(value) for value in curves.mean(0)),
        seconds_per_click=per_click,
        pie=per_click / (size[0] * size[1]) if size else None,
        weights=weights,
        settings=settings,
        cases=tuple(cases),
    )


def mean_interval(values: NDArray[Any]) -> tuple[float, float]:
    """Bootstrap 95 percent interval of a mean (percentile, 2000 draws, fixed seed)."""
    if len(values) < 2 or np.ptp(values) == 0:
        return float(values.mean()), float(values.mean())
    from scipy import stats  # takes half a second to import

    found = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=2000,
        batch=100,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)
