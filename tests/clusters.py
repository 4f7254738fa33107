"""Dask clusters whose processes can be killed, and tasks for them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).parents[1]

SERVER = """
import asyncio, sys
from distributed import Scheduler, Worker

async def main():
    if len(sys.argv) == 1:
        server = Scheduler(host="127.0.0.1", port=0, dashboard=False)
    else:
        server = Worker(sys.argv[1], nthreads=1, dashboard=False)
    async with server:
        print(server.address, flush=True)
        await server.finished()

if __name__ == "__main__":
    asyncio.run(main())
"""


class Cluster:
    """A scheduler and workers, each a process without anyone who starts it anew."""

    def __init__(self, workers: int, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen] = []
        self.address = self._start()
        for _ in range(workers):
            self._start(self.address)

    def _start(self, *words: str) -> str:
        path = os.pathsep.join([str(PROJECT), *filter(None, sys.path)])
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            text=True,
        )
        self.processes.append(process)
        return process.stdout.readline().strip()

    def kill(self, number: int) -> None:
        """Kill the scheduler, 0, or a worker."""
        self.processes[number].kill()
        self.processes[number].wait()


@contextmanager
def cluster(workers: int, folder: Path):
    """Run a cluster for a while."""
    found = Cluster(workers, folder)
    try:
        yield found
    finally:
        for process in found.processes:
            process.kill()
            process.communicate()


def end_process(once: Path) -> int:
    """Kill the process that runs this, the first time."""
    try:
        once.touch(exist_ok=False)
    except FileExistsError:
        return os.getpid()
    os.kill(os.getpid(), 9)
    return 0


def refuse(number: int) -> int:
    """Fail for odd numbers."""
    if number % 2:
        raise ValueError(f"{number} is odd.")
    return number


def interrupt_itself() -> None:
    """Send this process what Ctrl-C does."""
    os.kill(os.getpid(), signal.SIGINT)
