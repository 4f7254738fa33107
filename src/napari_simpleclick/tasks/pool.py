"""Many independent tasks, in any order: here, in processes, or on a Dask cluster."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait as wait_for
from typing import TYPE_CHECKING, Any

from napari_simpleclick.errors import MissingPackageError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from multiprocessing.connection import Connection

PATIENCE_S = 10.0
"""How long a Dask scheduler may take to answer, seconds."""

PULSE_S = 3.0
"""How often a scheduler is asked whether it is there, and how many workers are."""

LOGGERS = ("distributed", "distributed.client", "tornado.application")
"""Of Dask; its configuration gives each a level of its own."""

AHEAD = 2
"""Tasks that are under way at a time, for each worker: one more than it can do."""

LEAST_AHEAD = 16
"""Tasks that are under way at a time, at least; of encoding each takes megabytes."""

Task = tuple[Any, ...]
"""A function that other processes can import, and its arguments."""

logger = logging.getLogger(__name__)


class LostWorkersError(UserError):
    """Whoever works has gone: a scheduler, or processes of this computer."""


@dataclass(frozen=True)
class Outcome:
    """What has become of a task.

    Parameters
    ----------
    task : tuple
        Function and arguments.
    value : object
        What the function gave.
    error : Exception or None
        What it raised.
    """

    task: Task
    value: Any = None
    error: Exception | None = None

    def result(self) -> Any:
        """Give the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value


class TaskPool:
    """Does tasks right here, one after the other; the base of those that do not.

    Attributes
    ----------
    workers : int
        Processes that work at the same time; each does one task at a time.
    """

    workers = 1

    def finished(
        self, tasks: Iterable[Task], at_a_time: int | None = None
    ) -> Iterator[Outcome]:
        """Do tasks, and give what came of them in the order in which they are ready.

        Parameters
        ----------
        tasks : iterable of tuple
            Taken as workers get free, so that they may be made on the way.
        at_a_time : int or None
            Tasks that are under way at most; None for enough to keep workers busy.

        Yields
        ------
        Outcome
            Of each task; an error of one does not stop the others.

        Raises
        ------
        LostWorkersError
            If the scheduler has gone, or a process on this computer was stopped from
            outside.
        """
        for task in tasks:
            try:
                value = task[0](*task[1:])
            except Exception as error:
                yield Outcome(task, error=error)
            else:
                yield Outcome(task, value)


class _SharedPool(TaskPool):
    """Hands tasks to an executor."""

    def __init__(self, executor: Executor, workers: int, kept: str) -> None:
        self.workers, self._executor, self._kept = workers, executor, kept
        self._asked = time.monotonic()

    def finished(
        self, tasks: Iterable[Task], at_a_time: int | None = None
    ) -> Iterator[Outcome]:
        flying: dict[Future[Any], Task] = {}
        for task in tasks:
            flying[self._submit(task)] = task
            while len(flying) >= (at_a_time or max(LEAST_AHEAD, AHEAD * self.workers)):
                yield from self._landed(flying)
        while flying:
            yield from self._landed(flying)

    def _submit(self, task: Task) -> Future[Any]:
        try:
            return self._executor.submit(*task)
        except BrokenExecutor as error:
            raise self._lost() from error

    def _landed(self, flying: dict[Future[Any], Task]) -> Iterator[Outcome]:
        """Take out what is ready, at least one."""
        landed: set[Future[Any]] = set()
        while not landed:
            landed = wait(flying, PULSE_S, FIRST_COMPLETED).done
            if time.monotonic() - self._asked > PULSE_S:
                self._check()
                self._asked = time.monotonic()
        for future in sorted(landed, key=Future.cancelled):  # what came is not lost
            task = flying.pop(future)
            if future.cancelled():
                raise self._lost()
            error = future.exception()
            if isinstance(error, BrokenExecutor):
                raise self._lost() from error
            if isinstance(error, Exception):
                yield Outcome(task, error=self._explained(error))
            else:
                yield Outcome(task, future.result())

    def _check(self) -> None:
        """See whether there is still anybody at work."""

    def _explained(self, error: Exception) -> Exception:
        return error

    def _lost(self) -> UserError:
        return LostWorkersError(
            "A worker process was stopped from outside, most likely for lack of "
            f"memory; use fewer with --jobs. {self._kept}".rstrip()
        )


class _Processes(_SharedPool):
    """Workers on this computer, which leave Ctrl-C to the process that starts them."""

    def _submit(self, task: Task) -> Future[Any]:
        with _interrupts_held_back():
            return super()._submit(task)


class _Cluster(_SharedPool):
    """Workers behind a Dask scheduler; one that dies is replaced by another one."""

    def __init__(self, client: Any, address: str, kept: str) -> None:
        self._client, self._address = client, address
        self._identity = self._ask("identity")["id"]
        self._waits = False
        super().__init__(client.get_executor(pure=False), 1, kept)
        self._count()

    def _ask(self, what: str) -> Any:
        function = getattr(self._client.scheduler, what)
        return self._client.sync(function, callback_timeout=PATIENCE_S)

    def _count(self) -> None:
        """Count the workers; there may be none yet, as where a queue starts them."""
        count = len(self._ask("ncores"))
        if not count and not self._waits:
            logger.warning(
                "The scheduler at '%s' has no worker; this waits for one, which 'dask "
                "worker %s --nthreads 1' starts.",
                *(self._address, self._address),
            )
        self.workers, self._waits = max(1, count), not count

    def _submit(self, task: Task) -> Future[Any]:
        try:
            return super()._submit(task)
        except Exception as error:
            if self._client.status == "running":
                raise
            raise self._lost() from error

    def _check(self) -> None:
        try:
            there = self._client.status == "running"
            if not there or self._ask("identity")["id"] != self._identity:
                raise self._lost()
            self._count()
        except (OSError, TimeoutError) as error:
            raise self._lost() from error

    def _explained(self, error: Exception) -> Exception:
        from distributed import KilledWorker

        if isinstance(error, KilledWorker):
            return UserError(
                "Every worker that was given this died of it, most likely for lack of "
                "memory; start fewer on each computer, or with a higher --memory-limit."
            )
        return error

    def _lost(self) -> UserError:
        return LostWorkersError(
            f"The Dask scheduler at '{self._address}' does not answer any more. "
            f"{self._kept}".rstrip()
        )


@contextmanager
def open_pool(jobs: int = 1, scheduler: str = "", kept: str = "") -> Iterator[TaskPool]:
    """Find someone to do tasks.

    Parameters
    ----------
    jobs : int
        Processes on this computer; 1 works right here.
    scheduler : str
        Address of a Dask scheduler; replaces ``jobs``.
    kept : str
        A sentence for someone whose run was broken off: what is kept, and how to go
        on.

    Raises
    ------
    UserError
        If the scheduler does not answer.
    MissingPackageError
        If Dask's distributed scheduler is not installed.
    """
    try:
        if scheduler:
            with _dask_client(scheduler) as client:
                yield _Cluster(client, scheduler, kept)
        elif jobs == 1:
            yield TaskPool()
        else:
            with _processes(jobs) as executor:
                yield _Processes(executor, jobs, kept)
    except KeyboardInterrupt:
        if kept:
            logger.warning("Interrupted. %s", kept)
        raise


@contextmanager
def _processes(jobs: int) -> Iterator[Executor]:
    """Start processes; what they are at is given up if this one is broken off."""
    context = get_context("spawn")
    held, holds = context.Pipe(duplex=False)
    executor = ProcessPoolExecutor(jobs, context, watch_parent, (held,))
    try:
        yield executor
    except KeyboardInterrupt:
        holds.close()
        raise
    finally:
        executor.shutdown(cancel_futures=True)
        held.close()
        holds.close()


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Put Ctrl-C off; a process that is started meanwhile never gets it.

    Windows cannot; there a process ignores it once it has begun.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def watch_parent(held: Connection) -> None:
    """End this process when the one that started it is gone or gives up.

    Parameters
    ----------
    held : Connection
        Whose other end that one closes when it gives up.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait_for_end() -> None:
        parent = parent_process()
        if parent is not None:
            wait_for([parent.sentinel, held])
            os._exit(1)

    threading.Thread(target=wait_for_end, daemon=True).start()


@contextmanager
def _dask_client(address: str) -> Iterator[Any]:
    try:
        from distributed import Client, Security
        from distributed.comm import connect
    except ImportError as error:
        raise MissingPackageError(
            "A Dask scheduler needs the package 'distributed'; install it with "
            "pip install 'napari-simpleclick[cluster]'."
        ) from error

    async def reach() -> None:
        """See whether anybody answers; a client would leave half of itself behind."""
        how = Security().get_connection_args("client")
        await (await connect(address, timeout=PATIENCE_S, **how)).close()

    with _quiet():
        try:
            with ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, reach()).result()
            client = Client(address, timeout=PATIENCE_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise UserError(
                f"No Dask scheduler answers at '{address}'; check the address, or "
                "start one with 'dask scheduler'."
            ) from error
        with client:
            yield client


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what Dask logs of broken connections; it is said in one sentence."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for one, level in zip(loggers, before, strict=True):
            one.setLevel(level)
