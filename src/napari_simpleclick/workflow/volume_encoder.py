"""Encoding the displayed volume into the store, while the person goes on."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_simpleclick.errors import UserError
from napari_simpleclick.workflow.nearest_slices import nearest_first

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_simpleclick.inference.feature_store import FeatureStore
    from napari_simpleclick.workflow.canvas import Canvas
    from napari_simpleclick.workflow.encode_volume import VolumeSlices
    from napari_simpleclick.workflow.engine import PredictionEngine
    from napari_simpleclick.workflow.executor import Executor
    from napari_simpleclick.workflow.model_loader import ModelLoader


class VolumeRun:
    """One run through a volume; clicks are answered between two slices.

    Parameters
    ----------
    slices : VolumeSlices
        What to encode.
    engine : PredictionEngine
        By what.
    store : FeatureStore
        Where features go.

    Attributes
    ----------
    stopped : bool
        Set it to end after the present slice.
    done : int
        Slices that are in the store.
    """

    def __init__(
        self, slices: VolumeSlices, engine: PredictionEngine, store: FeatureStore
    ) -> None:
        self.stopped, self.done, self.total = False, 0, len(slices.planes)
        self._slices, self._engine, self._store = slices, engine, store

    def steps(self) -> Iterator[None]:
        """Do it, in a worker; each step is one slice."""
        from napari_simpleclick.inference.encoding import packed

        beside, store = self._engine.predictor.beside(), self._store
        for plane in self._slices.planes:
            if self.stopped:
                return
            pixels = self._slices.first_pixels(beside, plane)
            key = beside.encoder.stored_key(pixels)
            if not store.holds(key):
                time.sleep(0.001)  # a lock is not fair: let a click that waits go first
                with self._engine.lock:
                    content = packed(beside, pixels)
                store.check_room(self.total, len(content))
                store.write(key, content)
            self.done += 1
            yield

    @property
    def sentence(self) -> str:
        """How far it has come."""
        if self.done == self.total:
            what = f"All {self.total} slices are" if self.total > 1 else "The slice is"
            return (
                f"{what} encoded, also for the next time; after a change of "
                "intensities or axis, press it again."
            )
        return f"{self.done} of {self.total} slices are encoded; press it to go on."


class VolumeEncoder:
    """Encodes all slices of the displayed axis, those near the displayed one first.

    What is in the store already is not encoded again, so that a run that was cancelled
    goes on.

    Parameters
    ----------
    models : ModelLoader
        Gives the engine.
    executor : Executor
        Encodes.

    Attributes
    ----------
    run : VolumeRun or None
        What goes on.
    sentence : str
        How the last run ended; empty while there was none.
    """

    changed = Signal()
    """A run has begun, gone on or ended."""

    failed = Signal(object)
    """What was asked for cannot be done, or not to the end; an exception."""

    def __init__(self, models: ModelLoader, executor: Executor) -> None:
        self.run: VolumeRun | None = None
        self.sentence = ""
        self._canvas: Canvas | None = None
        self._models, self._executor = models, executor
        models.loaded.connect(self._on_model)

    def follow(self, canvas: Canvas | None) -> None:
        """Work on another canvas from now on; what goes on is stopped."""
        self._canvas = canvas
        self._on_model()

    def start(self) -> None:
        """Encode what is not in the store yet."""
        if self.run is not None:
            return
        try:
            self.run = run = self._make_run()
        except Exception as error:
            self.failed.emit(error)
            return
        self.sentence = ""
        self.changed.emit()
        self._executor.go_through(
            run.steps(),
            self.changed.emit,
            partial(self._on_end, run),
            partial(self._on_error, run),
            "Encoding the volume",
            run.total,
        )

    def cancel(self) -> None:
        """Stop after the present slice; what was encoded stays."""
        if self.run is not None:
            self.run.stopped = True

    def _make_run(self) -> VolumeRun:
        from napari_simpleclick.inference.feature_store import FeatureStore
        from napari_simpleclick.workflow.encode_volume import (
            VolumeSlices,
            check_encodes_once,
        )

        canvas, engine = self._canvas, self._models.engine
        if canvas is None:
            raise UserError("Choose an image first.")
        if engine is None:
            raise UserError("The model is still being loaded.")
        check_encodes_once(engine.predictor, engine.card.name)
        plane = canvas.current_plane()
        planes = tuple(nearest_first(canvas, plane))
        slices = VolumeSlices(canvas.view(), planes, canvas.spacing(plane))
        return VolumeRun(slices, engine, FeatureStore())

    def _on_end(self, run: VolumeRun) -> None:
        if run is self.run:
            self.run, self.sentence = None, run.sentence
            self.changed.emit()

    def _on_error(self, run: VolumeRun, error: Exception) -> None:
        if run is self.run:
            self._on_end(run)
            self.failed.emit(error)

    def _on_model(self) -> None:
        """Stop, for image or model are others now."""
        self.cancel()
        self.run, self.sentence = None, ""
        self.changed.emit()
