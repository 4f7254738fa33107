"""A process that is killed loses nothing that was done with objects."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from tests.sessions.test_record import read

SCRIPT = """
import os, signal, sys
from pathlib import Path
import numpy as np
from napari_simpleclick.annotation import Session
from napari_simpleclick.sessions import SessionDatabase, SessionWriter
from tests.sessions.test_record import SHAPE, Person

folder, seed = Path(sys.argv[1]), int(sys.argv[2])
session, mask = Session(), np.zeros(SHAPE, np.uint16)
recorder = SessionWriter(session, lambda: SessionDatabase(folder / "a.simpleclick"))
person = Person(session, mask, seed)
for _ in range(400):
    person.act()
recorder.flush()
np.save(folder / "mask.npy", mask)
np.save(folder / "listed.npy", session.objects.listed())
print(len(person.done), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("seed", [3, 4])
def test_what_was_done_is_there_after_a_kill(tmp_path, seed):
    call = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path), str(seed)]
    done = subprocess.run(call, check=False, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    assert int(done.stdout) >= 3  # kinds of actions on whole objects
    reading, mask = read(tmp_path / "a.simpleclick")
    np.testing.assert_array_equal(mask, np.load(tmp_path / "mask.npy"))
    listed = np.load(tmp_path / "listed.npy").tolist()
    assert reading.session.objects.listed() == listed
