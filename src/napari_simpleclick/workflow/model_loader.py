"""The model in use, loaded in the background."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from psygnal import Signal

from napari_simpleclick.errors import UserError
from napari_simpleclick.weights import WeightsError, download, find_card, is_local
from napari_simpleclick.workflow.explain import explain

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_simpleclick.inference import Predictor
    from napari_simpleclick.inference.speed import Speed
    from napari_simpleclick.workflow.engine import PredictionEngine
    from napari_simpleclick.workflow.executor import Executor


class ModelChoice(NamedTuple):
    """What is to answer clicks.

    Parameters
    ----------
    model : str
        Catalogue name or path.
    device, precision : str
        As :class:`napari_simpleclick.Predictor` takes them.
    mode : {"fast", "exact"}
        See :class:`napari_simpleclick.inference.modes.Mode`; the precision is that of
        the fast one.
    """

    model: str = "bundled"
    device: str = "auto"
    precision: str = "auto"
    mode: str = "fast"


class ModelLoader:
    """Loads models, one after the other; the present one stays until the next is there.

    Parameters
    ----------
    executor : Executor
        Loads them.

    Attributes
    ----------
    engine : PredictionEngine or None
        What answers clicks; None until the first model is loaded.
    choice : ModelChoice
        What is in use, or being loaded.
    devices : tuple of str
        Names of the devices of this computer; empty until a model is loaded.
    speeds : dict
        Of the models that were measured, by what was chosen.
    computing : str
        What computes, in one sentence; empty for nothing to say.
    """

    loading = Signal()
    """A model has begun to load."""

    downloading = Signal(int, int)
    """Bytes of a download so far, and in all."""

    loaded = Signal()
    """Another model is in use."""

    exchanged = Signal()
    """What was learned answers, or does so no more; runs go on with what they have."""

    failed = Signal(object)
    """A model could not be loaded; the error says why."""

    cancelled = Signal()
    """Loading was cancelled; what was in use stays."""

    accelerated = Signal()
    """What computes from now on is known."""

    measured = Signal()
    """The speed of the model in use is known."""

    def __init__(self, executor: Executor) -> None:
        self.engine: PredictionEngine | None = None
        self.choice = self._in_use = ModelChoice()
        self.devices: tuple[str, ...] = ()
        self.speeds: dict[ModelChoice, Speed] = {}
        self.computing = ""
        self._executor = executor
        self._measuring: ModelChoice | None = None
        self._job: Load | None = None

    @property
    def name(self) -> str:
        """Catalogue name or path of the model in use, or of the one being loaded."""
        return self.choice.model

    @property
    def is_loading(self) -> bool:
        """Whether a model is being loaded."""
        return self._job is not None

    def choose(self, choice: ModelChoice) -> None:
        """Load a model onto a device; what is being loaded is given up for it."""
        self._give_up()
        self.choice = choice
        self._job = job = Load(choice, self._tell_progress)
        self.loading.emit()
        self._executor.start(
            job.run,
            partial(self._on_loaded, job),
            partial(self._on_error, job),
            "Loading the model",
        )

    def exchange(self, engine: PredictionEngine) -> None:
        """Let another engine answer at once; the choice stays that of the person."""
        self.engine = engine
        self.exchanged.emit()
        self._accelerate()

    def _accelerate(self) -> None:
        """Have the model computed faster if it can be, while it answers already."""
        from napari_simpleclick.inference.openvino_network import is_available

        engine, self.computing = self.engine, ""
        if engine is not None and self._in_use.mode == "fast" and is_available():
            told = partial(self._on_accelerated, engine)
            wanted = partial(self._answers, engine)
            self._executor.start(partial(engine.accelerate, wanted), told)

    def _answers(self, engine: PredictionEngine) -> bool:
        return engine is self.engine

    def _on_accelerated(self, engine: PredictionEngine, sentence: str) -> None:
        if self._answers(engine):
            self.computing = sentence
            self.speeds.pop(self._in_use, None)
            self.accelerated.emit()

    def cancel(self) -> None:
        """Give up what is being loaded."""
        if self._job is None:
            return
        self._give_up()
        self.choice = self._in_use
        self.cancelled.emit()
        if self.engine is None:
            self.choose(self._in_use)

    def measure(self) -> None:
        """Time the model in use in the background, unless that is known."""
        choice, engine = self._in_use, self.engine
        if engine is None or choice in self.speeds or choice == self._measuring:
            return
        self._measuring = choice
        self._executor.start(
            engine.measure,
            partial(self._on_measured, choice),
            lambda _: self._end_measuring(choice),  # a time is not worth a complaint
        )

    def _on_measured(self, choice: ModelChoice, speed: Speed) -> None:
        self.speeds[choice] = speed
        self._end_measuring(choice)
        if self.engine is not None:  # else nobody is there any more
            self.measured.emit()

    def _end_measuring(self, choice: ModelChoice) -> None:
        if self._measuring == choice:
            self._measuring = None

    def close(self) -> None:
        """Drop the model, and what is still being loaded."""
        self.engine = None
        self._give_up()

    def _give_up(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.stopped = True

    def _tell_progress(self, job: Load) -> None:
        """Have it told how far a download is; called in the thread that loads."""
        self._executor.call_soon(partial(self._on_progress, job))

    def _on_progress(self, job: Load) -> None:
        job.is_told = True
        if job is self._job:
            self.downloading.emit(job.done, job.total)

    def _on_loaded(self, job: Load, engine: PredictionEngine | None) -> None:
        if job is self._job and engine is not None:
            self._job = None
            self.engine, self._in_use, self.devices = engine, job.choice, job.devices
            self.loaded.emit()
            self._accelerate()

    def _on_error(self, job: Load, error: Exception) -> None:
        if job is self._job:
            self._job = None
            self._fail(job, error)

    def _fail(self, job: Load, error: Exception) -> None:
        """Go back to what was in use, or begin with something else."""
        self.choice = self._in_use
        instead = _instead(job.choice, error) if self.engine is None else None
        if instead is None:
            self.failed.emit(error)
            return
        where = "" if instead.device == "auto" else f" on {instead.device}"
        told = UserError(f"{explain(error)} Until then it is '{instead.model}'{where}.")
        told.__cause__ = error
        self.failed.emit(told)
        self.choose(instead)


def _instead(choice: ModelChoice, error: Exception) -> ModelChoice | None:
    """Find what to begin with if a saved choice is not valid any more."""
    if isinstance(error, WeightsError) or choice == ModelChoice(choice.model):
        instead = choice._replace(model=ModelChoice().model)
    else:
        instead = ModelChoice(choice.model)
    return instead if instead != choice else None


class Cancelled(Exception):
    """Nobody waits for a download any more."""


class Load:
    """One model on its way; it runs in a worker, as torch takes seconds to import.

    Parameters
    ----------
    choice : ModelChoice
        What to load.
    report : callable
        Called with this object when a download has gone on, and not again before
        ``is_told`` is set.

    Attributes
    ----------
    stopped : bool
        Set it to end a download.
    done, total : int
        Bytes of a download; ``total`` is 0 while there is none.
    is_told : bool
        Whether what was reported last has been shown.
    devices : tuple of str
        Names of the devices of this computer.
    """

    def __init__(self, choice: ModelChoice, report: Callable[[Load], None]) -> None:
        self.choice = choice
        self.stopped = False
        self.done = self.total = 0
        self.is_told = True
        self.devices: tuple[str, ...] = ()
        self._report = report

    def run(self) -> PredictionEngine | None:
        """Download if need be, load and warm up; None if it was given up."""
        try:
            card = find_card(self.choice.model)
            if card is not None and card.is_fetched and not is_local(card):
                download(card, report=self._on_bytes)
            self._check()
            return self._load()
        except Cancelled:
            return None

    def _load(self) -> PredictionEngine:
        from napari_simpleclick.inference.devices import (
            available_devices,
            choose_device,
        )
        from napari_simpleclick.inference.feature_store import FeatureStore
        from napari_simpleclick.inference.modes import Mode
        from napari_simpleclick.weights import load_weights
        from napari_simpleclick.workflow.engine import PredictionEngine

        self.devices = available_devices()
        choose_device(self.choice.device)  # to find out before reading a large file
        network, card = load_weights(self.choice.model)
        self._check()
        mode = Mode.named(self.choice.mode, self.choice.precision)
        predictor = mode.predictor(network, self.choice.device, store=FeatureStore())
        _warm_up(predictor)
        known = find_card(card.name) is not None
        return PredictionEngine(predictor, card, "" if known else self.choice.model)

    def _on_bytes(self, done: int, total: int) -> None:
        self._check()
        self.done, self.total = done, total
        if self.is_told:
            self.is_told = False
            self._report(self)

    def _check(self) -> None:
        if self.stopped:
            raise Cancelled


def _warm_up(predictor: Predictor) -> None:
    """Predict without and with a prior, as the first time takes longer than others."""
    import numpy as np

    from napari_simpleclick.prompts import Click

    predictor.set_image(np.zeros((64, 64), np.uint8))
    prior = predictor.predict([Click(32, 32)])
    predictor.predict([Click(32, 32)], prior)
