"""What the network is shown of an object before there is a mask."""

import numpy as np
import pytest
from scipy.special import expit

from napari_simpleclick import Click, Predictor
from napari_simpleclick.images import Viewport, Window
from napari_simpleclick.inference import Crop, ObjectState, ZoomIn
from napari_simpleclick.inference.first_look import magnifications
from napari_simpleclick.inference.stability import CropAnswer, most_stable
from tests.helpers import DiskNetwork, PartNetwork

INPUT = 64
SHAPE = (400, 500)


class AtOneScale(DiskNetwork):
    """Is only sure of an answer where the crop is as wide as it likes.

    It tells the width from an image that is a ramp along its columns.
    """

    def __init__(self, share: float) -> None:
        super().__init__(8.0, (INPUT, INPUT))
        self.share = share

    def decode(self, features, prompt):
        red = features[0][:, :1]
        seen = float(red.max() - red.min())
        sure = abs(seen - self.share) < 0.2 * self.share
        _, positive, _ = prompt.split(1, dim=1)
        return (8.0 if sure else 0.5) * (2 * positive - 1)


@pytest.fixture
def predictor():
    found = Predictor(DiskNetwork(), device="cpu", precision="float32")
    found.set_image(np.zeros(SHAPE))
    return found


def asked(predictor, clicks, viewport, prior=None):
    return predictor.predict(clicks, prior, state=ObjectState(viewport=viewport))


def test_a_click_is_answered_with_what_is_seen(predictor):
    seen = Viewport(100, 220, 150, 330)
    crop, size = predictor.first_crop(seen)
    assert size == (INPUT, INPUT)
    assert crop.height == crop.width == 180
    assert crop.row_min <= 100 and crop.row_max >= 219
    assert crop.column_min <= 150 and crop.column_max >= 329
    for click in (Click(160, 240), Click(101, 151), Click(219, 329)):
        probability, state = asked(predictor, [click], seen)
        assert state.crop == crop
        assert not np.delete(
            probability, np.s_[crop.row_min : crop.row_max + 1], 0
        ).any()


@pytest.mark.parametrize(
    ("seen", "side"),
    [
        (Viewport(200, 210, 250, 260), 32),
        (Viewport(200, 250, 250, 310), 60),
        (Viewport(-300, 100, -100, 40), 100),
    ],
)
def test_a_view_is_clamped_to_sensible_magnifications(predictor, seen, side):
    crop, _ = predictor.first_crop(seen)
    assert (crop.height, crop.width) == (side, side)
    assert Crop.whole(SHAPE).row_min <= crop.row_min <= crop.row_max < SHAPE[0]
    assert 0 <= crop.column_min <= crop.column_max < SHAPE[1]


@pytest.mark.parametrize(
    "seen",
    [
        None,
        Viewport(-0.5, 399.5, -0.5, 499.5),
        Viewport(-900, 900, -900, 900),
        Viewport(-90, -10, 0, 100),
    ],
)
def test_a_view_of_everything_or_nothing_is_the_published_first_look(predictor, seen):
    published = predictor.predict([Click(200, 250)])
    assert predictor.first_crop(seen)[0] == Crop.whole(SHAPE)
    probability, _ = asked(predictor, [Click(200, 250)], seen)
    assert (probability == published).all()


def test_an_image_no_larger_than_the_input_is_shown_as_a_whole():
    predictor = Predictor(DiskNetwork(), device="cpu", precision="float32")
    predictor.set_image(np.zeros((INPUT - 4, INPUT)))
    crop, _ = predictor.first_crop(Viewport(10, 30, 10, 30))
    assert crop == Crop.whole((INPUT - 4, INPUT))


def test_a_long_image_is_not_shown_beyond_its_edge(predictor):
    crop, _ = predictor.first_crop(Viewport(0, 400, 100, 560))
    assert crop == (0, 399, 90, 489) or (crop.height, crop.width) == (400, 400)


def test_a_click_outside_the_view_moves_it(predictor):
    seen = Viewport(100, 200, 100, 200)
    _, state = asked(predictor, [Click(350, 450)], seen)
    assert (state.crop.height, state.crop.width) == (100, 100)
    assert state.crop.holds(Click(350, 450))
    clicks = [Click(20, 20), Click(390, 300)]
    _, state = asked(predictor, clicks, seen)
    assert all(state.crop.holds(click) for click in clicks)


def test_later_clicks_zoom_in_around_the_mask_as_ever(predictor):
    seen = Viewport(0, 300, 0, 300)
    clicks = [Click(100, 100)]
    probability, state = asked(predictor, clicks, seen)
    clicks.append(Click(110, 100))
    _, state = predictor.predict(clicks, probability, state=state)
    zoom = ZoomIn((INPUT, INPUT))
    assert state.crop == zoom.around(probability > 0.5, clicks)


def bright(side, shape=(600, 700)):
    """Show a bright square in the middle of an image, and tell where it is."""
    image = np.zeros(shape, np.uint8)
    low = [length // 2 - side // 2 for length in shape]
    inside = np.s_[low[0] : low[0] + side, low[1] : low[1] + side]
    image[inside] = 200
    predictor = Predictor(PartNetwork(0.4), device="cpu", precision="float32")
    predictor.set_image(image, Window(0, 255))
    return predictor, image > 0


SEEN = Viewport(100, 500, 150, 550)


def test_a_small_object_in_a_view_is_looked_at_again_from_close_by():
    predictor, truth = bright(30)
    probability, state = asked(predictor, [Click(300, 350)], SEEN)
    assert state.crop is not None
    assert state.crop.height == state.crop.width
    assert state.crop.height == pytest.approx(4 * 30, abs=16)  # a pixel seen is two
    assert ((probability > 0.5) == truth).all()


def test_the_best_magnification_is_looked_at_again_too():
    predictor = Predictor(
        PartNetwork(0.4),
        device="cpu",
        precision="float32",
        first_look="magnifications",
    )
    image = np.zeros((600, 700), np.uint8)
    image[290:310, 340:360] = 200
    predictor.set_image(image, Window(0, 255))
    clicks = [Click(300, 350)]
    probability, state = predictor.predict(clicks, state=ObjectState())
    assert state.crop.height == pytest.approx(4 * 20, abs=16)
    assert state.crop not in magnifications(clicks, image.shape, 192)
    assert ((probability > 0.5) == (image > 0)).all()


def test_a_second_look_starts_from_the_first():
    predictor, _ = bright(30)
    priors = []
    decode = predictor.encoder._network.decode
    predictor.encoder._network.decode = lambda features, prompt: (
        priors.append(float(prompt[0, 0].max())),
        decode(features, prompt),
    )[1]
    asked(predictor, [Click(300, 350)], SEEN)
    assert priors == [0.0, pytest.approx(expit(4.0))]


@pytest.mark.parametrize(
    ("side", "shape", "seen"),
    [
        (100, (600, 700), SEEN),
        (30, (600, 700), None),
        (10, (200, 220), Viewport(-0.5, 199.5, -0.5, 219.5)),
        (0, (600, 700), SEEN),
    ],
    ids=["large", "no view", "small image", "nothing found"],
)
def test_other_first_answers_take_one_look(side, shape, seen):
    predictor, _ = bright(side, shape)
    click = Click(shape[0] // 2, shape[1] // 2)
    probability, state = asked(predictor, [click], seen)
    assert state.crop == predictor.first_crop(seen)[0]
    assert (probability > 0.5).any() == (side > 0)


def test_a_second_look_holds_the_clicks():
    predictor, _ = bright(30)
    clicks = [Click(300, 350), Click(200, 350)]
    _, state = asked(predictor, clicks, SEEN)
    assert state.crop != predictor.first_crop(SEEN)[0]
    assert all(state.crop.holds(click) for click in clicks)


def test_the_view_counts_as_long_as_there_is_no_object(predictor):
    seen = Viewport(0, 200, 0, 200)
    nothing = np.zeros(SHAPE, np.float32)
    clicks = [Click(50, 50), Click(60, 60)]
    _, state = asked(predictor, clicks, seen, nothing)
    assert state.crop == predictor.first_crop(seen)[0]


def test_oblong_pixels_are_seen_as_square_ones():
    predictor = Predictor(DiskNetwork(), device="cpu", precision="float32")
    predictor.set_image(np.zeros((100, 400)), spacing=(4.0, 1.0))
    seen = Viewport(10, 60, 100, 300)
    crop, _ = predictor.first_crop(seen)
    assert (crop.height, crop.width) == (200, 200)
    _, state = asked(predictor, [Click(35, 200)], seen)
    assert state.crop == crop


def test_nothing_is_seen_between_two_edges_the_wrong_way_round():
    with pytest.raises(ValueError, match="no part"):
        Viewport(10, 10, 0, 5)
    with pytest.raises(ValueError, match="no part"):
        Viewport(0, float("nan"), 0, 5)


def test_magnifications_double_up_to_the_whole_image():
    crops = magnifications([Click(512, 512)], (1024, 1024), 448)
    assert [crop and crop.height for crop in crops] == [112, 224, 448, None]
    crops = magnifications([Click(0, 4095)], (4096, 4096), 448)
    sides = [112, 224, 448, 896, 1792, None]
    assert [crop and crop.height for crop in crops] == sides
    assert crops[0] == (0, 111, 3984, 4095)


def test_magnifications_hold_all_positive_clicks():
    clicks = [Click(500, 500), Click(700, 300), Click(5, 5, positive=False)]
    for crop in magnifications(clicks, (1000, 1000), 448):
        assert crop is None or all(crop.holds(click) for click in clicks[:2])


@pytest.mark.parametrize(("share", "side"), [(0.125, 64), (0.25, 128), (1.0, 512)])
def test_the_best_of_several_magnifications_wins(share, side):
    predictor = Predictor(
        AtOneScale(share),
        device="cpu",
        precision="float32",
        first_look="magnifications",
    )
    ramp = np.tile(np.linspace(0, 255, 512), (512, 1))
    predictor.set_image(ramp)
    probability, state = predictor.predict([Click(256, 256)], state=ObjectState())
    crop = state.crop or Crop.whole((512, 512))
    assert crop.height == side
    assert probability.max() > 0.9
    _, later = predictor.predict(
        [Click(256, 256), Click(256, 260)], probability, state=state
    )
    assert later.crop != state.crop or side == 128


def test_a_view_is_stronger_than_magnifications():
    predictor = Predictor(
        AtOneScale(0.125),
        device="cpu",
        precision="float32",
        first_look="magnifications",
    )
    predictor.set_image(np.tile(np.linspace(0, 255, 512), (512, 1)))
    seen = Viewport(100, 400, 100, 400)
    _, state = asked(predictor, [Click(256, 256)], seen)
    assert state.crop == predictor.first_crop(seen)[0]


def test_a_small_image_is_shown_as_a_whole_and_as_published():
    image = np.tile(np.linspace(0, 255, 70), (60, 1))
    answers = []
    for look in ("published", "magnifications"):
        predictor = Predictor(
            DiskNetwork(), device="cpu", precision="float32", first_look=look
        )
        predictor.set_image(image)
        answers.append(predictor.predict([Click(30, 30)]))
        assert len(predictor.magnified([Click(30, 30)])) == 1
    assert (answers[0] == answers[1]).all()


def test_an_empty_focus_still_shows_the_whole_image():
    predictor = Predictor(
        AtOneScale(0.125),
        device="cpu",
        precision="float32",
        first_look="magnifications",
    )
    predictor.set_image(np.tile(np.linspace(0, 255, 512), (512, 1)))
    empty = np.zeros((512, 512), bool)
    _, state = predictor.predict([Click(9, 9)], state=ObjectState(), focus=empty)
    assert state.crop == Crop.whole((512, 512))


def blob(side, radius, sure):
    """An answer that is a disc of so many px of the image around (512, 512)."""
    crop = Crop(*(512 - side // 2, 511 + side // 2) * 2)
    rows, columns = np.mgrid[:INPUT, :INPUT] - INPUT / 2 + 0.5
    inside = np.hypot(rows, columns) * side / INPUT < radius
    probability = np.where(inside, sure, 0.05).astype(np.float32)
    return CropAnswer(crop, probability)


def test_the_most_decided_answer_is_chosen():
    answers = [blob(128, 6, 0.6), blob(256, 40, 0.9), blob(512, 40, 0.65)]
    assert most_stable(answers) == 1
    assert most_stable(answers[:1] + answers[2:] + answers[1:2]) == 2


def test_of_two_answers_as_good_the_larger_square_wins():
    assert most_stable([blob(256, 40, 0.9), blob(512, 40, 0.9)]) == 1


def test_nothing_found_is_no_reason_to_fail():
    answers = [blob(256, 40, 0.1), blob(512, 40, 0.9)]
    assert most_stable(answers) == 1
    assert most_stable([answers[0]] * 2) == 1
