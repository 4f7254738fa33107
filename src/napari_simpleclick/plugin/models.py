"""The model in use, loaded in the background."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari.qt.threading import create_worker
from psygnal import Signal

if TYPE_CHECKING:
    from napari_simpleclick.answer import Engine


class Models:
    """Loads models, one after the other; the present one stays until the next is there.

    Attributes
    ----------
    engine : Engine or None
        What answers clicks; None until the first model is loaded.
    name : str
        Catalogue name or path of the model in use, or of the one being loaded.
    """

    loading = Signal()
    """A model has begun to load."""

    loaded = Signal()
    """Another model is in use."""

    failed = Signal(object)
    """A model could not be loaded; the error says why."""

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.name = self._loaded = ""
        self._closed = False

    def use(self, name: str) -> None:
        """Load a model, by catalogue name or path."""
        self.name = name
        self.loading.emit()
        create_worker(
            _load_engine,
            name,
            _progress={"desc": "Loading the model"},
            _connect={
                "returned": partial(self._on_engine, name),
                "errored": partial(self._on_error, name),
            },
        )

    def close(self) -> None:
        """Drop what is still being loaded."""
        self._closed = True

    def _on_engine(self, name: str, engine: Engine) -> None:
        if not self._closed and name == self.name:
            self.engine, self._loaded = engine, name
            self.loaded.emit()

    def _on_error(self, name: str, error: Exception) -> None:
        if not self._closed and name == self.name:
            self.name = self._loaded
            self.failed.emit(error)


def _load_engine(name: str) -> Engine:
    """Load a model; runs in a worker, as torch takes seconds to import."""
    from napari_simpleclick.answer import Engine
    from napari_simpleclick.predict import Predictor
    from napari_simpleclick.weights import load_weights

    network, card = load_weights(name)
    return Engine(Predictor(network), card)
