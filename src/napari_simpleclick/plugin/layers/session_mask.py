"""The mask of an image and the file of its session: begun, and read back."""

from __future__ import annotations

import math
import mmap
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.lazy_array import fits_memory
from napari_simpleclick.images.source import SOURCE_KEY
from napari_simpleclick.plugin.layers.placement import (
    data_shape,
    mask_shape,
    pixel_sizes,
)
from napari_simpleclick.sessions import (
    ImageIdentity,
    SessionDatabase,
    SessionReader,
    SessionWriter,
)
from napari_simpleclick.sessions.database import import_copy
from napari_simpleclick.sessions.folder import folder, new_path

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Image
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
    """

    recorder: SessionWriter
    mask: NDArray[Any]


def new_store(image: Image, channel_axis: int | None) -> SessionDatabase:
    """Begin the file of a session."""
    from napari_simpleclick import __version__

    store = SessionDatabase(new_path(image.name))
    store.put_about(
        {
            "image": image.name,
            "shape": data_shape(image),
            "mask": mask_shape(image, channel_axis),
            "sizes": pixel_sizes(image),
            "rgb": bool(image.rgb),
            "version": __version__,
            **identity_of(image).about(),
        }
    )
    return store


def identity_of(image: Image) -> ImageIdentity:
    """Tell an image from others; it takes the time of reading some slices."""
    source = image.metadata.get(SOURCE_KEY)
    path = getattr(source, "path", None) or image.source.path
    data = image.data[0] if image.multiscale else image.data
    return ImageIdentity.of(data, image.ndim, path)


def read_session(path: Path, image: Image) -> RestoredSession:
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
        store = SessionDatabase(own)
        about = store.about()
        identity = _check_image(about, image)
        reading, mask = SessionReader(store), empty_mask(tuple(about["mask"]))
        for _ in reading.play(mask):
            pass
        known = {k: v for k, v in identity.about().items() if v is not None}
        store.put_about({**known, "declined": False})
    except BaseException as error:
        if store is not None:
            store.close()
        if foreign:
            own.unlink(missing_ok=True)
        if isinstance(error, ValueError):
            told = str(error).replace(f"'{own.name}'", f"'{path.name}'")
            raise UserError(told) from error
        raise
    recorder = SessionWriter(reading.session, lambda: store, reading.ids)
    return RestoredSession(recorder, mask)


def _check_image(about: dict[str, Any], image: Image) -> ImageIdentity:
    """Refuse an image that is not the one of a session."""
    name, shape = about.get("image"), tuple(about["shape"])
    if shape != data_shape(image):
        raise UserError(
            f"This session belongs to '{name}' of shape {shape}; open that image first."
        )
    identity = identity_of(image)
    if not identity.is_that_of(about):
        raise UserError(
            f"This session belongs to '{name}', which has the same shape and other "
            "pixels; open that image first."
        )
    return identity


def empty_mask(shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """Give an empty mask; a large one is a file without content that grows with it."""
    bytes_needed = np.dtype(np.uint16).itemsize * math.prod(shape)
    if fits_memory(bytes_needed):
        return np.zeros(shape, np.uint16)
    try:
        with tempfile.TemporaryFile() as file:
            return np.memmap(file, np.uint16, "w+", shape=shape)
    except OSError as error:
        raise MemoryError(str(error)) from error


def release(mask: NDArray[Any]) -> None:
    """Let go of what was read of a mask that lies in a file; nothing is lost.

    The pages of a mapped file count as the memory of the process that has looked at
    them, until the system needs them for others. Windows has no word for it.
    """
    if isinstance(mask.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        mask.base.madvise(mmap.MADV_DONTNEED)
