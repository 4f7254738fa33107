"""Learning from the objects that were accepted, while the person goes on."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

from psygnal import Signal

from napari_simpleclick.errors import UserError
from napari_simpleclick.sessions.taught_files import (
    find_taught,
    keep_taught,
)
from napari_simpleclick.workflow.accepted import AcceptedObjects, accepted
from napari_simpleclick.workflow.learned import (
    Learned,
    TaughtFile,
    engine_of,
    note,
    same_weights,
)
from napari_simpleclick.workflow.teaching_process import TeachingProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_simpleclick.training.teaching.job import TeachReport
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.engine import PredictionEngine
    from napari_simpleclick.workflow.executor import Executor
    from napari_simpleclick.workflow.model_loader import ModelLoader
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

CANCELLED = "Cancelled; nothing has changed."

BROKEN_OFF = "Learning was broken off; nothing has changed."


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
        What goes on, also while another image is looked at.
    learned : Learned or None
        What was learned last on this image, whether it is in use or not.
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
        self._pupil: Callable[[], Canvas | None] = lambda: None
        self.learned: Learned | None = None
        self.left_out: tuple[str, ...] = ()
        self.seconds = SECONDS
        self._models, self._executor, self._make = models, executor, make_process
        self._base: PredictionEngine | None = None
        self._declined = False
        self._tried_at = 0
        self._restoring: RestoredSession | None = None
        self._sentences: WeakKeyDictionary[Canvas, str] = WeakKeyDictionary()
        self._known: WeakKeyDictionary[Canvas, Learned] = WeakKeyDictionary()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        models.loaded.connect(self._on_model)

    # -- what there is -------------------------------------------------------------

    @property
    def count(self) -> int:
        """How many objects are accepted, each slice counted."""
        return 0 if self.canvas is None else len(accepted(self.canvas.session))

    @property
    def sentence(self) -> str:
        """How learning on this image ended last."""
        return "" if self.canvas is None else self._sentences.get(self.canvas, "")

    @property
    def pupil(self) -> Canvas | None:
        """Whose objects are learned from, or were last."""
        return self._pupil()

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
        self._tried_at = self.count
        self._say(canvas, "")
        objects = AcceptedObjects(canvas)
        process = self._make(objects.gather, self._models.name, "taught", self.seconds)
        self.process, self._pupil = process, ref(canvas)
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
            self._say(self.pupil, CANCELLED)
            self.changed.emit()

    def use(self, wanted: bool) -> None:
        """Answer with what was learned, or with the weights before, from now on."""
        if self.learned is None:
            return
        self._want(wanted)
        if wanted == self.in_use:
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
        self.learned = None
        self._note()
        self._say(self.canvas, "Undone; the model is as it was before.")
        self.changed.emit()

    # -- the image -----------------------------------------------------------------

    def follow(self, canvas: Canvas | None) -> None:
        """Learn from the objects of another canvas from now on; None for none.

        What is being learned from this one goes on.
        """
        if self.canvas is not None:
            self.canvas.session.happened.disconnect(self._on_event)
            if self.learned is not None:
                self._known[self.canvas] = self.learned
        if self.in_use and self._base is not None:
            self._models.exchange(self._base)
        self.canvas, self.learned = canvas, None
        self._declined, self._tried_at, self.left_out = False, 0, ()
        if canvas is not None:
            canvas.session.happened.connect(self._on_event)
            self._come_back(canvas)
            self._go_on_with(canvas)
        self.changed.emit()

    def on_restored(self, _: Canvas, session: RestoredSession) -> None:
        """Note what a session that is opened had learned."""
        self._restoring = session if session.taught else None

    def close(self) -> None:
        """End what goes on."""
        process, self.process = self.process, None
        if process is not None:
            process.stop()
        if self._folder is not None:
            self._folder.cleanup()

    def _come_back(self, canvas: Canvas) -> None:
        """Let what was learned on an image answer again, if the model is the same."""
        known = self._known.get(canvas)
        engine = self._models.engine
        base = None if known is None else known.base
        if known is None or engine is None or not same_weights(engine, base):
            return
        del self._known[canvas]
        self.learned, self._base = known, engine
        self._tried_at = known.file.objects
        if engine is not base:  # it computes in another way now
            self._load(canvas, None, known.file)
        elif known.file.used:
            self._models.exchange(known.engine)

    def _go_on_with(self, canvas: Canvas) -> None:
        """Let what a restored session had learned answer again."""
        restoring, self._restoring = self._restoring, None
        if restoring is None or restoring.recorder is not canvas.recorder:
            return
        canvas.recorder.flush()
        session, name = canvas.recorder.path, restoring.taught or ""
        path = None if session is None else find_taught(session, name)
        if path is None:
            self.failed.emit(
                UserError(
                    "What this session had learned is not beside it any more, or is "
                    "damaged; it goes on with the weights before, and can learn again."
                )
            )
            return
        self._base = self._models.engine
        self._load(canvas, None, TaughtFile(path, used=restoring.uses_taught))

    def _on_event(self, kind: str) -> None:
        if kind not in ("chosen", "answered", "done", "undone", "redone"):
            return
        ready = self.learned and self.in_use and not self.process
        if ready and self.count - self._tried_at >= AGAIN_AFTER:
            self.start()
        self.changed.emit()

    def _on_model(self) -> None:
        """Drop what was learned if the person has chosen another model."""
        engine, before = self._models.engine, self._base
        learned = None if self.learned is None else self.learned.engine
        if engine is None or engine in (learned, before):
            return
        self._base = engine
        if self.learned is not None and before is None:  # a session was opened first
            self.learned = self.learned._replace(base=engine)
            if self.learned.file.used:
                self._models.exchange(self.learned.engine)
            return
        if same_weights(engine, before):
            if self.learned is not None and self.canvas is not None:
                self._load(self.canvas, None, self.learned.file)  # for another mode
            return
        if self.process is not None:
            self.cancel()
            self._tried_at = 0
            self._say(self.pupil, OTHER_MODEL)
            self.changed.emit()
        if self.learned is not None:
            self.learned, self._tried_at = None, 0
            self._say(self.canvas, "")
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
        if canvas is self.canvas:
            self.left_out = (*objects.lost, *report.left_out)
        if report.kind == "done" and process.result is not None:
            self._keep(canvas, process, report)
            return
        process.clear()
        self.process = None
        if report.kind == "failed":
            self._say(canvas, BROKEN_OFF)
            self.failed.emit(RuntimeError(f"{report.text}\n{report.details}"))
        else:
            self._say(canvas, report.text)
        if report.kind == "refused":
            self.failed.emit(UserError(report.text))
        self.changed.emit()

    def _on_error(self, process: TeachingProcess, error: Exception) -> None:
        process.clear()
        if process is self.process:
            self.process = None
            self._say(self.pupil, BROKEN_OFF)
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
            lambda path: self._load(
                canvas, process, TaughtFile(path, report.objects, report.text)
            ),
            partial(self._on_error, process),
        )

    def _load(
        self, canvas: Canvas, process: TeachingProcess | None, file: TaughtFile
    ) -> None:
        choice = self._models.choice
        self._executor.start(
            partial(engine_of, file.path, choice),
            partial(self._on_loaded, canvas, process, file, self._base),
            partial(self._on_not_loaded, process),
        )

    def _on_loaded(
        self,
        canvas: Canvas,
        process: TeachingProcess | None,
        file: TaughtFile,
        base: PredictionEngine | None,
        found: tuple[PredictionEngine, int],
    ) -> None:
        if process is not None:
            if process is not self.process:
                return  # it was cancelled meanwhile
            self.process = None
        elif base is not None and base is not self._base:
            return  # another model was chosen meanwhile
        elif self.learned is not None and self.learned.file.path == file.path:
            file = self.learned.file  # the person may have switched it meanwhile
        engine, count = found
        self._base = self._base or self._models.engine
        told = file.summary or f"Learned from {count} objects before."
        file = file._replace(objects=file.objects or count, summary=told)
        learned = Learned(engine, self._base, file)
        self._say(canvas, told)
        if canvas is self.canvas:
            self.learned = learned
            self._tried_at = max(self._tried_at, file.objects)
            if file.used:
                self._models.exchange(engine)
            self._note()
        else:
            self._known[canvas] = learned
            note(canvas, learned)
        self.changed.emit()

    def _on_not_loaded(self, process: TeachingProcess | None, error: Exception) -> None:
        if process is not None and process is self.process:
            self.process = None
            self._say(self.pupil, BROKEN_OFF)
        self.failed.emit(error)
        self.changed.emit()

    def _want(self, used: bool) -> None:
        assert self.learned is not None
        file = self.learned.file._replace(used=used)
        self.learned = self.learned._replace(file=file)

    def _say(self, canvas: Canvas | None, sentence: str) -> None:
        """Tell how learning on an image has ended, whenever that is looked at."""
        if canvas is not None:
            self._sentences[canvas] = sentence

    def _note(self) -> None:
        """Have the session know what was learned, for going on with it."""
        if self.canvas is not None:
            note(self.canvas, self.learned)
