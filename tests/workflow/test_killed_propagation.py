"""A process that is killed while, or after, all objects were carried at once."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tifffile

from napari_simpleclick.sessions import SessionDatabase, SessionReader
from napari_simpleclick.sessions.folder import folder
from napari_simpleclick.workflow.replay import replay_session

SCRIPT = """
import os, signal, sys
from pathlib import Path
import numpy as np
from napari.components import ViewerModel
from napari_simpleclick.images.viewer_images import open_layers
from napari_simpleclick.plugin.controller import Controller
from napari_simpleclick.plugin.files import layer_data
from napari_simpleclick.workflow.propagator import Whom
from tests.executors import HeldExecutor
from tests.workflow.conftest import Person, load_stub

out, stop = Path(sys.argv[1]), int(sys.argv[2])
executor = HeldExecutor()
viewer = ViewerModel()
(opened,) = open_layers(out / "balls.tif")
data, look, _ = layer_data(opened)
image = viewer.add_image(data, **look)
controller = Controller(viewer, executor)
predictor = load_stub(controller)
controller.use_image(image)
person = Person(controller, predictor)
for number, place in enumerate(((12, 30, 30), (12, 60, 90))):
    if number:
        person.workflow.new_object()
    person.click(*place)
    executor.release_all()
    executor.holding = True
np.save(out / "before.npy", person.mask)
person.workflow.propagator.whom = Whom.ALL
person.workflow.propagator.reach = 4
person.workflow.propagate(True, True)
done = 0
while executor.held and done != stop:
    executor.release()
    done += 1
if not executor.held:
    person.click(14, 60, 90)
    executor.release_all()
person.canvas.recorder.flush()
np.save(out / "mask.npy", person.mask)
print(done, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("stop", [-1, 1])
def test_a_run_of_all_objects_is_whole_or_not_there(balls, tmp_path, stop):
    tifffile.imwrite(tmp_path / "balls.tif", balls)
    call = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path), str(stop)]
    done = subprocess.run(call, check=False, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    (session,) = folder().glob("*.simpleclick")
    before, shown = (np.load(tmp_path / f"{n}.npy") for n in ("before", "mask"))
    mask = np.zeros_like(shown)
    with SessionDatabase(session) as store:
        reading = SessionReader(store)
        list(reading.play(mask))
    np.testing.assert_array_equal(mask, shown)
    reached = [np.flatnonzero((mask == label).any((1, 2))).tolist() for label in (1, 2)]
    if stop < 0:
        assert reached == [list(range(8, 17))] * 2
        assert int(done.stdout) > 0
        again = replay_session(session, tmp_path / "balls.tif")
        np.testing.assert_array_equal(again.mask, shown)
        assert len(reading.session.objects.prompts) == 3
    else:
        assert reached[0] and reached[1]
        np.testing.assert_array_equal(mask[12], before[12])
