"""Session files: copies, versions, and what is in use."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest

from napari_simpleclick import Box, Click, Lasso, Scribble
from napari_simpleclick.annotation import ObjectSlice, Session
from napari_simpleclick.errors import UserError
from napari_simpleclick.images import Plane
from napari_simpleclick.sessions import SessionDatabase, SessionReader, SessionWriter
from napari_simpleclick.sessions.database import import_copy

SHAPE = (8, 8)
WHERE = ObjectSlice(1, Plane((0, 1), (0, 0)))
PROMPTS = [
    Click(1, 2),
    Box(0.5, 1, 6, 7),
    Scribble(((1, 1), (2, 3.5)), positive=False),
    Lasso(((1, 1), (2, 3.5), (4, 1))),
    Click(3, 3, positive=False),
]


def read(path):
    with SessionDatabase(path) as store:
        reading, mask = SessionReader(store), np.zeros(SHAPE, np.uint16)
        for _ in reading.play(mask):
            pass
    return reading.session


def begun(path):
    """A session with one prompt, which is still being written."""
    writer = SessionWriter(Session(), lambda: SessionDatabase(path))
    writer.session.requests.add(WHERE, Click(1, 2), np.zeros(SHAPE, bool))
    writer.flush()
    return writer


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_every_kind_of_prompt_is_kept(tmp_path):
    path = tmp_path / "a.simpleclick"
    writer = SessionWriter(Session(), lambda: SessionDatabase(path))
    requests, masks = (
        writer.session.requests,
        np.random.default_rng(0).random((5, 8, 8)),
    )
    for prompt, mask in zip(PROMPTS, masks > 0.5, strict=True):
        requests.add(WHERE, prompt, mask)
        writer.session.record(requests.pending, None, ~mask)
    writer.close()
    placed = read(path).objects.placed(WHERE)
    assert [one.prompt for one in placed] == PROMPTS
    assert [one.order for one in placed] == [1, 2, 3, 4, 5]
    for one, mask in zip(placed, masks > 0.5, strict=True):
        assert (one.base == mask).all()


def test_a_newer_file_is_refused_in_one_sentence_and_left(tmp_path):
    path = tmp_path / "a.simpleclick"
    begun(path).close()
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version = 4")
    before = path.read_bytes()
    with pytest.raises(UserError) as caught:
        SessionDatabase(path)
    assert str(caught.value) == (
        "'a.simpleclick' was written by a newer version of this tool; update it to "
        "open the session."
    )
    assert path.read_bytes() == before


def test_a_copy_leaves_nothing_next_to_the_session(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    for folder in (source, target):
        folder.mkdir()
    path = source / "a.simpleclick"
    begun(path).close()
    before = path.read_bytes()
    import_copy(path, target / "b.simpleclick")
    assert names(source) == ["a.simpleclick"]
    assert names(target) == ["b.simpleclick"]
    assert path.read_bytes() == before
    assert read(target / "b.simpleclick").objects.placed(WHERE)[0].prompt == Click(1, 2)


def test_a_session_in_use_is_not_copied(tmp_path):
    path = tmp_path / "a.simpleclick"
    writer = begun(path)
    before = names(tmp_path)
    with pytest.raises(UserError, match="open in another window"):
        import_copy(path, tmp_path / "b.simpleclick")
    assert names(tmp_path) == before
    writer.close()
    import_copy(path, tmp_path / "b.simpleclick")
    assert len(read(tmp_path / "b.simpleclick").objects.placed(WHERE)) == 1


KILLED = """
import sys
import numpy as np
from pathlib import Path
from napari_simpleclick import Click
from napari_simpleclick.annotation import ObjectSlice, Session
from napari_simpleclick.images import Plane
from napari_simpleclick.sessions import SessionDatabase, SessionWriter

writer = SessionWriter(Session(), lambda: SessionDatabase(Path(sys.argv[1])))
where, mask = ObjectSlice(1, Plane((0, 1), (0, 0))), np.zeros((8, 8), bool)
for number in range(1000):
    writer.session.requests.add(where, Click(number % 8, 3), mask)
    writer.flush()
    print(number + 1, flush=True)
"""


@pytest.fixture
def killed(tmp_path):
    """The file of a session whose process was killed, and how many clicks it told."""
    folder = tmp_path / "killed"
    folder.mkdir()
    path = folder / "a.simpleclick"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if int(line) == 12:
            process.send_signal(signal.SIGKILL)
            break
    told = 12 + len(process.stdout.readlines())
    process.wait()
    return path, told


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_session_loses_nothing_and_is_copied_whole(killed, tmp_path):
    path, told = killed
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    assert "a.simpleclick-wal" in before
    import_copy(path, tmp_path / "b.simpleclick")
    assert {f.name: f.read_bytes() for f in path.parent.iterdir()} == before
    assert (
        told <= len(read(tmp_path / "b.simpleclick").objects.placed(WHERE)) <= told + 1
    )
    assert told <= len(read(path).objects.placed(WHERE)) <= told + 1
    assert names(path.parent) == ["a.simpleclick"]


@pytest.mark.parametrize("content", [b"", b"something else" * 100])
def test_what_is_no_session_is_not_copied(tmp_path, content):
    path = tmp_path / "a.simpleclick"
    path.write_bytes(content)
    shutil.copy(path, tmp_path / "before")
    with pytest.raises(UserError, match=r"a\.simpleclick|b\.simpleclick"):
        import_copy(path, tmp_path / "b.simpleclick")
        read(tmp_path / "b.simpleclick")
    assert path.read_bytes() == content
    with pytest.raises(UserError, match="There is no session"):
        import_copy(tmp_path / "none.simpleclick", tmp_path / "c.simpleclick")
