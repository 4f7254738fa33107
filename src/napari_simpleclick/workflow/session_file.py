"""The file of a session: begun, and read back with its mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_simpleclick.errors import UserError
from napari_simpleclick.sessions import (
    ImageIdentity,
    SessionDatabase,
    SessionReader,
    SessionWriter,
)
from napari_simpleclick.sessions.database import import_copy
from napari_simpleclick.sessions.folder import folder, new_path
from napari_simpleclick.sessions.taught_files import copy_taught, delete_taught
from napari_simpleclick.workflow.mask_array import empty_mask

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class RestoredSession:
    """A session that was read back.

    Parameters
    ----------
    recorder : SessionWriter
        Goes on writing it.
    mask : ndarray
        Its labels.
    taught : str or None
        What it calls the taught weights that it had last; None for none.
    uses_taught : bool
        Whether these answered.
    """

    recorder: SessionWriter
    mask: NDArray[Any]
    taught: str | None = None
    uses_taught: bool = True


@dataclass(frozen=True, eq=False)
class SessionImage:
    """What the file of a session says of its image.

    Parameters
    ----------
    name : str
        What it is called.
    path : str or None
        Its file.
    source : array_like
        The data at full resolution; only slices are read.
    shape : tuple of int
        Without a colour axis.
    mask_shape : tuple of int
        With one entry for all channels.
    pixel_sizes : tuple of float or None
        Along each axis; None where the units cannot be compared.
    rgb : bool
        Whether the data have a colour axis.
    """

    name: str
    path: str | None
    source: Any
    shape: tuple[int, ...]
    mask_shape: tuple[int, ...]
    pixel_sizes: tuple[float | None, ...]
    rgb: bool

    def identity(self) -> ImageIdentity:
        """Tell it from other images; it takes the time of reading some slices."""
        return ImageIdentity.of(self.source, len(self.shape), self.path)


def new_store(image: SessionImage) -> SessionDatabase:
    """Begin the file of a session."""
    from napari_simpleclick import __version__

    store = SessionDatabase(new_path(image.name))
    store.put_about(
        {
            "image": image.name,
            "shape": image.shape,
            "mask": image.mask_shape,
            "sizes": image.pixel_sizes,
            "rgb": image.rgb,
            "version": __version__,
            **image.identity().about(),
        }
    )
    return store


def read_session(path: Path, image: SessionImage) -> RestoredSession:
    """Read a session of an image, to be gone on with.

    One that does not lie in the folder of sessions is copied there first.

    Raises
    ------
    UserError
        If it is not a session, or that of another image.
    OSError
        If it cannot be read.
    """
    foreign = path.parent.resolve() != folder().resolve()
    own = new_path(image.name) if foreign else path
    if foreign:
        import_copy(path, own)
    store = None
    try:
        if foreign:
            copy_taught(path, own)
        store = SessionDatabase(own)
        about = store.about()
        identity = _check_image(about, image)
        reading, mask = SessionReader(store), empty_mask(tuple(about["mask"]))
        for _ in reading.play(mask):
            pass
        store.put_about({**identity.known_to(about), "declined": False})
    except BaseException as error:
        if store is not None:
            store.close()
        if foreign:
            own.unlink(missing_ok=True)
            delete_taught(own)
        if isinstance(error, ValueError):
            told = str(error).replace(f"'{own.name}'", f"'{path.name}'")
            raise UserError(told) from error
        raise
    recorder = SessionWriter(reading.session, lambda: store, reading.ids)
    taught, used = about.get("taught"), about.get("uses_taught", True)
    return RestoredSession(recorder, mask, taught, used)


def _check_image(about: dict[str, Any], image: SessionImage) -> ImageIdentity:
    """Refuse an image that is not the one of a session."""
    name, shape = about.get("image"), tuple(about["shape"])
    if shape != image.shape:
        raise UserError(
            f"This session belongs to '{name}' of shape {shape}; open that image first."
        )
    identity = image.identity()
    if not identity.is_that_of(about):
        raise UserError(
            f"This session belongs to '{name}', which has the same shape and other "
            "pixels; open that image first."
        )
    return identity
