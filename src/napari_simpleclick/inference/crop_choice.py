"""Which crops of an image the network is shown for a prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_simpleclick.inference.first_look import (
    FirstLook,
    closer,
    crop_of_view,
    magnifications,
    moved_to,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_simpleclick.images.local_map import LocalMap
    from napari_simpleclick.images.viewport import Viewport
    from napari_simpleclick.inference.crops import Crop, ZoomIn
    from napari_simpleclick.prompts import Click


@dataclass(frozen=True)
class CropChoice:
    """Chooses crops: a first look while there is no object, then the zoom.

    Views, clicks and crops are among square pixels; a crop that is None is the whole
    image.

    Parameters
    ----------
    zoom : ZoomIn
        How crops are chosen once there is an object.
    first_look : {"published", "magnifications"}
        What is looked at before, where no view is known.
    """

    zoom: ZoomIn
    first_look: FirstLook

    @property
    def input_side(self) -> int:
        """Longer side of the network's input, px."""
        return self.zoom.longest_side or max(self.zoom.size)

    def first(self, view: Viewport | None, shape: tuple[int, int]) -> Crop | None:
        """Choose the crop for a first click in a view of an image of (H, W) px."""
        return None if view is None else crop_of_view(view, shape, self.input_side)

    def magnified(
        self, clicks: Sequence[Click], shape: tuple[int, int]
    ) -> list[Crop | None]:
        """Choose several crops for first clicks, see :func:`magnifications`."""
        return magnifications(clicks, shape, self.input_side)

    def one(
        self,
        focus: LocalMap | None,
        clicks: Sequence[Click],
        shape: tuple[int, int],
        current: Crop | None,
        view: Viewport | None,
    ) -> Crop | None:
        """Choose the crop that a prompt is answered with.

        Parameters
        ----------
        focus : LocalMap or None
            Probability of what the crop is chosen around; None for nothing.
        clicks : sequence of Click
            Those that the crop has to hold, the newest included.
        shape : tuple of int
            (H, W) of the image.
        current : Crop or None
            The crop of the answer before.
        view : Viewport or None
            What the person saw at the first click.
        """
        first = moved_to(self.first(view, shape), clicks, shape)
        return self.zoom.choose(focus, clicks, shape, current, first)

    def is_first(self, focus: LocalMap | None) -> bool:
        """Whether this is a first look: there is no object yet.

        Parameters
        ----------
        focus
            As of :meth:`one`.
        """
        return focus is None or not focus.above(self.zoom.threshold).any()

    def compares(self, view: Viewport | None) -> bool:
        """Whether a first look compares :meth:`magnified` crops: not with a view.

        Parameters
        ----------
        view
            As of :meth:`one`.
        """
        return self.first_look == "magnifications" and view is None

    def closer(
        self,
        found: LocalMap,
        clicks: Sequence[Click],
        shape: tuple[int, int],
        seen: Crop | None,
    ) -> Crop | None:
        """Choose the crop of a second look, if the first shows a small object.

        Parameters
        ----------
        found : LocalMap
            Probability after the first look.
        clicks, shape
            As of :meth:`one`.
        seen : Crop or None
            The crop of the first look.
        """
        known = found.above(self.zoom.threshold)
        return closer(known, clicks, seen, shape, self.input_side)
