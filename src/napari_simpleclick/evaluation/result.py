"""What an evaluation found: the JSON that `evaluate` writes and reports read."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

VERSION: Literal[1] = 1
"""Of the JSON; raised when a field changes its meaning."""


class CaseResult(BaseModel):
    """One object, annotated click by click.

    Parameters
    ----------
    name : str
        Image, and slice of a volume.
    instance : int
        Label of the object in its mask.
    clicks : tuple
        (row, column, positive) of each click, px; of a box and a scribble, of the
        click in its middle.
    ious : tuple of float
        IoU of the mask after each click, 0 to 1, of float32 precision.
    seconds : float
        Wall time of the whole object, loading of the image included.
    times : tuple of float
        For a person: seconds from the start of the case to each click, without
        pauses.
    final_iou : float or None
        For a person: of the mask they were content with, painting included.
    prompts : tuple of dict
        What was shown, as sessions write it, where it was not clicks alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    instance: int
    clicks: tuple[tuple[int, int, bool], ...]
    ious: tuple[float, ...]
    seconds: float
    times: tuple[float, ...] = ()
    final_iou: float | None = None
    prompts: tuple[dict[str, Any], ...] = ()


class FindResult(BaseModel):
    """What *Find similar* found on images that nobody clicked on.

    Parameters
    ----------
    examples : int
        Objects that were learned from, on images of their own.
    images, objects : int
        What was searched, and how many objects there are.
    proposed, right : int
        How much was proposed, and how much of that is an object (IoU above 0.5).
    precision, recall : float or None
        Share of what was proposed that is right, and of the objects that were found.
    miou : float or None
        Mean IoU of what is right.
    clicks_saved : int
        Clicks that the robot needs to bring the found objects as far as they were
        proposed. Every proposal costs a key instead: ``proposed`` of them.
    seconds : float
        Wall time of an image.
    seconds_learning : float
        Wall time of what comes before the first image.
    decoded : int
        How often the network answered a click, learning included.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    examples: int
    images: int
    objects: int
    proposed: int
    right: int
    precision: float | None
    recall: float
    miou: float | None
    clicks_saved: int
    seconds: float
    seconds_learning: float
    decoded: int


class Measured(BaseModel):
    """Clicks and overlaps on the measured objects.

    Parameters
    ----------
    noc : dict
        As of :class:`Result`.
    miou : list of float
        As of :class:`Result`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    noc: dict[str, float | None]
    miou: tuple[float, ...]


class CurvePoint(Measured):
    """The same after so many objects were learned from.

    Parameters
    ----------
    objects : int
        How many.
    """

    objects: int


class TaughtResult(BaseModel):
    """What teaching on objects of the data set changed, on the others.

    Parameters
    ----------
    objects : int
        How many were learned from.
    seconds : float
        How long it took.
    batches : int
        How many batches that were.
    adopted : bool
        Whether objects that were not learned from needed fewer clicks; if not, the
        weights stay, and nothing changes.
    before, after : Measured
        On the same objects.
    curve : tuple of CurvePoint
        After more and more objects, none first.
    names : tuple of str
        What was learned from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    objects: int
    seconds: float
    batches: int
    adopted: bool
    before: Measured
    after: Measured
    curve: tuple[CurvePoint, ...]
    names: tuple[str, ...]


class Result(BaseModel):
    """An evaluation: the summary first, then every case.

    Parameters
    ----------
    version : int
        Of this format.
    dataset : str
        Name of the data set.
    annotator : str
        ``robot``, or the code of a person.
    instances : int
        Number of objects.
    noc : dict
        Mean number of clicks to an IoU of 80, 85 and 90 percent; objects that never
        reach it count as the most clicks. None where clicking stopped before.
    noc_interval : dict
        Bootstrap 95 percent intervals of ``noc``.
    failures : dict
        Number of objects that never reach it (NoF).
    at_limit : dict
        Number of objects whose NoC is the most clicks, reached or not, as published
        tables count.
    miou : list of float
        Mean IoU after 1, 2, ... clicks, over the clicks that every object has.
    seconds_per_click : float
        Wall time of all objects divided by their clicks.
    pie : float or None
        Seconds per click and pixel of the network's input (InterFormer); None for a
        person.
    weights : str
        Name or file of the weights, or the baseline.
    settings : dict
        Everything else that the numbers depend on.
    cases : tuple of CaseResult
        Every object, in the order of the data set.
    find : FindResult or None
        What *Find similar* found, if that was measured.
    taught : TaughtResult or None
        What the weights have learned from other objects of the data set; all else is
        about the weights before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = VERSION
    dataset: str
    annotator: str = "robot"
    instances: int
    noc: dict[str, float | None]
    noc_interval: dict[str, tuple[float, float] | None]
    failures: dict[str, int | None]
    at_limit: dict[str, int | None]
    miou: tuple[float, ...]
    seconds_per_click: float
    pie: float | None = None
    weights: str
    settings: dict[str, Any]
    cases: tuple[CaseResult, ...]
    find: FindResult | None = None
    taught: TaughtResult | None = None

    def save(self, path: Path) -> None:
        """Write the JSON, a line per case; an old file stays whole until then."""
        values = self.model_dump()
        if self.taught is None:
            del values["taught"]
        cases = ",\n  ".join(json.dumps(case) for case in values.pop("cases"))
        top = json.dumps(values, indent=1).removesuffix("\n}")
        partial = path.with_name(path.name + ".part")
        partial.write_text(
            f'{top},\n "cases": [\n  {cases}\n ]\n}}\n', encoding="utf-8"
        )
        os.replace(partial, path)

    @classmethod
    def read(cls, path: Path) -> Result:
        """Read a JSON file.

        Raises
        ------
        UserError
            If there is no such file or it is not such a result.
        """
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise UserError(f"There is no file '{path}'; check the name.") from error
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"'{path}' is not a result of evaluate; choose the file that --json "
                "wrote."
            ) from error
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise UserError(
                f"'{path}' is not a result of evaluate ({place or 'no JSON'}: "
                f"{error.errors()[0]['msg']}); choose the file that --json wrote."
            ) from error
