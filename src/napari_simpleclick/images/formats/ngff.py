"""What OME-Zarr says about an image, versions 0.1 to 0.5 (https://ngff.openmicroscopy.org)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.units import MM, known_unit

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".ome.zarr", ".zarr")

OLD_AXES = "tczyx"
"""Of versions before axes had names."""

NAMES = {"t": "time", "c": "channel", "z": "z", "y": "y", "x": "x"}
"""Letters of axes, and what they are called here."""

WORDS = {
    "pm": "picometer",
    "angstrom": "angstrom",
    "nm": "nanometer",
    "um": "micrometer",
    "mm": "millimeter",
    "cm": "centimeter",
    "dm": "decimeter",
    "m": "meter",
    "km": "kilometer",
    "inch": "inch",
}
"""Units of length as OME-Zarr spells them."""

VERSIONS = ("0.1", "0.2", "0.3", "0.4", "0.5")


@dataclass(frozen=True)
class Multiscale:
    """An image in several sizes, the largest first.

    Parameters
    ----------
    version : str
        Of the format.
    axes : tuple of str
        Letters or names, as the file has them.
    units : tuple of str
        Per axis, such as ``"um"``; ``"pixel"`` where there is none.
    paths : tuple of str
        Of the arrays, below the image.
    scales : tuple of tuple of float
        Pixel sizes of each array; empty if the file has none.
    origin : tuple of float
        Place of the first pixel of the largest.
    """

    version: str
    axes: tuple[str, ...]
    units: tuple[str, ...]
    paths: tuple[str, ...]
    scales: tuple[tuple[float, ...], ...]
    origin: tuple[float, ...]

    @property
    def axis_labels(self) -> tuple[str, ...]:
        """Names of the axes, as they are called here."""
        return tuple(NAMES.get(one.lower(), one) for one in self.axes)

    @classmethod
    def of(cls, about: dict[str, Any], path: Path) -> Multiscale:
        """Read the first multiscale image of a group.

        Raises
        ------
        UserError
            If it makes no sense, or is of a newer version.
        """
        try:
            found = about["multiscales"][0]
            version = str(about.get("version") or found.get("version") or "0.4")
            if version.split("-")[0] not in VERSIONS:
                raise UserError(
                    f"'{path}' is OME-Zarr {version}, which is newer than what is read "
                    f"here; save it as {VERSIONS[-1]}."
                )
            axes = found.get("axes", list(OLD_AXES))
            axes = [one if isinstance(one, dict) else {"name": one} for one in axes]
            names = tuple(str(one["name"]) for one in axes)
            own = _transform(found.get("coordinateTransformations"), len(names))
            parts = [
                _transform(one.get("coordinateTransformations"), len(names))
                for one in found["datasets"]
            ]
            given = any("coordinateTransformations" in one for one in found["datasets"])
            scales = tuple(_times(scale, own[0]) for scale, _ in parts)
            shift = _times(parts[0][1], own[0])
            origin = tuple(a + b for a, b in zip(shift, own[1], strict=True))
            return cls(
                version,
                names,
                tuple(_unit(one) for one in axes),
                tuple(str(one["path"]) for one in found["datasets"]),
                scales if given else (),
                origin,
            )
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(
                f"'{path}' says nothing valid about its image ({error!r}); have it "
                "written anew."
            ) from error


def _transform(
    steps: list[dict[str, Any]] | None, count: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Give scale and translation, which come in this order."""
    scale, shift = (1.0,) * count, (0.0,) * count
    for step in steps or ():
        if step["type"] == "scale":
            scale = tuple(map(float, step["scale"]))
        elif step["type"] == "translation":
            shift = tuple(map(float, step["translation"]))
    if len(scale) != count or len(shift) != count:
        raise ValueError("transformations have another number of axes")
    return scale, shift


def _times(first: tuple[float, ...], second: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(a * b for a, b in zip(first, second, strict=True))


def _unit(axis: dict[str, Any]) -> str:
    unit = known_unit(axis.get("unit", ""))
    return unit if unit in MM else "pixel"


def about_group(folder: Path) -> dict[str, Any]:
    """Read what OME-Zarr says about a group; empty if it says nothing."""
    for name in ("zarr.json", ".zattrs"):
        try:
            content = json.loads((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if name == "zarr.json":
            content = content.get("attributes", {}).get("ome", {})
        return content if isinstance(content, dict) else {}
    return {}


def is_image(folder: Path) -> bool:
    """Whether a group is an image in several sizes, and no label map."""
    about = about_group(folder)
    return "multiscales" in about and "image-label" not in about


def label_groups(folder: Path) -> list[Path]:
    """List the label maps of an image."""
    names = about_group(folder / "labels").get("labels", [])
    return [folder / "labels" / str(name) for name in names]


def stem(name: str) -> str:
    """Name of an image without its ending."""
    ends = [end for end in SUFFIXES if name.lower().endswith(end)]
    return name[: -len(ends[0])] if ends else name
