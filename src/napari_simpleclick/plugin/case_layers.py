"""The layers of one case of a queue, with its session."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer
from napari.utils.notifications import show_warning
from psygnal import Signal

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.viewer_images import open_layers
from napari_simpleclick.plugin.export_case import export_case
from napari_simpleclick.plugin.files import in_viewer, layer_data
from napari_simpleclick.plugin.layers.placement import default_options, session_image
from napari_simpleclick.sessions.folder import QUEUE_KEY, offers
from napari_simpleclick.sessions.writer import WORTH_A_FILE
from napari_simpleclick.workflow.explain import explain
from napari_simpleclick.workflow.session_file import read_session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_simpleclick.exports import ExportCase
    from napari_simpleclick.images.viewer_images import Opened
    from napari_simpleclick.plugin.controller import Controller
    from napari_simpleclick.plugin.files import LayerData
    from napari_simpleclick.plugin.layers.canvas import LayerCanvas
    from napari_simpleclick.workflow.session_file import RestoredSession

NO_IMAGE = "'{}' holds labels only; choose the image that they are of."


class CaseLayers:
    """Opens a case in the viewer, and takes it away again.

    It is the :class:`napari_simpleclick.workflow.case_queue.CaseViewer` of napari.

    Parameters
    ----------
    controller : Controller
        Whose viewer shows the case.
    """

    acted = Signal()
    """The person has done something on the case."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self._layers: list[Layer] = []
        self._watched: LayerCanvas | None = None
        controller.workflow.autosave.restored.connect(self._watch)

    @property
    def canvas(self) -> LayerCanvas | None:
        """The canvas of the case, while it is worked on."""
        canvas = self.controller.canvas
        return canvas if canvas is not None and canvas.image in self._layers else None

    # -- showing -----------------------------------------------------------------------

    def read(self, path: Path) -> Callable[[], object]:
        """Read a case and its newest session; see `CaseViewer`."""
        opened = open_layers(path)
        data = [layer_data(one) for one in opened]
        shown = next((one for one in data if one[2] == "image"), None)
        if shown is None:
            raise UserError(NO_IMAGE.format(path))
        restored, told = _session_of(Image(shown[0], **shown[1]))
        return partial(self._show, opened, data, restored, told)

    def _show(
        self,
        opened: list[Opened],
        data: list[LayerData],
        restored: RestoredSession | None,
        told: tuple[str, ...],
    ) -> None:
        viewer, flow = self.controller.viewer, self.controller.workflow
        for sentence in (*told, *(text for one in opened for text in one.warnings)):
            show_warning(sentence)
        placed = (in_viewer(*pair) for pair in zip(data, opened, strict=True))
        self._layers = [Layer.create(*one) for one in placed]
        for layer in self._layers:
            viewer.add_layer(layer)
        image = next(one for one in self._layers if isinstance(one, Image))
        self.controller.use_image(image)
        viewer.reset_view()
        canvas = self.canvas
        if restored is not None and canvas is not None:
            flow.autosave.restored.emit(canvas, restored)
        elif restored is not None:
            restored.recorder.close()
        self._watch()

    def take_away(self) -> None:
        """Remove the layers of the case; see `CaseViewer`."""
        canvas, layers = self.canvas, self._layers
        self._unwatch()
        self._layers = []
        if canvas is not None:
            self.controller.use_image(None)
            layers = [*canvas.layers[1:], *layers]
        for layer in layers:
            if layer in self.controller.viewer.layers:
                self.controller.viewer.layers.remove(layer)

    # -- what is done on it ------------------------------------------------------------

    def _watch(self, *_: Any) -> None:
        """Notice what is done on the canvas of now."""
        self._unwatch()
        self._watched = self.canvas
        if self._watched is not None:
            self._watched.session.happened.connect(self._on_event)

    def _unwatch(self) -> None:
        if self._watched is not None:
            self._watched.session.happened.disconnect(self._on_event, missing_ok=True)
            self._watched = None

    def _on_event(self, kind: str, _: Any) -> None:
        if kind in WORTH_A_FILE:
            self.acted.emit()

    def is_touched(self) -> bool:
        """Whether there is a session; see `CaseViewer`."""
        return self.canvas is not None and self.canvas.recorder.begun

    def trouble(self) -> Exception | None:
        """Wait until all is written; see `CaseViewer`."""
        if self.canvas is None or not self.canvas.recorder.begun:
            return None
        self.canvas.recorder.flush()
        return self.controller.workflow.autosave.trouble

    def belongs_to(self, queue: Path) -> None:
        """Note the queue in the session; see `CaseViewer`."""
        if self.canvas is not None:
            self.canvas.recorder.put_about({QUEUE_KEY: str(queue.absolute())})

    def to_export(self, name: str) -> ExportCase:
        """Give the case with its mask; see `CaseViewer`."""
        canvas = self.canvas
        if canvas is None:
            raise UserError("The layers of this case were removed; open it again.")
        return export_case(canvas, name)


def _session_of(image: Image) -> tuple[RestoredSession | None, tuple[str, ...]]:
    """Read the newest session of an image, or say why that cannot be done."""
    about = session_image(image, default_options(image).channel_axis)
    try:
        found = offers(about.identity())
        return (read_session(found[0].path, about) if found else None), ()
    except (OSError, ValueError) as error:
        return None, (
            f"The session of '{image.name}' cannot be opened ({explain(error)}); it "
            "stays on disk.",
        )
