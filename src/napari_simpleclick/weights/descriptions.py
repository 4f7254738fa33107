"""What the networks are, in words for the person who chooses one."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Description:
    """What a person wants to know of a network before choosing it.

    Parameters
    ----------
    parameters : int
        Numbers that were learnt.
    about : str
        What it is, one sentence without a full stop.
    good_for : str
        What to choose it for, part of a sentence.
    """

    parameters: int
    about: str
    good_for: str

    @property
    def millions(self) -> str:
        """Parameters as they are spoken of."""
        return f"{self.parameters / 1e6:.3g} million parameters"


@cache
def descriptions() -> dict[str, Description]:
    """Descriptions by the names of :data:`napari_simpleclick.networks.NETWORKS`."""
    text = files("napari_simpleclick.weights").joinpath("descriptions.toml").read_text()
    found = {}
    for family in tomllib.loads(text).values():
        for name, parameters in family["parameters"].items():
            good_for = family.get("sizes", {}).get(name, family["good_for"])
            found[name] = Description(parameters, family["about"], good_for)
    return found
