import json
import math

import numpy as np
import pytest

from napari_simpleclick import Box, Click, Lasso, Scribble
from napari_simpleclick.errors import UserError
from napari_simpleclick.prompts import (
    check_prompts,
    moved,
    parse_prompt,
    prompt_from_json,
    prompt_to_json,
)

SHAPE = (40, 50)
PROMPTS = [
    Click(1.5, 2),
    Click(0, 7, positive=False),
    Box(1, 2, 30.5, 40),
    Scribble(((1, 2), (3, 4.5), (9, 9))),
    Scribble(((1, 2),), positive=False),
    Lasso(((1, 2), (3, 4.5), (9, 9))),
]


@pytest.mark.parametrize(
    ("text", "click"),
    [
        ("12,34", Click(12, 34)),
        (" 1.5, 2 ", Click(1.5, 2)),
        ("-0,7", Click(0, 7, positive=False)),
    ],
)
def test_parse(text, click):
    assert Click.parse(text) == click
    assert parse_prompt(text) == click


@pytest.mark.parametrize("text", ["", "12", "1,2,3", "a,b", "--1,2,x", "nan,3"])
def test_parse_explains_what_to_write(text):
    with pytest.raises(UserError, match="write ROW,COLUMN"):
        Click.parse(text)
    with pytest.raises(UserError, match="write ROW,COLUMN"):
        parse_prompt(text)


def test_boxes_and_scribbles_are_parsed():
    assert parse_prompt("10,20,30,40") == Box(10, 20, 30, 40)
    assert parse_prompt("30,20,10,40") == Box(10, 20, 30, 40)
    assert parse_prompt("1,2; 3,4") == Scribble(((1, 2), (3, 4)))
    assert parse_prompt("-1,2;3,4").positive is False


@pytest.mark.parametrize(
    "text", ["-1,2,3,4", "1,2;", "1,2;3", "1,2,3,4;5,6", "1,2;inf,3"]
)
def test_what_is_no_prompt_is_refused(text):
    with pytest.raises(UserError, match="not a prompt"):
        parse_prompt(text)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_prompt_survives_json(prompt):
    stored = json.loads(json.dumps(prompt_to_json(prompt)))
    assert prompt_from_json(stored) == prompt
    assert hash(prompt_from_json(stored)) == hash(prompt)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [1, 2],
        {},
        {"kind": "lasso", "row": 1, "column": 2},
        {"kind": "click", "row": 1},
        {"kind": "click", "row": "x", "column": 2},
        {"kind": "box", "row": 1, "column": 2},
        {"kind": "scribble", "points": [1, 2]},
        {"kind": "scribble", "points": [[1, 2, 3]], "positive": True},
    ],
)
def test_other_json_is_refused(value):
    with pytest.raises(UserError, match="not a click, a box, a scribble or a lasso"):
        prompt_from_json(value)


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        (Click(-1, 3), "outside the image of 40 x 50 px"),
        (Click(1, math.nan), "outside the image"),
        (Box(3, 3, 3, 9), "no area"),
        (Box(9, 3, 5, 9), "no area"),
        (Box(-9, -9, -1, 20), "outside the image"),
        (Box(0, 50, 10, 60), "outside the image"),
        (Scribble(()), "empty"),
        (Lasso(()), "no area"),
        (Lasso(((3, 3), (9, 9))), "no area"),
        (Lasso(((-9, 0), (-9, 9), (-2, 9))), "outside the image"),
        (Scribble(((60, 3), (70, 3))), "outside the image"),
    ],
)
def test_a_prompt_that_says_nothing_is_refused(prompt, sentence):
    with pytest.raises(UserError, match=sentence) as caught:
        check_prompts([Click(1, 1), prompt], SHAPE)
    assert str(caught.value).count(".") == str(caught.value).rstrip(".").count(".") + 1


def test_good_prompts_pass_and_none_does_not():
    check_prompts(PROMPTS, SHAPE)
    check_prompts([Box(-5, -5, 10, 10), Scribble(((-5, 3), (5, 3)))], SHAPE)
    with pytest.raises(UserError, match="no click yet"):
        check_prompts([], SHAPE)


def test_what_lies_beyond_the_edge_is_cut_off():
    assert Box(-5, 3, 90, 90).clipped(SHAPE) == Box(-0.5, 3, 39.5, 49.5)
    line = Scribble(((-5, 3), (5, 3), (5, 99)), positive=False)
    (part,) = line.clipped(SHAPE)
    assert not part.positive
    assert part.points[1] == (5, 3)
    assert np.allclose(part.points, [(-0.5, 3), (5, 3), (5, 49.5)])
    across = Scribble(((20, 1e9), (20, 9), (90, 9), (90, 30), (20, 30))).clipped(SHAPE)
    assert [len(one.points) for one in across] == [3, 2]
    assert np.allclose(across[1].points, [(39.5, 30), (20, 30)])


def test_a_line_with_its_corners_outside_is_on_the_image_where_it_crosses_it():
    check_prompts([Scribble(((20, 1000), (20, -50)))], SHAPE)
    with pytest.raises(UserError, match="outside the image"):
        check_prompts([Scribble(((-60, 20), (20, 120)))], SHAPE)


def test_a_lasso_that_crosses_itself_goes_around_something():
    check_prompts([Lasso(((10, 10), (60, 60), (10, 60), (60, 10)))], (70, 70))
    retraced = Lasso(((1, 1), (5, 9), (30, 2), (5, 9)))
    with pytest.raises(UserError, match="no area"):
        check_prompts([retraced], SHAPE)


@pytest.mark.parametrize("kind", [Scribble, Lasso])
def test_points_may_be_an_array_and_are_finite(kind):
    corners = np.array([[10, 10], [30, 30], [10, 30]])
    assert kind(corners) == kind(((10, 10), (30, 30), (10, 30)))
    check_prompts([kind(corners)], SHAPE)
    with pytest.raises(UserError, match="finite numbers"):
        check_prompts([kind([(math.nan, 1), (2, 2)])], SHAPE)
    with pytest.raises(UserError, match="row and column each"):
        kind([(1, 2, 3)])
    with pytest.raises(UserError, match="is no prompt; give a Click"):
        check_prompts([(6, 6)], SHAPE)


def test_points_along_a_scribble_are_evenly_spaced():
    line = Scribble(((0, 0), (0, 4), (3, 4), (3, 4), (3, 8)))
    assert line.length_px == 11
    corners = line.evenly_spaced(1.1)
    assert len(corners) == 11
    assert corners[4] == pytest.approx((0.4, 4))
    assert corners[0] == (0, 0)
    assert corners[-1] == (3, 8)
    straight = Scribble(((2, 1), (2, 5), (2, 11))).evenly_spaced(2.5)
    assert straight == ((2, 1), (2, 3.5), (2, 6), (2, 8.5), (2, 11))
    assert Scribble(((0, 0), (0, 1))).evenly_spaced(99) == ((0, 0), (0, 1))
    assert Scribble(((5, 5), (5, 5))).evenly_spaced(2) == ((5, 5),)


def test_a_prompt_moves_to_another_grid():
    def turned(point):
        return 10 - point[0], 2 * point[1]

    assert moved(Click(1, 2, False), turned) == Click(9, 4, False)
    assert moved(Box(1, 2, 3, 4), turned) == Box(7, 4, 9, 8)
    assert moved(Lasso(((1, 2), (3, 4), (5, 6))), turned) == Lasso(
        tuple(turned(point) for point in ((1, 2), (3, 4), (5, 6)))
    )
    assert moved(Scribble(((1, 2), (3, 4)), False), turned) == Scribble(
        ((9, 4), (7, 8)), False
    )


def test_each_kind_reads_its_own_form():
    assert Box.parse("30,20,10,40") == Box(10, 20, 30, 40)
    assert Scribble.parse("-1,2;3,4") == Scribble(((1, 2), (3, 4)), positive=False)
    assert Lasso.parse("1,2;3,4;5,2") == Lasso(((1, 2), (3, 4), (5, 2)))


@pytest.mark.parametrize(
    ("kind", "text"),
    [(Box, "1,2"), (Box, "1,2;3,4"), (Scribble, "1,2,3"), (Lasso, "a;b")],
)
def test_other_forms_are_refused_with_the_right_one(kind, text):
    with pytest.raises(UserError, match=f"not a {kind.__name__.lower()}; write ROW"):
        kind.parse(text)
