"""The model in use, loaded in the background."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from napari.utils import cancelable_progress
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_simpleclick.errors import UserError
from napari_simpleclick.plugin.workers import start
from napari_simpleclick.weights import WeightsError, catalogue, download, is_local

if TYPE_CHECKING:
    from napari_simpleclick.inference.devices import Precision
    from napari_simpleclick.workflow import PredictionEngine

LOOK_MS = 100
"""How often to look how far a download is."""


class ModelChoice(NamedTuple):
    """What is to answer clicks.

    Parameters
    ----------
    model : str
        Catalogue name or path.
    device, precision : str
        As :class:`napari_simpleclick.Predictor` takes them.
    """

    model: str = "bundled"
    device: str = "auto"
    precision: str = "auto"


class ModelLoader:
    """Loads models, one after the other; the present one stays until the next is there.

    Attributes
    ----------
    engine : PredictionEngine or None
        What answers clicks; None until the first model is loaded.
    choice : ModelChoice
        What is in use, or being loaded.
    devices : tuple of str
        Names of the devices of this computer; empty until a model is loaded.
    """

    loading = Signal()
    """A model has begun to load."""

    downloading = Signal(int, int)
    """Bytes of a download so far, and in all."""

    loaded = Signal()
    """Another model is in use."""

    failed = Signal(object)
    """A model could not be loaded; the error says why."""

    cancelled = Signal()
    """Loading was cancelled; what was in use stays."""

    def __init__(self) -> None:
        self.engine: PredictionEngine | None = None
        self.choice = self._in_use = ModelChoice()
        self.devices: tuple[str, ...] = ()
        self._job: Load | None = None
        self._bar: Any = None
        self._look = QTimer()
        self._look.setInterval(LOOK_MS)
        self._look.timeout.connect(self._on_look)

    @property
    def name(self) -> str:
        """Catalogue name or path of the model in use, or of the one being loaded."""
        return self.choice.model

    @property
    def is_loading(self) -> bool:
        """Whether a model is being loaded."""
        return self._job is not None

    def use(self, name: str) -> None:
        """Load a model, by catalogue name or path."""
        self.choose(self.choice._replace(model=name))

    def choose(self, choice: ModelChoice) -> None:
        """Load a model onto a device; what is being loaded is given up for it."""
        self._give_up()
        self.choice = choice
        self._job = job = Load(choice)
        self.loading.emit()
        self._look.start()
        start(job.run, partial(self._on_end, job), title="Loading the model")

    def cancel(self) -> None:
        """Give up what is being loaded."""
        if self._job is None:
            return
        self._give_up()
        self.choice = self._in_use
        self.cancelled.emit()
        if self.engine is None:
            self.choose(self._in_use)

    def close(self) -> None:
        """Drop what is still being loaded; Qt may be gone already."""
        self.engine = None
        if self._job is not None:
            self._job.stopped = True
            self._job = None  # the timer puts the rest away, if it still runs

    def _give_up(self) -> None:
        if self._job is not None:
            self._job.stopped = True
            self._end()

    def _end(self) -> None:
        """Put away what shows that a model is being loaded."""
        self._job = None
        self._look.stop()
        if self._bar is not None:
            bar, self._bar = self._bar, None
            bar.close()

    def _on_look(self) -> None:
        """Show how far a download is."""
        job = self._job
        if job is None:
            self._end()
            return
        if not job.total:
            return
        if self._bar is None:
            self._bar = cancelable_progress(
                total=job.total,
                desc=f"Downloading {job.choice.model}",
                cancel_callback=self.cancel,
            )
        self._bar.update(job.done - self._bar.n)
        self.downloading.emit(job.done, job.total)

    def _on_end(self, job: Load, engine: PredictionEngine | None) -> None:
        if job is not self._job:
            return
        self._end()
        if engine is not None:
            self.engine, self._in_use, self.devices = engine, job.choice, job.devices
            self.loaded.emit()
        elif job.error is not None:
            self._fail(job, job.error)

    def _fail(self, job: Load, error: Exception) -> None:
        """Go back to what was in use, or begin with something else."""
        self.choice = self._in_use
        instead = _instead(job.choice, error) if self.engine is None else None
        if instead is None:
            self.failed.emit(error)
            return
        where = "" if instead.device == "auto" else f" on {instead.device}"
        told = UserError(f"{error} Until then it is '{instead.model}'{where}.")
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

    Attributes
    ----------
    stopped : bool
        Set it to end a download.
    done, total : int
        Bytes of a download; ``total`` is 0 while there is none.
    devices : tuple of str
        Names of the devices of this computer.
    error : Exception or None
        Why it failed. It is not raised, as some releases of napari raise an error of
        their own where a worker ends with one under PySide6.
    """

    def __init__(self, choice: ModelChoice) -> None:
        self.choice = choice
        self.error: Exception | None = None
        self.stopped = False
        self.done = self.total = 0
        self.devices: tuple[str, ...] = ()

    def run(self) -> PredictionEngine | None:
        """Download if need be, load and warm up; None if it failed or was given up."""
        try:
            card = catalogue().get(self.choice.model)
            if card is not None and card.url and not is_local(card):
                download(card, report=self._report)
            self._check()
            return self._load()
        except Cancelled:
            return None
        except Exception as error:
            self.error = error
            return None

    def _load(self) -> PredictionEngine:
        from napari_simpleclick.inference import Predictor
        from napari_simpleclick.inference.devices import (
            available_devices,
            choose_device,
        )
        from napari_simpleclick.weights import load_weights
        from napari_simpleclick.workflow import PredictionEngine

        self.devices = available_devices()
        choose_device(self.choice.device)  # to find out before reading a large file
        network, card = load_weights(self.choice.model)
        self._check()
        precision = cast("Precision", self.choice.precision)
        predictor = Predictor(network, self.choice.device, precision)
        _warm_up(predictor)
        return PredictionEngine(predictor, card)

    def _report(self, done: int, total: int) -> None:
        self._check()
        self.done, self.total = done, total

    def _check(self) -> None:
        if self.stopped:
            raise Cancelled


def _warm_up(predictor: Any) -> None:
    """Predict once, as the first time takes longer than all others."""
    import numpy as np

    from napari_simpleclick.prompts import Click

    predictor.set_image(np.zeros((64, 64), np.uint8))
    predictor.predict([Click(32, 32)])
