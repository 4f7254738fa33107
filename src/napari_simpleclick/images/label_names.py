"""Names and colours of labels: in the file of the mask, or in a small one beside it."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import nibabel

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.error_text import reason
from napari_simpleclick.images.formats.ngff import about_group
from napari_simpleclick.images.optional_packages import require

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAMES_KEY = "napari-simpleclick names"
"""Key under which a layer's metadata hold a call that gives its labels' names."""

PLAIN_COLOUR = "#808080"
"""Of labels that were given none."""

SLICER = ".seg.nrrd"
"""End of the names of 3D Slicer's segmentations, which hold names and colours."""

TEXT, JSON = "_labels.txt", ".json"
"""What is added to a mask's name for ITK-SNAP's label descriptions, and for JSON."""

BESIDE = {".nii": TEXT, ".nii.gz": TEXT, ".nrrd": TEXT, ".mha": TEXT}
BESIDE |= {".tif": JSON, ".tiff": JSON}

OWN_LABEL = re.compile(r"label (\d+)")
"""What the segment of a label is called in the DICOM files that are written here."""

HEAD = """\
################################################
# ITK-SnAP Label Description File
# File format:
# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL
# Fields:
#    IDX:   Zero-based index
#    -R-:   Red color component (0..255)
#    -G-:   Green color component (0..255)
#    -B-:   Blue color component (0..255)
#    -A-:   Label transparency (0.00 .. 1.00)
#    VIS:   Label visibility (0 or 1)
#    IDX:   Label mesh visibility (0 or 1)
#  LABEL:   Label description
################################################
    0     0    0    0        0  0  0    "Clear Label"
"""
ROW = re.compile(
    r'^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+\S+\s+[01]\s+[01]\s+"(.*)"\s*$', re.MULTILINE
)


@dataclass(frozen=True)
class LabelName:
    """What a label of a mask is called, and how it is coloured.

    Parameters
    ----------
    label : int
        The number in the mask, from 1.
    name : str
        Its name; line breaks and runs of spaces count as one space.
    colour : str
        As ``#rrggbb``.
    category : str
        What kind of thing it is; empty for none. JSON alone has a place for it.
    """

    label: int
    name: str
    colour: str = PLAIN_COLOUR
    category: str = ""

    def __post_init__(self) -> None:
        """Bring the name onto one line."""
        object.__setattr__(self, "name", " ".join(self.name.split()))

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green and blue, 0 to 255."""
        red, green, blue = bytes.fromhex(self.colour.removeprefix("#")[:6])
        return red, green, blue

    @classmethod
    def of_rgb(cls, label: int, name: str, rgb: Sequence[int]) -> LabelName:
        """Give a name whose colour is red, green and blue, 0 to 255."""
        return cls(label, name, "#" + bytes(rgb).hex())


def names_of(labels: Sequence[int], names: Sequence[LabelName]) -> list[LabelName]:
    """Name labels, also those that were given no name."""
    known = {one.label: one for one in names}
    return [known.get(one, LabelName(one, f"label {one}")) for one in labels]


def path_beside(path: Path) -> Path | None:
    """Where the names of a mask's labels are that its file cannot hold.

    Parameters
    ----------
    path : Path
        The mask.

    Returns
    -------
    Path or None
        ``mask_labels.txt`` of ``mask.nii.gz``, .nrrd and .mha; ``mask.json`` of
        ``mask.tif``; None if the file itself has them (.seg.nrrd, .dcm), or if there
        is no place for them (pictures).
    """
    if path.name.lower().endswith(SLICER):
        return None
    for suffix in sorted(BESIDE, key=len, reverse=True):
        if path.name.lower().endswith(suffix):
            return path.with_name(path.name[: -len(suffix)] + BESIDE[suffix])
    return None


def check_beside(path: Path) -> None:
    """Refuse to replace a file that holds something else than names of labels.

    Raises
    ------
    UserError
        If there is such a file.
    """
    try:
        if path.exists() and _read_beside(path) is None:
            raise UserError("it is something else")
    except (OSError, UserError) as error:
        raise UserError(
            f"'{path}' is there already and is no list of labels, so it is not "
            "replaced; save the mask under another name."
        ) from error


def write_beside(path: Path, names: Sequence[LabelName]) -> None:
    """Write names and colours of labels.

    Parameters
    ----------
    path : Path
        If it ends in .json, a JSON object; else a label description file of ITK-SNAP,
        whose names have ' for ".
    names : sequence of LabelName
        The labels.
    """
    if path.suffix == JSON:
        content = {"labels": [_as_json(one) for one in names]}
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    else:
        text = HEAD + "".join(map(_row, names))
    path.write_text(text, encoding="utf-8")


def _as_json(one: LabelName) -> dict[str, Any]:
    """Give the JSON value of a label; without a category there is no word of one."""
    return {k: value for k, value in asdict(one).items() if value or k != "category"}


def _row(one: LabelName) -> str:
    red, green, blue = one.rgb
    name = one.name.replace('"', "'")
    return (
        f'{one.label:5d} {red:5d} {green:4d} {blue:4d} {1:8d} {1:2d} {1:2d}    "{name}"'
        "\n"
    )


def read_label_names(path: Path) -> tuple[LabelName, ...]:
    """Read what the labels of a mask are called.

    Parameters
    ----------
    path : Path
        The mask, as written by `napari_simpleclick.images.files.write_labels`; the
        numbers of a DICOM segmentation are those of its segments.

    Returns
    -------
    tuple of LabelName
        Empty if there are no names, or the file beside it is something else's.

    Raises
    ------
    UserError
        If the file of names is damaged.
    ImportError
        If the format needs a package that is not installed.
    """
    if path.is_dir():
        return _read_zarr(path)
    if path.name.lower().endswith(SLICER):
        return _read_slicer(path)
    if path.suffix.lower() == ".dcm":
        return _read_dicom(path)
    beside = path_beside(path)
    found = _read_beside(beside) if beside is not None and beside.exists() else None
    if not found and path.name.lower().endswith((".nii", ".nii.gz")):
        found = _read_nifti(path)
    return found or ()


def _read_beside(path: Path) -> tuple[LabelName, ...] | None:
    """Read a file of names; None if it is something else.

    Whole JSON without labels that have numbers is another program's, and so is text
    without a row of ITK-SNAP.

    Raises
    ------
    UserError
        If it cannot be read, is broken JSON, or its labels have other fields than ours.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == JSON:
            return _of_json(json.loads(text))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        if path.suffix != JSON and isinstance(error, UnicodeDecodeError):
            return None
        raise UserError(
            f"The names of labels in '{path}' cannot be read ({reason(error)}); mend "
            "the file, or move it away."
        ) from error
    rows = [(*map(int, row[:4]), row[4]) for row in ROW.findall(text)]
    if not rows:
        return None
    return tuple(
        LabelName.of_rgb(label, name, (red, green, blue))
        for label, red, green, blue, name in rows
        if label and max(red, green, blue) < 256
    )


def _of_json(content: Any) -> tuple[LabelName, ...] | None:
    """Give the names in JSON; None if it is about something else."""
    labels = content.get("labels") if isinstance(content, dict) else None
    if not isinstance(labels, list):
        return None
    if not all(
        isinstance(one, dict) and {"label", "name"} <= set(one) for one in labels
    ):
        return None
    return tuple(LabelName(**one) for one in labels)


def _read_nifti(path: Path) -> tuple[LabelName, ...]:
    """Read the table that TotalSegmentator and Connectome Workbench add to a header."""
    header: Any = nibabel.load(path).header
    for extension in getattr(header, "extensions", ()):
        content = extension.get_content()
        text = content if isinstance(content, bytes) else str(content).encode()
        if b"<LabelTable" in text:
            with suppress(ElementTree.ParseError, ValueError, KeyError):
                root = ElementTree.fromstring(text.strip(b"\0 \n"))
                found = map(_of_element, root.iter("Label"))
                return tuple(one for one in found if one.label)
    return ()


def _of_element(label: ElementTree.Element) -> LabelName:
    parts = (float(label.attrib[key]) for key in ("Red", "Green", "Blue"))
    rgb = [round(255 * min(max(part, 0.0), 1.0)) for part in parts]
    return LabelName.of_rgb(int(label.attrib["Key"]), label.text or "", rgb)


def _read_zarr(path: Path) -> tuple[LabelName, ...]:
    """Read the names, classes and colours of a label map of OME-Zarr."""
    about = about_group(path).get("image-label", {})
    colours = {
        one.get("label-value"): one.get("rgba", ())[:3]
        for one in about.get("colors") or ()
    }
    titles = {one.get("label-value"): one for one in about.get("properties") or ()}
    found = []
    for label in {**titles, **colours}:
        if isinstance(label, int) and label:
            rgb, about_label = colours.get(label), titles.get(label, {})
            colour = "#" + bytes(rgb).hex() if rgb else PLAIN_COLOUR
            title = str(about_label.get("name", f"label {label}"))
            category = str(about_label.get("class", ""))
            found.append(LabelName(label, title, colour, category))
    return tuple(found)


def _read_slicer(path: Path) -> tuple[LabelName, ...]:
    reader: Any = require("SimpleITK", "itk", "read NRRD files").ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    found, keys, number = [], set(reader.GetMetaDataKeys()), 0
    while f"Segment{number}_LabelValue" in keys:
        value, name, colour = (
            reader.GetMetaData(f"Segment{number}_{key}")
            for key in ("LabelValue", "Name", "Color")
        )
        rgb = [round(255 * float(part)) for part in colour.split()]
        found.append(LabelName.of_rgb(int(value), name, rgb))
        number += 1
    return tuple(found)


def _read_dicom(path: Path) -> tuple[LabelName, ...]:
    task = "read DICOM segmentations"
    data: Any = require("pydicom", "dicom", task).dcmread(path, stop_before_pixels=True)
    lab = require("highdicom.color", "dicom", task).CIELabColor
    found = []
    for segment in data.get("SegmentSequence", ()):
        number, name = int(segment.SegmentNumber), str(segment.SegmentLabel)
        own = OWN_LABEL.fullmatch(name)
        number = int(own[1]) if own else number
        value = segment.get("RecommendedDisplayCIELabValue")
        if value is None:
            found.append(LabelName(number, name))
        else:
            rgb = lab.from_dicom_value(value).to_rgb(clip=True)
            found.append(LabelName.of_rgb(number, name, rgb))
    return tuple(found)
