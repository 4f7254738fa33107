"""Learning from the objects that were accepted, while the person goes on."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from psygnal import Signal

from napari_simpleclick.errors import UserError
from napari_simpleclick.sessions.taught_files import (
    find_taught,
    keep_taught,
    taught_name,
)
from napari_simpleclick.workflow.accepted import AcceptedObjects, accepted
from napari_simpleclick.workflow.teaching_process import TeachingProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_simpleclick.training.teaching.job import TeachReport
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.engine import PredictionEngine
    from napari_simpleclick.workflow.executor import Executor
    from napari_simpleclick.workflow.model_loader import ModelChoice, ModelLoader
    from napari_simpleclick.workflow.session_file import RestoredSession

OFFERED_AT = 5
"""Accepted objects from which on learning is offered."""

AGAIN_AFTER = 6
"""More accepted objects after which what was learned is learned anew."""

SECONDS = 180.0
"""Most time that learning takes."""

TITLE = "Learning from your objects"

OTHER_MODEL = (
    "Another model was chosen, so learning was ended; press Learn to teach that one."
)


class Learned(NamedTuple):
    """What was learned last.

    Parameters
    ----------
    engine : PredictionEngine
        Answers with it.
    objects : int
        How many objects it was learned from.
    summary : str
        What it is good for, in a sentence.
    """

    engine: PredictionEngine
    objects: int
    summary: str


class Teaching:
    """Offers to learn, has it done in another process, and lets it answer.

    Parameters
    ----------
    models : ModelLoader
        Gives the engine that is taught, and takes the one that has learned.
    executor : Executor
        Waits for the process.
    make_process : callable, optional
        Makes what teaches, as :class:`TeachingProcess`.

    Attributes
    ----------
    canvas : Canvas or None
        Whose objects are learned from.
    process : TeachingProcess or None
        What goes on.
    learned : Learned or None
        What was learned last on this image, whether it is in use or not.
    sentence : str
        How learning ended last.
    left_out : tuple of str
        Why objects could not be learned from.
    seconds : float
        Most time that it may take.
    """

    changed = Signal()
    """Objects were accepted, or learning has begun, gone on or ended."""

    failed = Signal(object)
    """It could not be learned, or not be kept; an exception."""

    def __init__(
        self,
        models: ModelLoader,
        executor: Executor,
        make_process: Callable[..., TeachingProcess] = TeachingProcess,
    ) -> None:
        self.canvas: Canvas | None = None
        self.process: TeachingProcess | None = None
        self.learned: Learned | None = None
        self.sentence = ""
        self.left_out: tuple[str, ...] = ()
        self.seconds = SECONDS
        self._models, self._executor, self._make = models, executor, make_process
        self._base: PredictionEngine | None = None
        self._declined = False
        self._tried_at = 0
        self._restoring: tuple[Any, str] | None = None
        self._known: WeakKeyDictionary[Canvas, Learned] = WeakKeyDictionary()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        models.loaded.connect(self._on_model)

    # -- what there is -------------------------------------------------------------

    @property
    def count(self) -> int:
        """How many objects are accepted, each slice counted."""
        return 0 if self.canvas is None else len(accepted(self.canvas.session))

    @property
    def is_offered(self) -> bool:
        """Whether learning is to be offered now, for the first time."""
        begun = self._declined or self._tried_at or self.process or self.learned
        return not begun and self.count >= OFFERED_AT

    @property
    def in_use(self) -> bool:
        """Whether what was learned answers."""
        return self.learned is not None and self._models.engine is self.learned.engine

    @property
    def latest(self) -> TeachReport | None:
        """How far learning is; None while it is not going on."""
        return None if self.process is None else self.process.latest

    # -- what the panel asks for ---------------------------------------------------

    def decline(self) -> None:
        """Do not offer it again."""
        self._declined = True
        self.changed.emit()

    def start(self) -> None:
        """Begin to learn from all that is accepted.

        Raises
        ------
        UserError
            If there is no image or model, or too little is accepted.
        """
        canvas, engine = self.canvas, self._models.engine
        if canvas is None or engine is None:
            raise UserError("There is nothing to learn from yet; open an image first.")
        if self.process is not None:
            raise UserError("It is learning already; wait for the end, or cancel it.")
        if self.count < OFFERED_AT:
            raise UserError(
                f"{self.count} of the {OFFERED_AT} objects are accepted that it takes "
                "to learn; click on more, and go on with a new object after each."
            )
        if not self.in_use:
            self._base = engine
        self._tried_at, self.sentence = self.count, ""
        objects = AcceptedObjects(canvas)
        process = self._make(objects.gather, self._models.name, "taught", self.seconds)
        self.process = process
        self.changed.emit()
        self._executor.go_through(
            process.run(),
            self.changed.emit,
            partial(self._on_end, canvas, process, objects),
            partial(self._on_error, process),
            TITLE,
            0,
        )

    def cancel(self) -> None:
        """Stop learning; what was learned before stays."""
        if self.process is not None:
            process, self.process = self.process, None
            process.stop()
            self.sentence = "Cancelled; nothing has changed."
            self.changed.emit()

    def use(self, wanted: bool) -> None:
        """Answer with what was learned, or with the weights before, from now on."""
        if self.learned is None or wanted == self.in_use:
            return
        engine = self.learned.engine if wanted else self._base
        if engine is not None:
            self._models.exchange(engine)
            self._note()
            self.changed.emit()

    def forget(self) -> None:
        """Go back to the weights before, as if nothing had been learned.

        The file stays beside the session, whose answers may need it.
        """
        self.use(False)
        self.learned, self.sentence = None, "Undone; the model is as it was before."
        self.changed.emit()

    # -- the image -----------------------------------------------------------------

    def follow(self, canvas: Canvas | None) -> None:
        """Learn from the objects of another canvas from now on; None for none."""
        if self.canvas is not None:
            self.canvas.session.happened.disconnect(self._on_event)
            if self.learned is not None and self.in_use:
                self._known[self.canvas] = self.learned
        self.cancel()
        if self.in_use and self._base is not None:
            self._models.exchange(self._base)
        self.canvas, self.learned, self.sentence = canvas, None, ""
        self._declined, self._tried_at, self.left_out = False, 0, ()
        if canvas is not None:
            canvas.session.happened.connect(self._on_event)
            self._come_back(canvas)
            self._go_on_with(canvas)
        self.changed.emit()

    def on_restored(self, _: Canvas, session: RestoredSession) -> None:
        """Note what a session that is opened had learned."""
        self._restoring = (session.recorder, session.taught) if session.taught else None

    def close(self) -> None:
        """End what goes on."""
        process, self.process = self.process, None
        if process is not None:
            process.stop()
        if self._folder is not None:
            self._folder.cleanup()

    def _come_back(self, canvas: Canvas) -> None:
        """Let what was learned on an image answer again, if the model is the same."""
        known = self._known.pop(canvas, None)
        if known is not None and self._base is self._models.engine:
            self.learned, self.sentence = known, known.summary
            self._tried_at = known.objects
            self._models.exchange(known.engine)

    def _go_on_with(self, canvas: Canvas) -> None:
        """Let what a restored session had learned answer again."""
        restoring, self._restoring = self._restoring, None
        if restoring is None or restoring[0] is not canvas.recorder:
            return
        canvas.recorder.flush()
        session = canvas.recorder.path
        path = None if session is None else find_taught(session, restoring[1])
        if path is None:
            self.failed.emit(
                UserError(
                    "What this session had learned is not beside it any more; it goes "
                    "on with the weights before, and can learn again."
                )
            )
            return
        self._base = self._models.engine
        self._load(canvas, None, path, "")

    def _on_event(self, kind: str) -> None:
        if kind not in ("chosen", "answered", "done", "undone", "redone"):
            return
        ready = self.learned and self.in_use and not self.process
        if ready and self.count - self._tried_at >= AGAIN_AFTER:
            self.start()
        self.changed.emit()

    def _on_model(self) -> None:
        """Drop what was learned if the person has chosen another model."""
        engine = self._models.engine
        learned = None if self.learned is None else self.learned.engine
        if engine in (learned, self._base):
            return
        if learned is not None and self._base is None:  # a session was opened first
            self._base = engine
            self._models.exchange(learned)
            return
        if self.process is not None:
            self.cancel()
            self._tried_at, self.sentence = 0, OTHER_MODEL
            self.changed.emit()
        if self.learned is not None:
            self.learned, self._base = None, engine
            self._tried_at, self.sentence = 0, ""
            self._note()
            self.changed.emit()

    # -- the end -------------------------------------------------------------------

    def _on_end(
        self, canvas: Canvas, process: TeachingProcess, objects: AcceptedObjects
    ) -> None:
        report = process.latest
        if process is not self.process or report is None:
            process.clear()
            return
        self.sentence = report.text
        self.left_out = (*objects.lost, *report.left_out)
        if report.kind == "done" and process.result is not None:
            self._keep(canvas, process, report)
            return
        process.clear()
        self.process = None
        if report.kind == "refused":
            self.failed.emit(UserError(report.text))
        elif report.kind == "failed":
            self.failed.emit(RuntimeError(f"{report.text}\n{report.details}"))
        self.changed.emit()

    def _on_error(self, process: TeachingProcess, error: Exception) -> None:
        process.clear()
        if process is self.process:
            self.process = None
            self.sentence = "Learning was broken off; nothing has changed."
            self.failed.emit(error)
            self.changed.emit()

    def _keep(
        self, canvas: Canvas, process: TeachingProcess, report: TeachReport
    ) -> None:
        """Put the file beside the session, and let it answer."""
        result, session = process.result, canvas.recorder.path
        assert result is not None
        if session is None:  # nothing is recorded, as in a study
            self._folder = self._folder or tempfile.TemporaryDirectory()
            session = Path(self._folder.name) / "session"

        def keep() -> Path:
            try:
                return keep_taught(result, session)
            except OSError as error:
                raise UserError(
                    "What was learned cannot be kept beside the session "
                    f"({error.strerror or error}); make room, and learn again."
                ) from error
            finally:
                process.clear()

        self._executor.start(
            keep,
            lambda path: self._load(canvas, process, path, report.text, report.objects),
            partial(self._on_error, process),
        )

    def _load(
        self,
        canvas: Canvas,
        process: TeachingProcess | None,
        path: Path,
        summary: str,
        objects: int = 0,
    ) -> None:
        choice = self._models.choice
        self._executor.start(
            partial(_engine_of, path, choice),
            partial(self._on_loaded, canvas, process, summary, objects),
            partial(self._on_not_loaded, process),
        )

    def _on_loaded(
        self,
        canvas: Canvas,
        process: TeachingProcess | None,
        summary: str,
        objects: int,
        found: tuple[Any, int],
    ) -> None:
        if process is not None:
            if process is not self.process:
                return  # it was cancelled meanwhile
            self.process = None
        engine, count = found
        self._base = self._base or self._models.engine
        if canvas is self.canvas:
            told = summary or f"Learned from {count} objects before."
            self.learned = Learned(engine, objects or count, told)
            self.sentence = told
            self._tried_at = max(self._tried_at, objects or count)
            self._models.exchange(engine)
            self._note()
        self.changed.emit()

    def _on_not_loaded(self, process: TeachingProcess | None, error: Exception) -> None:
        if process is self.process:
            self.process = None
        self.failed.emit(error)
        self.changed.emit()

    def _note(self) -> None:
        """Have the session know what answers, for going on with it."""
        if self.canvas is not None:
            name = self.learned.engine.name if self.learned and self.in_use else None
            self.canvas.recorder.put_about({"taught": name})


def _engine_of(path: Path, choice: ModelChoice) -> tuple[PredictionEngine, int]:
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
