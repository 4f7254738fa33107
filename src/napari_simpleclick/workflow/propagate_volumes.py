"""Objects through many volumes, a file of labels each."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_simpleclick import __version__
from napari_simpleclick.errors import UserError
from napari_simpleclick.images import files
from napari_simpleclick.propagation.volume_files import (
    AnnotatedVolume,
    PropagationSettings,
    VolumeReport,
    propagate_file,
    report_path,
    told_of_labels,
)
from napari_simpleclick.weights import find_card, locate_weights
from napari_simpleclick.weights.store import checksum
from napari_simpleclick.workflow.case_queue.find_cases import case_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_simpleclick.tasks.pool import TaskPool

USUAL_SUFFIX = ".nii.gz"
"""Of labels whose volume is of a kind that holds none."""


class VolumeLeft(NamedTuple):
    """A volume that is still to be done.

    Parameters
    ----------
    work : AnnotatedVolume
        The volume.
    out : Path
        Where its labels go.
    about : dict
        What its report tells of how they were made.
    """

    work: AnnotatedVolume
    out: Path
    about: dict[str, Any]


class VolumeOutcome(NamedTuple):
    """What has become of a volume.

    Parameters
    ----------
    volume : Path
        The volume.
    out : Path
        Its labels.
    report : VolumeReport or None
        What was found; None if it was done before, or could not be done.
    error : Exception or None
        Why it could not be done.
    """

    volume: Path
    out: Path
    report: VolumeReport | None = None
    error: Exception | None = None


def propagate_volumes(
    work: Sequence[AnnotatedVolume],
    settings: PropagationSettings,
    folder: Path,
    pool: TaskPool,
) -> Iterator[VolumeOutcome]:
    """Carry objects through volumes; each gets labels and a report in a folder.

    What was finished before with the same settings and files is left as it is.

    Parameters
    ----------
    work : sequence of AnnotatedVolume
        Volumes and what is annotated.
    settings : PropagationSettings
        How objects are carried.
    folder : Path
        Where labels and reports go.
    pool : TaskPool
        Who does it; its workers see the same files.

    Yields
    ------
    VolumeOutcome
        Of each volume, in the order in which they are ready.

    Raises
    ------
    UserError
        If the weights cannot be used, or whoever works is lost.
    """
    settings = in_full_settings(settings)
    left, known = sorted_out(work, settings, folder)
    yield from known
    tasks = [
        (propagate_file, in_full(one), settings, out.resolve(), about)
        for one, out, about in left
    ]
    places = {
        task[3]: (one.volume, out)
        for task, (one, out, _) in zip(tasks, left, strict=True)
    }
    for outcome in pool.finished(tasks):
        volume, out = places[outcome.task[3]]
        yield VolumeOutcome(volume, out, outcome.value, outcome.error)


def each_once(work: Sequence[AnnotatedVolume]) -> list[AnnotatedVolume]:
    """Leave out what is given again, however its files are named."""
    found: dict[AnnotatedVolume, AnnotatedVolume] = {}
    for one in work:
        found.setdefault(in_full(one), one)
    return list(found.values())


def sorted_out(
    work: Sequence[AnnotatedVolume], settings: PropagationSettings, folder: Path
) -> tuple[list[VolumeLeft], list[VolumeOutcome]]:
    """Tell what is left from what was done before, or cannot be done.

    What was done before keeps its name, whatever is to be done beside it now.
    """
    left: list[VolumeLeft] = []
    known: list[VolumeOutcome] = []
    named: list[tuple[AnnotatedVolume, str, dict[str, Any]]] = []
    names = case_names(tuple(one.volume for one in work), _home(work))
    told, written = _told(settings), _written(folder)
    for one, name in zip(work, names, strict=True):
        try:
            named.append((one, name, {**told, **_told_of(one)}))
        except (UserError, OSError) as error:
            known.append(
                VolumeOutcome(one.volume, _out(folder, name, one), None, error)
            )
    alike = Counter(_text(about) for _, _, about in named)
    for one, name, about in named:
        before = written.get(_text(about), [])
        if name not in before and len(before) == alike[_text(about)] == 1:
            (name,) = before
        out = _out(folder, name, one)
        try:
            finished = _is_finished(out, about)
        except (UserError, OSError) as error:
            known.append(VolumeOutcome(one.volume, out, error=error))
            continue
        if finished:
            known.append(VolumeOutcome(one.volume, out))
        else:
            left.append(VolumeLeft(one, out, {"settings": about}))
    return left, known


def _out(folder: Path, name: str, work: AnnotatedVolume) -> Path:
    """Labels are of the kind of their volume, if it holds any."""
    kind = files.suffix_of(work.volume) if work.volume.is_file() else ""
    return folder / f"{name}{kind if kind in files.VOLUMES else USUAL_SUFFIX}"


def _written(folder: Path) -> dict[str, list[str]]:
    """Find the names in a folder that have a report, by its settings as text."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.json")):
        report = _read_report(path)
        if report is not None:
            found.setdefault(_text(report["settings"]), []).append(path.stem)
    return found


def _read_report(path: Path) -> dict[str, Any] | None:
    """Read a report; None if it is something else."""
    try:
        report: dict[str, Any] = json.loads(path.read_text())
        return report if isinstance(report["settings"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _text(settings: dict[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)


def _home(work: Sequence[AnnotatedVolume]) -> Path:
    folders = {one.volume.parent for one in work}
    while len(folders) > 1:
        longest = max(folders, key=lambda path: len(path.parts))
        if longest == longest.parent:
            break
        folders = folders - {longest} | {longest.parent}
    return min(folders)


def _is_finished(out: Path, settings: dict[str, Any]) -> bool:
    """Tell whether labels are there, and are those that would come out again.

    Raises
    ------
    UserError
        If there is something else, or a report of something else.
    """
    path = report_path(out)
    there = [one for one in (out, path) if one.exists()]
    if not there:
        return False
    report = _read_report(path)
    elsewhere = "move it away, or choose another folder."
    if report is None:
        raise UserError(
            f"'{there[-1]}' is there already, and was not made by such a run; "
            f"{elsewhere}"
        )
    known = report["settings"]
    if known != settings:
        changed = sorted(
            name
            for name in known.keys() | settings.keys()
            if known.get(name) != settings.get(name)
        )
        raise UserError(
            f"'{there[0]}' was made with another {' and '.join(changed)}; {elsewhere}"
        )
    if out.exists() and report.get("labels") not in (None, told_of_labels(out)):
        raise UserError(
            f"'{out}' is not as it was written, but changed, replaced or cut off; "
            f"{elsewhere}"
        )
    return out.exists()


def _told(settings: PropagationSettings) -> dict[str, Any]:
    """Everything that is the same for all volumes, as it goes into the reports."""
    card = find_card(settings.weights)
    return {
        "weights": card.name if card else Path(settings.weights).name,
        "sha256": checksum(locate_weights(settings.weights)),
        "mode": settings.mode,
        "least_confidence": settings.least_confidence,
        "version": __version__,
    }


def _told_of(work: AnnotatedVolume) -> dict[str, Any]:
    """Everything that is a volume's own; a mask counts by what is in it."""
    mask = hashlib.sha256()
    for path in _files_of(work.mask):
        mask.update(checksum(path).encode())
    volume = [path.stat() for path in _files_of(work.volume)]
    return {
        "volume": work.volume.name,
        "volume_bytes": sum(one.st_size for one in volume),
        "volume_modified": max((one.st_mtime_ns for one in volume), default=0),
        "mask": work.mask.name,
        "mask_sha256": mask.hexdigest(),
        "axis": work.axis,
        "slice": work.index,
        "label": work.label,
        "range": [work.low, work.high],
    }


def _files_of(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(one for one in path.rglob("*") if one.is_file())
    return [path]


def in_full_settings(settings: PropagationSettings) -> PropagationSettings:
    """Name a file in full, as :func:`in_full` does."""
    path = Path(settings.weights)
    return replace(settings, weights=str(path.resolve())) if path.exists() else settings


def in_full(work: AnnotatedVolume) -> AnnotatedVolume:
    """Name files in full, as workers may run in another folder."""
    return replace(work, volume=work.volume.resolve(), mask=work.mask.resolve())
