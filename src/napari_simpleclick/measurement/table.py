"""Measures as a table: one row an object, or one row a slice of an object."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from napari_simpleclick.measurement.objects import PERCENTILES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_simpleclick.measurement.objects import ObjectMeasures

Row = dict[str, Any]


def object_rows(objects: Sequence[ObjectMeasures]) -> list[Row]:
    """Give one row an object; the units are in the names of the columns.

    Parameters
    ----------
    objects : sequence of ObjectMeasures
        As :func:`napari_simpleclick.measurement.measure` gives them.

    Returns
    -------
    list of dict
        Column name to a number, a text, or None for what an object does not have.
    """
    return [_object_row(one) for one in objects]


def _object_row(one: ObjectMeasures) -> Row:
    unit, largest = one.unit, one.longest
    row: Row = {
        **_who(one),
        "voxels" if one.volume is not None else "pixels": one.voxels,
        "parts": one.parts,
        "slices": len(one.slices),
    }
    if one.volume_ml is not None:
        row |= _with_range("volume_ml", one.volume_ml, one.margin, 1e-3)
    elif one.volume is not None:
        row |= _with_range("volume_px3", one.volume, one.margin)
    if one.surface is not None:
        row[f"surface_{unit}2"] = one.surface
    if one.volume is None:
        row |= _with_range(f"area_{unit}2", one.slices[0].area, one.margin)
    row |= {
        f"longest_diameter_{unit}": largest.diameters.longest,
        f"perpendicular_{unit}": largest.diameters.across,
        f"product_{unit}2": largest.diameters.product,
        "slice_of_longest": largest.index,
        f"feret_{unit}": one.feret,
    }
    row |= {f"centroid_{n}": at for n, at in enumerate(one.centroid)}
    if one.place is not None:
        row |= {
            f"{name}_mm": at
            for name, at in zip(
                ("right", "anterior", "superior"), one.place, strict=True
            )
        }
    for name, inside in one.intensities.items():
        row |= {
            f"{name}_mean": inside.mean,
            f"{name}_sd": inside.sd,
            f"{name}_median": inside.median,
        }
        row |= {
            f"{name}_p{at}": value
            for at, value in zip(PERCENTILES, inside.percentiles, strict=True)
        }
    return row


def _with_range(
    name: str, value: float, margin: float | None, factor: float = 1.0
) -> Row:
    """Give a size, and between which the true one lies nine times out of ten."""
    if margin is None:
        return {name: value, f"{name}_low": None, f"{name}_high": None}
    low, high = max(0.0, value - factor * margin), value + factor * margin
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _who(one: ObjectMeasures) -> Row:
    """Name an object, and its time point if there are several."""
    when = {} if one.time is None else {"time": one.time}
    return {"object": one.label, "name": one.name, **when}


def slice_rows(objects: Sequence[ObjectMeasures]) -> list[Row]:
    """Give one row for every slice of every object.

    Parameters
    ----------
    objects : sequence of ObjectMeasures
        As :func:`napari_simpleclick.measurement.measure` gives them.

    Returns
    -------
    list of dict
        Column name to a number or a text.
    """
    return [
        {
            **_who(one),
            "slice": here.index,
            "pixels": here.pixels,
            f"area_{one.unit}2": here.area,
            f"longest_diameter_{one.unit}": here.diameters.longest,
            f"perpendicular_{one.unit}": here.diameters.across,
            f"product_{one.unit}2": here.diameters.product,
        }
        for one in objects
        for here in one.slices
    ]


def to_csv(rows: Sequence[Row]) -> str:
    """Write rows as comma-separated text with a header, for any spreadsheet."""
    return _separated(rows, ",")


def _separated(rows: Sequence[Row], mark: str) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter=mark, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _rounded(value) for name, value in r.items()} for r in rows)
    return text.getvalue()


def to_tsv(rows: Sequence[Row]) -> str:
    """Write rows as tab-separated text, as spreadsheets take it from a clipboard."""
    return _separated(rows, "\t")


def to_json(rows: Sequence[Row]) -> str:
    """Write rows as a JSON list; what is not a finite number is null."""
    plain = [{name: _finite(value) for name, value in row.items()} for row in rows]
    return json.dumps(plain, indent=2)


def _rounded(value: Any) -> Any:
    """Six digits are more than any of the measures is sure of."""
    return f"{value:.6g}" if isinstance(value, float) else value


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and value - value != 0 else value
