"""How far a download is, in napari's activity dock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils import cancelable_progress

if TYPE_CHECKING:
    from napari_simpleclick.workflow.model_loader import ModelLoader


class DownloadBar:
    """A bar that is there while a model is downloaded, and cancels it.

    Parameters
    ----------
    models : ModelLoader
        Downloads models.

    Attributes
    ----------
    bar : cancelable_progress or None
        napari's bar; None while there is none.
    """

    def __init__(self, models: ModelLoader) -> None:
        self._models = models
        self.bar: Any = None
        models.downloading.connect(self._on_progress)
        for ended in (models.loading, models.loaded, models.failed, models.cancelled):
            ended.connect(self.close)

    def close(self) -> None:
        """Take the bar away."""
        bar, self.bar = self.bar, None
        if bar is not None:
            bar.close()

    def _on_progress(self, done: int, total: int) -> None:
        if self.bar is None:
            self.bar = cancelable_progress(
                total=total,
                desc=f"Downloading {self._models.name}",
                cancel_callback=self._models.cancel,
            )
        self.bar.update(done - self.bar.n)
