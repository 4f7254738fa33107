"""Sessions are written, offered again and gone on with, without a window."""

import numpy as np
import pytest

from napari_simpleclick.annotation import ObjectStyle
from napari_simpleclick.plugin.layers.placement import NOT_RECORDED
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
