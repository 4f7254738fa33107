"""A training run in one file."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    from pathlib import Path


class Stage(BaseModel):
    """A stretch of training at one crop size, with one cycle of the learning rate.

    Parameters
    ----------
    size : int
        Side of the crops, px.
    batch : int
        Samples per step.
    steps : int
        Number of optimiser steps.
    rate : float
        Peak learning rate, reached after the warm-up.
    final_rate : float
        Learning rate at the end of the stage, as a share of the peak.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(gt=0)
    batch: int = Field(gt=0)
    steps: int = Field(gt=0)
    rate: float = Field(gt=0)
    final_rate: float = Field(0.1, ge=0, le=1)


class TrainConfig(BaseModel):
    """Everything that a run depends on, besides the images.

    Parameters
    ----------
    network : str
        Name of a network in :data:`napari_simpleclick.networks.NETWORKS`.
    start : str
        Weights to start from, a catalogue name or a file; empty for random ones.
    stages : tuple of Stage
        Run one after the other; the position embedding is resized in between.
    weights : dict
        Share of each image set, 1 where not named; ``synthetic`` (drawn images) and
        ``lesions`` (drawn into images of the sets) are 0 if not named.
    wholes : dict
        By set, probability that labels which touch are one object (the whole tumour
        instead of its parts).
    single_click : float
        Probability that a sample starts with a single positive click.
    correction : float
        Probability that a sample starts with a damaged mask instead.
    clicks : {"last", "every"}
        Learn from the answer to the last of 1 to 4 clicks, as published, or from each
        of 4 clicks, one optimiser step each, on the same crops.
    weight_decay : float
        Of AdamW.
    average : float
        Decay of the exponential moving average that is shipped.
    save_every : int
        Steps between checkpoints.
    seed : int
        Seed of data and initialisation.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: str
    start: str = ""
    stages: tuple[Stage, ...]
    weights: dict[str, float] = {}
    wholes: dict[str, float] = {}
    single_click: float = Field(0.6, ge=0, le=1)
    correction: float = Field(0.0, ge=0, le=1)
    clicks: Literal["last", "every"] = "last"
    weight_decay: float = 0.02
    average: float = 0.999
    save_every: int = 200
    seed: int = 0


def read_config(path: Path) -> TrainConfig:
    """Read a run from a TOML file.

    Raises
    ------
    ValueError
        If the file is not valid TOML, or a key or value is wrong.
    """
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text())
        return TrainConfig(**values)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"'{path}' is not valid TOML: {error}.") from error
    except ValidationError as error:
        unknown_first = sorted(
            error.errors(), key=lambda one: one["type"] != "extra_forbidden"
        )
        first = unknown_first[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"'{path}': {place}: {first['msg']}.") from error
