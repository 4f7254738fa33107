"""Learning from accepted objects, without a window and without another process."""

import json
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_simpleclick import UserError, load_weights
from napari_simpleclick.cli import app
from napari_simpleclick.inference import Predictor
from napari_simpleclick.sessions.taught_files import (
    copy_taught,
    delete_taught,
    find_taught,
    keep_taught,
    taught_name,
)
from napari_simpleclick.training.teaching import Example, Origin
from napari_simpleclick.training.teaching.job import TeachReport
from napari_simpleclick.weights import catalogue
from napari_simpleclick.workflow.engine import PredictionEngine
from napari_simpleclick.workflow.replay import replay_session
from napari_simpleclick.workflow.teaching import (
    AGAIN_AFTER,
    BROKEN_OFF,
    OFFERED_AT,
)
from napari_simpleclick.workflow.teaching_process import TeachingProcess
from tests.executors import HeldExecutor
from tests.fake_teaching import FakeProcess, write_taught_file
from tests.workflow.test_replay import GOLDEN, Person


@pytest.fixture(scope="module")
def taught_file(tmp_path_factory):
    return write_taught_file(tmp_path_factory.mktemp("taught") / "taught.safetensors")


@pytest.fixture
def process(monkeypatch, taught_file):
    monkeypatch.setattr(FakeProcess, "made", [])
    monkeypatch.setattr(FakeProcess, "result_file", taught_file)
    return FakeProcess


@pytest.fixture
def spots():
    """Fifteen bright squares."""
    image = np.full((100, 160), 40, np.uint8)
    for number in range(15):
        row, column = 10 + 30 * (number // 5), 10 + 30 * (number % 5)
        image[row : row + 15, column : column + 15] = 200
    return image


@pytest.fixture
def person(open_image, spots, process):
    """Someone whose session is written."""
    found = open_image(spots, recorded=True)
    found.workflow.teaching._make = process
    return found


def annotate(person, first, last):
    """Click on squares, each an object, and go on with the next object."""
    for number in range(first, last):
        person.click(17 + 30 * (number // 5), 17 + 30 * (number % 5))
        person.workflow.new_object()


def test_it_is_offered_once_from_five_objects_on(person):
    teaching = person.workflow.teaching
    annotate(person, 0, OFFERED_AT - 1)
    assert (teaching.count, teaching.is_offered) == (4, False)
    with pytest.raises(UserError, match="4 of the 5 objects"):
        teaching.start()
    person.click(17, 137)
    assert not teaching.is_offered  # it is still being worked on
    person.workflow.new_object()
    assert teaching.is_offered
    teaching.decline()
    assert not teaching.is_offered
    annotate(person, 5, 6)
    assert not teaching.is_offered


def test_what_was_learned_answers_and_can_be_undone(person):
    teaching, models = person.workflow.teaching, person.workflow.models
    before = models.engine
    annotate(person, 0, 5)
    teaching.start()
    (process,) = FakeProcess.made
    assert process.cleared
    assert process.settings == ("bundled", "taught", 180.0)
    assert [example.origin.label for example in process.examples] == [1, 2, 3, 4, 5]
    first = process.examples[0]
    assert first.mask.sum() == 225
    assert first.others.sum() == 4 * 225
    assert process.examples[1].image is first.image
    assert teaching.in_use
    assert teaching.sentence == "Learned from 5 objects: better."
    assert models.engine.name.startswith("taught-")
    assert models.engine.card.title.endswith(", with what was learned")
    assert models.choice.model == "bundled"
    teaching.use(False)
    assert (models.engine, teaching.in_use) == (before, False)
    teaching.use(True)
    assert models.engine is not before
    teaching.forget()
    assert models.engine is before
    assert teaching.learned is None
    assert not person.troubles


def test_the_file_lies_beside_the_session(person, taught_file):
    annotate(person, 0, 5)
    person.workflow.teaching.start()
    person.canvas.recorder.flush()
    session = person.canvas.recorder.path
    name = taught_name(taught_file)
    assert find_taught(session, name).parent == session.parent
    assert person.workflow.models.engine.name == name


def test_a_session_goes_on_with_what_it_had_learned(person, open_image, spots):
    annotate(person, 0, 5)
    person.workflow.teaching.start()
    name = person.workflow.models.engine.name
    person.canvas.recorder.flush()
    session = person.canvas.recorder.path
    copy = session.parent.parent / "elsewhere.simpleclick"
    person.workflow.save_copy(copy)
    assert find_taught(copy, name)
    other = open_image(spots, recorded=True)
    other.workflow.restore(copy)
    assert other.workflow.teaching.in_use
    assert other.workflow.models.engine.name == name
    delete_taught(copy)
    third = open_image(spots, recorded=True)
    third.workflow.restore(copy)
    assert not third.workflow.teaching.in_use
    assert "not beside it any more" in third.troubles[-1][0]
    assert len(third.canvas.session.objects.labels()) == 5


def test_a_session_that_is_opened_before_the_model_is_there_keeps_it(
    person, open_image, spots
):
    annotate(person, 0, 5)
    person.workflow.teaching.start()
    name = person.workflow.models.engine.name
    copy = person.canvas.recorder.path.parent.parent / "elsewhere.simpleclick"
    person.workflow.save_copy(copy)
    other = open_image(spots, recorded=True)
    models, teaching = other.workflow.models, other.workflow.teaching
    first, models.engine = models.engine, None
    other.workflow.restore(copy)
    models.engine = first
    models.loaded.emit()
    assert teaching.in_use
    assert models.engine.name == name
    teaching.use(False)
    assert models.engine is first


def test_it_goes_on_learning_as_more_is_accepted(person):
    annotate(person, 0, 5)
    person.workflow.teaching.start()
    person.workflow.models.engine.predictor = person.predictor
    annotate(person, 5, 5 + AGAIN_AFTER - 1)
    assert len(FakeProcess.made) == 1
    annotate(person, 5 + AGAIN_AFTER - 1, 5 + AGAIN_AFTER)
    assert len(FakeProcess.made) == 2
    assert len(FakeProcess.made[1].examples) == 5 + AGAIN_AFTER


def test_what_is_not_adopted_changes_nothing(person, monkeypatch):
    monkeypatch.setattr(FakeProcess, "result_file", None)
    ending = TeachReport("done", 1.0, 9, "5 objects did not help.", left_out=("One.",))
    monkeypatch.setattr(FakeProcess, "ending", ending)
    before = person.workflow.models.engine
    annotate(person, 0, 5)
    person.workflow.teaching.start()
    teaching = person.workflow.teaching
    assert person.workflow.models.engine is before
    assert teaching.sentence == "5 objects did not help."
    assert teaching.left_out == ("One.",)
    assert FakeProcess.made[0].cleared


@pytest.mark.parametrize(("kind", "bug"), [("refused", False), ("failed", True)])
def test_what_goes_wrong_is_told(person, monkeypatch, kind, bug):
    monkeypatch.setattr(FakeProcess, "result_file", None)
    monkeypatch.setattr(FakeProcess, "ending", TeachReport(kind, text="It is so."))
    annotate(person, 0, 5)
    person.workflow.teaching.start()
    assert len(person.troubles) == 1
    assert (person.troubles[0][0] == "It is so.") is not bug
    assert person.workflow.teaching.process is None


def test_a_full_disk_loses_nothing(person, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_simpleclick.workflow.teaching.keep_taught", full)
    before = person.workflow.models.engine
    annotate(person, 0, 5)
    person.workflow.teaching.start()
    assert "make room, and learn again" in person.troubles[0][0]
    assert person.workflow.models.engine is before
    assert person.workflow.teaching.process is None


def test_what_cannot_be_loaded_is_not_said_to_be_learned(person, tmp_path, monkeypatch):
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"damaged")
    monkeypatch.setattr(FakeProcess, "result_file", damaged)
    before = person.workflow.models.engine
    annotate(person, 0, 5)
    person.workflow.teaching.start()
    assert person.workflow.teaching.sentence == BROKEN_OFF
    assert person.workflow.teaching.process is None
    assert person.workflow.models.engine is before
    assert len(person.troubles) == 1


def test_a_copy_that_does_not_fit_leaves_the_one_before(
    tmp_path, taught_file, monkeypatch
):
    session, other = tmp_path / "a.simpleclick", tmp_path / "b.simpleclick"
    keep_taught(taught_file, session)
    copy_taught(session, other)

    def full(source, target):
        target.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(
        "napari_simpleclick.sessions.taught_files.shutil.copyfile", full
    )
    with pytest.raises(UserError, match=r"'b.simpleclick' lacks what was learned"):
        copy_taught(session, other)
    assert find_taught(other, taught_name(taught_file))
    assert len(list(tmp_path.iterdir())) == 2


def test_cancelling_and_closing_end_it(open_image, spots, process):
    executor = HeldExecutor()
    executor.holding = False
    person = open_image(spots, executor)
    teaching = person.workflow.teaching
    teaching._make = process
    annotate(person, 0, 5)
    executor.holding = True
    teaching.start()
    executor.release()
    assert teaching.latest.share == 0.2
    with pytest.raises(UserError, match="learning already"):
        teaching.start()
    teaching.cancel()
    assert process.made[0].stopped
    executor.release_all()
    assert process.made[0].cleared
    assert not teaching.in_use
    executor.holding = True
    teaching.start()
    executor.release()
    person.workflow.close()
    assert process.made[1].stopped
    executor.release_all()
    assert process.made[1].cleared


def test_it_goes_on_while_another_image_is_looked_at(learning):
    person, executor = learning
    workflow, canvas = person.workflow, person.canvas
    teaching, before = workflow.teaching, workflow.models.engine
    workflow.leave()
    assert teaching.process is not None
    executor.release_all()
    executor.holding = False
    assert (teaching.process, teaching.sentence) == (None, "")
    assert workflow.models.engine is before
    workflow.enter(canvas)
    assert teaching.sentence == "Learned from 5 objects: better."
    assert teaching.in_use


@pytest.mark.parametrize("used", [True, False])
def test_it_is_there_again_after_another_image_and_another_day(
    person, open_image, spots, used
):
    annotate(person, 0, 5)
    teaching, canvas = person.workflow.teaching, person.canvas
    teaching.start()
    teaching.use(used)
    person.workflow.leave()
    person.workflow.enter(canvas)
    assert teaching.learned is not None
    assert teaching.in_use is used
    copy = canvas.recorder.path.parent.parent / "elsewhere.simpleclick"
    person.workflow.save_copy(copy)
    other = open_image(spots, recorded=True)
    other.workflow.restore(copy)
    assert other.workflow.teaching.learned is not None
    assert other.workflow.teaching.in_use is used


@pytest.mark.parametrize("used", [True, False])
def test_another_mode_of_the_model_keeps_it(person, used):
    annotate(person, 0, 5)
    teaching, models = person.workflow.teaching, person.workflow.models
    before = models.engine
    teaching.start()
    teaching.use(used)
    learned = teaching.learned
    models.engine = again = PredictionEngine(person.predictor, before.card, before.name)
    models.loaded.emit()
    assert teaching.learned.engine is not learned.engine
    assert teaching.in_use is used
    teaching.use(False)
    assert models.engine is again


def test_what_was_learned_waits_for_its_model(person):
    annotate(person, 0, 5)
    workflow, canvas = person.workflow, person.canvas
    teaching, models, before = workflow.teaching, workflow.models, workflow.engine
    teaching.start()
    workflow.leave()
    for engine in (
        PredictionEngine(person.predictor, catalogue()["encode-once"]),
        before,
    ):
        models.engine = engine
        models.loaded.emit()
        workflow.enter(canvas)
        assert teaching.in_use is (engine is before)
        workflow.leave()


def test_another_model_of_the_person_replaces_it(person):
    annotate(person, 0, 5)
    teaching = person.workflow.teaching
    teaching.start()
    chosen = PredictionEngine(person.predictor, catalogue()["encode-once"])
    person.workflow.models.engine = chosen
    person.workflow.models.loaded.emit()
    assert teaching.learned is None
    assert person.workflow.models.engine is chosen


@pytest.fixture
def learning(open_image, spots, process):
    """Someone whose objects are learned from, step by step."""
    executor = HeldExecutor()
    executor.holding = False
    person = open_image(spots, executor)
    person.workflow.teaching._make = process
    annotate(person, 0, 5)
    executor.holding = True
    person.workflow.teaching.start()
    executor.release()
    return person, executor


@pytest.mark.parametrize("steps", [0, 2, 3, 4])
def test_another_model_is_not_replaced_by_what_was_learned_meanwhile(learning, steps):
    person, executor = learning
    teaching, models = person.workflow.teaching, person.workflow.models
    for _ in range(steps):
        executor.release()
    assert teaching.process is not None
    chosen = PredictionEngine(person.predictor, catalogue()["encode-once"])
    models.engine = chosen
    models.loaded.emit()
    assert teaching.sentence.startswith("Another model was chosen")
    executor.release_all()
    assert models.engine is chosen
    assert teaching.learned is None


@pytest.mark.parametrize("steps", [2, 3, 4])
def test_what_is_cancelled_in_the_end_is_not_used(learning, steps):
    person, executor = learning
    teaching, models = person.workflow.teaching, person.workflow.models
    before = models.engine
    for _ in range(steps):
        executor.release()
    assert teaching.process is not None
    teaching.cancel()
    executor.release_all()
    assert models.engine is before
    assert teaching.learned is None
    assert teaching.sentence.startswith("Cancelled")


def test_images_that_are_gone_are_named(open_image, process):
    class Gone(np.ndarray):
        pass

    volume = np.full((3, 60, 160), 40, np.uint8)
    volume[:, 10:25, [*range(10, 25), *range(40, 55), *range(70, 85)]] = 200
    person = open_image(volume)
    teaching = person.workflow.teaching
    teaching._make = process
    for index in (0, 1):
        for column in (17, 47, 77):
            person.click(index, 17, column)
            person.workflow.new_object()
    view = type(person.canvas.view())
    plain = view.read

    def read(self, plane):
        if plane.index[0] == 1:
            raise OSError(2, "No such file")
        return plain(self, plane)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(view, "read", read)
        teaching.start()
    assert {one.origin.plane for one in process.made[0].examples} == {"slice 0"}
    assert teaching.left_out[0].startswith("3 accepted objects could not be learned")


# -- files and replay ----------------------------------------------------------------


def test_files_go_where_the_session_goes(tmp_path, taught_file):
    session, other = tmp_path / "a.simpleclick", tmp_path / "b.simpleclick"
    kept = keep_taught(taught_file, session)
    name = taught_name(taught_file)
    assert find_taught(session, name) == kept
    assert find_taught(other, name) is None
    copy_taught(session, other)
    assert find_taught(other, name)
    delete_taught(session)
    assert find_taught(session, name) is None
    find_taught(other, name).write_bytes(b"damaged")
    assert find_taught(other, name) is None


def test_replay_takes_the_weights_that_each_answer_had(tmp_path, taught_file):
    image = Path(shutil.copy(GOLDEN / "scan.nii.gz", tmp_path))
    person = Person(image, tmp_path / "a.simpleclick")
    kept = keep_taught(taught_file, person.path)
    network, card = load_weights(kept)
    name = taught_name(kept)
    base, taught = person.engine, PredictionEngine(Predictor(network), card, name)
    for engine, place in ((base, (37, 51)), (taught, (21, 19)), (base, (30, 44))):
        person.engine = engine
        person.click(6, *place)
        person.answer(person.job(person.session.requests.pending))
    person.writer.close()
    again = replay_session(person.path, image, "recorded")
    assert (again.mask == person.mask).all()
    arguments = ["replay", person.path, "--weights", "recorded", "--json", "-"]
    run = CliRunner().invoke(app, [str(one) for one in arguments])
    assert json.loads(run.stdout)["objects"][0]["dice_with_recorded"] == 1
    kept.unlink()
    with pytest.raises(UserError, match="do not lie beside"):
        replay_session(person.path, image, "recorded")
    assert (replay_session(person.path, image).mask == person.mask).all()


# -- a real process ------------------------------------------------------------------


def examples():
    image = np.full((60, 60), 40, np.uint8)
    mask = np.zeros((60, 60), bool)
    mask[20:40, 20:40] = True
    image[mask] = 200
    return [Example(image, mask, origin=Origin(str(n), 1)) for n in range(4)]


def test_a_process_says_what_is_wrong_and_leaves_nothing():
    process = TeachingProcess(examples, "no-such-weights", "taught", 5)
    (report,) = process.run()
    assert report.kind == "refused"
    assert "neither a file nor known weights" in report.text
    folder = process._folder
    assert folder.exists()
    process.clear()
    assert not folder.exists()


def test_a_full_disk_for_the_objects_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    process = TeachingProcess(examples, "encode-once", "taught", 5)
    with pytest.raises(UserError, match=r"cannot be written where they are learned"):
        list(process.run())
    process.clear()


@pytest.mark.slow
def test_a_killed_process_is_told_and_leaves_nothing():
    process = TeachingProcess(examples, "encode-once", "taught", 600)
    reports = process.run()
    assert next(reports).kind == "progress"
    process._process.kill()
    with pytest.raises(UserError, match="ended from outside"):
        list(reports)
    process.clear()
    assert not process._folder.exists()


@pytest.mark.slow
def test_it_ends_when_nobody_listens_any_more():
    process = TeachingProcess(examples, "encode-once", "taught", 600)
    next(process.run())
    process._process.stdin.close()  # as the system does when this process is killed
    assert process._process.wait(60) == 1
    deadline = time.monotonic() + 60
    while process._folder.exists() and time.monotonic() < deadline:
        pass
    assert not process._folder.exists()
