"""The mask and the image of a canvas, as exports take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_simpleclick.exports import ExportCase
from napari_simpleclick.images.channels import CHANNEL_NAMES_KEY
from napari_simpleclick.plugin.files import source_of
from napari_simpleclick.plugin.layers.colours import label_names

if TYPE_CHECKING:
    from napari_simpleclick.plugin.layers.canvas import LayerCanvas


def export_case(canvas: LayerCanvas, name: str) -> ExportCase:
    """Give the mask as it is now, with names, classes and the image.

    Parameters
    ----------
    canvas : LayerCanvas
        The canvas; the person may go on with it.
    name : str
        What files are to be called.
    """
    image = canvas.image
    data, meta, _ = canvas.mask.as_layer_data_tuple()
    labels = np.array(data)
    return ExportCase.of_layers(
        name,
        labels,
        source_of(labels, meta),
        label_names(canvas.session),
        image.data[0] if image.multiscale else image.data,
        rgb=bool(image.rgb),
        channel_axis=canvas.options.channel_axis,
        channels=tuple(map(str, image.metadata.get(CHANNEL_NAMES_KEY, ()))),
    )
