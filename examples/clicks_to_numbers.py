"""Open a stack, click on an object, carry it through the slices, measure and export it.

python examples/clicks_to_numbers.py results
"""

import sys
from pathlib import Path

import numpy as np

from napari_simpleclick import (
    Click,
    Predictor,
    load_weights,
    measure,
    propagate_mask,
    read_image,
    write_labels,
)
from napari_simpleclick.exports import export, kind_of, read_case
from napari_simpleclick.images.label_names import LabelName
from napari_simpleclick.measurement import object_rows, to_csv
from napari_simpleclick.samples import EM_SCALE_NM, sample_path

results = Path(sys.argv[1] if len(sys.argv) > 1 else "results")
results.mkdir(parents=True, exist_ok=True)

# Open: any file or folder that the window opens, too.
path = sample_path("em.tif")
volume = np.asarray(read_image(path).array)
spacing_mm = tuple(size * 1e-6 for size in EM_SCALE_NM)

# Click: what is on the mitochondrion, and what is beside it.
network, _ = load_weights("bundled")
predictor = Predictor(network)
predictor.set_image(volume[2])
clicks = [Click(150, 155), Click(120, 205), Click(60, 60, positive=False)]
on_slice = predictor.predict(clicks) > 0.49
print(f"on slice 2: {on_slice.sum()} px")

# Propagate: from that slice both ways, and how sure it is.
found = propagate_mask(predictor, volume, on_slice, axis=0, index=2)
for number, confidence in sorted(found.confidence.items()):
    print(f"slice {number}: confidence {confidence:.2f}")

# Measure: one row an object.
labels = found.mask.astype(np.uint8)
rows = object_rows(measure(labels, spacing_mm, {"em": volume}))
(results / "measures.csv").write_text(to_csv(rows))
print(f"{rows[0]['voxels']} voxels on {rows[0]['slices']} slices")

# Export: the mask as a file, and the slices as a data set to train on.
mask = results / "mask.tif"
write_labels(mask, labels, names=[LabelName(1, "mitochondrion")])
case = read_case(mask, path, print)
export(case, kind_of("coco"), results / "coco", replace=True)
print(f"saved to {results}")
