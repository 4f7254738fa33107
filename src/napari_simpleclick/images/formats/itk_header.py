"""What headers of NRRD and MetaImage files say that ITK does not pass on."""

from __future__ import annotations

import bz2
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER_BYTES = 2**20
"""Longest header that is looked for."""

QUOTED = re.compile(r'"([^"]*)"')
NO_LIST = re.compile(r"time|.*matrix", re.IGNORECASE)
"""Kinds of axes of NRRD that ITK does not read unless they are called lists."""


def fields(path: Path) -> dict[str, str]:
    """Read the fields of a header, their names in lower case; later ones win."""
    with path.open("rb") as file:
        return _fields(_split(file.read(HEADER_BYTES))[0])


def _split(content: bytes) -> tuple[bytes, bytes]:
    """Divide a file into its header, with the blank line of NRRD, and its data."""
    if not content.startswith(b"NRRD"):
        return content, b""
    end = re.search(rb"\r?\n\r?\n", content)
    return (content[: end.end()], content[end.end() :]) if end else (content, b"")


def _fields(header: bytes) -> dict[str, str]:
    found = {}
    for line in header.decode("latin-1").splitlines():
        name, sign, value = line.partition(": " if header[:4] == b"NRRD" else "=")
        if sign and not name.startswith("#"):
            found[name.strip().lower()] = value.strip()
        if name.strip().lower() == "elementdatafile":
            break
    return found


def unit(known: dict[str, str]) -> str:
    """Give the unit of length of a header; empty if it has none."""
    for name in ("space units", "units"):
        units = [text for text in QUOTED.findall(known.get(name, "")) if text]
        if units:
            return str(units[0])
    return known.get("distanceunits", "").strip("?")


def extra_kind(known: dict[str, str]) -> str:
    """Kind of the axis of an NRRD file that is not of space; empty if it has none."""
    kinds = known.get("kinds", "").split()
    return next((kind for kind in kinds if kind not in ("domain", "space", "???")), "")


@contextmanager
def readable(path: Path, known: dict[str, str]) -> Iterator[Path]:
    """Give a file that ITK reads: the same one, or a copy with another header.

    ITK reads no axis of times or of matrices in NRRD files, and no bzip2.
    """
    packed = known.get("encoding", "").lower() in ("bzip2", "bz2")
    if not (packed or NO_LIST.fullmatch(extra_kind(known))):
        yield path
        return
    header, data = _split(path.read_bytes())
    lines = header.decode("latin-1").splitlines()
    detached = known.get("data file", known.get("datafile", ""))
    beside = path.parent / detached
    if packed:
        data = bz2.decompress(beside.read_bytes() if detached else data)
        lines = [line for line in lines if not line.lower().startswith("data")]
    replaced = {"encoding": "encoding: raw"} if packed else {}
    replaced |= {"data file": f"data file: {beside.resolve()}"}
    kinds = known.get("kinds", "").split()
    listed = ["list" if NO_LIST.fullmatch(kind) else kind for kind in kinds]
    replaced |= {
        "datafile": replaced["data file"],
        "kinds": f"kinds: {' '.join(listed)}",
    }
    lines = [replaced.get(line.partition(":")[0].lower(), line) for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.nrrd"
        copy.write_bytes("\n".join([*lines, "", ""]).encode("latin-1") + data)
        yield copy
