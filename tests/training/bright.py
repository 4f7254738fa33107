"""A network that finds what is bright, a little too dark at first, and its examples."""

from __future__ import annotations

import numpy as np
import torch

from napari_simpleclick import networks
from napari_simpleclick.training.teaching import Example, Origin
from napari_simpleclick.weights import Card, save_weights


def save_bright(path, threshold=0.806):
    """Write weights of a toy that answers with what is brighter than a threshold."""
    network = networks.build("toy", 64)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.norm.weight.fill_(1)
        network.body.weight[0] = 1 / 48  # the mean of a patch
        network.out.weight[0, 0] = 12
        network.out.bias.fill_(-12 * threshold)
    save_weights(network, path, Card(path.stem, "toy", path.name, licence="MIT"))
    return str(path)


def disc(number, centre=(40, 50), radius=30, **more):
    """An image of 80 x 100 px with one bright disc, as an accepted object."""
    rows, columns = np.mgrid[:80, :100]
    mask = np.hypot(rows - centre[0], columns - centre[1]) < radius
    image = np.where(mask, 204, 51).astype(np.uint8)
    return Example(image, mask, origin=Origin(f"{number}.png", 1), **more)


def discs(count):
    """As many images, each with a disc of its own."""
    rng = np.random.default_rng(0)
    return [
        disc(number, tuple(rng.integers(38, 50, 2)), int(rng.integers(27, 34)))
        for number in range(count)
    ]
