"""A volume file and its annotation to a file of labels."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images import files, lazy_array
from napari_simpleclick.images.source import Source
from napari_simpleclick.images.whole_files import write_whole
from napari_simpleclick.inference.modes import Mode, ModeName, for_volumes
from napari_simpleclick.propagation.volume import PropagatedLabels, propagate_labels
from napari_simpleclick.propagation.walk import LEAST_CONFIDENCE, Ending
from napari_simpleclick.weights import load_weights
from napari_simpleclick.weights.store import checksum

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_simpleclick.images.files import ImageFile
    from napari_simpleclick.inference import Predictor

_one_at_a_time = threading.Lock()
"""A predictor has a state; Dask may give a process more than one thread."""


@dataclass(frozen=True)
class AnnotatedVolume:
    """A volume, and what is to be carried through it; small, to be sent to others.

    Parameters
    ----------
    volume, mask : Path
        The files.
    axis : int
        That slices follow.
    index : int or None
        Annotated slice to start from; None for all.
    label : int or None
        The only label of the mask to carry; None for all.
    low, high : int or None
        First and last slice to fill in; None is the end of the axis.
    """

    volume: Path
    mask: Path
    axis: int
    index: int | None = None
    label: int | None = None
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class PropagationSettings:
    """How objects are carried.

    Parameters
    ----------
    weights : str
        Catalogue name or file.
    mode : {"fast", "exact"}
        See :class:`napari_simpleclick.inference.modes.Mode`.
    least_confidence : float
        Where it is less sure, it stops; 0 to 1.
    """

    weights: str = "bundled"
    mode: ModeName = "fast"
    least_confidence: float = LEAST_CONFIDENCE


class ReadVolume(NamedTuple):
    """A volume that is ready to be gone through.

    Parameters
    ----------
    image : ImageFile
        Its file.
    array : array_like
        (A, B, C), or (A, B, C, 3) colour, still in the file.
    annotation : ndarray
        Labels to carry, of a slice or of the volume.
    """

    image: ImageFile
    array: Any
    annotation: NDArray[Any]


class VolumeReport(NamedTuple):
    """What a worker says of a volume that it has gone through.

    Parameters
    ----------
    told : str
        How large objects are, and which slices they fill.
    warnings : tuple of str
        What is odd about the files.
    """

    told: str
    warnings: tuple[str, ...]


def read_annotated(
    image: ImageFile, work: AnnotatedVolume, report: Callable[[str], None]
) -> ReadVolume:
    """Read the annotation of a volume, but not its pixels.

    Parameters
    ----------
    image : ImageFile
        Of the volume.
    work : AnnotatedVolume
        What is to be carried.
    report : callable
        Gets a sentence for everything that is odd about the mask.

    Raises
    ------
    UserError
        If the volume is none, or the mask does not fit it or lacks the label.
    """
    flat = image.as_volume()
    if len(flat.shape) != 3:
        raise UserError(
            f"'{work.volume}' has the shape {image.shape} and is no volume; give one "
            "with three axes, such as one of its times or channels."
        )
    labels = files.read_labels(work.mask, flat, report)
    return ReadVolume(image, flat.array, _chosen(labels, work.label))


def carry(
    predictor: Predictor,
    read: ReadVolume,
    work: AnnotatedVolume,
    least_confidence: float = LEAST_CONFIDENCE,
    report: Callable[[int], None] = lambda _: None,
) -> PropagatedLabels:
    """Carry the objects of a volume, as :func:`propagate_labels` does."""
    array = read.array
    if lazy_array.fits_memory(array.nbytes):
        array = array[...]
    return propagate_labels(
        predictor,
        array,
        read.annotation,
        work.axis,
        work.index,
        low=work.low,
        high=work.high,
        spacing=tuple(read.image.pixel_size(0, axis)[1] for axis in range(3)),
        least_confidence=least_confidence,
        report=report,
    )


def write_carried(out: Path, image: ImageFile, result: PropagatedLabels) -> None:
    """Write what was carried, so that it overlays its volume.

    Raises
    ------
    UserError
        If it cannot be written; an old file stays as it was then.
    """
    source = Source.of_file(image)
    found = result.labels.reshape(image.shape)
    files.write_labels(out, source.to_layer(found), source)


@lru_cache(maxsize=1)
def worker_predictor(settings: PropagationSettings) -> tuple[Predictor, str]:
    """Give the predictor of this process, and what is to be said about it.

    It computes on one CPU thread: sums in another order have other last digits, and
    masks must not depend on the number of cores.
    """
    mode = Mode.named(settings.mode)
    clicked = mode.predictor(load_weights(settings.weights)[0], threads=1)
    predictor = for_volumes(clicked)
    return predictor, predictor.accelerate() if mode.accelerated else ""


def report_path(out: Path) -> Path:
    """Name the report of a file of labels, beside it."""
    return out.with_name(f"{files.stem_of(out)}.json")


def propagate_file(
    work: AnnotatedVolume,
    settings: PropagationSettings,
    out: Path,
    about: dict[str, Any],
) -> VolumeReport:
    """Go through a volume, and write its labels and a report beside them.

    The report comes first: where there are labels, it is known what they are of. It is
    completed by what tells this file of labels from any other.

    Parameters
    ----------
    work : AnnotatedVolume
        The volume.
    settings : PropagationSettings
        How.
    out : Path
        Where labels go.
    about : dict
        What else the report is to tell.

    Raises
    ------
    UserError
        If a file cannot be read or written, or they do not fit.
    """
    told: list[str] = []
    with _one_at_a_time:
        predictor, slower = worker_predictor(settings)
        started = time.perf_counter()
        image = files.read_image(work.volume)
        read = read_annotated(image, work, told.append)
        result = carry(predictor, read, work, settings.least_confidence)
        seconds = time.perf_counter() - started
    summary = {**summarised(result, seconds, settings.weights), **about}
    write_report(report_path(out), summary)
    write_carried(out, image, result)
    write_report(report_path(out), {**summary, "labels": told_of_labels(out)})
    warnings = (*image.warnings, *told, *filter(None, [slower]))
    return VolumeReport(described(result), warnings)


def told_of_labels(out: Path) -> dict[str, Any]:
    """Tell a file of labels from any other, also from a part of it."""
    return {"bytes": out.stat().st_size, "sha256": checksum(out)}


def write_report(path: Path, summary: dict[str, Any]) -> None:
    """Write what was found.

    Raises
    ------
    UserError
        If it cannot be written; an old file stays as it was then.
    """
    text = json.dumps(summary, indent=2) + "\n"
    try:
        write_whole(path, lambda partial: partial.write_text(text))
    except OSError as error:
        raise UserError(f"'{path}' cannot be written ({error.strerror}).") from error


def _chosen(labels: NDArray[Any], label: int | None) -> NDArray[Any]:
    """Labels to carry: one that was asked for, or all; a single one becomes 1."""
    present = [int(one) for one in np.unique(labels) if one > 0]
    if label is not None:
        if label not in present:
            known = ", ".join(str(one) for one in present) or "none"
            raise UserError(f"The mask has no label {label}; it has {known}.")
        return np.where(labels == label, labels, 0)
    if len(present) < 2:
        return (labels > 0).astype(np.uint8)
    return np.where(labels > 0, labels, 0)


def described(result: PropagatedLabels) -> str:
    """How large the objects are, and which slices they fill."""
    filled = sorted(
        {one for own in result.annotated.values() for one in own}
        | {one for own in result.confidence.values() for one in own}
    )
    count = f"{np.count_nonzero(result.labels):,} voxels on "
    if len(result.annotated) > 1:
        count = f"{len(result.annotated)} objects, {count}"
    if len(filled) == 1:
        alone = f"{count}slice {filled[0]} alone"
        ends = [end for own in result.endings.values() for _, end in own]
        tried = any(end is not Ending.RANGE for end in ends)
        return f"{alone}; no neighbour was sure enough" if tried else alone
    return f"{count}{len(filled)} slices from {filled[0]} to {filled[-1]}"


def summarised(
    result: PropagatedLabels, seconds: float, weights: str
) -> dict[str, Any]:
    """Make the report; with several objects it has a part for each."""
    about = {label: _about(result, label) for label in result.annotated}
    end = {
        "voxels": int(np.count_nonzero(result.labels)),
        "seconds": round(seconds, 2),
    }
    if len(about) == 1:
        return {"weights": weights, **next(iter(about.values())), **end}
    objects = {
        str(label): {**one, "voxels": int(np.count_nonzero(result.labels == label))}
        for label, one in about.items()
    }
    return {"weights": weights, "objects": objects, **end}


def _about(result: PropagatedLabels, label: int) -> dict[str, Any]:
    confidence, endings = result.confidence[label], result.endings[label]
    return {
        "annotated": list(result.annotated[label]),
        "confidence": {str(k): round(c, 3) for k, c in confidence.items()},
        "endings": [[index, ending.value] for index, ending in endings],
    }
