"""The slices of a DICOM series to one volume, or to several."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.formats.dicom_geometry import (
    SAME,
    matrix,
    place_matrix,
    slice_distance,
    thickness,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from napari_simpleclick.images.formats.dicom_slice import Slice

FEW = 3
"""Slices that make a volume of their own beside others in the same series."""

DIMENSIONS = (
    ("TemporalPositionIdentifier", "time"),
    ("TemporalPositionIndex", "time"),
    ("EchoTime", "channel"),
    ("EffectiveEchoTime", "channel"),
    ("EchoNumbers", "channel"),
    ("DiffusionBValue", "channel"),
    ("InversionTime", "channel"),
    ("FlipAngle", "channel"),
    ("ImageType", "channel"),
    ("FrameType", "channel"),
    ("TriggerTime", "time"),
    ("NominalCardiacTriggerDelayTime", "time"),
    ("AcquisitionNumber", "time"),
    ("AcquisitionDateTime", "time"),
    ("AcquisitionTime", "time"),
    ("ContentTime", "time"),
    ("InstanceNumber", "time"),
)
"""What may tell the slices at one place apart, and the axis that it makes."""


RANKS = ("AcquisitionTime", "ContentTime", "InstanceNumber")
"""Those of which only the order at each place counts."""

NAMED = 5
"""Files that are named in a message, at most."""


@dataclass(frozen=True)
class Layout:
    """How slices make a volume.

    Parameters
    ----------
    slices : tuple of Slice
        In the order of the last axis; all of the first time or channel come first.
    affine : ndarray
        (4, 4) from column, row, slice to mm (right, anterior, superior).
    repeats : int
        Times or channels.
    axis : str
        What these are: ``"time"`` or ``"channel"``; empty for one.
    warnings : tuple of str
        What is not as it should be.
    """

    slices: tuple[Slice, ...]
    affine: NDArray[np.float64]
    repeats: int = 1
    axis: str = ""
    warnings: tuple[str, ...] = ()


def split(slices: list[Slice]) -> list[list[Slice]]:
    """Put slices of one size, pixel size, direction and colour together.

    Returns
    -------
    list of list of Slice
        The largest group first.
    """
    groups: list[list[Slice]] = []
    for one in slices:
        for group in groups:
            if _alike(one, group[0]):
                group.append(one)
                break
        else:
            groups.append([one])
    return sorted(groups, key=len, reverse=True)


def _alike(one: Slice, other: Slice) -> bool:
    sizes, colours, stacks = (
        [(s.header.Columns, s.header.Rows) for s in (one, other)],
        [s.colour for s in (one, other)],
        [s.find("StackID") for s in (one, other)],
    )
    if sizes[0] != sizes[1] or colours[0] != colours[1] or stacks[0] != stacks[1]:
        return False
    pixels = np.array([s.pixel or (1.0, 1.0) for s in (one, other)])
    if np.abs(pixels[0] - pixels[1]).max() > SAME * pixels.min():
        return False
    if one.directions is None or other.directions is None:
        return one.directions is other.directions
    return bool(np.abs(one.directions - other.directions).max() <= SAME)


def difference(one: Slice, other: Slice) -> str:
    """Say why two slices cannot lie in one volume."""
    sizes = [f"{s.header.Columns} x {s.header.Rows}" for s in (one, other)]
    if sizes[0] != sizes[1]:
        return "different sizes ({} and {} pixels)".format(*sizes)
    if one.colour != other.colour:
        return "different kinds of pixels (one is in colour)"
    if one.directions is None or other.directions is None:
        if one.directions is not other.directions:
            return "slices with and without a direction"
    elif np.abs(one.directions - other.directions).max() > SAME:
        return "slices in different directions, as a localizer has"
    if one.find("StackID") != other.find("StackID"):
        return "several stacks"
    pixels = ("{:g} x {:g}".format(*(s.pixel or (1, 1))) for s in (one, other))
    return "different pixel sizes ({} and {} mm)".format(*pixels)


def arrange(slices: list[Slice], which: str) -> Layout:
    """Find order, distances and place of slices that are alike.

    Parameters
    ----------
    slices : list of Slice
        One of the groups of `split`, without copies.
    which : str
        What to call them in messages.

    Raises
    ------
    UserError
        If several are at one place and nothing tells them apart.
    """
    places = [one.place for one in slices]
    known = [place for place in places if place is not None]
    if len(known) < len(slices):
        return _without_places(slices, which)
    order = np.argsort(known, kind="stable")
    slices, sorted_places = [slices[i] for i in order], np.array(known)[order]
    first = np.flatnonzero(np.diff(sorted_places, prepend=-np.inf) >= SAME)
    counts = np.diff(np.append(first, len(slices)))
    warnings: tuple[str, ...] = ()
    repeats, axis = 1, ""
    if (counts > 1).any():
        stacks, axis, name, rest = _told_apart(slices, first, counts, which)
        repeats = len(stacks)
        if repeats > 1:
            warnings = (
                f"{which} has {repeats} slices at every place, which differ in {name}; "
                f"they are the axis '{axis}'.",
            )
        if rest:
            names = ", ".join(f"'{one.path.name}'" for one in rest[:NAMED])
            more = ", …" if len(rest) > NAMED else ""
            warnings += (
                f"{which} has slices for which others of the same {name} are missing "
                f"({names}{more}); they were left out.",
            )
        slices = [one for stack in stacks for one in stack]
    stack = slices[: len(first)]
    step, odd = slice_distance(stack, sorted_places[first], which)
    affine = place_matrix(stack, step)
    axis = axis if repeats > 1 else ""
    return Layout(tuple(slices), affine, repeats, axis, (*warnings, *odd))


def _told_apart(
    slices: list[Slice], first: NDArray[np.intp], counts: NDArray[np.intp], which: str
) -> tuple[list[list[Slice]], str, str, list[Slice]]:
    """Sort the slices at every place by what makes them different.

    Returns
    -------
    list of list of Slice
        Stacks with one slice at every place.
    str
        Name of their axis.
    str
        Element that tells them apart.
    list of Slice
        Those of stacks that are not complete.
    """
    ends = np.append(first[1:], len(slices))
    sites = [slices[start:end] for start, end in zip(first, ends, strict=True)]
    for name, axis in DIMENSIONS:
        keys = [_sortable([one.find(name) for one in site]) for site in sites]
        if any(None in key or len(set(key)) < len(key) for key in keys):
            continue
        if name in RANKS:
            if (counts != counts[0]).any():
                continue
            keys = [[sorted(key).index(one) for one in key] for key in keys]
        stacks: dict[Any, list[Slice]] = {}
        for site, key in zip(sites, keys, strict=True):
            for value, one in zip(key, site, strict=True):
                stacks.setdefault(value, []).append(one)
        whole = [value for value, stack in stacks.items() if len(stack) == len(sites)]
        if whole:
            rest = [
                one for v, stack in stacks.items() if v not in whole for one in stack
            ]
            return [stacks[value] for value in sorted(whole)], axis, name, rest
    pair = sites[int(np.argmax(counts))][:2]
    names = " and ".join(f"'{one.path.name}'" for one in pair)
    raise UserError(
        f"{which} has several slices at the same position, or nearly so ({names}), and "
        "nothing tells which of them belong together; put those of one time into a "
        "folder of their own."
    )


def _sortable(values: list[Any]) -> list[Any]:
    """Give values of one element that can be compared; None for what cannot."""
    texts = [None if v is None or str(v) == "" else str(v) for v in values]
    try:
        return [None if text is None else float(text) for text in texts]
    except ValueError:
        return list(texts)


def _without_places(slices: list[Slice], which: str) -> Layout:
    """Order slices by what there is instead of positions."""
    one = slices[0]
    directions = np.eye(3)[:2] if one.directions is None else one.directions
    normal = np.cross(*directions)
    locations = _distinct(slices, lambda s: s.number("SliceLocation"))
    if locations is not None and len(slices) > 1:
        slices = [slices[i] for i in np.argsort(locations)]
        places = np.sort(locations)
        step, odd = slice_distance(slices, places, which)
        affine = matrix(slices[0], normal * step, normal * places[0])
        told = f"slice locations (SliceLocation), which lie {step:.4g} mm apart"
        return Layout(tuple(slices), affine, 1, "", (_unplaced(which, told), *odd))
    numbers = _distinct(slices, lambda s: s.number("InstanceNumber"))
    if numbers is not None:
        slices, told = [slices[i] for i in np.argsort(numbers)], "numbers"
        told += " (InstanceNumber)"
    else:
        told = "file names" if one.frame is None else "frames"
        slices = sorted(slices, key=_name_key)
    step, source = thickness(one)
    told += f", {step:.4g} mm apart"
    told += f", which is their {source}" if source else ", as nothing says how far"
    # the first of them is seen first: towards inferior, posterior or left
    downwards = normal * np.sign(normal[np.abs(normal).argmax()])
    downwards = downwards if np.abs(normal).argmax() < 2 else -downwards
    affine = matrix(slices[0], downwards * step, np.zeros(3))
    single = len(slices) == 1 and not one.find("ImageOrientationPatient")
    warnings = () if single else (_unplaced(which, told),)
    return Layout(tuple(slices), affine, 1, "", warnings)


def _unplaced(which: str, told: str) -> str:
    return (
        f"{which} does not say where all its slices lie; they are in the order of "
        f"their {told}."
    )


def _distinct(
    slices: list[Slice], value: Callable[[Slice], float | None]
) -> NDArray[np.float64] | None:
    """Give a number of every slice; None if one lacks it or two have the same."""
    found = [value(one) for one in slices]
    if None in found or len(set(found)) < len(found):
        return None
    return np.array(found, float)


def _name_key(one: Slice) -> tuple[list[int | str], int]:
    """Names in the order of the numbers in them, and frames in their order."""
    parts = re.split(r"(\d+)", one.path.name)
    return [int(p) if p.isdigit() else p for p in parts], one.frame or 0
