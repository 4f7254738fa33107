"""What the person sees of a slice is what a first click is answered with."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from napari_simpleclick import Click, Predictor
from napari_simpleclick.annotation import Session
from napari_simpleclick.errors import UserError
from napari_simpleclick.images import Plane, Viewport
from napari_simpleclick.images.view import DisplaySettings, View, VolumeWindows
from napari_simpleclick.sessions import SessionDatabase, SessionReader, SessionWriter
from napari_simpleclick.weights import catalogue
from napari_simpleclick.workflow.accepted import AcceptedObjects
from napari_simpleclick.workflow.engine import Job, PredictionEngine
from tests.helpers import DiskNetwork

SCREEN_PX = 400, 800
PICTURE = np.zeros((600, 900), np.uint8)


def look_at(person, row, column, zoom):
    """Have the drawing show a place in the world, so many px of it for one of that."""
    viewer = person.viewer
    if hasattr(viewer, "canvas"):
        viewer.canvas.size = SCREEN_PX
    else:
        viewer._canvas_size = SCREEN_PX
    camera = getattr(viewer, "scene", viewer).camera
    camera.center, camera.zoom = (0, row, column), zoom


def edges(viewport):
    return (
        viewport.row_min,
        viewport.row_max,
        viewport.column_min,
        viewport.column_max,
    )


def seen_by(person):
    viewport = person.canvas.viewport(person.canvas.current_plane())
    return None if viewport is None else edges(viewport)


def last_seen(person):
    """Give what was seen at the last click."""
    objects = person.canvas.session.objects
    return objects.placed(objects.last_prompted())[-1].viewport


def disks(person):
    """Give the person a network whose disks are as large as what is seen makes them."""
    predictor = Predictor(DiskNetwork(), device="cpu", precision="float32")
    engine = PredictionEngine(predictor, catalogue()["simpleclick-xtiny"])
    person.workflow.models.engine = engine
    return engine


def test_the_part_of_a_picture_that_is_in_sight(open_image):
    person = open_image(PICTURE)
    look_at(person, 300, 450, zoom=4)
    assert seen_by(person) == pytest.approx((250, 350, 350, 550))


def test_beyond_the_image_there_is_nothing_to_see(open_image):
    person = open_image(PICTURE)
    look_at(person, 0, 900, zoom=2)
    assert seen_by(person) == pytest.approx((-0.5, 100, 700, 899.5))
    look_at(person, -500, 0, zoom=2)
    assert seen_by(person) is None


@pytest.mark.parametrize(
    ("look", "centre", "expected"),
    [
        ({"scale": (0.5, 0.5)}, (150, 225), (200, 400, 250, 650)),
        ({"scale": (0.5, 0.25)}, (150, 112.5), (200, 400, 50, 850)),
        ({"translate": (100, 50)}, (400, 500), (250, 350, 350, 550)),
        ({"scale": (-1, 1)}, (-300, 450), (250, 350, 350, 550)),
        ({"rotate": 90}, (-450, 300), (200, 400, 400, 500)),
    ],
)
def test_wherever_the_image_lies_in_the_world(open_image, look, centre, expected):
    person = open_image(PICTURE, **look)
    look_at(person, *centre, zoom=4)
    assert seen_by(person) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("order", "centre", "expected"),
    [
        ((0, 1, 2), (50, 60), (40, 60, 40, 80)),
        ((1, 0, 2), (12, 60), (2, 22, 40, 80)),
        ((0, 2, 1), (60, 50), (30, 70, 50, 70)),
    ],
)
def test_along_any_axis(open_image, balls, order, centre, expected):
    person = open_image(balls)
    person.viewer.dims.order = order
    look_at(person, *centre, zoom=20)
    assert seen_by(person) == pytest.approx(expected)


def test_in_a_solid_view_nothing_is_a_slice(open_image, balls):
    person = open_image(balls)
    plane = person.canvas.current_plane()
    person.viewer.dims.ndisplay = 3
    assert person.canvas.viewport(plane) is None


def test_the_whole_image_is_in_sight_at_first(open_image):
    person = open_image(PICTURE)
    assert seen_by(person) == (-0.5, 599.5, -0.5, 899.5)


def test_a_click_keeps_what_was_seen_through_undo_and_redo(open_image):
    person = open_image(PICTURE)
    disks(person)
    look_at(person, 300, 450, zoom=4)
    person.click(300, 450)
    near = person.mask.copy()
    (where,) = person.canvas.session.objects.prompts
    placed = person.canvas.session.objects.placed(where)
    assert edges(placed[0].viewport) == pytest.approx((250, 350, 350, 550))
    look_at(person, 300, 450, zoom=0.5)
    person.workflow.undo()
    assert not person.mask.any()
    person.workflow.redo()
    assert (person.mask == near).all()
    assert person.canvas.session.objects.placed(where) == placed


def test_accepted_objects_are_learned_from_as_they_were_seen(open_image):
    person = open_image(PICTURE)
    disks(person)
    look_at(person, 300, 450, zoom=4)
    person.click(300, 450)
    person.workflow.new_object()
    (example,) = AcceptedObjects(person.canvas).gather()
    assert edges(example.viewport) == pytest.approx((250, 350, 350, 550))


def test_what_is_seen_decides_on_the_answer_and_a_choice_turns_it_off(open_image):
    areas = {}
    for name, zoom, first_look in (
        ("near", 4, "view"),
        ("far", 0.5, "view"),
        ("slice", 4, "slice"),
    ):
        person = open_image(PICTURE)
        disks(person)
        options = replace(person.canvas.options, first_look=first_look)
        person.canvas.session.use(options)
        look_at(person, 300, 450, zoom)
        person.click(300, 450)
        areas[name] = int((person.mask > 0).sum())
    assert 0 < areas["near"] < areas["far"] == areas["slice"]


def test_moving_the_only_click_looks_where_one_looked_before(open_image):
    person = open_image(PICTURE)
    disks(person)
    look_at(person, 300, 450, zoom=4)
    person.click(300, 450)
    near = int((person.mask > 0).sum())
    look_at(person, 300, 450, zoom=0.5)
    person.canvas.points[True].data = np.array([[310.0, 460.0]])
    person.workflow.take_over_points()
    assert int((person.mask > 0).sum()) == pytest.approx(near, rel=0.1)


def test_a_wide_view_is_narrowed_to_the_sizes_of_the_objects_before(open_image):
    picture = np.zeros((600, 900), np.uint8)
    for row in range(30, 600, 100):
        picture[row : row + 20, 100:112] = 200
    picture[20:140, 600:700] = 200
    person = open_image(picture)
    for row in (35, 135, 235):
        person.click(row, 105)
        person.workflow.new_object()
    person.click(335, 105)
    assert last_seen(person) == Viewport.around(335, 105, 8 * 20)
    person.workflow.new_object()
    person.click(50, 650)  # a large object: what is in sight suits both
    person.workflow.new_object()
    person.click(435, 105)
    assert edges(last_seen(person)) == (-0.5, 599.5, -0.5, 899.5)


PLANE = Plane((0, 1), (0, 0))
SEEN = Viewport(100.5, 220.0, 90.0, 300.0)


def job(request):
    picture = np.zeros((400, 500, 3), np.uint8)
    view = View(picture, DisplaySettings(rgb=True), VolumeWindows(), picture, 2)
    return Job(request, view)


def answer(request):
    predictor = Predictor(DiskNetwork(), device="cpu", precision="float32")
    engine = PredictionEngine(predictor, catalogue()["simpleclick-xtiny"])
    return engine.answer(job(request)).mask


def read(path):
    with SessionDatabase(path) as store:
        reading = SessionReader(store)
        for _ in reading.play(np.zeros((400, 500), np.uint16)):
            pass
    return reading.session


def test_a_session_that_is_read_back_has_the_same_masks(tmp_path):
    path = tmp_path / "a.simpleclick"
    writer = SessionWriter(Session(), lambda: SessionDatabase(path))
    where = writer.session.object_slice(PLANE)
    empty = np.zeros((400, 500), bool)
    writer.session.requests.add(where, Click(150, 150), empty, SEEN)
    request = writer.session.requests.pending
    writer.close()
    again = read(path).requests.pending
    assert again.prompts[0].viewport == SEEN
    mask = answer(request)
    assert mask.any()
    assert (answer(again) == mask).all()
    blind = replace(again.prompts[0], viewport=None)
    assert answer(replace(again, prompts=(blind,))).sum() > mask.sum()


def test_a_session_of_the_version_before_saw_whole_slices(tmp_path):
    path = tmp_path / "a.simpleclick"
    writer = SessionWriter(Session(), lambda: SessionDatabase(path))
    where = writer.session.object_slice(PLANE)
    empty = np.zeros((400, 500), bool)
    writer.session.requests.add(where, Click(150, 150), empty)
    writer.close()
    make_version_2(path)
    (placed,) = read(path).requests.pending.prompts
    assert placed.viewport is None
    assert placed.click == Click(150, 150)


def test_a_damaged_view_is_told(tmp_path):
    path = tmp_path / "a.simpleclick"
    with SessionDatabase(path) as store:
        prompt = {"kind": "click", "row": 1, "column": 1, "positive": True}
        store.add_prompt(1, prompt, None, {"row_min": 5})
    with pytest.raises(UserError, match="damaged"):
        read(path)


def make_version_2(path):
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("ALTER TABLE prompt DROP COLUMN viewport")
        file.execute("PRAGMA user_version = 2")
