"""Sessions are written, offered again and gone on with, without a window."""

import numpy as np
import pytest

from napari_simpleclick.annotation import ObjectStyle
from napari_simpleclick.annotation.packing import unpack
from napari_simpleclick.plugin.layers.placement import NOT_RECORDED
from napari_simpleclick.plugin.sections.sessions import (
    SAVED,
    replaced_words,
    saving_words,
)
from napari_simpleclick.sessions import SessionDatabase
from napari_simpleclick.sessions.folder import folder
from tests.executors import HeldExecutor

PLACES = [(12, 30, 30), (12, 34, 34), (12, 60, 90), (12, 64, 86)]


@pytest.fixture
def open_recorded(open_image, balls):
    """Open the same image as often as wanted; its session is written."""

    def build(data=None, **look):
        person = open_image(balls if data is None else data, recorded=True, **look)
        person.offers = []
        person.workflow.autosave.offered.connect(person.offers.append)
        person.workflow.autosave.follow(person.canvas)
        return person

    return build


def work(person):
    for place in PLACES[:2]:
        person.click(*place)
    person.workflow.new_object()
    person.click(*PLACES[2])
    person.canvas.session.give_style(2, ObjectStyle("tibia", "#102030"))


def leave(person):
    """Close the window."""
    recorder = person.canvas.recorder
    person.controller.close()
    recorder.close()


def state(person):
    canvas = person.canvas
    points = {sign: canvas.points[sign].data.tolist() for sign in (True, False)}
    return (
        person.mask.tobytes(),
        points,
        canvas.session.objects.styles,
        canvas.session.label,
    )


def found(person):
    """All sessions of the image, as they are listed."""
    lists = []
    person.workflow.autosave.list_sessions(lists.append)
    return lists[0]


def sentences(person):
    return [text for text, _ in person.troubles]


def test_a_session_is_offered_and_gone_on_with(open_recorded):
    first = open_recorded(scale=(3, 1, 1))
    assert first.offers[-1] is None  # there is nothing to offer
    work(first)
    before = state(first)
    leave(first)
    second = open_recorded(scale=(3, 1, 1), name="called otherwise")
    assert second.offers[-1].clicks == 3
    second.workflow.restore(second.offers[-1].path)
    assert state(second) == before
    assert second.offers[-1] is None
    assert len(second.viewer.layers) == 4
    assert np.allclose(second.canvas.mask.scale, (3, 1, 1))
    second.click(*PLACES[3])  # and it goes on
    asked = second.answers[-1].request.object_slice
    assert len(second.canvas.session.objects.placed(asked)) == 2
    for _ in range(2):  # the name, too, was done before
        second.workflow.undo()
    assert second.canvas.session.objects.styles == {}
    second.workflow.undo()
    assert not (second.mask == 2).any()
    assert (second.mask == 1).any()


def test_what_is_gone_on_with_is_saved_in_the_same_file(open_recorded):
    first = open_recorded()
    work(first)
    leave(first)
    second = open_recorded()
    second.workflow.restore(second.offers[-1].path)
    second.click(*PLACES[3])
    before = state(second)
    leave(second)
    assert len(list(folder().glob("*.simpleclick"))) == 1
    third = open_recorded()
    third.workflow.restore(third.offers[-1].path)
    assert state(third) == before


def test_a_declined_session_is_not_offered_again_but_stays(open_recorded):
    first = open_recorded()
    work(first)
    leave(first)
    second = open_recorded()
    offer = second.offers[-1]
    second.workflow.autosave.decline(offer)
    assert second.offers[-1] is None
    with SessionDatabase(offer.path) as store:
        assert store.about()["declined"]
    leave(second)
    assert open_recorded().offers[-1] is None


def test_declined_sessions_are_listed_with_what_is_in_them(open_recorded, balls):
    first = open_recorded()
    work(first)
    mask = first.mask
    leave(first)
    second = open_recorded()
    second.workflow.autosave.decline(second.offers[-1])
    (session,) = found(second)
    assert (session.saved.objects, session.saved.clicks) == (2, 3)
    assert session.saved.about["declined"]
    step = -(-balls.shape[2] // 96)
    part = mask[12, ::step, ::step]
    assert (session.labels == part).all()
    assert {0, 1, 2} == set(np.unique(part))
    assert session.picture.shape == (*part.shape, 3)
    shown = balls[12, ::step, ::step]
    assert (session.picture[shown == 200] > session.picture[shown == 40].max()).all()


def test_sessions_are_listed_newest_first_and_without_the_open_one(open_recorded):
    paths = []
    for _ in range(2):
        person = open_recorded()
        person.click(*PLACES[0])
        person.canvas.recorder.flush()
        paths.append(person.canvas.recorder.path)
        leave(person)
    third = open_recorded()
    third.click(*PLACES[2])
    third.canvas.recorder.flush()
    assert [one.saved.path for one in found(third)] == paths[::-1]


def test_sessions_of_other_images_are_not_listed(open_recorded, balls):
    first = open_recorded()
    work(first)
    leave(first)
    assert found(open_recorded(balls + 1)) == []


def test_objects_are_counted_without_what_was_deleted_or_undone(open_recorded):
    first = open_recorded()
    work(first)
    first.workflow.delete_object(1)
    labels = first.mask.copy()
    labels[3, :5, :5] = 7
    first.canvas.mask.data = labels
    first.workflow.new_object()
    first.click(*PLACES[1])
    first.workflow.undo()
    assert first.canvas.session.objects.labels() == [2, 7]
    leave(first)
    (session,) = found(open_recorded())
    assert session.saved.objects == 2


def test_no_image_pixel_is_in_the_file(open_recorded, balls):
    first = open_recorded()
    work(first)
    path = first.canvas.recorder.path
    leave(first)
    with SessionDatabase(path) as store:
        last = store.about()["last_slice"]
    assert set(last) == {"axes", "index", "labels"}
    (labels,) = unpack(bytes.fromhex(last["labels"]), 1)
    assert set(np.unique(labels)) == {0, 1, 2}


def test_a_session_that_was_cut_off_is_listed_without_a_picture(open_recorded):
    first = open_recorded()
    work(first)
    path = first.canvas.recorder.path
    leave(first)
    with SessionDatabase(path) as store:
        store.put_about({"last_slice": None})
    (session,) = found(open_recorded())
    assert session.picture is None
    assert session.saved.objects == 2


def test_going_on_returns_to_slice_axes_and_object(open_recorded):
    first = open_recorded(scale=(3, 1, 2))
    first.click(*PLACES[0])
    first.workflow.new_object()
    first.canvas.show_slices_along(2)
    first.click(12, 60, 90)
    assert first.answers[-1].request.object_slice.plane.axes == (0, 1)
    leave(first)
    second = open_recorded(scale=(3, 1, 2))
    second.go(3)
    second.workflow.restore(second.offers[-1].path)
    assert second.viewer.dims.displayed == (0, 1)
    assert second.canvas.current_plane().index == (0, 0, 90)
    assert second.canvas.session.label == 2
    assert second.canvas.mask.selected_label == 2


def test_going_on_from_the_3d_view_shows_the_slice(open_recorded):
    first = open_recorded()
    first.click(*PLACES[0])
    leave(first)
    second = open_recorded()
    second.viewer.dims.ndisplay = 3
    second.workflow.restore(second.offers[-1].path)
    assert second.canvas.current_plane().index == (12, 0, 0)


def test_a_session_that_was_only_painted_is_gone_on_with(open_recorded):
    first = open_recorded()
    labels = first.mask.copy()
    labels[3, :5, :5] = 1
    first.canvas.mask.data = labels.copy()
    leave(first)
    second = open_recorded()
    second.go(5)
    (session,) = found(second)
    assert session.picture is None
    assert session.saved.objects == 1
    second.workflow.restore(session.saved.path)
    assert (second.mask == labels).all()
    assert second.canvas.current_plane().index == (5, 0, 0)


def test_the_offer_goes_with_the_first_click(open_recorded):
    first = open_recorded()
    work(first)
    leave(first)
    second = open_recorded()
    second.click(*PLACES[0])
    assert second.offers[-1] is None
    second.canvas.recorder.flush()
    assert len({path.stem for path in folder().iterdir()}) == 2


def test_another_image_gets_no_offer(open_recorded, balls):
    first = open_recorded()
    work(first)
    leave(first)
    assert open_recorded(balls + 1).offers == [None, None]


def test_pixels_that_took_the_place_of_others_get_the_offer_too(open_recorded, balls):
    first = open_recorded()
    work(first)
    first.canvas.image.data = balls[::-1].copy()
    before = state(first)
    leave(first)
    for data in (balls[::-1], balls):
        second = open_recorded(data)
        second.workflow.restore(second.offers[-1].path)
        assert state(second) == before
        leave(second)


def test_a_removed_mask_layer_is_offered_back(open_recorded):
    person = open_recorded()
    work(person)
    before, image = state(person), person.canvas.image
    person.viewer.layers.remove(person.canvas.mask)
    assert person.canvas is None
    person.controller.use_image(image)
    person.workflow.restore(person.offers[-1].path)
    assert state(person) == before


def test_a_copy_is_saved_and_opened_and_stays_as_it_is(open_recorded, tmp_path):
    first = open_recorded()
    work(first)
    before, path = state(first), tmp_path / "copy.simpleclick"
    first.workflow.save_copy(path)
    leave(first)
    content = path.read_bytes()
    path.chmod(0o444)
    second = open_recorded()
    second.workflow.restore(path)
    assert state(second) == before
    second.click(*PLACES[3])
    leave(second)
    assert path.read_bytes() == content


def test_sessions_that_do_not_fit_are_refused(open_recorded, balls, tmp_path):
    first = open_recorded()
    work(first)
    path, text = tmp_path / "copy.simpleclick", tmp_path / "text.simpleclick"
    first.workflow.save_copy(path)
    text.write_text("no session")
    other, same_shape = open_recorded(np.zeros((30, 40))), open_recorded(255 - balls)
    for person, file in ((other, path), (same_shape, path), (other, text)):
        person.workflow.restore(file)
        assert person.canvas is not None
    assert "belongs to" in sentences(other)[0]
    assert "is not a session" in sentences(other)[1]
    assert "other pixels" in sentences(same_shape)[0]


def test_without_work_or_image_there_is_nothing_to_save(open_recorded, tmp_path):
    person = open_recorded()
    person.workflow.save_copy(tmp_path / "a.simpleclick")
    assert "nothing to save" in sentences(person)[0]
    person.controller.use_image(None)
    person.workflow.restore(tmp_path / "a.simpleclick")
    assert "Open the image" in sentences(person)[1]


@pytest.fixture
def no_folder(tmp_path, monkeypatch):
    """The folder of sessions cannot be made."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NAPARI_SIMPLECLICK_SESSIONS", str(tmp_path / "file" / "s"))


def test_what_is_not_saved_is_said_though_nothing_follows(no_folder, open_recorded):
    person = open_recorded()
    person.click(*PLACES[0])
    assert "Your work is not being saved" in sentences(person)[-1]
    assert "Save the mask yourself" in sentences(person)[-1]
    assert person.mask[PLACES[0]] == 1


def test_it_is_known_before_anything_is_done(no_folder, open_recorded):
    person = open_recorded()
    assert sentences(person) == []
    words = saving_words(person.workflow.autosave)
    assert "not being saved" in words
    assert "Save the mask yourself" in words
    assert str(folder()) in words


def test_every_change_is_saved_is_said_as_long_as_it_is_true(
    open_recorded, monkeypatch
):
    person = open_recorded()
    autosave, words = person.workflow.autosave, []
    autosave.saving_changed.connect(lambda: words.append(saving_words(autosave)))
    person.click(*PLACES[0])
    assert words[-1] == SAVED

    def full(*_):
        raise OSError("The session cannot be used: database or disk is full.")

    monkeypatch.setattr(SessionDatabase, "append", full)
    person.click(*PLACES[2])
    assert "not being saved" in words[-1]
    assert "disk is full" in words[-1]
    autosave.follow(person.canvas)  # another image, and back
    assert "not being saved" in words[-1]


def test_an_image_that_is_not_recorded_says_so(open_image, balls):
    words = saving_words(open_image(balls).workflow.autosave)
    assert "not saved as a session" in words


def test_what_would_be_lost_is_said_before_a_session_is_opened(
    open_recorded, monkeypatch
):
    person = open_recorded()
    autosave = person.workflow.autosave
    assert replaced_words(autosave) == ""
    person.click(*PLACES[0])
    assert "stays on disk" in replaced_words(autosave)

    def full(*_):
        raise OSError("The session cannot be used: database or disk is full.")

    monkeypatch.setattr(SessionDatabase, "append", full)
    person.click(*PLACES[2])
    assert "save the mask first" in replaced_words(autosave)


def test_it_is_said_after_the_answer(no_folder, open_image, balls):
    order = []
    person = open_image(balls, HeldExecutor(), recorded=True)
    person.workflow.queue.answered.connect(lambda _: order.append("answer"))
    person.workflow.trouble.connect(lambda *_: order.append("trouble"))
    person.click(*PLACES[0])
    person.executor.release_all()
    assert order[-1] == "trouble"


def test_the_end_of_many_events_is_seen_to_as_well(no_folder, open_image, balls):
    """One wait for what is written covers all that happens meanwhile."""
    person = open_image(balls, HeldExecutor(), recorded=True)
    for place in PLACES:
        person.click(*place)
    person.executor.release_all()
    assert len(person.answers) == len(PLACES)
    assert "not being saved" in sentences(person)[-1]


def test_an_image_whose_session_is_not_wanted(open_image, balls):
    person = open_image(balls)
    assert person.canvas.image.metadata[NOT_RECORDED]
    person.click(*PLACES[0])
    person.canvas.recorder.flush()
    assert not folder().exists() or not list(folder().iterdir())


def test_a_session_that_was_read_for_an_image_that_is_gone(
    open_recorded, open_image, balls
):
    first = open_recorded()
    work(first)
    path = first.canvas.recorder.path
    leave(first)
    person = open_image(balls, HeldExecutor(), recorded=True)
    person.workflow.restore(path)
    person.controller.use_image(None)
    person.executor.release_all()
    assert person.canvas is None
    with SessionDatabase(path) as store:  # and nobody holds it
        assert store.count() > 3
