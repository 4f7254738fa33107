"""The weights that the program knows by name."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path

OFFICIAL_PAGE = (
    "https://drive.google.com/drive/folders/1qpK0gtAPkVMF7VC42UA9XF4xMWr5KJmL"
)
"""Folder linked from the SimpleClick README; it has no stable file addresses."""

BUNDLED = "encode-once"
"""What ``"bundled"`` stands for: the packaged weights that need the fewest clicks."""

BUNDLED_BEFORE = "simpleclick-xtiny"
"""What it stood for in records written before weights were recorded by their names."""

OFFICIAL_ORIGIN = "Liu et al., SimpleClick (ICCV 2023), github.com/uncbiag/SimpleClick"


@dataclass(frozen=True)
class Card:
    """What is known about a set of weights.

    Parameters
    ----------
    name : str
        Name in the catalogue, or of the file.
    network : str
        Name in :data:`napari_simpleclick.networks.NETWORKS`.
    file : str
        File name.
    origin, training_data, licence : str
        Who made the weights, from what, and the terms of use.
    bytes : int
        Size of the file; 0 where unknown.
    sha256, md5, xxh128 : str
        Checksums; empty where unknown.
    url : str
        Address of the file; empty where it has none.
    drive : str
        Id of the file on Google Drive, or of a folder there that holds it; empty where
        it is not there.
    drive_name : str
        Pattern of the file's name in that folder, in small letters; empty where
        ``drive`` is the file itself.
    page : str
        Page on which a person finds the file.
    title : str
        What a person reads; the name where it is empty.
    """

    name: str
    network: str
    file: str
    origin: str = OFFICIAL_ORIGIN
    training_data: str = "unknown"
    licence: str = "unknown"
    bytes: int = 0
    sha256: str = ""
    md5: str = ""
    xxh128: str = ""
    url: str = ""
    drive: str = ""
    drive_name: str = ""
    page: str = ""
    title: str = ""

    @property
    def published_checksum(self) -> str | None:
        """The best known checksum of the file, after its algorithm and ``:``."""
        known = ("sha256", self.sha256), ("md5", self.md5), ("xxh128", self.xxh128)
        return next((f"{kind}:{sum_}" for kind, sum_ in known if sum_), None)

    @property
    def is_fetched(self) -> bool:
        """Whether there is a way to download it without a person."""
        return bool(self.url or self.drive)

    @property
    def terms(self) -> str:
        """The licence, and in words if it forbids commercial use."""
        if not re.search(r"\bNC\b|non-?commercial", self.licence, re.IGNORECASE):
            return self.licence
        return f"{self.licence}. Not for commercial use"

    @property
    def packaged(self) -> Path | None:
        """The file in this package; None for weights that do not come with it."""
        path = Path(str(files("napari_simpleclick.weights").joinpath(self.file)))
        return path if path.is_file() else None


@cache
def catalogue() -> dict[str, Card]:
    """All known weights by name, the packaged ones first."""
    text = files("napari_simpleclick.weights").joinpath("catalogue.toml").read_text()
    cards = {}
    for name, fields in tomllib.loads(text).items():
        card = Card(name=name, **fields)
        official = card.origin == OFFICIAL_ORIGIN
        cards[name] = replace(card, page=OFFICIAL_PAGE) if official else card
    return cards


def find_card(name_or_path: str | Path) -> Card | None:
    """Card of known weights; None for the path of a file.

    Parameters
    ----------
    name_or_path : str or Path
        A name in the catalogue, ``"bundled"`` for the packaged weights that need the
        fewest clicks, or anything else.
    """
    name = str(name_or_path)
    return catalogue().get(BUNDLED if name == "bundled" else name)
