"""Units of length: how files spell them, and what they are in mm."""

from __future__ import annotations

import re

MM = {
    "pm": 1e-9,
    "angstrom": 1e-7,
    "nm": 1e-6,
    "um": 1e-3,
    "mm": 1.0,
    "cm": 10.0,
    "dm": 100.0,
    "m": 1e3,
    "km": 1e6,
    "inch": 25.4,
}
"""Length units that are known, by the name that napari understands, in mm."""

PREFIXES = {
    "pico": "pm",
    "nano": "nm",
    "micro": "um",
    "milli": "mm",
    "centi": "cm",
    "deci": "dm",
    "": "m",
    "kilo": "km",
}
ENDINGS = ("er", "ers", "re", "res")
WORDS = {
    **{f"{name}met{end}": unit for name, unit in PREFIXES.items() for end in ENDINGS},
    **dict.fromkeys(("micron", "microns", "u"), "um"),
    **dict.fromkeys(("angstrom", "angstroms", "angström", "ångström"), "angstrom"),
    **dict.fromkeys(("in", "inches", '"'), "inch"),
    **dict.fromkeys(("", "pixel", "pixels", "px", "voxel", "voxels"), "pixel"),
}
"""Other names, in lower case."""

SYMBOLS = {"\N{MICRO SIGN}": "u", "\N{GREEK SMALL LETTER MU}": "u"}
ANGSTROMS = ("\N{ANGSTROM SIGN}", "\N{LATIN CAPITAL LETTER A WITH RING ABOVE}", "A")
ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


def known_unit(text: object) -> str | None:
    """Tell which unit a file, or napari, means.

    Parameters
    ----------
    text : object
        Such as ``"um"``, ``"nanometers"``, or ImageJ's escapes.

    Returns
    -------
    str or None
        A key of `MM`, ``"pixel"`` if there is no unit, and None for all others.
    """
    name = ESCAPE.sub(lambda found: chr(int(found[1], 16)), str(text)).strip(" .\0")
    if name in ANGSTROMS:
        return "angstrom"
    for sign, letter in SYMBOLS.items():
        name = name.replace(f"\N{LATIN CAPITAL LETTER A WITH CIRCUMFLEX}{sign}", letter)
        name = name.replace(sign, letter)
    if name in MM:
        return name
    lower = name.lower()
    if lower in WORDS:
        return WORDS[lower]
    return lower if lower in MM and name not in ("Mm", "Pm") else None
