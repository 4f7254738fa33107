"""The robot annotator over a whole data set: workers, resuming, the result."""

from __future__ import annotations

import dataclasses
import json
import os
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from napari_simpleclick import __version__
from napari_simpleclick.evaluate.metrics import summarise
from napari_simpleclick.evaluate.report import Strip, extremes
from napari_simpleclick.evaluate.result import CaseResult, Result
from napari_simpleclick.evaluate.worker import Settings, annotate_case, picture_case
from napari_simpleclick.weights import locate_weights
from napari_simpleclick.weights.store import checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from napari_simpleclick.evaluate.datasets import Case

Key = tuple[str, int]


def robot(
    dataset: str,
    cases: Sequence[Case],
    settings: Settings | None = None,
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
        Objects, see :func:`napari_simpleclick.evaluate.find_cases`.
    settings : Settings or None
        None for the published protocol with the bundled weights.
    jobs : int
        Processes. Each computes on one CPU thread, so the numbers do not depend on
        how many there are.
    scheduler : str
        Address of a Dask scheduler whose workers see the same files and have this
        package; replaces ``jobs``.
    out : Path or None
        JSON file to write. Finished cases are kept beside it meanwhile, and a run
        that was killed goes on from there.
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
    ValueError
        If there is nothing to do, an image, the weights or the scheduler cannot be
        used, or ``out`` belongs to an unfinished run with other settings.
    """
    if not cases:
        raise ValueError("There are no cases; choose a data set that has objects.")
    chosen = (settings or Settings()).resolved()
    told = _told(chosen, about or {})
    record = _Record(out, {"dataset": dataset, "cases": len(cases), **told})
    left = [case for case in cases if _key(case) not in record.done]
    progress(len(record.done), len(cases))
    with executor(jobs if len(left) > 1 else 1, scheduler) as pool:
        tasks = [(annotate_case, case, chosen) for case in left]
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
    settings: Settings | None = None,
    *,
    jobs: int = 1,
    scheduler: str = "",
) -> dict[str, list[Strip]]:
    """Make the clicks of the best and the worst cases again, for their pictures.

    Parameters
    ----------
    result : Result
        Of :func:`robot`, or of a person.
    cases, settings, jobs, scheduler
        As given to :func:`robot`.

    Returns
    -------
    dict
        ``best`` and ``worst``.
    """
    places = {_key(case): case for case in cases}
    groups = dict(zip(("best", "worst"), extremes(result), strict=True))
    chosen = (settings or Settings()).resolved()
    tasks = [
        (picture_case, places[_key(found)], found, chosen)
        for group in groups.values()
        for found in group
    ]
    with executor(jobs if len(tasks) > 1 else 1, scheduler) as pool:
        drawn = {_key(strip.case): strip for strip in _finished(pool, tasks)}
    return {
        name: [drawn[_key(found)] for found in group] for name, group in groups.items()
    }


def published_side(dataset: str) -> int:
    """Side of the network's input in the published tables: 672 px for DAVIS."""
    return 672 if dataset.lower() == "davis" else 448


def choose_cases(cases: list[Case], limit: int | None, seed: int = 0) -> list[Case]:
    """Draw at most ``limit`` of the cases, kept in their order."""
    if limit is None or limit >= len(cases):
        return cases
    if limit < 1:
        raise ValueError(f"--limit {limit} leaves no cases; give 1 or more.")
    chosen = np.random.default_rng(seed).permutation(len(cases))[:limit]
    return [cases[index] for index in sorted(chosen)]


@contextmanager
def executor(jobs: int = 1, scheduler: str = "") -> Iterator[Executor | None]:
    """Workers on this computer or behind a Dask scheduler; None works right here.

    Raises
    ------
    ValueError
        If the scheduler does not answer.
    ImportError
        If Dask's distributed scheduler is not installed.
    """
    if scheduler:
        with _dask_client(scheduler) as client:
            yield client.get_executor()
    elif jobs == 1:
        yield None
    else:
        pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def _dask_client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError(
            "A Dask scheduler needs the package 'distributed'; install it with "
            "pip install 'napari-simpleclick[cluster]'."
        ) from error
    try:
        return Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise ValueError(
            f"No Dask scheduler answers at '{address}'; check the address, or start "
            "one with 'dask scheduler'."
        ) from error


def _finished(pool: Executor | None, tasks: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
    """Results of (function, *arguments) in the order in which they come."""
    if pool is None:
        for function, *arguments in tasks:
            yield function(*arguments)
        return
    for future in as_completed([pool.submit(*task) for task in tasks]):
        yield future.result()


def _key(case: Case | CaseResult) -> Key:
    return case.name, case.instance


def _told(settings: Settings, about: dict[str, Any]) -> dict[str, Any]:
    """Everything that the numbers depend on, as it goes into the JSON."""
    told = settings.model_dump(mode="json")
    if settings.weights:
        told["sha256"] = checksum(locate_weights(settings.weights))
    for name, value in about.items():
        plain = dataclasses.is_dataclass(value) and not isinstance(value, type)
        told[name] = dataclasses.asdict(value) if plain else value
    return told | {"version": __version__}


class _Record:
    """Finished cases beside the JSON, one line each, so that a kill loses none."""

    def __init__(self, out: Path | None, about: dict[str, Any]) -> None:
        self.done: dict[Key, CaseResult] = {}
        self._path = None if out is None else out.with_name(f"{out.name}.unfinished")
        if self._path is None:
            return
        header = json.dumps(about, sort_keys=True)
        if self._path.exists():
            self._load(header)
        lines = [header, *(case.model_dump_json() for case in self.done.values())]
        self._path.write_text("".join(f"{line}\n" for line in lines))

    def _load(self, header: str) -> None:
        assert self._path is not None
        first, *lines = self._path.read_text().splitlines() or [""]
        if first != header:
            raise ValueError(
                f"'{self._path}' holds a run with other settings that was not "
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
            with self._path.open("a") as file:
                file.write(case.model_dump_json() + "\n")
                file.flush()
                os.fsync(file.fileno())

    def remove(self) -> None:
        if self._path is not None:
            self._path.unlink()
