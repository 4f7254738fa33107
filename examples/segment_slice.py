"""Segment a mitochondrion on a section of the EM sample with three clicks.

python examples/segment_slice.py mask.png
"""

import sys
from pathlib import Path

import numpy as np

from napari_simpleclick import (
    Click,
    Predictor,
    load_weights,
    read_image,
    write_labels,
)
from napari_simpleclick.samples import sample_path

section = read_image(sample_path("em.tif")).array[2]
network, card = load_weights("bundled")
print(f"{card.name}: {card.licence}")

predictor = Predictor(network)
predictor.set_image(section)
clicks = [Click(150, 155), Click(120, 205), Click(60, 60, positive=False)]
for count, probability in enumerate(predictor.replay(clicks), start=1):
    mask = probability > 0.49
    print(f"after click {count}: {mask.sum()} px")

if len(sys.argv) > 1:
    write_labels(Path(sys.argv[1]), mask.astype(np.uint8))
