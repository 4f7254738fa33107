"""What a mask says of its objects: sizes, diameters, places and intensities."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_simpleclick.measurement.diameters import Diameters

PERCENTILES = (5, 25, 75, 95)
"""Percentiles of the intensities that are given beside the median."""


@dataclass(frozen=True)
class Intensities:
    """Intensities of an image inside an object.

    Parameters
    ----------
    mean, median, sd : float
        In the image's own values; the standard deviation is that of the voxels (over
        N). NaN voxels are left out.
    percentiles : tuple of float
        At :data:`PERCENTILES`.
    """

    mean: float
    median: float
    sd: float
    percentiles: tuple[float, ...]


@dataclass(frozen=True)
class SliceMeasures:
    """An object in one slice.

    Parameters
    ----------
    index : int
        Number of the slice.
    pixels : int
        Number of its pixels.
    area : float
        In the square of the unit.
    diameters : Diameters
        Longest diameter, and the longest across it.
    """

    index: int
    pixels: int
    area: float
    diameters: Diameters


@dataclass(frozen=True)
class ObjectMeasures:
    """An object of a mask.

    Parameters
    ----------
    label : int
        Its value in the mask.
    name : str
        What the person calls it; empty for no name.
    unit : {"mm", "px"}
        Of lengths; areas and volumes are in its square and cube.
    voxels, parts : int
        Number of voxels, and of parts that touch nowhere, not even at a corner.
    volume : float or None
        In mm³ or px³; None in 2-D.
    surface : float or None
        In mm² or px², see :func:`napari_simpleclick.measurement.surface_area`; None in
        2-D.
    feret : float
        Greatest distance of two of its points.
    centroid : tuple of float
        Mean voxel, px, in the order of the mask's axes.
    place : tuple of float or None
        The same in mm towards right, anterior and superior; None without an affine.
    intensities : dict
        Image name to the intensities inside.
    slices : tuple of SliceMeasures
        Of every slice that it is on, ascending.
    time : int or None
        Number of the time point; None where there is none.
    margin : float or None
        The true volume, or area in 2-D, lies within this of the measured one nine
        times out of ten, see :func:`napari_simpleclick.measurement.volume_margin`; in
        its unit, None where it is not known where the object ends.
    """

    label: int
    name: str
    unit: str
    voxels: int
    parts: int
    volume: float | None
    surface: float | None
    feret: float
    centroid: tuple[float, ...]
    place: tuple[float, float, float] | None
    intensities: Mapping[str, Intensities] = field(default_factory=dict)
    slices: tuple[SliceMeasures, ...] = ()
    time: int | None = None
    margin: float | None = None

    @property
    def volume_ml(self) -> float | None:
        """Volume in mL; None in 2-D and without a unit of length."""
        known = self.volume is not None and self.unit == "mm"
        return self.volume / 1000 if known and self.volume is not None else None

    @property
    def longest(self) -> SliceMeasures:
        """The slice with the longest diameter."""
        return max(self.slices, key=lambda one: one.diameters.longest)
