"""The robot annotator over a whole data set: workers, resuming, the result."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from napari_simpleclick import __version__
from napari_simpleclick.errors import UserError
from napari_simpleclick.evaluation.metrics import summarise
from napari_simpleclick.evaluation.report import Strip, extremes
from napari_simpleclick.evaluation.result import CaseResult, Result
from napari_simpleclick.evaluation.worker import (
    RobotSettings,
    annotate_case,
    picture_case,
    time_case,
)
from napari_simpleclick.tasks.estimate import TIMED, spread_out, time_tasks
from napari_simpleclick.tasks.pool import open_pool
from napari_simpleclick.weights import locate_weights
from napari_simpleclick.weights.store import checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_simpleclick.evaluation.datasets import Case
    from napari_simpleclick.tasks.estimate import Span, Timing

Key = tuple[str, int]


def robot(
    dataset: str,
    cases: Sequence[Case],
    settings: RobotSettings | None = None,
    *,
    jobs: int = 1,
    scheduler: str = "",
    out: Path | None = None,
    about: dict[str, Any] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Result:
    """Let the robot annotate every object of a data set.

    Parameters
    ----------
    dataset : str
        Name for the result.
    cases : sequence of Case
        Objects, see :func:`napari_simpleclick.evaluation.find_cases`.
    settings : RobotSettings or None
        None for the published protocol with the bundled weights.
    jobs : int
        Processes. Each computes on one CPU thread, so the numbers do not depend on
        how many there are.
    scheduler : str
        Address of a Dask scheduler whose workers see the same files and have this
        package; replaces ``jobs``.
    out : Path or None
        JSON file to write. Finished cases are kept beside it meanwhile, and a run
        that was killed goes on from there; the same run that is finished is read.
    about : dict or None
        Further settings to record (how the cases were chosen).
    progress : callable
        Called with the number of finished cases and of all.

    Returns
    -------
    Result
        Also written to ``out``.

    Raises
    ------
    UserError
        If there is nothing to do, an image, the weights or the scheduler cannot be
        used, or ``out`` belongs to an unfinished run with other settings.
    """
    if not cases:
        raise UserError("There are no cases; choose a data set that has objects.")
    chosen = (settings or RobotSettings()).resolved(dataset)
    told = _told(chosen, about or {}, cases)
    if out is not None and (known := _finished_before(out, dataset, told)):
        return known
    record = _Record(out, {"dataset": dataset, **told})
    left = [case for case in cases if _key(case) not in record.done]
    progress(len(record.done), len(cases))
    work = _absolute(chosen)
    with open_pool(jobs if len(left) > 1 else 1, scheduler, record.kept) as pool:
        for outcome in pool.finished([(annotate_case, case, work) for case in left]):
            record.add(outcome.result())
            progress(len(record.done), len(cases))
    result = summarise(
        dataset,
        [record.done[_key(case)] for case in cases],
        weights=chosen.weights or chosen.baseline,
        settings=told,
        most=chosen.clicks,
        stop_at=chosen.stop_at,
    )
    if out is not None:
        result.save(out)
        record.remove()
    return result


class EvaluationPlan(NamedTuple):
    """What a dry run has found.

    Parameters
    ----------
    objects, images : int
        How many there are; a slice of a volume is an image.
    done : int
        Objects that an unfinished or finished run has already.
    timing : Timing or None
        Of a few of the others; None if there are none.
    span : Span or None
        How long the others take.
    """

    objects: int
    images: int
    done: int
    timing: Timing | None
    span: Span | None


def plan_robot(
    dataset: str,
    cases: Sequence[Case],
    settings: RobotSettings | None = None,
    *,
    jobs: int = 1,
    scheduler: str = "",
    out: Path | None = None,
    about: dict[str, Any] | None = None,
) -> EvaluationPlan:
    """Count what :func:`robot` would do, and time a few objects; nothing is written.

    Parameters
    ----------
    dataset, cases, settings, jobs, scheduler, out, about
        As of :func:`robot`.

    Raises
    ------
    UserError
        As :func:`robot` does.
    """
    chosen = (settings or RobotSettings()).resolved(dataset)
    told = _told(chosen, about or {}, cases)
    images = len({case.name for case in cases})
    if out is not None and _finished_before(out, dataset, told):
        return EvaluationPlan(len(cases), images, len(cases), None, None)
    known = _Record(out, {"dataset": dataset, **told}, writes=False).done
    left = [case for case in cases if _key(case) not in known]
    timing = span = None
    if left:
        work = _absolute(chosen)
        with open_pool(jobs if len(left) > 1 else 1, scheduler) as pool:
            few = spread_out(left, TIMED + pool.workers)
            timing = time_tasks(pool, [(time_case, case, work) for case in few])
        span = timing.estimate([1.0] * len(left))
    return EvaluationPlan(len(cases), images, len(known), timing, span)


def draw_strips(
    result: Result,
    cases: Sequence[Case],
    settings: RobotSettings | None = None,
    *,
    jobs: int = 1,
    scheduler: str = "",
) -> dict[str, list[Strip]]:
    """Annotate the best and the worst cases again, for their pictures.

    Parameters
    ----------
    result : Result
        Of :func:`robot`.
    cases, settings, jobs, scheduler
        As given to :func:`robot`.

    Returns
    -------
    dict
        ``best`` and ``worst``.
    """
    places = {_key(case): case for case in cases}
    groups = dict(zip(("best", "worst"), extremes(result), strict=True))
    work = _absolute((settings or RobotSettings()).resolved(result.dataset))
    wanted = [places[_key(found)] for group in groups.values() for found in group]
    tasks = [(picture_case, case, work) for case in wanted]
    with open_pool(jobs if len(tasks) > 1 else 1, scheduler) as pool:
        strips = [outcome.result() for outcome in pool.finished(tasks)]
    drawn = {_key(strip.case): strip for strip in strips}
    return {
        name: [drawn[_key(found)] for found in group] for name, group in groups.items()
    }


def choose_cases(cases: list[Case], limit: int | None, seed: int = 0) -> list[Case]:
    """Draw at most ``limit`` of the cases, kept in their order."""
    if limit is None or limit >= len(cases):
        return cases
    if limit < 1:
        raise UserError(f"A limit of {limit} leaves no cases; give 1 or more.")
    chosen = np.random.default_rng(seed).permutation(len(cases))[:limit]
    return [cases[index] for index in sorted(chosen)]


def _key(case: Case | CaseResult) -> Key:
    return case.name, case.instance


def _told(
    settings: RobotSettings, about: dict[str, Any], cases: Sequence[Case]
) -> dict[str, Any]:
    """Everything that the numbers depend on, as it goes into the JSON."""
    told = settings.model_dump(mode="json")
    if settings.user == "clicks":  # as results of before have it
        del told["user"]
    if settings.weights:
        told["sha256"] = checksum(locate_weights(settings.weights))
    for name, value in about.items():
        plain = dataclasses.is_dataclass(value) and not isinstance(value, type)
        told[name] = dataclasses.asdict(value) if plain else value
    return told | {"cases": _fingerprint(cases), "version": __version__}


def _fingerprint(cases: Sequence[Case]) -> str:
    """SHA-256 of names, labels and file sizes, to tell data sets apart."""
    sizes = lru_cache(None)(lambda path: path.stat().st_size)
    lines = [
        f"{case.name}\t{case.instance}\t{sizes(case.image)}\t{sizes(case.mask)}\n"
        for case in cases
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _absolute(settings: RobotSettings) -> RobotSettings:
    """Name files in full, as workers may run in another folder."""
    named = {
        name: str(Path(value).resolve())
        for name in ("weights", "initial")
        if (value := getattr(settings, name)) and Path(value).exists()
    }
    return settings.model_copy(update=named)


def _finished_before(out: Path, dataset: str, told: dict[str, Any]) -> Result | None:
    """Find the result of the very same run, if it is there already."""
    try:
        known = Result.read(out)
    except UserError:
        return None
    return known if (known.dataset, known.settings) == (dataset, told) else None


class _Record:
    """Finished cases beside the JSON, one line each, so that a kill loses none."""

    def __init__(
        self, out: Path | None, about: dict[str, Any], writes: bool = True
    ) -> None:
        self.done: dict[Key, CaseResult] = {}
        self._path = None if out is None else out.with_name(f"{out.name}.unfinished")
        if self._path is None:
            return
        header = json.dumps(about, sort_keys=True)
        if self._path.exists():
            self._load(self._path, header)
        if not writes:
            return
        lines = [header, *(case.model_dump_json() for case in self.done.values())]
        partial = self._path.with_suffix(".part")
        partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        os.replace(partial, self._path)

    @property
    def kept(self) -> str:
        """What someone may rely on whose run is broken off."""
        if self._path is None:
            return "Nothing is kept, as there is no --json file."
        return (
            f"Finished objects are kept in '{self._path}', and the same command goes "
            "on from there."
        )

    def _load(self, path: Path, header: str) -> None:
        text = path.read_text(encoding="utf-8", errors="replace")
        first, *lines = text.split("\n")
        if first != header:
            raise UserError(
                f"'{path}' holds a run with other settings or images that was not "
                "finished; delete it, or choose another --json file."
            )
        for line in lines:
            try:
                case = CaseResult.model_validate_json(line)
            except ValidationError:
                break  # cut off by a kill
            self.done[_key(case)] = case

    def add(self, case: CaseResult) -> None:
        self.done[_key(case)] = case
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(case.model_dump_json() + "\n")
                file.flush()
                os.fsync(file.fileno())

    def remove(self) -> None:
        if self._path is not None:
            self._path.unlink()
