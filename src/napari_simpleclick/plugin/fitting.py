"""Masks that are opened onto an image whose axes stand in an order of their own.

napari lines up the last axes of its layers. A mask has no channels, and its file may
have another order of axes than that of the image. So where the image is open already,
the mask gets its axes, in its order, with a length of 1 where the mask has none; the
single slice that a film has in formats with an orientation is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from napari.layers import Image

from napari_simpleclick.images.channels import AXIS_NAMES
from napari_simpleclick.images.masks import ON_GRID, PLAIN_NAMES
from napari_simpleclick.images.source import SOURCE_KEY, Source
from napari_simpleclick.images.units import MM, known_unit
from napari_simpleclick.plugin.layers.placement import FIT_KEY, OURS, data_shape, moved

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_simpleclick.images.viewer_images import Opened

NOT_SPACE = ("channel", "time")


class Fit(NamedTuple):
    """How the axes of a mask became those of a layer.

    Parameters
    ----------
    order : tuple of int or None
        Per axis of the layer, that of the mask; None for one of length 1 that was
        added.
    flipped : tuple of bool
        Per axis of the layer, whether it runs against the mask's.
    left_out : tuple of int
        Axes of the mask, of length 1, that the layer does not have.
    """

    order: tuple[int | None, ...]
    flipped: tuple[bool, ...]
    left_out: tuple[int, ...] = ()

    @property
    def added(self) -> tuple[int, ...]:
        """The axes of the layer that the mask does not have."""
        return tuple(n for n, axis in enumerate(self.order) if axis is None)

    def apply(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Give labels of the mask the axes of the layer."""
        kept = [axis for axis in self.order if axis is not None]
        turned = labels.transpose((*self.left_out, *kept))[(0,) * len(self.left_out)]
        return self._turned(np.expand_dims(turned, self.added))

    def undo(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Give labels of the layer the axes of the mask."""
        turned = self._turned(labels).squeeze(self.added)
        kept = [axis for axis in self.order if axis is not None]
        return np.expand_dims(turned.transpose(np.argsort(kept)), self.left_out)

    def chosen(self, values: Iterable[Any], missing: Any) -> tuple[Any, ...]:
        """Give the values of the layer's axes that are axes of the mask, as it has."""
        kept = {m: v for m, v in zip(self.order, values, strict=True) if m is not None}
        kept |= dict.fromkeys(self.left_out, missing)
        return tuple(kept[axis] for axis in range(len(kept)))

    def suits(self, labels: NDArray[Any]) -> bool:
        """Whether labels still have the axes of the layer."""
        return labels.ndim == len(self.order) and all(
            labels.shape[axis] == 1 for axis in self.added
        )

    def _turned(self, labels: NDArray[Any]) -> NDArray[Any]:
        return labels[tuple(slice(None, None, -1 if f else 1) for f in self.flipped)]


def fit_to_image(
    mask: Opened, viewer: ViewerModel | None
) -> tuple[NDArray[Any], dict[str, Any]] | None:
    """Put a mask onto an image without orientation that is open, voxel by voxel.

    Parameters
    ----------
    mask : Opened
        A label map that has just been read.
    viewer : napari.components.ViewerModel or None
        The viewer that is to show it.

    Returns
    -------
    tuple or None
        Labels, and what is to be changed in their layer's options, ``metadata`` only
        added to; None where napari puts the mask onto the image by itself, or there is
        no image whose axes have the lengths of the mask's. If there are several, it is
        one that lies where the mask does, else the selected or last one.
    """
    if viewer is None:
        return None
    found = [
        (image, fit)
        for image in _images(viewer)
        if (fit := _find_fit(mask, image)) is not None
    ]
    found.sort(key=lambda pair: not _lies_there(mask, *pair))
    if not found or _lies_by_itself(mask, *found[0]):
        return None
    image, fit = found[0]
    return fit.apply(np.asarray(mask.array)), _look(image, fit)


def undo_fit(
    labels: NDArray[Any], meta: dict[str, Any]
) -> tuple[NDArray[Any], dict[str, Any]]:
    """Give the labels of a layer, and its options, the axes of the mask's file.

    Parameters
    ----------
    labels : ndarray
        Of a layer at full resolution.
    meta : dict
        Options of the layer.

    Returns
    -------
    labels : ndarray
        As they are if the layer was not fitted, or has got other axes since.
    meta : dict
        Where scale, translate, units and axis_labels are those of the mask's axes.
    """
    fit = meta.get("metadata", {}).get(FIT_KEY)
    if not isinstance(fit, Fit) or not fit.suits(labels):
        return labels, meta
    missing = {"scale": 1.0, "translate": 0.0, "units": "pixel", "axis_labels": ""}
    own = {
        name: fit.chosen(meta[name], value)
        for name, value in missing.items()
        if name in meta
    }
    return fit.undo(labels), {**meta, **own}


def _images(viewer: ViewerModel) -> list[Image]:
    """Images without orientation whose axes have names; the selected and new first."""
    active = viewer.layers.selection.active
    newest = [viewer.layers[n] for n in range(len(viewer.layers) - 1, -1, -1)]
    return [
        layer
        for layer in sorted(newest, key=lambda layer: layer is not active)
        if isinstance(layer, Image)
        and OURS not in layer.metadata
        and getattr(layer.metadata.get(SOURCE_KEY), "affine", None) is None
        and {"x", "y"} <= set(_names(layer.axis_labels))
    ]


def _names(labels: Sequence[str]) -> list[str]:
    """Names of axes, spelled in one way."""
    plain = {**PLAIN_NAMES, **dict.fromkeys(AXIS_NAMES, "channel"), "t": "time"}
    return [plain.get(label.lower(), label.lower()) for label in labels]


def _find_fit(mask: Opened, image: Image) -> Fit | None:
    """Find the axes of an image that a mask has: by names and lengths, else lengths.

    NIfTI has one place for times and channels, and masks seldom have channels.
    """
    own, lengths = mask.array.shape, data_shape(image)
    names, known = _names(image.axis_labels), _names(mask.source.axis_labels)
    called = [known]
    if "time" in names and "time" not in known and "channel" in known:
        called.insert(0, ["time" if name == "channel" else name for name in known])
    ways: list[list[int | None]] = [
        [one.index(name) if name in one else None for name in names] for one in called
    ]
    for left_out in (NOT_SPACE[:1], NOT_SPACE):
        count = iter(range(len(names)))
        ways.append([None if name in left_out else next(count) for name in names])
    for order in ways:
        pairs = [(n, axis) for n, axis in enumerate(order) if axis is not None]
        found = [axis for _, axis in pairs]
        rest = tuple(axis for axis in range(len(own)) if axis not in found)
        whole = len(found) + len(rest) == len(own) and all(own[a] == 1 for a in rest)
        if whole and pairs and all(own[a] == lengths[n] for n, a in pairs):
            return _fit(mask.source, order[pairs[0][0] :], rest)
    return None


def _fit(source: Source, order: list[int | None], left_out: tuple[int, ...]) -> Fit:
    against = source.flipped if source.affine is not None else ()
    flips = (bool(against) and axis is not None and against[axis] for axis in order)
    return Fit(tuple(order), tuple(flips), left_out)


def _lies_by_itself(mask: Opened, image: Image, fit: Fit) -> bool:
    """Whether napari compares a mask and an image axis by axis, unit by unit."""
    units = _lengths(mask, image, fit)
    return (
        fit.order == tuple(range(len(fit.order)))
        and not any(fit.flipped)
        and all((here is None) == (there is None) for here, there in units)
    )


def _lengths(
    mask: Opened, image: Image, fit: Fit
) -> list[tuple[float | None, float | None]]:
    """Per axis of a mask: the image's unit and its own in mm; None if not of length."""
    skipped, own = image.ndim - len(fit.order), mask.source.units
    units = fit.chosen(tuple(image.units)[skipped:], "")
    return [
        (MM.get(known_unit(unit) or ""), MM.get(own[axis]) if own else None)
        for axis, unit in enumerate(units)
    ]


def _lies_there(mask: Opened, image: Image, fit: Fit) -> bool:
    """Whether a mask is where an image is, as the viewer has both."""
    source, skipped = mask.source, image.ndim - len(fit.order)
    scale = fit.chosen(image.scale[skipped:], 1.0)
    start = fit.chosen(image.translate[skipped:], 0.0)
    for axis, (here, there) in enumerate(_lengths(mask, image, fit)):
        if axis in fit.left_out:
            continue
        if (here is None) != (there is None):
            return False
        size, other = scale[axis] * (here or 1), source.scale[axis] * (there or 1)
        off = start[axis] * (here or 1) - source.translate[axis] * (there or 1)
        whole = abs(size - other) * mask.array.shape[axis]
        if max(abs(off), whole) > ON_GRID * abs(size):
            return False
    return True


def _look(image: Image, fit: Fit) -> dict[str, Any]:
    """Place of an image's last axes; those that were added are as long as all of it."""
    skipped = image.ndim - len(fit.order)
    lengths = {a + skipped: data_shape(image)[a + skipped] for a in fit.added}
    middle = {axis: (length - 1) / 2 for axis, length in lengths.items()}
    look = moved(image, middle, lengths)
    own = {
        name: tuple(look[name])[skipped:]
        for name in ("scale", "translate", "units", "axis_labels")
    }
    matrix = np.asarray(image.affine.affine_matrix)[skipped:, skipped:]
    turned = {"rotate": look["rotate"], "shear": look["shear"]} if not skipped else {}
    return {**own, **turned, "affine": matrix, "metadata": {FIT_KEY: fit}}
