"""One page about a case: slices, surfaces, measures, and where all of it comes from."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.files import check_writable
from napari_simpleclick.measurement.case_pictures import draw_slice, draw_surfaces
from napari_simpleclick.measurement.shown import ShownTable, shown_table
from napari_simpleclick.measurement.sorting import page_policy, sorting_script
from napari_simpleclick.measurement.write_file import write_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes as Plot
    from numpy.typing import NDArray

    from napari_simpleclick.measurement.objects import ObjectMeasures

KINDS = (".html", ".pdf")
"""Kinds of files that a report can be."""

MOST_SLICES, MOST_ROWS = 5, 14
"""Slices and rows of the table that fit a page."""

A4 = (8.27, 11.69)
"""Width and height of a page, inches."""

COLOURS = ("#ff9f1c", "#2ec4ff", "#d9fab9", "#be86ba", "#f4f800", "#ffb0d2", "#0cb69b")
"""Of objects that were given none, in turn."""

UNSEEN = np.diag([1.0, -1.0, -1.0, 1.0])
"""From columns, rows and slices to right, anterior and superior, if nothing tells."""

Draw = Callable[["Plot"], None]


@dataclass(frozen=True, eq=False)
class Case:
    """What a report is about.

    Parameters
    ----------
    title : str
        Name of the image.
    labels : ndarray
        (D, H, W) or (H, W) integer.
    objects : sequence of ObjectMeasures
        At this time point.
    image : array_like or None
        Of the mask's shape, or with a colour axis behind; only the slices that are
        shown are read.
    spacing : tuple of float or None
        Size of a voxel along each axis, mm.
    affine : ndarray or None
        (4, 4) from voxels to mm towards right, anterior and superior.
    colours : mapping of int to str
        Of the objects.
    facts : mapping of str to str
        What is known of where all of it comes from, by name.
    """

    title: str
    labels: NDArray[np.integer]
    objects: Sequence[ObjectMeasures]
    image: Any = None
    spacing: tuple[float, ...] | None = None
    affine: NDArray[np.float64] | None = None
    colours: Mapping[int, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


def write_case_report(path: Path, case: Case) -> None:
    """Write a report of one page.

    Parameters
    ----------
    path : Path
        One of :data:`KINDS`; an HTML file needs no other.
    case : Case
        What it is about.

    Raises
    ------
    UserError
        If the mask is empty, or the target cannot be written.
    """
    check_writable(path, KINDS)
    if not case.objects:
        raise UserError("The mask is empty, so there is nothing to report; draw first.")
    html = path.suffix.lower() == ".html"
    write_file(path, _html(case) if html else _pdf(case))


def size_of(shape: Sequence[int], spacing: Sequence[float] | None) -> str:
    """Tell the size of an image: its voxels, and how long one is along each axis."""
    what = "pixels" if len(shape) == 2 else "voxels"
    voxels = f"{' x '.join(map(str, shape))} {what}"
    if spacing is None:
        return f"{voxels} of unknown size"
    return f"{voxels} of {' x '.join(f'{size:.4g}' for size in spacing)} mm"


def _html(case: Case) -> str:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = files(__package__).joinpath("case_report.html").read_text("utf-8")
    pictures = [(text, _address(draw)) for text, draw in _pictures(case)]
    return environment.from_string(template).render(
        case=case,
        pictures=pictures,
        table=_table(case),
        left_out=max(0, len(case.objects) - MOST_ROWS),
        script=sorting_script(),
        policy=page_policy(),
    )


def _pdf(case: Case) -> bytes:
    pictures, page = _pictures(case), Figure(A4)
    page.text(0.07, 0.955, case.title, fontsize=16, weight="bold")
    across = 3
    for number, (text, draw) in enumerate(pictures):
        down, right = divmod(number, across)
        plot = page.add_axes((0.07 + 0.295 * right, 0.71 - 0.235 * down, 0.27, 0.2))
        draw(plot)
        plot.set_title(text, fontsize=7, loc="left")
    low = 0.71 - 0.235 * ((len(pictures) - 1) // across)
    table = _table(case)
    plot = page.add_axes((0.07, 0.14, 0.86, low - 0.17))
    plot.set_axis_off()
    drawn = plot.table(table.rows, colLabels=table.titles, loc="upper left")
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(6.5 if len(table.titles) <= 9 else 5)
    drawn.auto_set_column_width(list(range(len(table.titles))))
    lines = [f"{name}: {value}" for name, value in case.facts.items()]
    page.text(0.07, 0.13, "\n".join(lines), fontsize=6, va="top", wrap=True)
    content = io.BytesIO()
    page.savefig(content, format="pdf", dpi=200, metadata={"Title": case.title})
    return content.getvalue()


def _table(case: Case) -> ShownTable:
    """Give as many rows as fit, of the largest objects."""
    largest = sorted(case.objects, key=lambda one: -one.voxels)[:MOST_ROWS]
    return shown_table([one for one in case.objects if one in largest])


def _pictures(case: Case) -> list[tuple[str, Draw]]:
    """Tell what is drawn: the largest objects where they are longest, and surfaces."""
    labels = case.labels
    used = np.unique(labels[labels > 0]).tolist()
    colours = {k: COLOURS[(k - 1) % len(COLOURS)] for k in used} | dict(case.colours)
    found: list[tuple[str, Draw]] = []
    sizes = case.spacing or (1.0,) * labels.ndim
    for index, shown in _shown(case).items():
        draw = partial(
            draw_slice,
            image=None if case.image is None else np.asarray(case.image[index]),
            labels=labels[index],
            objects=shown,
            colours=colours,
            spacing=(sizes[-2], sizes[-1]),
        )
        where = "" if index is ... else f", slice {index}"
        names = [one.name or f"Object {one.label}" for one in shown]
        found.append((", ".join(names) + where, draw))
    if labels.ndim == 3:
        affine = case.affine
        if affine is None:  # columns to the right, rows and slices downwards
            affine = UNSEEN @ np.eye(4)[[2, 1, 0, 3]] @ np.diag([*sizes, 1.0])
        draw = partial(draw_surfaces, labels=labels, colours=colours, affine=affine)
        found.append(("Surfaces", draw))
    return found


def _shown(case: Case) -> dict[Any, list[ObjectMeasures]]:
    """Choose slices: those where the largest objects are longest, in their order."""
    found: dict[Any, list[ObjectMeasures]] = {}
    for one in sorted(case.objects, key=lambda one: -one.voxels):
        index = one.longest.index if case.labels.ndim == 3 else ...
        if index in found or len(found) < MOST_SLICES:
            found.setdefault(index, []).append(one)
    return found


def _address(draw: Draw) -> str:
    """Draw a picture, as the address of an image."""
    figure = Figure((3.2, 3.2), layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    draw(figure.add_subplot())
    content = io.BytesIO()
    canvas.print_png(content)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
