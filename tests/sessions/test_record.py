import random
import shutil
import sqlite3
from collections import Counter
from contextlib import suppress
from types import SimpleNamespace

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
from napari_simpleclick.errors import UserError
from napari_simpleclick.images import Plane
from napari_simpleclick.sessions import SessionDatabase, SessionReader, SessionWriter
from napari_simpleclick.workflow.object_actions import ObjectActions
from napari_simpleclick.workflow.object_list import ObjectList

SHAPE = (6, 8, 8)
ACTS = """click click answer answer undo redo paint choose move clear propagate
delete style withdraw restart use retract merge split cut reshape renumber lock isolate
order classify take"""
WHOLE = ["merge", "split", "cut", "reshape", "renumber", "lock", "take"]
SHAPED = "fill holes", "smooth", "grow", "shrink", "largest part"


class ArrayCanvas:
    """The slice and the labels of a session, without a viewer."""

    def __init__(self, session, labels):
        self.session, self.labels, self.plane = (
            session,
            labels,
            Plane((1, 2), (0, 0, 0)),
        )

    @property
    def options(self):
        return self.session.options

    def current_plane(self):
        return self.plane

    def source(self):
        return None

    def about_image(self):
        return SimpleNamespace(pixel_sizes=(2.0, 1.0, 1.0))

    def object_mask(self, plane, label):
        return plane.read(self.labels) == label

    def put(self, change, show=True):
        change.apply(self.labels)

    def delete(self, *labels):
        raise NotImplementedError

    def refresh(self):
        pass

    def choose(self, label):
        self.session.choose(label)

    def when_idle(self, call):
        call()


class Person:
    """Does random things to a session and its mask, as the plugin would."""

    def __init__(self, session, mask, seed):
        self.session, self.mask, self.chance = session, mask, random.Random(seed)
        self.canvas = ArrayCanvas(session, mask)
        queue = SimpleNamespace(
            canvas=self.canvas,
            models=SimpleNamespace(engine=None),
            when_none_waits=lambda call: call(),
        )
        self.actions = ObjectActions(queue, self.attempt)
        self.list = ObjectList(queue)
        self.done = Counter()
        self.actions.changed.connect(lambda: self.done.update([self.name]))

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
        self.name = self.chance.choice(ACTS.split())
        self.canvas.plane = self.plane()
        if self.name in WHOLE:
            self.settle()
        self.attempt(getattr(self, self.name))

    def settle(self):
        """Answer all that waits, most of the time."""
        while self.session.requests.pending is not None and self.chance.random() < 0.9:
            self.answer()

    @staticmethod
    def attempt(act):
        with suppress(UserError):
            act()

    def some(self):
        """Give some of the objects, in any order."""
        labels = self.session.objects.labels()
        return self.chance.sample(labels, self.chance.randint(0, len(labels)))

    def merge(self):
        self.actions.merge(self.some()[:2])

    def split(self):
        many = self.chance.random() < 0.5
        at_clicks = self.chance.random() < 0.5
        way = self.actions.split_at_clicks if at_clicks else self.actions.split_parts
        way(self.session.label, many)

    def cut(self):
        rows = self.chance.sample(range(8), 2)
        stroke = [(rows[0], -1), (rows[1], 9)]
        many = self.chance.random() < 0.5
        self.actions.cut(self.session.label, self.canvas.plane, stroke, many)

    def reshape(self):
        many = self.chance.random() < 0.5
        self.actions.reshape(self.chance.choice(SHAPED), self.session.label, many)

    def renumber(self):
        self.actions.renumber(self.session.label, self.chance.randrange(1, 9))

    def lock(self):
        self.list.lock(self.some(), self.chance.random() < 0.3)

    def isolate(self):
        self.list.isolate(self.some())
        self.list.set_opacity(self.some(), self.chance.random())

    def order(self):
        self.list.move(self.some(), self.chance.random() < 0.5)

    def classify(self):
        self.list.classify(self.some(), self.chance.choice(["", "cell", "nucleus"]))

    def take(self):
        if self.session.requests.pending is None and self.chance.random() < 0.3:
            new = np.array(self.chance.choices(range(4), k=self.mask.size))
            change = MaskChange.between(self.mask, new.reshape(SHAPE))
            change.apply(self.mask)
            self.session.take_mask({2: ObjectStyle("spleen")}, change)

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
        one = self.session.object_slice(self.plane())
        places = [one, ObjectSlice(one.label % 4 + 1, one.plane)]
        writes = [self.write(where.plane, where.label, self.blob()) for where in places]
        notes = {
            where: PropagatedSlice(fingerprint(self.read(where)), self.chance.random())
            for where in places
        }
        changes = [change for change in writes if change is not None]
        self.session.propagate(notes, MaskChange.joined(changes))

    def delete(self):
        if self.session.requests.pending is None:
            label = self.session.label
            places = np.nonzero(self.mask == label)
            change = MaskChange.of(SHAPE, places, label, 0) if places[0].size else None
            self.mask[places] = 0
            self.session.delete((label,), change)

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
        "listed": session.objects.listed(),
        "free": session.objects.free_label(),
        "voxels": [session.objects.voxel_counts.voxels(label) for label in range(9)],
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
        "notes": [session.objects.propagated.of(label) for label in range(9)],
    }


def read(path):
    mask = np.zeros(SHAPE, np.uint16)
    with SessionDatabase(path) as store:
        reading = SessionReader(store)
        for _ in reading.play(mask):
            pass
    return reading, mask


def test_the_random_person_does_all_there_is():
    person = Person(Session(), np.zeros(SHAPE, np.uint16), 0)
    for _ in range(1500):
        person.act()
    assert {"merge", "split", "cut", "reshape", "renumber"} <= set(person.done)


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


class Crowded(SessionDatabase):
    """A file on a disk that is full at times, before a prompt or before its event."""

    is_full = False

    def add_prompt(self, *what, **how):
        if self.is_full and random.random() < 0.5:
            raise OSError(28, "No space left on device")
        return super().add_prompt(*what, **how)

    def append(self, *what):
        if self.is_full:
            raise OSError(28, "No space left on device")
        super().append(*what)


@pytest.mark.parametrize("seed", range(3))
def test_what_a_full_disk_took_is_in_copies_and_is_written_when_there_is_room(
    tmp_path, seed
):
    store, copy = Crowded(tmp_path / "a.simpleclick"), tmp_path / "copy.simpleclick"
    session, mask = Session(), np.zeros(SHAPE, np.uint16)
    recorder = SessionWriter(session, lambda: store)
    person = Person(session, mask, seed)
    for full in (False, True, False, True):
        recorder.flush()
        store.is_full = full
        for _ in range(40):
            person.act()
        recorder.flush()
        assert (recorder.trouble() is not None) is full
        recorder.copy(copy).result()
        reading, again = read(copy)
        assert (again == mask).all()
        assert state(reading.session) == state(session)
    with pytest.raises(OSError, match="No space left"):
        recorder.copy(store.path).result()
    store.is_full = False
    recorder.close()
    reading, again = read(store.path)
    assert (again == mask).all()
    assert state(reading.session) == state(session)


def test_a_folder_that_comes_late_gets_the_whole_session(tmp_path):
    path = tmp_path / "late" / "a.simpleclick"
    recorder = SessionWriter(Session(), lambda: SessionDatabase(path))
    recorder.session.give_style(1, ObjectStyle("femur"))
    recorder.flush()
    path.parent.mkdir()
    recorder.session.give_style(1, ObjectStyle("tibia"))
    recorder.flush()
    assert recorder.trouble() is None
    recorder.close()
    assert read(path)[0].session.objects.name(1) == "tibia"
