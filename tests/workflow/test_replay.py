"""A session file back to masks, without a window."""

import json
import shutil
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from typer.testing import CliRunner

from napari_simpleclick import Box, Click, Lasso, Predictor, Scribble, load_weights
from napari_simpleclick.annotation import (
    MaskChange,
    MaskOptions,
    ObjectSlice,
    ObjectStyle,
    Session,
)
from napari_simpleclick.cli import app
from napari_simpleclick.errors import UserError
from napari_simpleclick.images import Plane, Window
from napari_simpleclick.images.view import DisplaySettings, View, VolumeWindows
from napari_simpleclick.images.viewer_images import open_layers
from napari_simpleclick.inference import ZoomIn
from napari_simpleclick.sessions import ImageIdentity, SessionDatabase, SessionWriter
from napari_simpleclick.weights import catalogue
from napari_simpleclick.workflow.engine import Job, PredictionEngine
from napari_simpleclick.workflow.object_actions import ObjectActions
from napari_simpleclick.workflow.replay import replay_session
from tests.sessions.test_record import ArrayCanvas

GOLDEN = Path(__file__).parents[1] / "golden" / "sessions"
WIDE, NARROW = (
    DisplaySettings(shown=Window(low, high)) for low, high in ((0, 255), (150, 200))
)


class Person:
    """Works on an image file as the plugin does, with a model and a session file."""

    def __init__(self, image, path, **how):
        (opened,) = open_layers(image)
        self.array, self.mask = opened.array, np.zeros(opened.array.shape, np.uint16)
        network, card = load_weights("bundled")
        self.engine = PredictionEngine(Predictor(network, **how), card)
        self.session, self.path = Session(), path
        self.about = {
            "image": "scan",
            "shape": self.array.shape,
            "mask": self.array.shape,
            "sizes": (2.0, 0.8, 0.8),
            "rgb": False,
            **ImageIdentity.of(self.array, 3, image).about(),
        }
        self.writer = SessionWriter(self.session, self.open)

    def open(self):
        store = SessionDatabase(self.path)
        store.put_about(self.about)
        return store

    def click(self, z, row, column, positive=True):
        return self.show(z, Click(row, column, positive))

    def show(self, z, prompt):
        where = self.session.object_slice(Plane((1, 2), (z, 0, 0)))
        self.session.requests.add(where, prompt, self.here(where))
        return where

    def here(self, where):
        return where.plane.read(self.mask) == where.label

    def job(self, request, display=WIDE):
        """Take a snapshot of what the answer is to depend on."""
        view = View(self.array, display, VolumeWindows(), self.array, 3)
        return Job(request, view, (0.8, 0.8), self.session.options)

    def answer(self, job):
        """Predict and write, with whatever options there are by now."""
        answer = self.engine.answer(job)
        where, overwrite = job.request.object_slice, self.session.options.overwrite
        change = MaskChange.of_object(
            self.mask, where.plane, where.label, answer.mask, overwrite
        )
        if change is not None:
            change.apply(self.mask)
        self.session.record(job.request, change, self.here(where), answer.settings)


@pytest.fixture
def image(tmp_path):
    return Path(shutil.copy(GOLDEN / "scan.nii.gz", tmp_path))


@pytest.fixture
def person(image, tmp_path):
    return Person(image, tmp_path / "a.simpleclick")


def test_answers_are_given_again_with_what_they_depended_on(person, image):
    """Though options, contrast and the order have changed before they were written."""
    session = person.session
    person.click(6, 37, 51)
    job = person.job(session.requests.pending)
    session.use(MaskOptions(threshold=0.95, only_clicked=True))
    person.answer(job)
    person.click(6, 21, 19)
    person.click(6, 30, 44, positive=False)
    job = person.job(session.requests.pending, NARROW)
    session.use(MaskOptions(threshold=0.2))
    person.answer(job)
    job = person.job(session.requests.pending)
    session.use(MaskOptions(threshold=0.6, fill_holes=True))
    person.answer(job)
    person.writer.close()
    assert (person.mask > 0).any()
    again = replay_session(person.path, image, "bundled")
    assert (again.mask == person.mask).all()
    assert again.agreement == {1: 1.0}
    assert (replay_session(person.path, image).mask == person.mask).all()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("weights", ["bundled", "recorded"])
def test_answers_are_given_again_in_the_mode_that_they_were_given_in(
    weights, precision, image, tmp_path
):
    found, how = [], {"precision": precision}
    for flip in (False, True):
        person = Person(image, tmp_path / f"{flip}.simpleclick", flip=flip, **how)
        person.click(6, 10, 60)
        person.answer(person.job(person.session.requests.pending))
        person.writer.close()
        again = replay_session(person.path, image, weights)
        assert (again.mask == person.mask).all()
        found.append(person.mask)
    assert (found[0] != found[1]).any()


@pytest.mark.parametrize("weights", ["bundled", "recorded"])
def test_small_crops_are_enlarged_as_they_were(weights, tmp_path):
    noise = np.random.default_rng(3).normal(size=(300, 320, 2))
    pixels = (1e4 * gaussian_filter(noise, (15, 15, 0))).astype(np.int16)
    image = tmp_path / "large.nii.gz"
    nibabel.save(nibabel.Nifti1Image(pixels, np.eye(4)), image)
    found = []
    for enlarged in (None, 1.25):
        zoom = ZoomIn(most_enlarged=enlarged)
        person = Person(image, tmp_path / f"{enlarged}.simpleclick", zoom=zoom)
        for row in (90, 100):
            person.click(1, row, 100)
            person.answer(person.job(person.session.requests.pending))
        person.writer.close()
        again = replay_session(person.path, image, weights)
        assert (again.mask == person.mask).all()
        found.append(person.mask)
    assert (found[0] != found[1]).any()


@pytest.mark.parametrize(
    ("exact", "says"), [(False, ()), (True, ("mode", "precision"))]
)
def test_a_session_of_before_is_answered_by_one_look_unless_it_says_exact(
    exact, says, image, tmp_path
):
    how = {"precision": "float32", "flip": True} if exact else {}
    person = Person(image, tmp_path / "a.simpleclick", **how)
    person.click(6, 10, 60)
    person.answer(person.job(person.session.requests.pending))
    person.writer.close()
    with sqlite3.connect(person.path) as file:
        rows = file.execute("SELECT id, detail FROM event WHERE kind = 'done'")
        for id_, text in rows.fetchall():
            detail = json.loads(text)
            kept = ("options", "display", "spacing", "model", *says)
            detail["settings"] = {name: detail["settings"][name] for name in kept}
            values = json.dumps(detail), id_
            file.execute("UPDATE event SET detail = ? WHERE id = ?", values)
    assert (replay_session(person.path, image, "recorded").mask == person.mask).all()


def test_other_weights_of_the_same_name_do_not_answer_for_those_recorded(person, image):
    person.click(6, 37, 51)
    person.answer(person.job(person.session.requests.pending))
    person.writer.close()
    with sqlite3.connect(person.path) as file:
        ((id_, text),) = file.execute(
            "SELECT id, detail FROM event WHERE kind = 'done'"
        ).fetchall()
        detail = json.loads(text)
        assert detail["settings"]["weights"] == catalogue()["encode-once"].sha256
        detail["settings"]["weights"] = "0" * 64
        file.execute(
            "UPDATE event SET detail = ? WHERE id = ?", (json.dumps(detail), id_)
        )
    with pytest.raises(UserError, match=r"of other weights than those .* --weights"):
        replay_session(person.path, image, "recorded")
    for chosen in (None, "encode-once"):
        assert (replay_session(person.path, image, chosen).mask == person.mask).all()


def test_boxes_scribbles_and_lassos_are_predicted_anew(person, image):
    prompts = (
        Box(25, 35, 50, 65),
        Scribble(((37, 45), (37, 58))),
        Scribble(((10, 10), (20, 10)), positive=False),
        Click(30, 44),
        Lasso(((20, 40), (40, 60), (50, 40))),
    )
    for prompt in prompts:
        person.show(6, prompt)
        person.answer(person.job(person.session.requests.pending))
    person.writer.close()
    assert (person.mask[6, 37, 45:59] == 1).all()
    again = replay_session(person.path, image, "bundled")
    assert (again.mask == person.mask).all()
    (placed,) = again.session.objects.prompts.values()
    assert tuple(one.prompt for one in placed) == prompts


def test_an_answer_is_found_behind_one_that_waits(person, image):
    """Other options for a mask in view are answered before clicks elsewhere."""
    session = person.session
    where = person.click(6, 37, 51)
    person.answer(person.job(session.requests.pending))
    person.click(5, 21, 19)
    options = MaskOptions(threshold=0.8)
    session.use(options)
    request = session.requests.ask_again(where, MaskOptions(), options)
    person.answer(person.job(request))
    person.answer(person.job(session.requests.pending))
    person.writer.close()
    again = replay_session(person.path, image, "bundled")
    assert (again.mask == person.mask).all()


def test_what_was_done_with_objects_is_done_again(person, image):
    session, canvas = person.session, ArrayCanvas(person.session, person.mask)
    canvas.source = lambda: person.array
    canvas.about_image = lambda: SimpleNamespace(pixel_sizes=(2.0, 0.8, 0.8))
    canvas.plane = Plane((1, 2), (6, 0, 0))
    models = SimpleNamespace(engine=person.engine)
    queue = SimpleNamespace(
        when_none_waits=lambda call: call(),
        canvas=canvas,
        models=models,
    )
    actions = ObjectActions(queue, lambda act: act())
    person.mask[2, 5:25, 5:25] = 9
    there = np.zeros_like(person.mask)
    session.take_mask(
        {9: ObjectStyle("island")}, MaskChange.between(there, person.mask)
    )
    for label, *place in ((1, 6, 37, 51), (1, 6, 39, 55), (2, 6, 21, 19)):
        session.choose(label)
        person.click(*place)
        person.answer(person.job(session.requests.pending))
    session.choose(1)
    actions.split_at_clicks(1, False)
    made = set(np.unique(person.mask)) - {0, 1, 2, 9}
    actions.reshape("grow", 2, True, 3)
    actions.merge((2, made.pop()))
    stroke = [(3, 15), (15, 15), (27, 15)]
    actions.cut(9, Plane((1, 2), (2, 0, 0)), stroke, True)
    actions.renumber(9, 30)
    person.writer.close()
    assert person.writer.trouble() is None
    assert set(np.unique(person.mask)) == {0, 1, 2, 10, 30}
    recorded = replay_session(person.path, image)
    np.testing.assert_array_equal(recorded.mask, person.mask)
    again = replay_session(person.path, image, "bundled")
    np.testing.assert_array_equal(again.mask, person.mask)
    assert set(again.agreement.values()) == {1.0}
    assert again.session.objects.name(30) == "island"


def test_nothing_is_left_next_to_a_session(person, image):
    person.click(6, 37, 51)
    person.answer(person.job(person.session.requests.pending))
    person.writer.close()
    before = person.path.read_bytes()
    files = sorted(person.path.parent.iterdir())
    result = CliRunner().invoke(app, ["replay", str(person.path), "--json", "-"])
    assert result.exit_code == 0, result.output
    (one,) = json.loads(result.stdout)["objects"]
    assert one["voxels"] == (person.mask == 1).sum() > 0
    assert sorted(person.path.parent.iterdir()) == files
    assert person.path.read_bytes() == before


def test_the_image_of_another_session_is_refused(person, image, tmp_path):
    person.click(6, 37, 51)
    person.answer(person.job(person.session.requests.pending))
    person.writer.close()
    moved = image.rename(tmp_path / "moved.nii.gz")
    with pytest.raises(UserError, match="--image"):
        replay_session(person.path, weights="bundled")
    again = replay_session(person.path, moved, "bundled")
    assert (again.mask == person.mask).all()
    with pytest.raises(UserError, match="not the image of this session"):
        replay_session(person.path, GOLDEN / "cells.png")


def test_a_request_that_cannot_be_answered_takes_its_prompt_along(person, image):
    session = person.session
    where = person.click(6, 37, 51)
    person.click(6, 40, 51)
    session.requests.fail(session.requests.pending)
    (placed,) = session.objects.placed(where)
    assert placed.click.row == 40
    person.answer(person.job(session.requests.pending))
    person.writer.close()
    assert where == ObjectSlice(1, Plane((1, 2), (6, 0, 0)))
    assert (replay_session(person.path, image, "bundled").mask == person.mask).all()
