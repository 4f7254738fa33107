"""The mask of an image and the file of its session: begun, and read back."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.annotate import Reading, Recorder, Store
from napari_simpleclick.annotate.shelf import digest, new_path
from napari_simpleclick.plugin.look import data_shape, mask_shape, pixel_sizes
from napari_simpleclick.volumes.lazy import fits_memory
from napari_simpleclick.volumes.source import SOURCE_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from napari.layers import Image
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Restored:
    """A session that was read back.

    Parameters
    ----------
    recorder : Recorder
        Goes on writing it.
    mask : ndarray
        Its labels.
    extra : dict
        The last settings and model that were noted in it.
    """

    recorder: Recorder
    mask: NDArray[Any]
    extra: dict[str, Any]


def new_store(image: Image, channel_axis: int | None) -> Store:
    """Begin the file of a session."""
    from napari_simpleclick import __version__

    source = image.metadata.get(SOURCE_KEY)
    path = getattr(source, "path", None) or image.source.path
    data = image.data[0] if image.multiscale else image.data
    store = Store(new_path(image.name))
    store.put_about(
        {
            "image": image.name,
            "path": str(path) if path else None,
            "shape": data_shape(image),
            "mask": mask_shape(image, channel_axis),
            "sizes": pixel_sizes(image),
            "rgb": bool(image.rgb),
            "digest": digest(data, image.ndim),
            "version": __version__,
        }
    )
    return store


def read_session(path: Path, image: Image) -> Restored:
    """Read a session of an image."""
    store = Store(path)
    try:
        about = store.about()
        if tuple(about["shape"]) != data_shape(image):
            raise ValueError(
                f"This session belongs to '{about.get('image')}' of shape "
                f"{tuple(about['shape'])}; open that image first."
            )
        reading, mask = Reading(store), empty_mask(tuple(about["mask"]))
        for _ in reading.play(mask):
            pass
        store.put_about({"declined": False})
    except BaseException:
        store.close()
        raise
    recorder = Recorder(reading.session, lambda: store, reading.steps)
    return Restored(recorder, mask, reading.extra)


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
