"""The robot annotator over a whole data set: workers, resuming, the result."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    ProcessPoolExecutor,
    as_completed,
)
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from napari_simpleclick import __version__
from napari_simpleclick.errors import MissingPackageError, UserError
from napari_simpleclick.evaluation.metrics import summarise
from napari_simpleclick.evaluation.report import Strip, extremes
from napari_simpleclick.evaluation.result import CaseResult, Result
from napari_simpleclick.evaluation.worker import (
    RobotSettings,
    annotate_case,
    picture_case,
    watch_parent,
)
from napari_simpleclick.weights import locate_weights
from napari_simpleclick.weights.store import checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari_simpleclick.evaluation.datasets import Case

Key = tuple[str, int]

PATIENCE_S = 10.0
"""How long a Dask scheduler may take to answer, seconds."""


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
    with executor(jobs if len(left) > 1 else 1, scheduler) as pool:
        tasks = [(annotate_case, case, work) for case in left]
        for found in _finished(pool, tasks):
            record.add(found)
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
    with executor(jobs if len(tasks) > 1 else 1, scheduler) as pool:
        drawn = {_key(strip.case): strip for strip in _finished(pool, tasks)}
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


@contextmanager
def executor(jobs: int = 1, scheduler: str = "") -> Iterator[Executor | None]:
    """Workers on this computer or behind a Dask scheduler; None works right here.

    Raises
    ------
    UserError
        If the scheduler does not answer.
    MissingPackageError
        If Dask's distributed scheduler is not installed.
    """
    if scheduler:
        with _dask_client(scheduler) as client:
            yield client.get_executor()
    elif jobs == 1:
        yield None
    else:
        pool = ProcessPoolExecutor(jobs, get_context("spawn"), watch_parent)
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def _dask_client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingPackageError(
            "A Dask scheduler needs the package 'distributed'; install it with "
            "pip install 'napari-simpleclick[cluster]'."
        ) from error
    try:
        return Client(address, timeout=PATIENCE_S)
    except (OSError, ValueError) as error:
        raise UserError(
            f"No Dask scheduler answers at '{address}'; check the address, or start "
            "one with 'dask scheduler'."
        ) from error


def _finished(pool: Executor | None, tasks: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
    """Results of (function, *arguments) in the order in which they come."""
    if pool is None:
        for function, *arguments in tasks:
            yield function(*arguments)
        return
    try:
        for future in as_completed([pool.submit(*task) for task in tasks]):
            yield future.result()
    except BrokenExecutor as error:
        raise MemoryError(
            "A worker process was stopped from outside, most likely for lack of "
            "memory; use fewer with --jobs."
        ) from error


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

    def __init__(self, out: Path | None, about: dict[str, Any]) -> None:
        self.done: dict[Key, CaseResult] = {}
        self._path = None if out is None else out.with_name(f"{out.name}.unfinished")
        if self._path is None:
            return
        header = json.dumps(about, sort_keys=True)
        if self._path.exists():
            self._load(self._path, header)
        lines = [header, *(case.model_dump_json() for case in self.done.values())]
        partial = self._path.with_suffix(".part")
        partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        os.replace(partial, self._path)

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
