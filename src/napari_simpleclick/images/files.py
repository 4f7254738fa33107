"""The door: image files to arrays, and masks to files."""

from __future__ import annotations

import tempfile
from errno import ENAMETOOLONG
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_simpleclick.errors import UserError
from napari_simpleclick.images.error_text import reason
from napari_simpleclick.images.format import Format, all_formats
from napari_simpleclick.images.image_file import ImageFile
from napari_simpleclick.images.label_maps import (
    label_numbers,
    labels_of,
    smallest_type,
    whole_numbers,
)
from napari_simpleclick.images.label_names import (
    check_beside,
    path_beside,
    write_beside,
)
from napari_simpleclick.images.masks import put_onto
from napari_simpleclick.images.source import Source
from napari_simpleclick.images.whole_files import (
    behind_links,
    check_not_read,
    write_whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from napari_simpleclick.images.label_names import LabelName
    from napari_simpleclick.images.lazy_array import Array


__all__ = [
    "FORMATS",
    "ITK",
    "NIFTI",
    "PICTURE",
    "READABLE",
    "TIFF",
    "VOLUMES",
    "WRITABLE",
    "ImageFile",
    "check_writable",
    "is_image_folder",
    "read_image",
    "read_images",
    "read_mask",
    "smallest_type",
    "suffix_of",
    "write_labels",
]

HEAD_BYTES = 1024
"""Bytes at the beginning of a file by which its format is recognised."""

FORMATS = all_formats()
READABLE = tuple(suffix for one in FORMATS for suffix in one.suffixes)
WRITABLE = tuple(suffix for one in FORMATS for suffix in one.written)
VOLUMES = tuple(s for one in FORMATS if one.of_any_image for s in one.written)
"""Kinds of files that hold the labels of any volume."""

PICTURE, TIFF, NIFTI, ITK = (
    next(one.suffixes for one in FORMATS if one.name == name)
    for name in ("picture", "TIFF", "NIfTI", "NRRD, MetaImage")
)


def suffix_of(path: Path) -> str:
    """File extension in lower case; ``.nii.gz`` counts as one."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()


def stem_of(path: Path) -> str:
    """Name of a file without its extension, see :func:`suffix_of`."""
    return path.name[: len(path.name) - len(suffix_of(path))]


def read_image(path: str | Path) -> ImageFile:
    """Read an image file, or a folder that is one image.

    Parameters
    ----------
    path : str or Path
        PNG, JPEG, TIFF, NIfTI, NRRD, MHA or DICOM file, or a folder with the slices of
        a DICOM series or with numbered pictures. The alpha channel of a PNG is dropped.
        What a file is called does not matter if its content tells what it is.

    Returns
    -------
    ImageFile
        The image, its axes in file order; large arrays stay on disk until they are
        indexed.

    Raises
    ------
    UserError
        If there is no such file, it is empty or damaged, or of another kind.
    ImportError
        If the format needs a package that is not installed.

    Examples
    --------
    >>> from napari_simpleclick import read_image
    >>> from napari_simpleclick.samples import sample_path
    >>> image = read_image(sample_path("em.tif"))
    >>> image.shape, image.array[2].dtype
    ((5, 250, 250), dtype('uint8'))
    """
    path = Path(path)
    found = read_images(path)
    if len(found) > 1:  # segmentations may lie beside the series
        found = [file for file in found if not file.labels] or found
    if len(found) > 1:
        listed = ", ".join(f"'{file.name}'" for file in found)
        if all(file.labels and file.path == found[0].path for file in found):
            raise UserError(
                f"'{path}' holds {len(found)} segments that overlap ({listed}); open "
                "it in napari, and save the layer of the one that you need as .nii.gz."
            )
        raise UserError(
            f"'{path}' holds {len(found)} series ({listed}); put one of them into a "
            "folder of its own."
        )
    return found[0]


def read_images(path: Path) -> list[ImageFile]:
    """Read a file, or a folder with one or several DICOM series.

    Parameters, errors and what is read are those of `read_image`; of every series there
    is an image.
    """
    if path.is_dir():
        chosen = _format_of_folder(path)
        if chosen is None:
            raise UserError(
                f"'{path}' is a folder without a DICOM series or numbered slices; "
                "choose an image file in it."
            )
        return chosen.read(path)
    if not path.exists():
        raise UserError(f"There is no file '{path}'; check the name.")
    if path.stat().st_size == 0:
        raise UserError(f"'{path}' is empty; the file holds no image.")
    chosen = _format_of(path)
    if chosen is None:
        raise UserError(
            f"'{path}' is not an image that can be read; use {', '.join(READABLE)}."
        )
    try:
        return chosen.read(path)
    except chosen.errors as error:
        told = isinstance(error, UserError) and f"'{path}'" in str(error)
        if told or isinstance(error, ImportError):
            raise
        raise UserError(
            f"'{path}' cannot be read as an image: {reason(error)}."
        ) from error


def is_image_folder(folder: Path) -> bool:
    """Whether a folder looks like one image, or several of a kind."""
    return _format_of_folder(folder) is not None


def _format_of_folder(folder: Path) -> Format | None:
    return next((one for one in FORMATS if one.is_folder(folder)), None)


def _format_of(path: Path) -> Format | None:
    """Find the format by the content of a file, and where that is unknown its name."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    content = [one for one in FORMATS if one.recognises(head)]
    name = [one for one in FORMATS if suffix_of(path) in one.suffixes]
    return next(iter([one for one in name if one in content] or content or name), None)


def read_mask(
    path: Path, image: ImageFile, report: Callable[[str], None] | None = None
) -> NDArray[np.bool_]:
    """Read a mask, its axes in the order of an image's file.

    Parameters
    ----------
    path : Path
        The mask, in any format; what is greater than 0 belongs to the object, and in a
        file with a palette or colours what is not the first of the palette or black.
        It is put onto the image as `put_onto` says.
    image : ImageFile
        The image.
    report : callable, optional
        Gets a sentence for everything about the mask that is not as it should be.

    Returns
    -------
    ndarray
        bool, of the image's shape; a single slice (H, W) is left as it is.

    Raises
    ------
    UserError, ImportError
        As for `read_image`, or if the mask does not fit the image, or its labels
        cannot be told.
    """
    return _read_mask(path, image, report) > 0


def read_labels(
    path: Path, image: ImageFile, report: Callable[[str], None] | None = None
) -> NDArray[Any]:
    """Read labels, their axes in the order of an image's file.

    Parameters
    ----------
    path, image, report
        As of :func:`read_mask`.

    Returns
    -------
    ndarray
        Integers of the image's shape; a single slice (H, W) is left as it is.

    Raises
    ------
    UserError, ImportError
        As :func:`read_mask` does, or if they are no whole numbers.
    """
    return label_numbers(_read_mask(path, image, report), path)


def _read_mask(
    path: Path, image: ImageFile, report: Callable[[str], None] | None
) -> NDArray[Any]:
    """Read what a mask holds, put onto an image."""
    file = read_image(path)
    found, told = labels_of(file)
    labels, odd = put_onto(found, file, image)
    if report is not None:
        for sentence in (*file.warnings, *told, *odd):
            report(sentence)
    return labels


def check_writable(
    path: Path, kinds: tuple[str, ...] = WRITABLE, read: Sequence[Path] = ()
) -> None:
    """Refuse a target that cannot be written, before any work is done.

    Parameters
    ----------
    path : Path
        The target.
    kinds : tuple of str
        Extensions that it may have.
    read : sequence of Path
        Files that it is made from; none of them is replaced.

    Raises
    ------
    UserError
        If the kind is not supported, the folder cannot be written to, the name is too
        long for it, or it is a file that it is made from.
    """
    if suffix_of(path) not in kinds:
        raise UserError(f"'{path}' cannot be written; use {', '.join(kinds)}.")
    try:
        if path.is_dir():
            raise UserError(f"'{path}' is a folder; give a file name.")
        check_not_read(path, read)
        folder = behind_links(path).parent
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".write-test-"):
            pass
    except OSError as error:
        what = "a shorter name" if error.errno == ENAMETOOLONG else "another folder"
        raise UserError(
            f"'{path}' cannot be written ({error.strerror}); choose {what}."
        ) from error


def write_labels(
    path: str | Path,
    labels: Array,
    source: Source | None = None,
    names: Sequence[LabelName] = (),
) -> None:
    """Write labels; the old file stays whole until the new one is.

    Parameters
    ----------
    path : str or Path
        Target; one of `WRITABLE`. PNG holds (H, W) only; if there is no other label
        than 1, as 0 and 255 so that it can be seen.
    labels : ndarray
        Whole numbers of any type, (H, W) or more, their axes in the order of a layer
        (see `Source.to_layer`); stored as the smallest type that holds them.
    source : Source or None
        The image they were drawn on. NIfTI, NRRD, MHA and DICOM overlay its file; TIFF
        is as in the viewer. None: a layer of its own, with pixels of 1 mm.
    names : sequence of LabelName
        Names and colours of labels. DICOM and .seg.nrrd files hold them; for others
        than pictures they are written to the file that `path_beside` names.

    Raises
    ------
    UserError
        If the target cannot be written or is the image itself, the labels are no whole
        numbers, such as probabilities, the shape is not that of the source, a volume is
        to become a PNG, or there is something else where names are to be written.
    ImportError
        If the format needs a package that is not installed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> import numpy as np
    >>> from napari_simpleclick import read_image, write_labels
    >>> path = Path(mkdtemp()) / "mask.nii.gz"
    >>> write_labels(path, np.ones((3, 20, 30), bool))
    >>> sorted(read_image(path).shape)
    [3, 20, 30]
    """
    path = Path(path)
    check_writable(path, read=() if source is None else source.image_files)
    beside = path_beside(path) if names else None
    if beside is not None:
        check_beside(beside)
    labels = _checked(labels)
    if source is None:
        count = labels.ndim
        source = Source.of_layer(labels.shape, (1.0,) * count, (0.0,) * count)
    _write(path, labels.astype(smallest_type(labels)), source, names)


def _checked(labels: Array) -> NDArray[Any]:
    """Give labels as integers, or refuse them."""
    array = np.asarray(labels)
    if array.ndim < 2:
        raise UserError(
            f"The labels have the shape {array.shape}; a mask has at least two axes."
        )
    whole = whole_numbers(array)
    if whole is None:
        raise UserError(
            f"The labels ({array.dtype}) are no whole numbers; of probabilities give "
            "the mask, such as 'probability > 0.49'."
        )
    return whole


def _write(
    path: Path, labels: NDArray[Any], source: Source, names: Sequence[LabelName]
) -> None:
    chosen = next(one for one in FORMATS if suffix_of(path) in one.written)
    assert chosen.write is not None
    beside = path_beside(path) if names else None
    labels, source = source.without_single_axes(labels)
    if not chosen.as_shown:
        source = source.with_affine()
        labels = source.to_file(labels)
    write = chosen.write

    def write_both(partial: Path) -> None:
        write(partial, labels, source, names)
        if beside is not None:
            write_whole(beside, lambda there: write_beside(there, names))

    try:
        write_whole(path, write_both)
    except OSError as error:
        why = error.strerror or reason(error)
        raise UserError(f"'{path}' cannot be written ({why}).") from error
