"""Teaching in a process of its own: a folder with what it needs, and lines back.

The process computes at low priority on few threads and ends when nobody reads what it
says. All files are whole or not there, so that either side can be killed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images import Viewport
from napari_simpleclick.images.intensity import Window
from napari_simpleclick.training.teaching.examples import Example, Origin
from napari_simpleclick.training.teaching.teacher import TeachProgress, teach

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

JOB, RESULT = "job.json", "taught.safetensors"
"""Files in the folder, besides the images and masks."""

NICENESS = 10
"""How much lower than usual the priority is, where there is such a number."""


@dataclass(frozen=True)
class TeachReport:
    """A line that the process says.

    Parameters
    ----------
    kind : {"progress", "done", "refused", "failed"}
        Still learning; ended; a person can do something about it; a bug.
    share : float
        Of the work, 0 to 1.
    batches : int
        Learned from so far.
    text : str
        What was learned, or what is wrong, in a sentence.
    details : str
        Of a bug.
    adopted : bool
        Whether there is a file.
    left_out : tuple of str
        A sentence for each object that could not be learned from.
    objects : int
        How many were learned from.
    """

    kind: Literal["progress", "done", "refused", "failed"]
    share: float = 0.0
    batches: int = 0
    text: str = ""
    details: str = ""
    adopted: bool = False
    left_out: tuple[str, ...] = ()
    objects: int = 0

    def line(self) -> str:
        """Give the JSON, without line breaks."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, line: str) -> TeachReport | None:
        """Read a line; None if it is something else, as libraries may say."""
        try:
            values = json.loads(line)
            return cls(**{**values, "left_out": tuple(values["left_out"])})
        except (ValueError, TypeError, KeyError):
            return None


def write_job(
    folder: Path,
    examples: Sequence[Example],
    weights: str,
    name: str,
    seconds: float,
    threads: int = 1,
) -> None:
    """Put all that the process needs into a folder.

    Parameters
    ----------
    folder : Path
        An empty folder.
    examples : sequence of Example
        Examples of one slice share their image, which is written once.
    weights : str
        What is taught.
    name : str
        How the taught weights are called.
    seconds : float
        Most time that it takes.
    threads : int
        CPU threads.

    Raises
    ------
    OSError
        If it cannot be written, as on a full disk.
    """
    images: dict[int, int] = {}
    told = []
    for number, example in enumerate(examples):
        if id(example.image) not in images:
            images[id(example.image)] = len(images)
            np.save(folder / f"image-{len(images) - 1}.npy", np.asarray(example.image))
        _save_mask(folder / f"mask-{number}.npy", example.mask)
        if example.others is not None:
            _save_mask(folder / f"others-{number}.npy", example.others)
        window, seen = example.window, example.viewport
        told.append(
            {
                "image": images[id(example.image)],
                "window": None if window is None else asdict(window),
                "spacing": example.spacing,
                "origin": asdict(example.origin),
                "viewport": None if seen is None else asdict(seen),
            }
        )
    content = {
        "weights": weights,
        "name": name,
        "seconds": seconds,
        "threads": threads,
        "examples": told,
    }
    (folder / JOB).write_text(json.dumps(content), encoding="utf-8")


def read_job(folder: Path) -> tuple[list[Example], dict[str, Any]]:
    """Read what :func:`write_job` wrote: the examples, and the settings."""
    content = json.loads((folder / JOB).read_text(encoding="utf-8"))
    images: dict[int, NDArray[Any]] = {}
    examples = []
    for number, told in enumerate(content.pop("examples")):
        place = told["image"]
        if place not in images:
            path = folder / f"image-{place}.npy"
            images[place] = np.load(path, mmap_mode="r")
        window, seen = told["window"], told["viewport"]
        shape = images[place].shape[:2]
        others = folder / f"others-{number}.npy"
        examples.append(
            Example(
                images[place],
                _load_mask(folder / f"mask-{number}.npy", shape),
                _load_mask(others, shape) if others.exists() else None,
                None if window is None else Window(**window),
                tuple(told["spacing"]),
                Origin(**told["origin"]),
                None if seen is None else Viewport(**seen),
            )
        )
    return examples, content


def run_job(folder: Path, say: Callable[[TeachReport], None]) -> None:
    """Teach as a folder says, and leave the taught weights there."""
    try:
        examples, content = read_job(folder)

        def show(now: TeachProgress) -> None:
            say(TeachReport("progress", now.share, now.batches))

        taught = teach(
            examples,
            content["weights"],
            seconds=content["seconds"],
            threads=content["threads"],
            report=show,
        )
        if taught.adopted:
            taught.save(folder / RESULT, content["name"])
        say(
            TeachReport(
                "done",
                1.0,
                taught.batches,
                taught.summary,
                adopted=taught.adopted,
                left_out=taught.left_out,
                objects=len(taught.objects),
            )
        )
    except UserError as error:
        say(TeachReport("refused", text=str(error)))
    except (OSError, MemoryError) as error:
        told = getattr(error, "strerror", None) or str(error)
        say(TeachReport("refused", text=f"Nothing could be learned: {told}."))
    except Exception as error:
        say(TeachReport("failed", text=str(error), details=traceback.format_exc()))


def main(arguments: Sequence[str]) -> None:
    """Do the job of a folder, and say how it goes on standard output."""
    lower_priority()
    folder = Path(arguments[0])
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()

    def say(report: TeachReport) -> None:
        try:
            print(report.line(), flush=True)
        except OSError:
            os._exit(1)  # nobody listens any more

    run_job(folder, say)


def lower_priority() -> None:
    """Let everything else on the computer go first; Windows is told at the start."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)


def _end_with_parent(folder: Path) -> None:
    """End when the other end of standard input is closed, even by a kill."""
    sys.stdin.buffer.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def _save_mask(path: Path, mask: NDArray[np.bool_]) -> None:
    np.save(path, np.packbits(mask))


def _load_mask(path: Path, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    count = int(np.prod(shape))
    return np.unpackbits(np.load(path), count=count).reshape(shape).astype(bool)
