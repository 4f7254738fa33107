"""PNG, JPEG and BMP files."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageMode
from skimage.io import imread, imsave

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.image_file import ImageFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray


def read(path: Path) -> ImageFile:
    """Read a picture of any size as (H, W) or (H, W, 3); alpha is dropped."""
    with _any_size():
        array = np.asarray(imread(path))
    if array.ndim == 3:
        array = array[..., 0] if array.shape[-1] == 2 else array[..., :3]
    return ImageFile(array, array.ndim == 3, (1.0, 1.0), path=path)


def header(path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """(H, W) and type of a picture, without reading it."""
    with _any_size(), Image.open(path) as picture:
        kind = np.dtype(ImageMode.getmode(picture.mode).typestr)
        return (picture.height, picture.width), kind


@contextmanager
def _any_size() -> Iterator[None]:
    """Lift Pillow's limit, which is meant for untrusted uploads."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def write(path: Path, mask: NDArray[Any]) -> None:
    """Write an (H, W) mask as 0 and 255, so that it can be seen."""
    if mask.ndim != 2:
        raise UserError("A picture cannot hold a volume; use .tif or .nii.gz.")
    imsave(path, (mask > 0) * np.uint8(255), check_contrast=False)
