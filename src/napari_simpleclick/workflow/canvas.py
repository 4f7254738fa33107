"""What the workflow needs of whatever shows an image, its prompts and its mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from napari_simpleclick.prompts import Box, Lasso, Scribble

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from psygnal import SignalInstance

    from napari_simpleclick.annotation import (
        Mask,
        MaskChange,
        MaskOptions,
        ObjectSlice,
        ObjectStack,
        PlacedPrompt,
        Session,
    )
    from napari_simpleclick.images import Plane, Viewport
    from napari_simpleclick.images.local_map import LocalMap, Window
    from napari_simpleclick.images.view import View
    from napari_simpleclick.sessions import SessionWriter
    from napari_simpleclick.workflow.found_mask import Grid
    from napari_simpleclick.workflow.session_file import SessionImage


class ShownPoint(NamedTuple):
    """A point that is shown, which is or is to become a click.

    Parameters
    ----------
    sign : bool
        Whether it adds to the object.
    row : int
        Its number among the points of its sign.
    position : tuple of float
        In image coordinates, px.
    order : int
        Number of its click; 0 if it has none yet.
    """

    sign: bool
    row: int
    position: tuple[float, ...]
    order: int


class ShownShape(NamedTuple):
    """A shape that is shown, which is or is to become a box, a scribble or a lasso.

    Parameters
    ----------
    kind : str
        ``path`` or ``line`` for a scribble, ``polygon`` for a lasso; what else there is
        counts as the box around it.
    sign : bool
        Whether it adds to the object.
    row : int
        Its number among the shapes.
    vertices : tuple
        Positions in image coordinates, px.
    order : int
        Number of its prompt; 0 if it has none yet.
    moved : bool
        Whether it differs from how the prompt was shown.
    """

    kind: str
    sign: bool
    row: int
    vertices: tuple[tuple[float, ...], ...]
    order: int
    moved: bool = True

    def prompt_on(self, plane: Plane) -> Box | Scribble | Lasso:
        """Tell which prompt it is on a slice."""
        places = tuple(plane.point(vertex) for vertex in self.vertices)
        if self.kind in ("path", "line"):
            return Scribble(places, self.sign)
        if self.kind == "polygon":
            return Lasso(places)
        rows, columns = zip(*places, strict=True)
        return Box(min(rows), min(columns), max(rows), max(columns))


class ImageAxes(NamedTuple):
    """What is known of the axes of an image.

    Parameters
    ----------
    names : tuple of str
        What they are called.
    sizes_mm : tuple of float or None
        Of a voxel along each, mm; None where the unit is none of length.
    channels : tuple of str
        Names of the entries of the axis of channels; empty without one.
    """

    names: tuple[str, ...]
    sizes_mm: tuple[float | None, ...]
    channels: tuple[str, ...] = ()


class Canvas(Protocol):
    """An image with the prompts and the mask of one session.

    Everything is called on the main thread. A mask of an object is (H, W) bool on a
    slice, and the labels are those of all objects in all slices.
    """

    session: Session
    """What was done on the image."""

    recorder: SessionWriter
    """Writes the session to its file."""

    painted: SignalInstance
    """The person has changed the labels by other means than prompts."""

    @property
    def options(self) -> MaskOptions:
        """What shapes the masks."""

    @property
    def labels(self) -> NDArray[Any]:
        """The labels of all objects, of the image's shape."""

    # -- the image -----------------------------------------------------------------

    def about_image(self) -> SessionImage:
        """Tell what a session file says of the image."""

    def source(self) -> Any:
        """Give the image's data at full resolution."""

    def view(self) -> View:
        """Take a snapshot of how the image is looked at."""

    def spacing(self, plane: Plane) -> tuple[float, float]:
        """Height and width of a pixel on a slice."""

    def axes(self) -> ImageAxes:
        """Tell what the axes of the image are called, and how long its voxels are."""

    def viewport(self, plane: Plane) -> Viewport | None:
        """Tell what the person sees of a slice that is shown, in its px.

        None where the first look is to be at the whole slice, by choice or because
        nothing of the slice is in sight.
        """

    def plane(self, position: tuple[float, ...]) -> Plane:
        """Find the displayed slice through a position in image coordinates.

        Raises
        ------
        UserError
            If what is displayed is not a slice.
        """

    def current_plane(self) -> Plane:
        """Find the displayed slice; see :meth:`plane`."""

    def position(self) -> tuple[int, ...]:
        """Tell where the view is on all axes; in 3-D, hidden ones alone count."""

    def go_to(self, plane: Plane, axis: int) -> None:
        """Show a slice that differs from the displayed one on this axis only."""

    def show(self, plane: Plane) -> None:
        """Show a slice, whatever is displayed now."""

    # -- the prompts ---------------------------------------------------------------

    def shown_points(self) -> list[ShownPoint]:
        """All points that are shown now."""

    def fresh_points(self) -> list[ShownPoint]:
        """All points that are shown now and are no clicks yet; the others cost nothing.

        A copy of a click is one of them.
        """

    def show_click(self, object_slice: ObjectSlice, step: PlacedPrompt) -> None:
        """Show one more click, unless it is gone or shown already."""

    def shown_shapes(self) -> list[ShownShape]:
        """All shapes that are shown now."""

    def tag_shape(self, row: int, object_slice: ObjectSlice, order: int) -> None:
        """Note which prompt a shape that was just added has become."""

    def tag(self, sign: bool, row: int, object_slice: ObjectSlice, order: int) -> None:
        """Note which click a point that was just added has become."""

    def show_steps(self) -> None:
        """Show the session's prompts, and no others."""

    def choose(self, label: int) -> None:
        """Go on with an object."""

    # -- the mask ------------------------------------------------------------------

    def object_mask(self, plane: Plane, label: int) -> Mask:
        """Read the mask of an object on a slice."""

    def object_part(
        self, plane: Plane, label: int, within: Window | None = None
    ) -> LocalMap:
        """Read it as the part of the slice that the object is on, bool.

        Parameters
        ----------
        plane : Plane
            The slice.
        label : int
            The object.
        within : tuple of slice or None
            Rows and columns beyond which there is nothing of it, if that is known.
        """

    def write(
        self,
        plane: Plane,
        label: int,
        mask: Mask | LocalMap,
        show: bool = True,
        present: LocalMap | None = None,
    ) -> MaskChange | None:
        """Write an object's mask on a slice, over others only if options say so.

        Nothing is written over an object that is locked, nor of one.

        Parameters
        ----------
        plane : Plane
            The slice.
        label : int
            The object.
        mask : ndarray or LocalMap
            (H, W) bool, its new mask.
        show : bool
            Whether to draw it; if not, :meth:`refresh` is to follow.
        present : LocalMap or None
            What :meth:`object_part` gives, if it is known.

        Returns
        -------
        MaskChange or None
            What has changed, for the session.
        """

    def put(self, change: MaskChange, show: bool = True) -> None:
        """Make a change in the labels, whatever it is about.

        Parameters
        ----------
        change : MaskChange
            The change.
        show : bool
            Whether to draw it; if not, :meth:`refresh` is to follow.
        """

    def refresh(self) -> None:
        """Draw the mask as it is now."""

    def delete(self, *labels: int) -> None:
        """Delete objects, their clicks and their pixels, as one undo step."""

    def grid(self) -> Grid:
        """Tell where the voxels of the labels are."""

    def set_aside(self) -> None:
        """Keep a copy of the labels as they are, if there is something in them."""

    def areas(self, stack: ObjectStack) -> NDArray[np.int64]:
        """Count the pixels of an object on every slice of a stack."""

    def when_idle(self, call: Callable[[], None]) -> None:
        """Call something when no brush stroke is under way; now, if none is."""
