"""A person who works through a folder of scans, as a script.

Each line that is printed says what was done; whoever reads them may kill it at any.
"""

import sys
from pathlib import Path

import nibabel
import numpy as np
from napari.components import ViewerModel

from napari_simpleclick.plugin.case_layers import CaseLayers
from napari_simpleclick.plugin.controller import Controller
from napari_simpleclick.workflow import InlineExecutor
from napari_simpleclick.workflow.case_queue import CaseState, CaseWork, open_queue
from tests.workflow.conftest import Person, load_stub

SHAPE = (30, 28, 6)


def place_of(number):
    """Tell where the bright box of a scan is, so that no two are alike."""
    return 4 + number % 9, 5 + number // 3


def write_scans(folder, count):
    """Write scans with a bright box each."""
    folder.mkdir(parents=True)
    affine = np.diag([-0.5, -0.5, 2.0, 1.0])
    for number in range(count):
        pixels = np.full(SHAPE, 40, np.uint8)
        row, column = place_of(number)
        pixels[row : row + 9, column : column + 8, 1:5] = 200
        path = folder / f"scan {number}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(pixels, affine), path)


class Worker:
    """Opens the folder in a viewer without a window."""

    def __init__(self, folder, executor=None):
        self.controller = Controller(ViewerModel(), executor or InlineExecutor())
        predictor = load_stub(self.controller)
        self.person = Person(self.controller, predictor)
        self.layers = CaseLayers(self.controller)
        self.work = CaseWork(self.layers, self.controller.workflow.executor)
        self.layers.acted.connect(self.work.touch)
        self.work.failed.connect(self.controller.workflow.complain)
        self.queue = open_queue(str(folder))

    @property
    def mask(self):
        return self.person.mask

    def begin(self):
        self.work.begin(self.queue)

    def click(self, slice_):
        """Click in the middle of the bright box, on a slice from above."""
        image = np.asarray(self.layers.canvas.image.data)
        rows, columns = np.nonzero(image[slice_] > 100)
        self.person.click(slice_, int(rows.mean()), int(columns.mean()))

    def close(self):
        canvases = list(self.controller._canvases)
        self.work.close()
        self.controller.close()
        for canvas in canvases:
            canvas.recorder.close()


def main(folder):
    worker = Worker(folder)
    worker.begin()
    while any(case.state is not CaseState.DONE for case in worker.queue.cases):
        name = worker.work.open_case
        there = [n for n in range(1, 5) if worker.mask[n].any()]
        print("opened", name, *there, flush=True)
        for slice_ in (1, 2, 3, 4):
            if slice_ not in there:
                worker.click(slice_)
                worker.layers.canvas.recorder.flush()
                print("clicked", name, slice_, flush=True)
        worker.work.done()
        assert not worker.person.troubles, worker.person.troubles
        print("done", name, flush=True)
    worker.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
