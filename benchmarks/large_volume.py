"""A volume of 20 GB on disk: memory and time of propagating over 50 slices.

It writes a sparse zarr array to a temporary folder (a tube with noise around it, the
rest is never written), propagates one slice of it, and prints by how much the memory
of the process has grown::

    python benchmarks/large_volume.py
"""

from __future__ import annotations

import resource
import tempfile
import time

import numpy as np
import zarr

from napari_simpleclick import Predictor, load_weights
from napari_simpleclick.images import Window
from napari_simpleclick.propagation import Propagation, Slices

SHAPE = (1280, 4096, 4096)
START, REACH = 600, 25


def main() -> None:
    predictor = Predictor(load_weights("bundled")[0])
    predictor.set_image(np.zeros((512, 512), np.uint8))
    with tempfile.TemporaryDirectory() as folder:
        volume = zarr.create_array(
            folder, shape=SHAPE, chunks=(1, 512, 512), dtype=np.uint8
        )
        rng = np.random.default_rng(0)
        rows, columns = np.ogrid[:1024, :1024]
        for index in range(START - REACH, START + REACH + 1):
            middle = 500 + 2 * (index - START)
            tube = (rows - middle) ** 2 + (columns - 512) ** 2 < 90**2
            noise = rng.normal(0, 15, tube.shape)
            picture = np.clip(80 + 90 * tube + noise, 0, 255).astype(np.uint8)
            volume[index, 1536:2560, 1536:2560] = picture
        annotation = np.zeros(SHAPE[1:], bool)
        annotation[1536:2560, 1536:2560] = (rows - 500) ** 2 + (
            columns - 512
        ) ** 2 < 90**2
        before, start = _peak_mb(), time.perf_counter()
        run = Propagation(
            predictor,
            Slices(lambda index: volume[index], Window(0, 255)),
            START,
            annotation,
        )
        steps = {
            step.index: step.confidence
            for step in run.run(START - REACH, START + REACH)
        }
        seconds = time.perf_counter() - start
        print(f"volume {np.prod(SHAPE) / 2**30:.0f} GiB, slices filled {len(steps)}")
        print(f"memory grew by {_peak_mb() - before:.0f} MB at its peak")
        print(f"{seconds / len(steps):.2f} s per slice of {SHAPE[1]} x {SHAPE[2]} px")


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
