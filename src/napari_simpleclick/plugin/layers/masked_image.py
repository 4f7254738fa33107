"""An image layer and its mask, which is painted on as well as predicted."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_simpleclick.annotation import (
    MaskChange,
    ObjectStack,
    ObjectStyle,
    Session,
)
from napari_simpleclick.images.label_names import NAMES_KEY
from napari_simpleclick.images.local_map import LocalMap, Window
from napari_simpleclick.images.source import SOURCE_KEY
from napari_simpleclick.plugin.layers.colours import (
    AT_LEAST,
    colormap_of,
    label_names,
)
from napari_simpleclick.plugin.layers.displayed_image import DisplayedImage
from napari_simpleclick.plugin.layers.paint_lock import PaintLock
from napari_simpleclick.plugin.layers.placement import (
    layer_grid,
    mask_source,
    transform,
)
from napari_simpleclick.plugin.layers.strokes import is_painting, painted
from napari_simpleclick.sessions.reader import TAKEN_BACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.components import ViewerModel
    from napari.layers import Image, Labels
    from numpy.typing import NDArray

    from napari_simpleclick.images import Plane
    from napari_simpleclick.workflow.found_mask import Grid

KEY = "napari-simpleclick"
"""Key under which a mask layer's metadata hold its canvas."""

OUTLINE_PX = 2
"""Width of outlines, screen pixels."""

STROKE_MS = 30
"""How often to see whether a brush stroke has ended."""


class MaskedImage(DisplayedImage):
    """An image layer with its mask, whose changes a session takes down.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The viewer that shows the image.
    image : napari.layers.Image
        The image; the mask takes over its transform and units.
    session : Session
        Objects and undo steps.
    labels : ndarray
        The labels to begin with, of the shape of the image without its channels.
    """

    refused = Signal(str)
    """Why something that the person painted is not in the labels."""

    painted = Signal()
    """The person, or another tool, has changed the labels."""

    def __init__(
        self,
        viewer: ViewerModel,
        image: Image,
        session: Session,
        labels: NDArray[Any],
    ) -> None:
        super().__init__(viewer, image, session)
        self.quiet = False
        self._shown: tuple[dict[int, ObjectStyle], int] = {}, AT_LEAST
        axis = self.options.channel_axis
        self.mask: Labels = viewer.add_labels(
            labels,
            name=f"{image.name} mask",
            opacity=0.5,
            colormap=colormap_of(session),
            **transform(image, axis),
        )
        self._labels = self.mask.data
        self._lock = PaintLock(self.mask, session, self.refused.emit)
        self.mask.metadata[KEY] = self
        self.mask.metadata[SOURCE_KEY] = mask_source(image, axis)
        self.mask.metadata[NAMES_KEY] = partial(label_names, session)
        session.happened.connect(self._on_happened)
        self.mask.events.paint.connect(self._on_paint)
        self.mask.events.labels_update.connect(self._lock.restore)
        self.mask.events.data.connect(self._on_labels)
        self.mask.events.selected_label.connect(self._on_label)
        session.changed.connect(self.show_colours)

    @property
    def labels(self) -> NDArray[Any]:
        """The labels of all objects."""
        return np.asanyarray(self.mask.data)

    def fits(self) -> bool:
        """Whether image and mask still have the shape that they began with."""
        return super().fits() and self.mask.data.shape == self._shape

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Change layers without taking the change for the person's."""
        before, self.quiet = self.quiet, True
        try:
            yield
        finally:
            self.quiet = before

    def when_idle(self, call: Callable[[], None]) -> None:
        """Call something when no brush stroke is under way; now, if none is."""
        if is_painting(self.mask):
            QTimer.singleShot(STROKE_MS, partial(self.when_idle, call))
        else:
            call()

    def choose(self, label: int) -> None:
        """Go on with an object."""
        self.mask.selected_label = label

    def _on_label(self) -> None:
        """Go on with the label that the person paints with."""
        if self.mask.selected_label > 0:
            self.show_colours()
            self.session.choose(int(self.mask.selected_label))

    def _on_paint(self, event: Any) -> None:
        """Put what the person painted on the session's undo stack."""
        if self.quiet:
            return
        change = painted(event.value, self.mask.data.shape)
        allowed = self._lock.allowed(change)
        if allowed is not None:
            self.session.paint(allowed)
            self.painted.emit()

    def _on_labels(self) -> None:
        """Put labels that someone has set as a whole on the undo stack, too.

        They are copied to the array of the mask, which may lie in a file.
        """
        old, new = self._labels, self.mask.data
        if self.quiet or new is old or new.shape != old.shape:
            return
        change = MaskChange.between(old, new)
        if change is not None and change.fits(old.dtype):
            change = self._lock.without(change)
        if change is None or change.fits(old.dtype):
            if change is not None:
                change.apply(old)
            with self.silence():
                self.mask.data = old
        else:
            self._labels = new
        if change is not None:
            self.session.paint(change)
            self.painted.emit()

    def _on_happened(self, kind: str, what: Any) -> None:
        """Undo and redo in the mask, before anyone else hears of it."""
        if kind in (*TAKEN_BACK, "redone") and what.change is not None:
            what.change.apply(self.mask.data, undo=kind in TAKEN_BACK)
            self.refresh()

    def refresh(self) -> None:
        """Draw the mask as it is now."""
        self.mask.refresh()

    def object_mask(self, plane: Plane, label: int) -> NDArray[np.bool_]:
        """(H, W) bool mask of an object on a slice."""
        return self.object_part(plane, label).full()

    def object_part(
        self, plane: Plane, label: int, within: Window | None = None
    ) -> LocalMap:
        """Read it as the part of the slice that the object is on, bool."""
        return LocalMap.of_label(plane.read(self.mask.data), label, within)

    def write(
        self,
        plane: Plane,
        label: int,
        mask: NDArray[np.bool_] | LocalMap,
        show: bool = True,
        present: LocalMap | None = None,
    ) -> MaskChange | None:
        """Write an object's mask on a slice; see :meth:`.Canvas.write`."""
        overwrite, locked = self.options.overwrite, self.session.objects.locked()
        change = MaskChange.of_object(
            self.mask.data, plane, label, mask, overwrite, locked, present
        )
        if change is not None:
            self.put(change, show)
        return change

    def put(self, change: MaskChange, show: bool = True) -> None:
        """Make a change in the mask layer."""
        change.apply(self.mask.data)  # napari's own way would keep a copy of each
        if show and self.mask.visible:
            self.mask.refresh(extent=False, highlight=False)
        elif show:  # said of a visible layer, napari would take its tool away
            self.mask.visible = True

    @property
    def is_outlined(self) -> bool:
        """Whether outlines are drawn only."""
        return bool(self.mask.contour)

    def outline(self, only: bool) -> None:
        """Draw outlines only, or areas."""
        self.mask.contour = OUTLINE_PX if only else 0

    def show_colours(self) -> None:
        """Give the mask layer the colours of the objects."""
        styles = dict(self.session.objects.styles)
        beyond = max(AT_LEAST, self.session.label, *styles)
        if (styles, beyond) != self._shown:
            self._shown = styles, beyond
            self.mask.colormap = colormap_of(self.session)

    def delete(self, *labels: int) -> None:
        """Delete objects, their clicks and their pixels, as one undo step."""
        changes = [one for one in map(self._emptied, labels) if one is not None]
        change = MaskChange.joined(changes)
        if change is not None:
            change.apply(self.mask.data)
        self.session.delete(labels, change)
        self.mask.refresh()

    def _emptied(self, label: int) -> MaskChange | None:
        """Give the change that takes all pixels of an object off the mask."""
        labels = self.mask.data
        voxel_counts = self.session.objects.voxel_counts
        filled = [
            np.flatnonzero(voxel_counts.areas(label, a)) for a in range(labels.ndim)
        ]
        if not filled[0].size:
            return None
        box = tuple(slice(int(a[0]), int(a[-1]) + 1) for a in filled)
        part = labels[box]
        corner = [side.start for side in box]
        return MaskChange.in_box(labels.shape, corner, part, part * (part != label))

    def grid(self) -> Grid:
        """Tell where the voxels of the labels are."""
        return layer_grid(self.mask)

    def areas(self, stack: ObjectStack) -> NDArray[np.int64]:
        """Count the pixels of an object on every slice of a stack."""
        shape = self.mask.data.shape
        own = (*stack.plane.axes, stack.axis)
        if all(side == 1 for axis, side in enumerate(shape) if axis not in own):
            return self.session.objects.voxel_counts.areas(stack.label, stack.axis)
        planes = (stack.object_slice(index).plane for index in range(shape[stack.axis]))
        return np.array([self.object_mask(p, stack.label).sum() for p in planes])
