"""What was learned from a person's objects, and how it comes to answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from napari_simpleclick.sessions.taught_files import taught_name

if TYPE_CHECKING:
    from pathlib import Path

    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.engine import PredictionEngine
    from napari_simpleclick.workflow.model_loader import ModelChoice


class TaughtFile(NamedTuple):
    """A file of what was learned.

    Parameters
    ----------
    path : Path
        The file.
    objects : int
        How many objects it was learned from; 0 if only the file knows.
    summary : str
        What it is good for, in a sentence; empty if that is not known.
    used : bool
        Whether the person wants it to answer.
    """

    path: Path
    objects: int = 0
    summary: str = ""
    used: bool = True


class Learned(NamedTuple):
    """What was learned last.

    Parameters
    ----------
    engine : PredictionEngine
        Answers with it.
    base : PredictionEngine or None
        Answers with the weights before.
    file : TaughtFile
        Where it is from.
    """

    engine: PredictionEngine
    base: PredictionEngine | None
    file: TaughtFile


def note(canvas: Canvas, learned: Learned | None) -> None:
    """Have a session know what was learned, for going on with it."""
    name = None if learned is None else learned.engine.name
    used = learned is not None and learned.file.used
    canvas.recorder.put_about({"taught": name, "uses_taught": used})


def same_weights(one: PredictionEngine, other: PredictionEngine | None) -> bool:
    """Whether two engines have the same weights, however they compute."""
    return other is not None and (one.name, one.card) == (other.name, other.card)


def engine_of(path: Path, choice: ModelChoice) -> tuple[PredictionEngine, int]:
    """Load taught weights; also tell how many objects they were taught on."""
    from napari_simpleclick.inference.modes import Mode
    from napari_simpleclick.weights import find_card, load_weights
    from napari_simpleclick.weights.checkpoints import read_checkpoint
    from napari_simpleclick.weights.taught import lesson_of
    from napari_simpleclick.workflow.engine import PredictionEngine

    name = taught_name(path)
    network, card = load_weights(path)
    lesson = lesson_of(read_checkpoint(path, shapes_only=True)[1], path)
    count, title = 0, card.title
    if lesson is not None:
        count, base = len(lesson.objects), find_card(lesson.base.name)
        begun = base.title if base else lesson.base.name
        title = f"{begun}, with what was learned"
    card = replace(card, name=name, title=title)
    mode = Mode.named(choice.mode, choice.precision)
    predictor = mode.predictor(network, choice.device)
    return PredictionEngine(predictor, card, name), count
