"""Sessions that version 0.1 wrote, made by hand in its window.

Next to each lie its image and what version 0.1 read back from it: the masks at the end,
after every undo step, and as its model predicted them again.
"""

import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from napari_simpleclick.annotation import ObjectStyle
from napari_simpleclick.errors import UserError
from napari_simpleclick.images.viewer_images import open_layers
from napari_simpleclick.prompts import Click
from napari_simpleclick.sessions import (
    ImageIdentity,
    SessionDatabase,
    SessionReader,
    SessionWriter,
    folder,
)
from napari_simpleclick.workflow.replay import replay_session

FOLDER = Path(__file__).parents[1] / "golden" / "sessions"
IMAGES = {"picture": "cells.png", "volume": "scan.nii.gz"}


@pytest.fixture(params=list(IMAGES))
def name(request):
    return request.param


@pytest.fixture
def path(name, tmp_path):
    return Path(shutil.copy(FOLDER / f"{name}.simpleclick", tmp_path))


@pytest.fixture
def expected(name):
    return np.load(FOLDER / f"{name}.npz")


def read(store):
    reading, mask = SessionReader(store), np.zeros(store.about()["mask"], np.uint16)
    for _ in reading.play(mask):
        pass
    return reading, mask


def version(path):
    with closing(sqlite3.connect(path)) as file:
        return file.execute("PRAGMA user_version").fetchone()[0]


def test_they_are_undone_step_by_step(path, expected):
    with SessionDatabase(path) as store:
        reading, mask = read(store)
    session = reading.session
    assert (mask == expected["final"]).all()
    for _ in list(session.requests):
        assert session.undo() is None
    for before in expected["undone"]:
        edit = session.undo()
        if edit.change is not None:
            edit.change.apply(mask, undo=True)
        assert (mask == before).all()
    assert session.undo() is None
    assert not any(session.objects.prompts.values())
    for _ in expected["undone"]:
        edit = session.redo()
        if edit.change is not None:
            edit.change.apply(mask)
    assert (mask == expected["final"]).all()


def test_they_are_replayed_to_the_same_masks(name, path, expected):
    result = replay_session(path, FOLDER / IMAGES[name])
    assert (result.mask == expected["final"]).all()
    assert set(result.agreement.values()) <= {1.0}


def test_they_are_predicted_again_to_the_same_masks(name, path, expected):
    before = path.read_bytes()
    again = replay_session(path, FOLDER / IMAGES[name], "simpleclick-xtiny").mask
    differ = (again != expected["predicted"]).sum()
    assert differ <= 0.005 * (expected["predicted"] > 0).sum()
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.glob(f"{path.name}*")] == [path.name]


def test_names_prompts_and_waiting_clicks_are_there(name, path):
    with SessionDatabase(path) as store:
        session = read(store)[0].session
    styles, waiting, propagated = {
        "picture": ({2: ObjectStyle("nucleus", "#ff8800")}, 1, 0),
        "volume": (
            {1: ObjectStyle("ligament", "#00aa55"), 2: ObjectStyle("bone")},
            0,
            2,
        ),
    }[name]
    assert session.objects.styles == styles
    assert len(list(session.requests)) == waiting
    placed = [one for some in session.objects.prompts.values() for one in some]
    assert {type(one.prompt) for one in placed} == {Click}
    assert len(session.objects.propagated.of(2)) == propagated


def test_they_are_gone_on_with_in_the_present_format(path, expected):
    with SessionDatabase(path) as store:
        assert store.version == 1
        count = store.prompt_count()
        reading, _ = read(store)
        assert store.prompt_count() == count
        writer = SessionWriter(reading.session, lambda: store, reading.ids)
        for request in reversed(list(reading.session.requests)):
            reading.session.requests.drop(request.number)
        writer.session.give_style(7, ObjectStyle("new"))
        writer.close()
    assert version(path) == 3
    with SessionDatabase(path) as store:
        reading, mask = read(store)
        assert store.prompt_count() == count
    assert (mask == expected["final"]).all()
    assert reading.session.objects.name(7) == "new"
    reading.session.undo()
    assert reading.session.objects.name(7) == "Object 7"


def identity(name):
    (opened,) = open_layers(FOLDER / IMAGES[name])
    ndim = len(opened.array.shape) - opened.rgb
    return ImageIdentity.of(opened.array, ndim, FOLDER / IMAGES[name])


def test_they_are_offered_and_left_as_they_are(name):
    folder.folder().mkdir()
    path = Path(shutil.copy(FOLDER / f"{name}.simpleclick", folder.folder()))
    (offer,) = folder.offers(identity(name))
    assert offer.clicks > 5
    folder.decline(offer)
    assert folder.offers(identity(name)) == []
    assert version(path) == 1


def test_they_are_not_those_of_another_image(name, path):
    with SessionDatabase(path) as store:
        about = store.about()
    other = "volume" if name == "picture" else "picture"
    assert not identity(other).is_that_of(about)


def test_a_migration_that_fails_leaves_the_file_as_it_was(path):
    with closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE event SET detail = '{}' WHERE kind = 'done'")
        file.commit()
        rows = list(file.execute("SELECT * FROM step"))
    with pytest.raises(UserError, match="damaged"), SessionDatabase(path) as store:
        read(store)
    assert version(path) == 1
    with closing(sqlite3.connect(path)) as file:
        assert list(file.execute("SELECT * FROM step")) == rows


def test_each_answer_is_given_the_options_of_its_time(path, name):
    with SessionDatabase(path) as store:
        reading, edits = SessionReader(store), []
        mask = np.zeros(store.about()["mask"], np.uint16)
        for kind, edit in reading.play(mask):
            if kind == "done" and edit.settings is not None:
                edits.append(edit)
        answers = [row for row in store.events() if row.kind == "answered"]
    assert len(edits) == len(answers)
    assert {edit.settings.model for edit in edits} == {"simpleclick-xtiny"}
    thresholds = {edit.settings.options.threshold for edit in edits}
    assert thresholds == ({0.49, 0.35, 0.6} if name == "picture" else {0.49})
    windows = {edit.settings.display.shown for edit in edits}
    assert len(windows) == (1 if name == "picture" else 2)


def test_the_files_are_those_of_version_0_1():
    """They must not be written anew, only read."""
    sums = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for path in FOLDER.glob("*.simpleclick")
    }
    assert sums == {
        "picture.simpleclick": "ebbb10e77340f8ab",
        "volume.simpleclick": "674b110aad4231db",
    }
