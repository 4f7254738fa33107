"""One object of a data set, annotated by the robot: what a worker process does."""

from __future__ import annotations

import glob
import threading
import time
import zlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from napari_simpleclick.errors import UserError
from napari_simpleclick.evaluation import readers
from napari_simpleclick.evaluation.annotator import Turn, annotate, view_of
from napari_simpleclick.evaluation.datasets import INITIAL_KINDS
from napari_simpleclick.evaluation.report import Strip
from napari_simpleclick.evaluation.result import CaseResult
from napari_simpleclick.evaluation.users import User
from napari_simpleclick.images.files import NIFTI, suffix_of
from napari_simpleclick.images.intensity import default_window
from napari_simpleclick.inference import THRESHOLD, Predictor, ZoomIn
from napari_simpleclick.inference.devices import (
    Precision,
    choose_device,
    choose_precision,
)
from napari_simpleclick.inference.shapes import Mask, damage
from napari_simpleclick.networks.baselines import build_baseline
from napari_simpleclick.prompts import prompt_to_json
from napari_simpleclick.tasks.estimate import Measured
from napari_simpleclick.weights import find_card, load_weights, spec_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.evaluation.datasets import Case
    from napari_simpleclick.networks import NetworkSpec

_one_at_a_time = threading.Lock()
"""A predictor has a state; Dask may give a process more than one thread."""

SHOWN = (1, 2, 3, 5, 10, 20)
"""Clicks after which the report shows the mask."""


def published_size(dataset: str, spec: NetworkSpec) -> tuple[int, int]:
    """Tell the (height, width) of a network's input in the published tables.

    DAVIS is shown half as large again (672 px instead of 448), but not to a network
    that looks closely on its own or takes no larger image.
    """
    height, width = spec.image_size
    if dataset.lower() == "davis" and spec.zooms and not spec.refines:
        height, width = height * 3 // 2, width * 3 // 2
    return height, width


class RobotSettings(BaseModel):
    """What the numbers depend on, besides the data; defaults as published.

    Parameters
    ----------
    weights : str
        Catalogue name or file.
    baseline : str
        A classical method instead of weights, one of
        :data:`napari_simpleclick.networks.baselines.BASELINES`; sees 256 x 256 px.
    clicks : int
        Most clicks per object.
    stop_at : float or None
        IoU to stop at, as the published NoC runs do; None makes all clicks, so that
        NoC and mIoU come from one run.
    threshold : float
        Probability above which a pixel belongs to the mask.
    flip : bool
        Average with the mirrored image.
    size : tuple of int or None
        (height, width) of the network's input, px; None for that of the published
        tables, which depends on the network and the data set.
    keep_aspect : bool
        Show the network the whole image at the first click, and then crops whose longer
        side is resized to ``size``, as RITM's published evaluation does.
    device, precision : str
        As of :class:`napari_simpleclick.Predictor`.
    initial : str
        Masks to start from: empty for none, ``damaged`` for true masks damaged to an
        IoU of 0.75 to 0.85, ``sp`` or ``stm`` (DAVIS-585), or a folder of label
        images or volumes named as the images.
    seed : int
        Of damaged masks, and of how far boxes and lassos are off.
    first_look : {"published", "view", "magnifications"}
        What the network is shown before there is a mask: the whole image, as published;
        a view around the object (:func:`.annotator.view_of`), as a person may have it;
        or several magnifications around the click, of which the best answer is taken.
    user : str
        ``clicks`` as published, ``box`` or ``lasso`` for one around the object and then
        clicks, or ``scribble`` for strokes along the mistakes; each counts as one
        click.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: str = "bundled"
    baseline: str = ""
    clicks: int = Field(20, ge=1)
    stop_at: float | None = Field(None, gt=0, le=1)
    threshold: float = Field(THRESHOLD, gt=0, lt=1)
    flip: bool = True
    size: tuple[PositiveInt, PositiveInt] | None = None
    keep_aspect: bool = False
    device: str = "auto"
    precision: Precision = "auto"
    initial: str = ""
    seed: int = 0
    first_look: Literal["published", "view", "magnifications"] = "published"
    user: User = "clicks"

    @classmethod
    def checked(cls, **values: Any) -> RobotSettings:
        """Make settings of what a person chose.

        Raises
        ------
        UserError
            If a value is out of its range; names the field.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            raise UserError(f"{first['loc'][0]}: {first['msg']}.") from error

    def resolved(self, dataset: str = "") -> RobotSettings:
        """Replace ``auto`` by what this computer has, so that all workers agree.

        Parameters
        ----------
        dataset : str
            Decides the size where none is given.

        Raises
        ------
        UserError
            If the device, the weights, the size or the baseline cannot be used.
        """
        if self.initial and self.first_look != "published":
            raise UserError(
                "A first look is at objects without a mask; leave out either the "
                "initial masks or the first look."
            )
        if self.baseline:
            size = build_baseline(self.baseline).spec.image_size
            told: dict[str, Any] = {"flip": False, "size": size}
            told |= {"device": "cpu", "precision": "float32", "weights": ""}
        else:
            spec = spec_of(self.weights)
            size = self.size or published_size(dataset, spec)
            multiple = spec.multiple_of
            if self.keep_aspect and multiple > 1:
                raise UserError(
                    f"'{self.weights}' cannot take crops of any aspect ratio, but "
                    f"multiples of {multiple} px; leave it out."
                )
            if any(side % multiple for side in size):
                raise UserError(
                    f"A size of {size[0]} x {size[1]} px does not fit "
                    f"'{self.weights}'; use multiples of {multiple} px."
                )
            device = choose_device(self.device)
            number = str(choose_precision(self.precision, device))
            told = {"device": str(device), "precision": number.removeprefix("torch.")}
            told["size"] = size
            card = find_card(self.weights)
            told["weights"] = card.name if card else self.weights
        return self.model_copy(update=told)


def annotate_case(case: Case, settings: RobotSettings) -> CaseResult:
    """Annotate one object."""
    return _annotate(case, settings)[0]


def time_case(case: Case, settings: RobotSettings) -> Measured:
    """Annotate one object, and tell how long it took."""
    return Measured(1, annotate_case(case, settings).seconds)


def picture_case(case: Case, settings: RobotSettings) -> Strip:
    """Annotate one object and keep its masks."""
    found, turns = _annotate(case, settings)
    image, truth = case.load()
    shown = {*(count for count in SHOWN if count <= len(turns)), len(turns)}
    masks = {count: turns[count - 1].mask for count in sorted(shown)}
    return Strip(found, as_picture(image), truth, masks)


def as_picture(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Show an image as the network sees it, uint8."""
    return np.asarray(default_window(image).apply(image) * 255, np.uint8)


def _annotate(case: Case, settings: RobotSettings) -> tuple[CaseResult, list[Turn]]:
    with _one_at_a_time:
        predictor = predictor_of(settings)
        start = time.perf_counter()
        image, truth = case.load()
        predictor.set_image(image)
        turns = annotate(
            predictor,
            truth,
            settings.clicks,
            1.01 if settings.stop_at is None else settings.stop_at,
            settings.threshold,
            _initial(case, truth, settings),
            view_of(truth) if settings.first_look == "view" else None,
            settings.user,
            _random(case, settings),
        )
    clicks = [turn.click for turn in turns]
    found = CaseResult(
        name=case.name,
        instance=case.instance,
        clicks=tuple((int(c.row), int(c.column), c.positive) for c in clicks),
        ious=tuple(float(np.float32(turn.iou)) for turn in turns),
        seconds=time.perf_counter() - start,
        prompts=tuple(
            prompt_to_json(turn.prompt) for turn in turns if settings.user != "clicks"
        ),
    )
    return found, turns


@lru_cache(maxsize=1)
def predictor_of(settings: RobotSettings) -> Predictor:
    """Give the predictor of this process; loaded once per settings."""
    network = (
        build_baseline(settings.baseline)
        if settings.baseline
        else load_weights(settings.weights)[0]
    )
    assert settings.size is not None
    zoom = (
        ZoomIn.keeping_aspect(max(settings.size))
        if settings.keep_aspect
        else ZoomIn.of(network.spec, settings.size)
    )
    several = settings.first_look == "magnifications"
    return Predictor(
        network,
        settings.device,
        settings.precision,
        settings.flip,
        zoom,
        threads=1,
        first_look="magnifications" if several else "published",
    )


def _initial(
    case: Case, truth: NDArray[np.int32], settings: RobotSettings
) -> Mask | None:
    """Find the mask that a case starts from."""
    if not settings.initial:
        return None
    if settings.initial == "damaged":
        return damage(truth == 1, _random(case, settings))
    if settings.initial in INITIAL_KINDS:
        return case.initial(settings.initial)
    return _from_folder(Path(settings.initial), case, truth.shape)


def _random(case: Case, settings: RobotSettings) -> np.random.Generator:
    """Draws for a case, the same whatever else is done."""
    key = zlib.crc32(f"{case.name}/{case.instance}".encode())
    return np.random.default_rng((settings.seed, key))


def _from_folder(folder: Path, case: Case, shape: tuple[int, ...]) -> Mask:
    found = sorted(folder.glob(f"{glob.escape(case.source)}.*"))
    if len(found) != 1:
        raise UserError(
            f"'{folder}' has {len(found) or 'no'} initial masks for '{case.source}'; "
            f"expected one '{case.source}.png', .tif or .nii.gz with the labels of "
            "the true masks."
        )
    labels = (
        readers.volume_labels(found[0], case.image)
        if suffix_of(found[0]) in NIFTI
        else readers.picture_labels(found[0])
    )
    if case.axis is not None and case.index is not None and labels.ndim == 3:
        labels = np.asarray(labels.take(case.index, case.axis))
    if labels.shape != shape:
        raise UserError(
            f"'{found[0]}' has shape {labels.shape}, its image {shape}; give masks of "
            "the same size."
        )
    return np.asarray(labels == case.instance)
