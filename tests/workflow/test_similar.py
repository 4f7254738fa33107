import numpy as np
import pytest

from napari_simpleclick import Predictor
from napari_simpleclick.annotation import ObjectStyle, Proposal, Verdict
from napari_simpleclick.images import Plane
from napari_simpleclick.sessions import SessionDatabase, SessionReader
from napari_simpleclick.sessions.object_count import count_objects
from napari_simpleclick.weights import find_card
from napari_simpleclick.workflow.engine import PredictionEngine
from napari_simpleclick.workflow.similar_examples import kind_of
from napari_simpleclick.workflow.similar_run import name_like
from tests.executors import HeldExecutor
from tests.helpers import PartNetwork

DISKS = [(30, 30), (30, 90), (30, 150), (90, 40), (90, 110)]
RADIUS = 14


def disk(row, column, shape=(120, 180)):
    rows, columns = np.indices(shape)
    return (rows - row) ** 2 + (columns - column) ** 2 <= RADIUS**2


@pytest.fixture
def stack():
    """Three slices with five bright disks each, moved a little."""
    volume = np.full((3, 120, 180), 40.0)
    for index, moved in enumerate((0, 2, 4)):
        for row, column in DISKS:
            volume[index][disk(row, column + moved)] = 200
    noise = np.random.default_rng(0).normal(0, 3, volume.shape)
    return np.clip(volume + noise, 0, 255).astype(np.uint8)


def learn_by_clicks(person):
    """Give it a network, and make three objects by clicking."""
    predictor = Predictor(PartNetwork(0.4, (128, 128)), threads=1)
    models = person.workflow.models
    models.engine = PredictionEngine(predictor, find_card("bundled"))
    models.loaded.emit()
    ndim = person.canvas.image.ndim
    for row, column in DISKS[:3]:
        person.workflow.new_object()
        person.click(*(0,) * (ndim - 2), row, column)
    return person


@pytest.fixture
def person(open_image, stack):
    return learn_by_clicks(open_image(stack[0]))


def found(person):
    return person.canvas.session.objects.proposals.open()


def test_the_rest_is_proposed_and_accepted_by_number(person):
    similar = person.workflow.similar
    assert similar.waiting().examples == 3
    similar.find()
    waiting = similar.waiting()
    assert (waiting.open, waiting.place) == (2, 1)
    assert waiting.sentence == "2 found on 1 slice, from 3 examples."
    assert person.mask.max() == 3
    similar.accept()
    assert set(np.unique(person.mask)) == {0, 1, 2, 3, 4}
    assert person.canvas.session.label == 4
    assert similar.waiting().open == 1
    similar.accept()
    for label in (4, 5):
        mask = person.mask == label
        overlaps = [
            (mask & disk(*place)).sum() / (mask | disk(*place)).sum()
            for place in DISKS[3:]
        ]
        assert max(overlaps) > 0.8
    assert similar.waiting().open == 0
    similar.find()
    assert similar.waiting().sentence.startswith("Nothing like them was found")
    assert not person.troubles


def test_what_is_not_sure_enough_is_said(person):
    similar = person.workflow.similar
    similar.find()
    proposals = person.canvas.session.objects.proposals
    score = max(one.score for _, one in proposals)
    similar.least_score = 0.999
    similar.find()
    assert not found(person)
    told = similar.waiting().sentence
    assert told.startswith("Nothing like them was found on 1 slice")
    assert told.endswith(
        f"The surest has {score - 0.005:.2f}: lower At least to see it."
    )


def test_verdicts_and_searches_are_undone_and_redone(person):
    similar = person.workflow.similar
    before = person.mask.copy()
    similar.find()
    numbers = found(person)
    similar.reject()
    assert found(person) == numbers[1:]
    similar.accept()
    assert person.mask.max() == 4
    person.workflow.undo()
    assert (person.mask == before).all()
    assert found(person) == numbers[1:]
    person.workflow.undo()
    assert found(person) == numbers
    person.workflow.undo()
    assert found(person) == []
    for _ in range(3):
        person.workflow.redo()
    assert person.mask.max() == 4
    assert found(person) == []
    verdicts = [one.verdict for _, one in person.canvas.session.objects.proposals]
    assert sorted(v.value for v in verdicts) == ["accepted", "rejected"]


def test_what_was_rejected_is_not_proposed_again(person):
    similar = person.workflow.similar
    similar.find()
    similar.reject()
    similar.find()
    assert similar.waiting().open <= 1
    proposals = person.canvas.session.objects.proposals
    (refused,) = proposals.rejected()
    for number in proposals.open():
        mask = proposals.find(number).mask(person.mask.shape)
        assert not (mask & refused.mask(person.mask.shape)).any()


def test_what_was_rejected_as_one_kind_may_be_another(person):
    similar, session = person.workflow.similar, person.canvas.session
    for kind in ("mito", "nuc"):
        for label in (1, 2, 3):
            session.give_style(label, ObjectStyle(f"{kind} {label}"))
        similar.find()
        assert similar.waiting().open == 2
        similar.reject()
        similar.reject()
    similar.find()
    assert similar.waiting().open == 0


def test_next_and_previous_go_round(person):
    similar = person.workflow.similar
    similar.find()
    first, second = found(person)
    assert similar.current == first
    similar.go_on()
    assert similar.current == second
    similar.go_on()
    assert similar.current == first
    similar.go_on(-1)
    assert similar.current == second
    plane = person.canvas.current_plane()
    assert [in_view for _, in_view in similar.shown(plane)] == [False, True]


def test_a_click_on_a_proposal_corrects_it(person):
    """It is an object first, from which the click goes on; each is an undo step."""
    similar = person.workflow.similar
    similar.find()
    one = person.canvas.session.objects.proposals.find(found(person)[0])
    row, column = (round(place) for place in one.seed)
    mask = one.mask(person.mask.shape)
    person.workflow.choose(1)
    person.click(row, column)
    assert person.canvas.session.label == 4
    assert person.mask[row, column] == 4
    ((_, placed),) = [
        item
        for item in person.canvas.session.objects.prompts.items()
        if item[0].label == 4
    ]
    assert (placed[0].base == mask).all()
    assert similar.waiting().open == 1
    person.workflow.undo()
    assert ((person.mask == 4) == mask).all()
    person.workflow.undo()
    assert not (person.mask == 4).any()
    assert similar.waiting().open == 2


def test_a_click_elsewhere_takes_no_proposal(person):
    person.workflow.similar.find()
    person.workflow.choose(1)
    person.click(*DISKS[0])
    assert person.workflow.similar.waiting().open == 2
    assert person.canvas.session.label == 1


def test_all_slices_are_searched_the_nearest_first(open_image, stack):
    person = learn_by_clicks(open_image(stack))
    similar = person.workflow.similar
    similar.find(everywhere=True)
    assert similar.waiting().open == 2 + 5 + 5
    assert "on 3 slices" in similar.waiting().sentence
    proposals = person.canvas.session.objects.proposals
    scores = [proposals.find(number).score for number in proposals.open()]
    assert scores == sorted(scores, reverse=True)
    for _ in range(12):
        plane = proposals.find(similar.current).plane
        assert person.canvas.current_plane() == plane
        similar.accept()
    assert [len(np.unique(part)) - 1 for part in person.mask] == [5, 5, 5]
    assert not person.troubles


def test_cancel_keeps_the_slices_that_were_searched(open_image, stack):
    executor = HeldExecutor()
    executor.holding = False
    person = learn_by_clicks(open_image(stack, executor=executor))
    similar = person.workflow.similar
    executor.holding = True
    similar.find(everywhere=True)
    similar.find()
    assert person.troubles[-1][0].startswith("A search is under way")
    told = []
    while similar.run is None or similar.run.searched < 1:
        executor.release()
        told.append(similar.waiting().sentence)
    assert "Looking at the examples." in told
    assert "Searching: 2 of 3 slices." not in told
    assert told[-1] == "Searching: 1 of 3 slices."
    similar.cancel()
    executor.release_all()
    waiting = similar.waiting()
    assert waiting.open == 2
    assert waiting.sentence.startswith("2 found on 1 slice before it was cancelled")


@pytest.fixture
def searching(open_image, stack):
    """Someone who goes on while all slices are searched; the first one is."""
    executor = HeldExecutor()
    executor.holding = False
    person = learn_by_clicks(open_image(stack, executor, recorded=True))
    executor.holding = True
    similar = person.workflow.similar
    similar.find(everywhere=True)
    while similar.run is None or similar.run.searched < 1:
        executor.release()
    return person, executor


def test_what_was_found_is_kept_while_another_image_is_looked_at(searching):
    person, executor = searching
    canvas = person.canvas
    person.workflow.leave()
    executor.release_all()
    assert person.workflow.similar.run is None
    planes = {one.plane.index[0] for _, one in canvas.session.objects.proposals}
    assert planes == {0}
    person.workflow.enter(canvas)
    assert person.workflow.similar.waiting().open == 2


def test_what_became_an_object_meanwhile_is_not_proposed(searching):
    person, executor = searching
    person.workflow.new_object()
    person.click(0, *DISKS[3])
    executor.release_all()
    drawn = person.mask[0] == 4
    assert drawn.any()
    proposals = person.canvas.session.objects.proposals
    here = [one for _, one in proposals if one.plane.index[0] == 0]
    assert len(here) == 1
    assert here[0].share_on(drawn) == 0


@pytest.mark.parametrize("accepted", [True, False])
def test_a_verdict_meanwhile_stands(searching, accepted):
    person, executor = searching
    similar = person.workflow.similar
    executor.release_all()
    executor.holding = True
    first = len(found(person))
    similar.find(everywhere=True)
    while similar.run is None or similar.run.searched < 1:
        executor.release()
    if accepted:
        similar.accept()
    else:
        similar.reject()
    executor.release_all()
    assert len(found(person)) == first - 1


def test_what_was_undone_can_be_redone_after_a_search(searching):
    person, executor = searching
    person.workflow.undo()
    assert person.mask.max() == 2
    executor.release_all()
    assert found(person)
    person.workflow.redo()
    assert person.mask.max() == 3
    path, mask = person.canvas.recorder.path, person.mask.copy()
    person.canvas.recorder.close()
    with SessionDatabase(path) as store:
        assert count_objects(store) == 3
        again = np.zeros_like(mask)
        for _ in SessionReader(store).play(again):
            pass
    assert (again == mask).all()


def test_too_few_examples_are_told(open_image, stack):
    person = open_image(stack[0])
    person.workflow.similar.find()
    assert "needs three objects" in person.troubles[-1][0]
    person.workflow.similar.accept()
    assert "press Find similar first" in person.troubles[-1][0]
    person.workflow.similar.go_on()
    assert len(person.troubles) == 3


def test_a_proposal_under_other_objects_is_not_accepted(person):
    similar = person.workflow.similar
    similar.find()
    one = person.canvas.session.objects.proposals.find(found(person)[0])
    person.canvas.mask.data = np.where(
        one.mask(person.mask.shape), 1, person.mask
    ).astype(person.mask.dtype)
    similar.accept()
    assert "Other objects cover this proposal" in person.troubles[-1][0]
    assert similar.waiting().open == 2


def test_accepted_objects_are_named_as_their_examples(person):
    session = person.canvas.session
    for label in (1, 2, 3):
        style = session.objects.style(label)
        session.give_style(label, type(style)(f"mito {label}", style.colour))
    person.workflow.similar.find()
    person.workflow.similar.accept()
    assert session.objects.name(4) == "mito 4"
    person.workflow.undo()
    assert session.objects.name(4) == "Object 4"


def test_what_is_accepted_is_of_the_kind_that_was_looked_for(person):
    session = person.canvas.session
    for label in (1, 2, 3):
        session.give_style(label, ObjectStyle(f"mito {label}"))
    person.workflow.similar.find()
    person.workflow.new_object()
    person.click(60, 60)
    session.give_style(session.label, ObjectStyle("nucleus 1"))
    person.workflow.similar.accept()
    assert session.objects.name(session.label) == "mito 4"


def test_an_empty_object_stands_for_the_kind_before(person):
    session, similar = person.canvas.session, person.workflow.similar
    for label in (1, 2, 3):
        session.give_style(label, ObjectStyle(f"mito {label}"))
    person.workflow.new_object()
    assert similar.waiting().examples == 3
    similar.find()
    assert similar.waiting().open == 2


def test_too_few_of_a_kind_are_told_as_that(person):
    session, similar = person.canvas.session, person.workflow.similar
    session.give_style(3, ObjectStyle("nuc 1"))
    assert similar.waiting().examples == 1
    similar.find()
    assert "has 1 named like 'nuc'; choose" in person.troubles[0][0]
    session.give_style(3, ObjectStyle(""))
    session.give_style(1, ObjectStyle("mito"))
    similar.find()
    assert "has 2 without a name; choose" in person.troubles[1][0]


def test_names_of_a_kind():
    assert kind_of("Mito 12") == kind_of("mito_3") == "mito"
    assert name_like("mito", ["Mito 1", "Mito 2", "", "nucleus 9"]) == "Mito 3"
    assert name_like("nucleus", ["nucleus"]) == "nucleus 2"
    assert name_like("", ["", ""]) == ""


def test_a_session_is_read_back_with_its_proposals(open_image, stack):
    person = learn_by_clicks(open_image(stack[0], recorded=True))
    similar = person.workflow.similar
    similar.find()
    first, second = found(person)
    similar.reject()
    similar.accept()
    person.workflow.undo()
    mask = person.mask.copy()
    before = dict(person.canvas.session.objects.proposals)
    path = person.canvas.recorder.path
    person.canvas.recorder.close()
    with SessionDatabase(path) as store:
        reading, again = SessionReader(store), np.zeros_like(mask)
        for _ in reading.play(again):
            pass
    proposals = reading.session.objects.proposals
    assert dict(proposals) == before
    assert proposals.open() == [second]
    assert proposals.find(first).verdict is Verdict.REJECTED
    assert (again == mask).all()
    reading.session.redo()
    assert reading.session.objects.proposals.open() == []


def test_a_proposal_knows_its_place():
    inside = np.array([[True, False], [True, True]])
    one = Proposal.of(Plane((0, 1), (0, 0)), (3, 4), inside, 0.5, (3.0, 4.0))
    assert one.holds(3, 4)
    assert one.holds(4.4, 5.2)
    assert not one.holds(3, 5)
    assert not one.holds(5, 4)
    assert np.argwhere(one.mask((10, 10))).tolist() == [[3, 4], [4, 4], [4, 5]]
    assert one.mask((4, 10)).sum() == 1
