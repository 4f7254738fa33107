"""A process that teaches nothing, and weights that were taught nothing useful."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from napari_simpleclick import load_weights
from napari_simpleclick.training.teaching.job import TeachReport
from napari_simpleclick.weights.store import base_of, read_base
from napari_simpleclick.weights.taught import Lesson, save_taught

if TYPE_CHECKING:
    from pathlib import Path


def write_taught_file(path: Path) -> Path:
    """Write weights of SimpleClick, taught to see objects everywhere."""
    network, card = load_weights("simpleclick-xtiny")
    with torch.no_grad():
        network.head.conv_seg.bias += 0.6
    base, score = base_of("simpleclick-xtiny"), {"noc85": 3.0}
    names = tuple(f"object {number}" for number in range(5))
    lesson = Lesson(base, names, 1.0, 1, score, score, {}, "2026-01-01", "test")
    save_taught(network, read_base(base, path)[0], path, card, lesson)
    return path


class FakeProcess:
    """Stands where a process would teach; it ends as a test says."""

    ending = TeachReport("done", 1.0, 9, "Learned from 5 objects: better.", objects=5)
    result_file: Path | None = None
    made: ClassVar[list[FakeProcess]] = []

    def __init__(self, gather, weights, name, seconds):
        self.settings = weights, name, seconds
        self.latest, self.result, self.stopped, self.cleared = None, None, False, False
        self._gather = gather
        self.examples = []
        self.made.append(self)

    def run(self):
        self.examples = self._gather()
        for share in (0.2, 0.6):
            self.latest = TeachReport("progress", share, 3)
            yield self.latest
            if self.stopped:
                return
        self.latest, self.result = self.ending, self.result_file
        yield self.latest

    def stop(self):
        self.stopped = True

    def clear(self):
        self.cleared, self.result = True, None
