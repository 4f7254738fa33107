"""One slice of a DICOM series, a file or a frame of one: what is said about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CENTIMETRES = 3
"""Unit of an ultrasound region (PS3.3, C.8.5.5.1.15)."""


@dataclass(frozen=True, eq=False)
class Slice:
    """A slice; what its header lacks, or what makes no sense there, is None.

    Parameters
    ----------
    path : Path
        The file.
    header : pydicom.Dataset
        All of it but the pixels.
    pixel : tuple of float or None
        Distances of rows and of columns, mm.
    directions : ndarray or None
        (2, 3) unit vectors along a row and along a column.
    position : ndarray or None
        Centre of the first pixel, mm.
    frame : int or None
        Which frame of the file it is; None if the file is the slice.
    groups : tuple of pydicom.Dataset
        Functional groups of a frame: its own, then those of all frames.
    """

    path: Path
    header: Any
    pixel: tuple[float, float] | None
    directions: NDArray[np.float64] | None
    position: NDArray[np.float64] | None
    frame: int | None = None
    groups: tuple[Any, ...] = ()

    @classmethod
    def of(
        cls,
        path: Path,
        header: Any,
        frame: int | None = None,
        groups: tuple[Any, ...] = (),
    ) -> Slice:
        """Take from a header, and from functional groups, what is valid."""
        pixel = numbers(find(header, groups, "PixelSpacing"), 2)
        if pixel is None:
            pixel = _ultrasound_pixel(header)
        along = numbers(find(header, groups, "ImageOrientationPatient"), 6)
        if along is not None:
            along = along.reshape(2, 3)
            area = np.linalg.norm(np.cross(*along))
            along = along if 0.9 < area < 1.1 else None
        return cls(
            path,
            header,
            (pixel[0], pixel[1]) if pixel is not None and pixel.min() > 0 else None,
            along,
            numbers(find(header, groups, "ImagePositionPatient"), 3),
            frame,
            groups,
        )

    @property
    def place(self) -> float | None:
        """Place along the normal of the slice, mm."""
        if self.directions is None or self.position is None:
            return None
        return float(np.cross(*self.directions) @ self.position)

    def find(self, name: str) -> Any:
        """Give an element of the slice, of its frame or of its file; None without."""
        return find(self.header, self.groups, name)

    def number(self, name: str) -> float | None:
        """Give an element that is one finite number; None without."""
        found = numbers(self.find(name), 1)
        return None if found is None else float(found[0])

    @property
    def colour(self) -> bool:
        """Whether its pixels are colours."""
        samples = self.number("SamplesPerPixel") or 1
        return samples > 1 or self.find("PhotometricInterpretation") == "PALETTE COLOR"


def find(header: Any, groups: tuple[Any, ...], name: str) -> Any:
    """Give an element of functional groups, or else of the header; None without."""
    for group in groups:
        for element in group:
            if element.VR == "SQ" and element.value and name in element.value[0]:
                return read_element(element.value[0], name)
    return read_element(header, name)


def read_element(data: Any, name: str) -> Any:
    """Give an element's value; as text if it is none of its kind."""
    try:
        return data.get(name)
    except (ValueError, TypeError, OverflowError):
        raw = data.get_item(name).value
        text = raw.decode("ascii", "replace") if isinstance(raw, bytes) else str(raw)
        parts = text.split("\\")
        return parts if len(parts) > 1 else parts[0]


def numbers(value: Any, count: int) -> NDArray[np.float64] | None:
    """Give an element's finite numbers; None if it has not ``count`` of them.

    Some programs write decimal commas.
    """
    found = np.ravel(value)
    try:
        if found.dtype.kind in "UO":
            found = np.array([str(one).replace(",", ".") for one in found])
        values = found.astype(float)
    except (TypeError, ValueError):
        return None
    return values if values.size == count and np.isfinite(values).all() else None


def number(header: Any, name: str, default: float) -> float:
    """Give an element's number, or ``default`` if there is none."""
    found = numbers(read_element(header, name), 1)
    return float(default if found is None else found[0])


def _ultrasound_pixel(header: Any) -> NDArray[np.float64] | None:
    """Distances of rows and columns of an ultrasound picture with one known region."""
    regions = [
        region
        for region in header.get("SequenceOfUltrasoundRegions") or []
        if region.get("PhysicalUnitsXDirection") == CENTIMETRES
        and region.get("PhysicalUnitsYDirection") == CENTIMETRES
    ]
    if len(regions) != 1:
        return None
    deltas = [regions[0].get(f"PhysicalDelta{axis}") for axis in "YX"]
    found = numbers(deltas, 2)
    return None if found is None else np.abs(found) * 10


def frames_of(path: Path, header: Any) -> list[Slice]:
    """Give the frames of a file as slices.

    Places are those of the functional groups (enhanced images, segmentations), of the
    offsets of a dose, or of the detector of nuclear medicine; None where there are
    none, as in a film of ultrasound.
    """
    count = int(number(header, "NumberOfFrames", 1))
    shared = tuple(header.get("SharedFunctionalGroupsSequence") or [])[:1]
    own = header.get("PerFrameFunctionalGroupsSequence") or []
    if own or shared:
        return [
            Slice.of(path, header, i, (*own[i : i + 1], *shared)) for i in range(count)
        ]
    offsets = numbers(header.get("GridFrameOffsetVector"), count)
    first = Slice.of(path, header, 0)
    if offsets is None:
        detector = tuple(header.get("DetectorInformationSequence") or [])[:1]
        step = number(header, "SpacingBetweenSlices", 0)
        if "SliceVector" in header and detector and step:
            along = numbers(detector[0].get("ImageOrientationPatient"), 6)
            where = numbers(detector[0].get("ImagePositionPatient"), 3)
            along = None if along is None else along.reshape(2, 3)
            first = Slice(path, header, first.pixel, along, where, 0)
            offsets = np.arange(count) * np.float64(step)
    if offsets is None or first.place is None:
        return [Slice(path, header, first.pixel, None, None, i) for i in range(count)]
    assert first.directions is not None
    normal = np.cross(*first.directions)
    return [
        Slice(
            path,
            header,
            first.pixel,
            first.directions,
            first.position + (offset - offsets[0]) * normal,
            i,
        )
        for i, offset in enumerate(offsets)
    ]
