import json
from dataclasses import asdict

import numpy as np

from napari_simpleclick.annotation import Edit, MaskOptions, ObjectSlice, Session
from napari_simpleclick.images import Plane
from napari_simpleclick.inference import THRESHOLD
from napari_simpleclick.prompts import Click

SPOT = ObjectSlice(1, Plane((0, 1), (0, 0)))


def test_the_default_threshold_is_the_published_one():
    assert MaskOptions().threshold == THRESHOLD


def test_options_survive_a_file():
    options = MaskOptions(
        threshold=0.3, keep="always", channel_axis=0, channels=(0, -1, 2)
    )
    stored = json.loads(json.dumps(asdict(options)))
    stored["channels"] = tuple(stored["channels"])
    assert MaskOptions(**stored) == options


def test_a_change_is_made_again_without_touching_the_rest():
    before, after = MaskOptions(), MaskOptions(threshold=0.3)
    now = MaskOptions(threshold=0.3, intensities="slice")
    assert now.changed(after, before) == MaskOptions(intensities="slice")
    assert now.changed(before, after) == now


def answered(session, mask):
    request = session.requests.pending
    session.record(request, None, mask)
    return request


def test_other_options_are_one_step_of_the_stack():
    session, mask = Session(), np.eye(3, dtype=bool)
    session.requests.add(SPOT, Click(1, 1), np.zeros((3, 3), bool))
    answered(session, mask)
    before, after = MaskOptions(), MaskOptions(smooth=True)
    session.use(after)
    session.requests.ask_again(SPOT, before, after)
    request = answered(session, ~mask)
    assert request.prompts == request.before == session.objects.placed(SPOT)
    assert not session.objects.is_painted(SPOT, ~mask)
    edit = session.undo()
    assert isinstance(edit, Edit)
    assert edit.options == (before, after)
    assert session.options == before
    assert not session.objects.is_painted(SPOT, mask)
    assert len(session.objects.placed(SPOT)) == 1
    session.redo()
    assert session.options == after


def test_a_retracted_change_leaves_no_trace():
    session, mask = Session(), np.eye(3, dtype=bool)
    assert session.last is None
    session.requests.add(SPOT, Click(1, 1), np.zeros((3, 3), bool))
    answered(session, mask)
    session.requests.ask_again(SPOT, MaskOptions(), MaskOptions(smooth=True))
    answered(session, ~mask)
    session.retract()
    assert not session.objects.is_painted(SPOT, mask)
    assert session.last.options is None
    assert session.redo() is None
