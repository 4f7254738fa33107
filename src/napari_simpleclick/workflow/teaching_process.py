"""A process that teaches while a person goes on, from its start to its end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError, sentence_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_simpleclick.training.teaching.examples import Example
    from napari_simpleclick.training.teaching.job import TeachReport

MODULE = "napari_simpleclick.training.teaching"

KILLED = (-9, -15)
"""Codes that a process ends with when the system or a person ends it."""

ENDED = (
    "Learning was ended from outside, perhaps because the memory was full, and nothing "
    "has changed; close what needs much memory, and press Learn again."
)


class TeachingProcess:
    """Teaches in another process, at low priority and on one thread.

    Parameters
    ----------
    gather : callable
        Gives the examples; called where :meth:`run` is gone through.
    weights : str
        What is taught: a name in the catalogue, or a file.
    name : str
        How the taught weights are called.
    seconds : float
        Most time that it takes.

    Attributes
    ----------
    latest : TeachReport or None
        What the process said last.
    result : Path or None
        The taught weights, until :meth:`clear`; None while there are none.
    """

    def __init__(
        self,
        gather: Callable[[], list[Example]],
        weights: str,
        name: str,
        seconds: float,
    ) -> None:
        self.latest: TeachReport | None = None
        self.result: Path | None = None
        self._gather, self._settings = gather, (weights, name, seconds)
        self._process: subprocess.Popen[str] | None = None
        self._folder: Path | None = None
        self._stopped = False

    def run(self) -> Iterator[TeachReport]:
        """Go from one report of the process to the next.

        Raises
        ------
        OSError
            If the process cannot be started.
        UserError
            If the folder of the job cannot be written, or the process is killed.
        RuntimeError
            If it ends without a word in another way.
        """
        from napari_simpleclick.training.teaching.job import (
            RESULT,
            TeachReport,
            write_job,
        )

        examples = self._gather()
        try:
            self._folder = folder = Path(tempfile.mkdtemp(prefix="napari-simpleclick-"))
            write_job(folder, examples, *self._settings)
        except OSError as error:
            raise UserError(
                "The objects cannot be written where they are learned from: "
                f"{sentence_of(error)}"
            ) from error
        if self._stopped:
            return
        self._process = process = _start(folder)
        if self._stopped:  # while it was started
            process.kill()
        assert process.stdout is not None
        for line in process.stdout:
            report = TeachReport.parse(line)
            if report is not None:
                self.latest = report
                if report.adopted:
                    self.result = folder / RESULT
                yield report
        code = process.wait()
        ended = self.latest is not None and self.latest.kind != "progress"
        if ended or self._stopped:
            return
        if code in KILLED:
            raise UserError(ENDED)
        raise RuntimeError(f"The process that teaches has ended with code {code}.")

    def stop(self) -> None:
        """End it; what it has learned is lost."""
        self._stopped = True
        if self._process is not None:
            with suppress(OSError):
                self._process.kill()

    def clear(self) -> None:
        """Delete all that it has written."""
        self.result = None
        if self._process is not None:
            with suppress(OSError, subprocess.TimeoutExpired):
                self._process.wait(5)
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _start(folder: Path) -> subprocess.Popen[str]:
    """Start the process; the pipe to it tells it when this one is gone."""
    import napari_simpleclick

    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    own = str(Path(napari_simpleclick.__file__).parents[1])
    paths = os.pathsep.join([own, *filter(None, [os.environ.get("PYTHONPATH")])])
    low = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
    no_window = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    return subprocess.Popen(
        [sys.executable, "-m", MODULE, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        env={**os.environ, **threads, "PYTHONPATH": paths},
        creationflags=low | no_window,
    )
