"""A page that shows what one or several evaluations found."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from napari_simpleclick.evaluation import plots
from napari_simpleclick.evaluation.entries import (
    Entry,
    entries_of,
    pairs,
    shown,
    target_counts,
)
from napari_simpleclick.evaluation.pictures import Film, film
from napari_simpleclick.measurement.sorting import page_policy, sorting_script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.evaluation.result import CaseResult, Result

MIOU_CLICKS = (1, 2, 3, 5, 10, 20)
"""Clicks after which the table has the mean IoU."""

LISTED = 20
"""Most objects in a list of failures."""


@dataclass(frozen=True)
class Strip:
    """Pictures of one case, click by click.

    Parameters
    ----------
    case : CaseResult
        Clicks and IoUs.
    image : ndarray
        (H, W) or (H, W, 3) uint8.
    truth : ndarray
        (H, W) int32: 1 object, 0 background, -1 ignored.
    masks : mapping
        (H, W) bool mask after that many clicks.
    """

    case: CaseResult
    image: NDArray[np.uint8]
    truth: NDArray[np.int32]
    masks: Mapping[int, NDArray[np.bool_]]

    def film(self) -> Film:
        """Return what the page draws."""
        return film(self.case, self.image, self.truth, self.masks)


def write_report(
    results: Sequence[Result],
    folder: Path,
    strips: Mapping[str, Sequence[Strip]] | None = None,
) -> Path:
    """Write the page of one or several results.

    Parameters
    ----------
    results : sequence of Result
        At least one; the later ones are tested against the first.
    folder : Path
        Made if it is not there.
    strips : mapping or None
        Pictures of the ``best`` and the ``worst`` cases of the first result.

    Returns
    -------
    Path
        ``index.html`` in ``folder``, a file that needs no other.
    """
    entries = entries_of(results)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(fixed=fixed, probability=probability, shown=shown)
    template = files(__package__).joinpath("report.html").read_text("utf-8")
    page = environment.from_string(template).render(
        entries=entries,
        miou_clicks=[
            clicks
            for clicks in MIOU_CLICKS
            if any(len(result.miou) >= clicks for result in results)
        ],
        convergence=Markup(plots.convergence(results)),
        histograms=histograms(entries),
        learning=learning_curves(entries),
        teaching=teaching_curves(entries),
        pairs=list(pairs(entries)),
        films={
            name: [strip.film() for strip in (strips or {}).get(name, ())]
            for name in ("best", "worst")
        },
        dashes=plots.dashes,
        colours=plots.SERIES,
        window=plots.WINDOW,
        listed=LISTED,
        policy=page_policy(),
        script=sorting_script(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    path.write_text(page, "utf-8")
    return path


def extremes(
    result: Result, count: int = 10
) -> tuple[list[CaseResult], list[CaseResult]]:
    """Choose the best and the worst cases, by the area under the IoU curve.

    Parameters
    ----------
    result : Result
        Its cases.
    count : int
        Most cases of each kind.

    Returns
    -------
    best, worst : list of CaseResult
        The best and the worst first, ties in the order of the cases; no case is in
        both. A case that was finished earlier keeps its last IoU.
    """
    areas = plots.iou_curves(result).mean(1)
    best = np.argsort(-areas, kind="stable")[: min(count, (len(areas) + 1) // 2)]
    worst = [case for case in np.argsort(areas, kind="stable") if case not in best]
    return (
        [result.cases[case] for case in best],
        [result.cases[case] for case in worst[:count]],
    )


def histograms(entries: Sequence[Entry]) -> dict[int, Markup]:
    """Histograms of clicks by series, with the same axes; none without a target."""
    counts = {entry.series: target_counts(entry) for entry in entries if entry.target}
    most = max(len(case.ious) for entry in entries for case in entry.result.cases)
    tops = [np.bincount(found).max() / len(found) for found in counts.values()]
    top = min(100.0, 110 * max(tops, default=1))
    return {
        series: Markup(
            plots.click_histogram(
                [count for count in found if count], found.count(0), most, top, series
            )
        )
        for series, found in counts.items()
    }


def learning_curves(entries: Sequence[Entry]) -> dict[int, Markup]:
    """Learning curves by series, of the persons whose clicks have times."""
    return {
        entry.series: Markup(
            plots.learning_curve(
                [len(case.clicks) for case in entry.result.cases if case.times],
                entry.finish,
                entry.series,
            )
        )
        for entry in entries
        if entry.person and entry.finish
    }


def teaching_curves(entries: Sequence[Entry]) -> dict[int, Markup]:
    """Curves of teaching by series, of the results that have been taught."""
    return {
        entry.series: Markup(plots.teaching_curve(entry.result.taught, entry.series))
        for entry in entries
        if entry.result.taught is not None
    }


def fixed(value: float | None, digits: int = 2) -> str:
    """Write a number with a true minus sign; a dash for None."""
    return "\u2013" if value is None else f"{value:z.{digits}f}".replace("-", "\u2212")


def probability(value: float) -> str:
    """Write a p-value."""
    return "< 0.001" if value < 0.001 else fixed(value, 3)
