"""Clicks needed by the bundled weights on folders of images, published protocol.

    python benchmarks/protocol.py --root FOLDER [--limit 40] [--weights bundled] \
        [--size 448] [--no-flip]

FOLDER holds ``images`` and ``masks`` (label images), or ``raw`` and
``mitochondria`` (ssTEM: 8-connected components), or a BraTS case with
``Flair_*.nii.gz`` and ``OTMultiClass.nii.gz`` (whole tumour, every fifth axial slice
with at least 200 tumour pixels). Prints NoC@85, NoC@90 and mIoU in percent at 1, 2,
3, 5 and 10 clicks; failures count as 20 clicks.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
from rich.progress import track
from scipy import ndimage
from skimage.io import imread

from napari_simpleclick import Predictor, load_weights
from napari_simpleclick.evaluate import annotate
from napari_simpleclick.predict import ZoomIn

IGNORED = 255
Case = tuple[np.ndarray, np.ndarray]


def cases(root: Path) -> Iterator[Case]:
    """Image and truth (1 object, 0 background, -1 ignored) of each object."""
    if (root / "raw").is_dir():
        for path in sorted((root / "raw").iterdir()):
            mask = imread(root / "mitochondria" / f"{path.stem}.png")
            mask = mask if mask.ndim == 2 else mask[..., 0]
            labels, count = ndimage.label(mask > 0, np.ones((3, 3)))
            for label in range(1, count + 1):
                yield imread(path), (labels == label).astype(np.int32)
    elif (root / "images").is_dir():
        for path in sorted((root / "images").iterdir()):
            image, labels = imread(path), imread(root / "masks" / path.name)
            for label in np.unique(labels):
                if label not in (0, IGNORED):
                    truth = (labels == label).astype(np.int32)
                    truth[labels == IGNORED] = -1
                    yield image, truth
    else:
        for folder in sorted(path.parent for path in root.rglob("OTMulti*.nii.gz")):
            flair = np.asarray(nibabel.load(next(folder.glob("Flair*"))).dataobj)
            mask = np.asarray(nibabel.load(folder / "OTMultiClass.nii.gz").dataobj)
            for index in range(0, mask.shape[2], 5):
                truth = (mask[..., index] > 0).astype(np.int32)
                if truth.sum() >= 200:
                    yield flair[..., index], truth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--weights", default="bundled")
    parser.add_argument("--size", type=int, default=448)
    parser.add_argument("--no-flip", action="store_true")
    options = parser.parse_args()
    predictor = Predictor(
        load_weights(options.weights)[0],
        flip=not options.no_flip,
        zoom=ZoomIn(size=(options.size, options.size)),
    )
    chosen = list(cases(options.root))
    if options.limit and options.limit < len(chosen):
        places = np.linspace(0, len(chosen) - 1, options.limit).round().astype(int)
        chosen = [chosen[place] for place in places]
    curves = []
    for image, truth in track(chosen):
        predictor.set_image(image)
        curves.append([turn.iou for turn in annotate(predictor, truth)])
    ious = np.array(curves, np.float32)
    for target in (0.85, 0.90):
        reached = ious >= np.float32(target)
        counts = np.where(reached.any(1), reached.argmax(1) + 1, 20)
        failed = (~reached.any(1)).sum()
        print(f"NoC@{target:.2f} {counts.mean():.2f} (failed {failed} of {len(ious)})")
    for count in (1, 2, 3, 5, 10):
        print(f"mIoU@{count} {100 * ious[:, count - 1].mean():.1f}")


if __name__ == "__main__":
    main()
