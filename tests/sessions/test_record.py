import random
import shutil
import sqlite3

import numpy as np
import pytest

from napari_simpleclick import Click
from napari_simpleclick.annotation import (
    MaskChange,
    MaskOptions,
    ObjectSlice,
    ObjectStyle,
    PropagatedSlice,
    Session,
    fingerprint,
)
from napari_simpleclick.images import Plane
from napari_simpleclick.sessions import SessionDatabase, SessionReader, SessionWriter

SHAPE = (6, 8, 8)
ACTS = """click click answer answer undo redo paint choose move clear propagate
delete style withdraw restart use retract"""


class Person:
    """Does random things to a session and its mask, as the plugin would."""

    def __init__(self, session, mask, seed):
        self.session, self.mask, self.chance = session, mask, random.Random(seed)

    def write(self, plane, label, mask):
        now = plane.read(self.mask)
        changed = (mask & (now == 0)) | (~mask & (now == label))
        if not changed.any():
            return None
        places = plane.indices(changed)
        after = np.where(mask[changed], label, 0)
        change = MaskChange.of(SHAPE, places, self.mask[places], after)
        self.mask[places] = after
        return change

    def blob(self):
        rows, columns = (self.chance.randrange(8) for _ in range(2))
        mask = np.zeros((8, 8), bool)
        mask[rows : rows + 4, columns : columns + 4] = True
        return mask

    def plane(self):
        return Plane((1, 2), (self.chance.randrange(3), 0, 0))

    def act(self):
        name = self.chance.choice(ACTS.split())
        getattr(self, name)()

    def read(self, object_slice):
        return object_slice.plane.read(self.mask) == object_slice.label

    def click(self):
        object_slice = self.session.object_slice(self.plane())
        click = Click(self.chance.random() * 7, 3.0, self.chance.random() < 0.7)
        self.session.requests.add(object_slice, click, self.read(object_slice))

    def answer(self):
        request = self.session.requests.pending
        if request is not None:
            new = self.blob() if request.prompts else np.zeros((8, 8), bool)
            change = self.write(
                request.object_slice.plane, request.object_slice.label, new
            )
            self.session.record(request, change, self.read(request.object_slice))

    def undo(self):
        edit = self.session.undo()
        if edit is not None and edit.change is not None:
            edit.change.apply(self.mask, undo=True)

    def redo(self):
        edit = self.session.redo()
        if edit is not None and edit.change is not None:
            edit.change.apply(self.mask)

    def paint(self):
        change = self.write(self.plane(), self.session.label, self.blob())
        if change is not None:
            self.session.paint(change)

    def choose(self):
        self.session.choose(self.chance.randrange(1, 4))

    def move(self):
        object_slice = self.session.object_slice(self.plane())
        places = {
            s.order: Click(1.0, 1.0)
            for s in self.session.objects.placed(object_slice)[1:]
        }
        self.session.requests.move(object_slice, places, self.read(object_slice))

    def clear(self):
        self.session.requests.clear(self.session.object_slice(self.plane()))

    def propagate(self):
        object_slice = self.session.object_slice(self.plane())
        change = self.write(object_slice.plane, object_slice.label, self.blob())
        note = PropagatedSlice(
            fingerprint(self.read(object_slice)), self.chance.random()
        )
        self.session.propagate({object_slice: note}, change)

    def delete(self):
        if self.session.requests.pending is None:
            label = self.session.label
            places = np.nonzero(self.mask == label)
            change = MaskChange.of(SHAPE, places, label, 0) if places[0].size else None
            self.mask[places] = 0
            self.session.delete(label, change)

    def style(self):
        name = self.chance.choice(["", "left femur", "tibia"])
        self.session.give_style(self.session.label, ObjectStyle(name, "#112233"))

    def use(self):
        before = self.session.options
        smooth, threshold = self.chance.random() < 0.5, self.chance.random()
        self.session.use(MaskOptions(smooth=smooth, threshold=threshold))
        object_slice = self.session.object_slice(self.plane())
        if self.session.objects.placed(object_slice):
            self.session.requests.ask_again(object_slice, before, self.session.options)

    def retract(self):
        last = self.session.last
        if self.session.requests.pending is None and last and last.options:
            edit = self.session.retract()
            if edit.change is not None:
                edit.change.apply(self.mask, undo=True)
            self.use()
            self.answer()

    def withdraw(self):
        self.session.requests.withdraw()

    def restart(self):
        if (
            self.session.requests.pending is not None
            and self.session.requests.pending.prompts
        ):
            self.session.requests.restart(self.session.requests.pending, self.blob())


def state(session):
    """All of a session that a person can see or get back to."""

    def plain(steps):
        return [
            (s.order, s.click, None if s.base is None else s.base.tolist())
            for s in steps
        ]

    return {
        "label": session.label,
        "steps": {k: plain(v) for k, v in session.objects.prompts.items() if v},
        "styles": session.objects.styles,
        "options": session.options,
        "labels": session.objects.labels(),
        "free": session.objects.free_label(),
        "voxels": [session.objects.voxel_counts.voxels(label) for label in range(5)],
        "waiting": [
            (r.number, r.object_slice, plain(r.before), plain(r.prompts))
            for r in session.requests
        ],
        "painted": {
            object_slice: session.objects.is_painted(
                object_slice, np.ones((8, 8), bool)
            )
            for object_slice in session.objects.prompts
        },
        "notes": [session.objects.propagated.of(label) for label in range(5)],
    }


def read(path):
    mask = np.zeros(SHAPE, np.uint16)
    with SessionDatabase(path) as store:
        reading = SessionReader(store)
        for _ in reading.play(mask):
            pass
    return reading, mask


@pytest.mark.parametrize("seed", range(6))
def test_what_is_read_is_what_was_done(tmp_path, seed):
    path = tmp_path / "a.simpleclick"
    session, mask = Session(), np.zeros(SHAPE, np.uint16)
    recorder = SessionWriter(session, lambda: SessionDatabase(path))
    person = Person(session, mask, seed)
    for _ in range(150):
        person.act()
    recorder.close()
    assert recorder.trouble() is None
    reading, again = read(path)
    assert (again == mask).all()
    assert state(reading.session) == state(session)
    back = Person(reading.session, again, seed)
    for _ in range(60):  # what was done before can be undone as well
        person.undo()
        back.undo()
        assert (again == mask).all()
    assert state(reading.session) == state(session)


def test_a_session_goes_on_in_its_file(tmp_path):
    path = tmp_path / "a.simpleclick"
    session, mask = Session(), np.zeros(SHAPE, np.uint16)
    recorder = SessionWriter(session, lambda: SessionDatabase(path))
    person = Person(session, mask, 1)
    for _ in range(40):
        person.act()
    recorder.close()
    store, again = SessionDatabase(path), np.zeros(SHAPE, np.uint16)
    reading = SessionReader(store)
    list(reading.play(again))
    recorder = SessionWriter(reading.session, lambda: store, reading.ids)
    person = Person(reading.session, again, 2)
    for _ in range(40):
        person.act()
    recorder.close()
    last, mask = read(path)
    assert (mask == again).all()
    assert state(last.session) == state(reading.session)


def test_every_event_is_there_when_it_was_written(tmp_path):
    """As after ``kill -9``: nobody closes the file."""
    path = tmp_path / "a.simpleclick"
    recorder = SessionWriter(Session(), lambda: SessionDatabase(path))
    object_slice = ObjectSlice(1, Plane((1, 2), (0, 0, 0)))
    recorder.session.requests.add(object_slice, Click(1, 2), np.zeros((8, 8), bool))
    recorder.flush()
    for part in list(tmp_path.iterdir()):
        shutil.copy(part, part.with_name(part.name.replace("a.", "b.")))
    reading, _ = read(tmp_path / "b.simpleclick")
    assert reading.session.objects.placed(object_slice)[0].click == Click(1, 2)
    assert reading.session.requests.pending.object_slice == object_slice
    recorder.close()


def test_settings_are_kept_with_the_session(tmp_path):
    path = tmp_path / "a.simpleclick"
    recorder = SessionWriter(Session(), lambda: SessionDatabase(path))
    recorder.session.use(MaskOptions(threshold=0.4))
    recorder.session.use(MaskOptions(threshold=0.6, channels=(2, 0, -1)))
    assert not path.exists()
    recorder.session.choose(3)
    recorder.session.give_style(3, ObjectStyle("tumour"))
    recorder.close()
    reading, _ = read(path)
    assert reading.session.options == MaskOptions(threshold=0.6, channels=(2, 0, -1))
    assert reading.session.label == 3


def test_a_copy_is_one_whole_file(tmp_path):
    session, mask = Session(), np.zeros(SHAPE, np.uint16)
    recorder = SessionWriter(
        session, lambda: SessionDatabase(tmp_path / "a.simpleclick")
    )
    person = Person(session, mask, 3)
    for _ in range(60):
        person.act()
    there = tmp_path / "there"
    there.mkdir()
    recorder.copy(there / "copy.simpleclick").result()
    recorder.close()
    assert [file.name for file in there.iterdir()] == ["copy.simpleclick"]
    reading, again = read(there / "copy.simpleclick")
    assert (again == mask).all()
    assert state(reading.session) == state(session)


def test_an_open_file_is_not_opened_twice(tmp_path):
    path = tmp_path / "a.simpleclick"
    with (
        SessionDatabase(path),
        pytest.raises(ValueError, match="open in another window"),
    ):
        SessionDatabase(path)
    SessionDatabase(path).close()


@pytest.mark.parametrize("content", [b"", b"something else" * 100])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "a.simpleclick"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.simpleclick"):
        SessionDatabase(path)
    assert path.read_bytes() == content


def test_newer_files_are_refused(tmp_path):
    path = tmp_path / "a.simpleclick"
    SessionDatabase(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(ValueError, match="newer version"):
        SessionDatabase(path)


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "a.simpleclick"
    with SessionDatabase(path) as store:
        store.append("chosen", 2)
        store.append("done", {"name": "click"})
    with pytest.raises(ValueError, match="damaged"):
        read(path)


def test_what_cannot_be_written_is_told(tmp_path):
    recorder = SessionWriter(
        Session(), lambda: SessionDatabase(tmp_path / "no" / "a.simpleclick")
    )
    recorder.session.give_style(1, ObjectStyle("femur"))
    recorder.session.give_style(1, ObjectStyle("tibia"))
    recorder.flush()
    assert recorder.trouble() is not None
    recorder.close()
