"""Figures of a report, as SVG text to stand in its HTML.

They have no text from files and no colours of their own: ink is the text colour of
the page, and the lines take its ``--series-1`` to ``--series-6``, so that they follow
a dark page.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from napari_simpleclick.evaluation.metrics import mean_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from napari_simpleclick.evaluation.result import Result, TaughtResult

SERIES = 6
"""Number of line colours; after them they repeat with the next dashes."""

DASHES = ((), (5, 2), (1.5, 1.5), (6, 2, 1.5, 2))
"""Lengths of line and gap, in widths of the line."""

WINDOW = 7
"""Objects in a running median."""

INK = "#010101"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "font.size": 8,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "grid.color": INK,
    "grid.alpha": 0.12,
    "grid.linewidth": 0.6,
}


def dashes(series: int) -> tuple[float, ...]:
    """Dashes of the line of a result, counted from 0; none for a solid line."""
    return DASHES[(series + series // SERIES) % len(DASHES)]


def iou_curves(result: Result) -> NDArray[np.float64]:
    """IoU of every object after 1, 2, ... clicks, 0 to 1.

    Returns
    -------
    ndarray
        (cases, most clicks) float64. An object finished earlier keeps its last IoU.
    """
    most = max(len(case.ious) for case in result.cases)
    return np.array(
        [case.ious + case.ious[-1:] * (most - len(case.ious)) for case in result.cases]
    )


@rc_context(STYLE)
def convergence(results: Sequence[Result]) -> str:
    """Draw the mean IoU over the clicks with its bootstrap 95 percent interval.

    Parameters
    ----------
    results : sequence of Result
        One line each.

    Returns
    -------
    str
        SVG.
    """
    figure, (axes,) = canvas(1)
    most = 1
    for series, result in enumerate(results):
        curves = iou_curves(result)
        clicks = np.arange(curves.shape[1]) + 1
        most = max(most, len(clicks))
        low, high = np.array([mean_interval(column) for column in curves.T]).T
        axes.fill_between(clicks, low, high, color=colour(series), alpha=0.18, lw=0)
        (line,) = axes.plot(clicks, curves.mean(0), "o-", ms=2.5, lw=1.5)
        line.set(color=colour(series), dashes=dashes(series))
    axes.set(xlabel="clicks", ylabel="mean IoU")
    axes.set_ylim(np.floor(10 * min(axes.get_ylim()[0], 0.8)) / 10, 1.0)
    axes.set_xticks(click_ticks(most))
    return svg(figure, "convergence", "Mean IoU after each click")


@rc_context(STYLE)
def click_histogram(
    counts: Sequence[int], missed: int, most: int, top: float, series: int
) -> str:
    """Draw how many objects reached an IoU with 1, 2, ... clicks, and never.

    Parameters
    ----------
    counts : sequence of int
        Clicks of every object that reached it.
    missed : int
        Number of objects that never did.
    most : int
        Last number of clicks on the axis.
    top : float
        Largest share on the axis, percent.
    series : int
        Number of the result, from 0.

    Returns
    -------
    str
        SVG.
    """
    figure, (axes,) = canvas(1)
    shares = np.bincount(counts, minlength=most + 1)[1:] / (len(counts) + missed)
    axes.bar(np.arange(most) + 1, 100 * shares, 0.8, color=colour(series))
    never = 100 * missed / (len(counts) + missed)
    axes.bar(most + 2, never, 0.8, color=INK, alpha=0.45)
    shown = click_ticks(most)
    axes.set_xticks([*shown, most + 2], [*map(str, shown), "never"])
    axes.set(xlabel="clicks", ylabel="objects", ylim=(0, top))
    axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    axes.grid(axis="x", visible=False)
    return svg(figure, f"histogram-{series}", "Clicks to reach the IoU")


@rc_context(STYLE)
def learning_curve(clicks: Sequence[int], seconds: Sequence[float], series: int) -> str:
    """Draw the clicks and the time of a person, object after object.

    Parameters
    ----------
    clicks : sequence of int
        Clicks of each object, in the order of the objects.
    seconds : sequence of float
        Time to the last click of each object, s.
    series : int
        Number of the result, from 0.

    Returns
    -------
    str
        SVG; dots are objects, lines the running median of ``WINDOW`` of them.
    """
    figure, panels = canvas(2)
    order = np.arange(len(clicks)) + 1
    for axes, name, values in zip(
        panels, ("clicks", "seconds"), (clicks, seconds), strict=True
    ):
        axes.plot(order, values, "o", color=colour(series), ms=4, alpha=0.55, mew=0)
        axes.plot(order, running_median(values), color=colour(series), lw=1.5)
        axes.set(xlabel="object, in order", ylabel=f"{name} to finish")
        axes.set_ylim(0, 1.08 * max(values))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    return svg(figure, f"learning-{series}", "Clicks and seconds over the objects")


@rc_context(STYLE)
def teaching_curve(taught: TaughtResult, series: int) -> str:
    """Draw the clicks an object needs over the objects that were learned from.

    Parameters
    ----------
    taught : TaughtResult
        With its curve.
    series : int
        Number of the result, from 0.

    Returns
    -------
    str
        SVG; the solid line is NoC@85, the dashed one NoC@90.
    """
    figure, (axes,) = canvas(1)
    objects = [point.objects for point in taught.curve]
    for target, line in (("85", "o-"), ("90", "o--")):
        found = [point.noc[target] for point in taught.curve]
        counts = [count for count in found if count is not None]
        if len(counts) == len(objects):
            axes.plot(objects, counts, line, ms=3, lw=1.5, color=colour(series))
            axes.annotate(f"IoU 0.{target}", (objects[-1], counts[-1]), va="bottom")
    axes.set(xlabel="objects learned from", ylabel="clicks an object")
    axes.set_ylim(bottom=0)
    axes.set_xticks(objects)
    return svg(figure, f"taught-{series}", "Clicks over the objects learned from")


def running_median(values: Sequence[float]) -> list[float]:
    """Medians of each value and its neighbours, fewer of them at the ends."""
    half = WINDOW // 2
    return [
        float(np.median(values[max(0, place - half) : place + half + 1]))
        for place in range(len(values))
    ]


def click_ticks(most: int) -> list[int]:
    """Numbers on an axis of 1 to ``most`` clicks."""
    step = 1 if most <= 10 else 5 if most <= 40 else 20
    return sorted({1, *range(step, most + 1, step)})


def canvas(panels: int) -> tuple[Figure, list[Axes]]:
    """Return an empty figure with so many panels side by side."""
    figure = Figure(figsize=(4.4 * panels, 2.8), layout="constrained")
    grid = figure.subplots(1, panels, squeeze=False)[0]
    for axes in grid:
        axes.grid(True)
    return figure, list(grid)


def colour(series: int) -> str:
    """Colour that stands for the colour of a result until the SVG is text."""
    return f"#0101f{series % SERIES + 1}"


def svg(figure: Figure, name: str, label: str) -> str:
    """SVG of a figure: the page's fonts and colours, and names of its own.

    Parameters
    ----------
    figure : Figure
        Drawn with ``STYLE``.
    name : str
        Unique in the page.
    label : str
        What a screen reader says.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    body = re.sub(r"\s*<style.*?</style>", "", buffer.getvalue(), flags=re.DOTALL)
    body = re.sub(r" font-family: [^;\"]*;?", "", body)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(?:xlink:)?href="#', f'href="#{name}-', body)
    body = body.replace("url(#", f"url(#{name}-").replace(INK, "currentColor")
    body = re.sub(r"#0101f(\d)", r"var(--series-\1)", body)
    box = re.search(r'viewBox="[^"]*"', body)
    start = body.index(">", body.index("<svg"))
    return f'<svg role="img" aria-label="{label}" {box and box[0]}{body[start:]}'
