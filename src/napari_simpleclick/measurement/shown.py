"""Measures as a person reads them: units that fit, and digits that count."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_simpleclick.measurement.objects import ObjectMeasures

PLUS_MINUS = "\N{PLUS-MINUS SIGN}"
"""Title of the column of ranges."""

SMALL_MM = 0.5
"""Objects below this are measured in µm, and below a thousandth of it in nm."""


class Unit(NamedTuple):
    """A unit of length, and what goes with it.

    Parameters
    ----------
    length, area, volume : str
        What they are called.
    factor : float
        Lengths as they are measured times this are in this unit.
    volume_factor : float
        The same for volumes.
    """

    length: str
    area: str
    volume: str
    factor: float
    volume_factor: float


class ShownTable(NamedTuple):
    """A table of texts.

    Parameters
    ----------
    titles : list of str
        Of the columns.
    rows : list of list of str
        One an object, or an object at a time point.
    """

    titles: list[str]
    rows: list[list[str]]


def unit_for(objects: Sequence[ObjectMeasures]) -> Unit:
    """Choose the unit that fits the largest object; px where sizes are not known."""
    if not objects or objects[0].unit == "px":
        return Unit("px", "px²", "voxels", 1.0, 1.0)
    largest = max(one.feret for one in objects)
    if largest >= SMALL_MM:
        return Unit("mm", "mm²", "mL", 1.0, 1e-3)
    name, factor = ("µm", 1e3) if largest >= SMALL_MM / 1e3 else ("nm", 1e6)
    return Unit(name, f"{name}²", f"{name}³", factor, factor**3)


def digits(value: float | None, count: int = 3) -> str:
    """Write a number with so many digits that count; an en dash for none."""
    if value is None or not math.isfinite(value):
        return "\N{EN DASH}"
    if value == 0:
        return "0"
    places = count - 1 - math.floor(math.log10(abs(value)))
    return f"{value:,.{max(0, places)}f}"


def shown_table(objects: Sequence[ObjectMeasures]) -> ShownTable:
    """Give the measures that are looked at most, the unit in each column's title.

    Parameters
    ----------
    objects : sequence of ObjectMeasures
        As :func:`napari_simpleclick.measurement.measure` gives them.
    """
    unit = unit_for(objects)
    columns: dict[str, Callable[[ObjectMeasures], str]] = {"Object": _name}
    if any(one.time is not None for one in objects):
        columns["Time"] = lambda one: str(one.time)
    columns |= _sizes(objects, unit)
    names = dict.fromkeys(name for one in objects for name in one.intensities)
    for name in names:
        spread = "SD" if len(names) == 1 else f"{name} SD"
        columns[f"{name} mean"] = partial(_intensity, name, "mean")
        columns[spread] = partial(_intensity, name, "sd")
    rows = [[text(one) for text in columns.values()] for one in objects]
    return ShownTable(list(columns), rows)


def _name(one: ObjectMeasures) -> str:
    return one.name or f"Object {one.label}"


def _intensity(name: str, what: str, one: ObjectMeasures) -> str:
    return digits(getattr(one.intensities[name], what))


def _sizes(
    objects: Sequence[ObjectMeasures], unit: Unit
) -> dict[str, Callable[[ObjectMeasures], str]]:
    """Columns of sizes."""
    length, area = unit.factor, unit.factor**2
    columns: dict[str, Callable[[ObjectMeasures], str]] = {}
    if any(one.volume is not None for one in objects):
        size, factor = f"Volume ({unit.volume})", unit.volume_factor
    else:
        size, factor = f"Area ({unit.area})", area
    columns[size] = lambda one: digits(
        (one.slices[0].area if one.volume is None else one.volume) * factor
    )
    columns[PLUS_MINUS] = lambda one: digits(
        None if one.margin is None else one.margin * factor, 2
    )
    columns |= {
        f"Longest ({unit.length})": lambda one: digits(
            one.longest.diameters.longest * length
        ),
        f"Across ({unit.length})": lambda one: digits(
            one.longest.diameters.across * length
        ),
        f"Product ({unit.area})": lambda one: digits(
            one.longest.diameters.product * area
        ),
        f"Feret ({unit.length})": lambda one: digits(one.feret * length),
    }
    if any(one.surface is not None for one in objects):
        columns[f"Surface ({unit.area})"] = lambda one: digits(
            None if one.surface is None else one.surface * area
        )
    columns["Parts"] = lambda one: str(one.parts)
    return columns
