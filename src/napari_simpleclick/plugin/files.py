"""Files to napari layers, and the labels of a layer to a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from napari.utils.colormaps import DirectLabelColormap
from napari.utils.notifications import show_warning

from napari_simpleclick.errors import UserError
from napari_simpleclick.images import files, viewer_images
from napari_simpleclick.images.channels import CHANNEL_NAMES_KEY
from napari_simpleclick.images.label_names import (
    NAMES_KEY,
    PLAIN_COLOUR,
    read_label_names,
)
from napari_simpleclick.images.source import SOURCE_KEY, Source
from napari_simpleclick.images.units import known_unit
from napari_simpleclick.plugin.fitting import fit_to_image, undo_fit
from napari_simpleclick.plugin.frames import FRAME_KEY, asking_viewer, place_in_viewer
from napari_simpleclick.plugin.saving import (
    DICOM_KIND,
    META_KIND,
    NIFTI_KIND,
    NRRD_KIND,
    SLICER_KIND,
    TIFF_KIND,
    completed,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_simpleclick.images.label_names import LabelName
    from napari_simpleclick.images.viewer_images import Opened
    from napari_simpleclick.plugin.saving import MaskKind

LayerData = tuple[Any, dict[str, Any], str]
"""Data, options and type of a layer, as napari's plugins hand them over."""

T = TypeVar("T")
Reader = Callable[[str | list[str]], list[LayerData]]


def get_reader(path: str | list[str]) -> Reader | None:
    """Offer to read a path; the manifest says which ones are asked for.

    Parameters
    ----------
    path : str or list of str
        A file or a folder; a list is a stack that the person asked napari for.

    Returns
    -------
    callable or None
        `read_layers`; None for stacks, and for folders that are neither a DICOM series,
        a BraTS case, OME-Zarr nor numbered slices.
    """
    if isinstance(path, list):
        return None
    place = Path(path)
    if place.is_dir() and not viewer_images.is_image_folder(place):
        return None
    return read_layers


def read_layers(path: str | list[str]) -> list[LayerData]:
    """Read a file or folder as layers; what is odd about it is shown as a warning.

    Parameters
    ----------
    path : str
        A path for which `get_reader` offered to.

    Returns
    -------
    list of tuple
        Layer data: images, and label maps as Labels.

    Raises
    ------
    ValueError, ImportError
        In one sentence, if it cannot be read.
    """
    opened = viewer_images.open_layers(Path(str(path)))
    for image in opened:
        for sentence in image.warnings:
            show_warning(sentence)
    return [in_viewer(layer_data(image), image) for image in opened]


def in_viewer(layer: LayerData, image: Opened) -> LayerData:
    """Fit a layer to those that are open, where its axes or directions are others."""
    data, look, kind = layer
    fitted = fit_to_image(image, asking_viewer()) if image.labels else None
    if fitted is not None:
        labels, placed = fitted
        metadata = {**look["metadata"], **placed["metadata"]}
        return labels, {**look, **placed, "metadata": metadata}, kind
    frame, turn, told = place_in_viewer(image)
    for sentence in told:
        show_warning(sentence)
    if frame is None:
        return layer
    metadata = {**look["metadata"], FRAME_KEY: frame}
    turned = {} if turn is None else {"affine": turn}
    return data, {**look, **turned, "metadata": metadata}, kind


def layer_data(image: Opened) -> LayerData:
    """Give what napari makes a layer of."""
    source = image.source
    extra = image.array.ndim - image.rgb - len(source.order)
    look: dict[str, Any] = {
        "name": image.name,
        "scale": (1.0,) * extra + source.scale,
        "translate": (0.0,) * extra + source.translate,
        "metadata": {SOURCE_KEY: source},
    }
    if image.channels:
        look["metadata"][CHANNEL_NAMES_KEY] = image.channels
    if source.units:
        look["units"] = ("pixel",) * extra + source.units
    if source.axis_labels:
        look["axis_labels"] = ("modality",) * extra + source.axis_labels
    if image.labels:
        return image.array, {**look, **_label_look(image)}, "labels"
    if image.levels:
        look["multiscale"] = True
        return [image.array, *image.levels], look, "image"
    return image.array, {**look, "rgb": image.rgb}, "image"


def _label_look(image: Opened) -> dict[str, Any]:
    """Give names and colours of labels, where they are known, to a layer."""
    source = replace(image.source, of_labels=True)
    metadata: dict[str, Any] = {SOURCE_KEY: source}
    path = source.path
    names: tuple[LabelName, ...] = ()
    if path is not None and path.exists():
        try:
            names = read_label_names(path)
        except Exception as error:  # the mask is there, whatever its names are
            show_warning(f"The names of the labels of '{path}' cannot be read: {error}")
    if not names:
        return {"metadata": metadata}
    metadata[NAMES_KEY] = partial(tuple, names)
    colours: dict[int | None, Any] = {None: PLAIN_COLOUR, 0: "transparent"}
    colours |= {one.label: one.colour for one in names}
    return {
        "metadata": metadata,
        "colormap": DirectLabelColormap(color_dict=colours),
        "features": {
            "index": [one.label for one in names],
            "name": [one.name for one in names],
        },
    }


def write_labels(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer so that it overlays the image that it was drawn on.

    Parameters
    ----------
    path : str
        Target; its extension says the format.
    data : array_like
        Integers, their axes in the layer's order; of a multiscale layer a list.
    meta : dict
        The layer's other attributes; the mask of an image that was clicked on is saved
        with names and colours of its objects. Where neither a source in its metadata
        nor the file of that has an orientation, the mask stands where scale and
        translate put the layer.

    Returns
    -------
    list of str
        The path.

    Raises
    ------
    OSError, ImportError
        In one sentence, if it cannot be written.
    """
    labels = np.asarray(data[0] if meta.get("multiscale") else data)
    names = meta.get("metadata", {}).get(NAMES_KEY, tuple)()
    labels, meta = undo_fit(labels, meta)
    try:
        files.write_labels(Path(path), labels, source_of(labels, meta), names)
    except ValueError as error:  # napari takes it for a missing writer, and hides it
        raise OSError(str(error)) from error
    return [path]


def _write_as(kind: MaskKind, path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer to a path that may lack the extension of its kind.

    Raises
    ------
    OSError, ImportError
        As `write_labels`, or if there is a file that the dialog did not ask about, as
        the extension was missing.
    """
    try:
        target = completed(Path(path), kind)
    except UserError as error:
        raise OSError(str(error)) from error
    if target != Path(path) and target.exists():
        raise OSError(
            f"'{target}' is there already; choose it in the dialog to replace it, or "
            "give another name."
        )
    return write_labels(str(target), data, meta)


def write_nifti(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer; a name without extension becomes .nii.gz."""
    return _write_as(NIFTI_KIND, path, data, meta)


def write_slicer(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer; a name without extension becomes .seg.nrrd."""
    return _write_as(SLICER_KIND, path, data, meta)


def write_nrrd(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer; a name without extension becomes .nrrd."""
    return _write_as(NRRD_KIND, path, data, meta)


def write_meta_image(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer; a name without extension becomes .mha."""
    return _write_as(META_KIND, path, data, meta)


def write_dicom(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer; a name without extension becomes .dcm."""
    return _write_as(DICOM_KIND, path, data, meta)


def write_tiff(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer; a name without extension becomes .tif."""
    return _write_as(TIFF_KIND, path, data, meta)


def source_of(labels: NDArray[Any], meta: dict[str, Any]) -> Source:
    """Find what a layer was drawn on, and how that stands now.

    Parameters
    ----------
    labels : ndarray
        The labels.
    meta : dict
        Attributes of their layer.
    """
    source = meta.get("metadata", {}).get(SOURCE_KEY)
    if isinstance(source, Source) and source.affine is not None:
        return source
    count = labels.ndim
    look = (
        tuple(map(float, meta.get("scale", (1.0,) * count))),
        tuple(map(float, meta.get("translate", (0.0,) * count))),
        tuple(_unit_name(unit) for unit in meta.get("units", ())) or ("pixel",) * count,
    )
    if not isinstance(source, Source):
        return Source.of_layer(labels.shape, *look, tuple(meta.get("axis_labels", ())))
    scale, translate, units = look
    return replace(
        source,
        scale=_now(source.scale, scale),
        translate=_now(source.translate, translate),
        units=_now(source.units or ("pixel",) * len(source.order), units),
    )


def _now(source: tuple[T, ...], layer: tuple[T, ...]) -> tuple[T, ...]:
    """Per axis of the source: what the layer has; it may lack or add the first ones."""
    missing = max(len(source) - len(layer), 0)
    return source[:missing] + layer[-len(source) :]


def _unit_name(unit: object) -> str:
    """Short name of one of napari's units."""
    return known_unit(unit) or str(unit)
