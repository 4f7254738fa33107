"""Kinds of images and views, and what napari may do to layers; without a window."""

import tempfile

import dask.array
import numpy as np
import pytest

from napari_simpleclick.images import lazy_array
from napari_simpleclick.plugin.layers.canvas import LayerCanvas
from tests.executors import HeldExecutor

PLACE = (12, 30, 30)


def test_layers_take_over_the_images_place_in_the_world(open_image, balls):
    look = {"scale": (5, 0.5, 0.5), "translate": (1, 2, 3), "units": ("mm",) * 3}
    canvas = open_image(balls, **look).canvas
    for layer in canvas.layers[1:]:
        np.testing.assert_allclose(layer.scale, (5, 0.5, 0.5))
        np.testing.assert_allclose(layer.translate, (1, 2, 3))
        assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
    assert canvas.mask.data.shape == balls.shape


def make_rgb(balls):
    return np.stack([balls[12]] * 3, axis=-1), {"rgb": True}


def make_time_series(balls):
    return np.stack([balls] * 2), {}


def make_lazy(balls):
    return dask.array.from_array(balls, chunks=(1, 100, 120)), {}


def make_pyramid(balls):
    return [balls, balls[:, ::2, ::2]], {"multiscale": True}


def make_float(balls):
    return balls.astype(np.float32) * 3 - 200, {}


@pytest.mark.parametrize(
    "make", [make_rgb, make_time_series, make_lazy, make_pyramid, make_float]
)
def test_kinds_of_images(open_image, balls, make):
    data, look = make(balls)
    person = open_image(data, **look)
    ndim = person.canvas.image.ndim
    place = (1, *PLACE)[4 - ndim :]
    person.click(*place)
    assert person.canvas.mask.ndim == ndim
    assert person.mask[place] == 1


@pytest.mark.parametrize(
    "look",
    [{"rotate": 20}, {"shear": [0.2]}, {"affine": [[0, 2, 5], [2, 0, 1], [0, 0, 1]]}],
)
def test_clicks_land_where_they_are_made_in_moved_layers(open_image, balls, look):
    person = open_image(balls[12], **look)
    person.click(30, 30)
    np.testing.assert_allclose(person.points(), [[30, 30]], atol=1e-6)
    assert person.mask[30, 30] == 1


def test_oblique_volume_the_click_is_on_the_slice_that_is_shown(open_image, balls):
    """An affine that mixes the hidden axis with a shown one, as oblique scans have."""
    angle = np.deg2rad(15)
    affine = np.eye(4)
    affine[0, 0] = affine[2, 2] = np.cos(angle)
    affine[0, 2], affine[2, 0] = -np.sin(angle), np.sin(angle)
    person = open_image(balls, affine=affine)
    person.viewer.dims.set_point(0, 5)
    plane = person.canvas.current_plane()
    for column in (10, 60, 110):
        person.controller.click((person.viewer.dims.point[0], 50, column), True)
    clicked = {where.plane for where in person.canvas.session.objects.prompts}
    assert clicked == {plane}
    for data in person.points():
        assert round(data[0]) == plane.index[0]


def test_clicks_and_mask_follow_an_image_that_is_moved(open_image, balls):
    person = open_image(balls)
    person.canvas.image.scale = (4, 2, 2)
    person.canvas.image.translate = (0, 10, 20)
    for layer in person.canvas.layers[1:]:
        np.testing.assert_allclose(layer.scale, (4, 2, 2))
        np.testing.assert_allclose(layer.translate, (0, 10, 20))
    person.click(*PLACE)
    np.testing.assert_allclose(person.points(), [PLACE])


def test_the_contrast_limits_are_what_is_segmented(open_image, balls):
    person = open_image(balls)
    person.canvas.image.contrast_limits = (30, 90)
    person.canvas.image.gamma = 0.5
    person.click(*PLACE)
    window = person.predictor.shown[-1][1]
    assert (window.low, window.high, window.gamma) == (30, 90, 0.5)


def test_a_three_dimensional_view_is_explained(open_image, balls):
    person = open_image(balls)
    person.viewer.dims.ndisplay = 3
    person.controller.click(PLACE, True)
    assert "2-D view" in person.troubles[0][0]
    assert len(person.points()) == 0


def test_two_images_have_their_own_layers(open_image, balls):
    person = open_image(balls)
    first, image = person.canvas, person.canvas.image
    person.click(*PLACE)
    other = person.viewer.add_image(balls[12], name="other")
    person.controller.use_image(other)
    assert person.canvas is not first
    assert len(person.viewer.layers) == 8
    person.controller.use_image(image)
    assert person.canvas is first
    assert person.viewer.layers[4:] == [other]  # where nothing was done, nothing stays


def test_layers_tell_whose_image_they_are(open_image, balls):
    person = open_image(balls)
    image = person.canvas.image
    for layer in person.canvas.layers:
        assert person.controller.image_of(layer) is image
    other = person.viewer.add_image(balls[12])
    assert person.controller.image_of(other) is other
    assert person.controller.image_of(person.viewer.add_points([(0, 0)])) is None
    assert person.controller.image_of(None) is None


@pytest.mark.parametrize("victim", ["mask", "image", "points"])
def test_deleting_a_layer_while_a_prediction_runs(open_image, balls, victim):
    person = open_image(balls, HeldExecutor())
    person.click(*PLACE)
    image, layer = person.canvas.image, getattr(person.canvas, victim)
    person.viewer.layers.remove(layer[True] if victim == "points" else layer)
    assert person.canvas is None
    person.executor.release_all()
    assert person.workflow.queue.working is False
    assert person.answers == []
    assert person.troubles == []
    if victim != "image":
        person.controller.use_image(image)
        person.click(*PLACE)
        assert person.mask[PLACE] == 1


def test_data_of_another_shape_end_the_work_on_them(open_image, balls):
    person = open_image(balls)
    person.canvas.image.data = balls[:5, :50]
    assert "differ in shape" in person.troubles[0][0]
    assert person.canvas is None


def test_new_pixels_are_read_anew(open_image, balls):
    person = open_image(balls)
    person.click(*PLACE)
    person.canvas.image.data = np.zeros_like(balls)
    person.click(12, 31, 31)
    assert person.predictor.shown[-1][0].max() == 0


def test_the_mask_of_a_large_volume_stays_on_disk(open_image, balls, monkeypatch):
    monkeypatch.setattr(lazy_array, "MEMORY_BYTES", 1000)
    person = open_image(balls)
    assert isinstance(person.mask, np.memmap)
    person.click(*PLACE)
    assert person.mask[PLACE] == 1
    person.workflow.undo()
    assert not np.asarray(person.mask).any()


def test_no_room_for_the_mask_of_a_large_volume(open_image, balls, monkeypatch):
    person = open_image(balls[12])

    def full_disk():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lazy_array, "MEMORY_BYTES", 1000)
    monkeypatch.setattr(tempfile, "TemporaryFile", full_disk)
    person.controller.use_image(person.viewer.add_image(balls, name="large"))
    assert "not enough memory for a mask of 'large'" in person.troubles[0][0]


@pytest.mark.parametrize("hidden", ["mask", "image"])
def test_what_is_hidden_is_not_changed_by_a_click(open_image, balls, hidden):
    person = open_image(balls)
    layer = getattr(person.canvas, hidden)
    layer.visible = False
    person.click(*PLACE)
    assert f"'{layer.name}' is hidden" in person.troubles[0][0]
    assert not person.mask.any()
    assert not person.canvas.session.objects.labels()
    layer.visible = True
    person.click(*PLACE)
    assert person.mask[PLACE] == 1


@pytest.mark.parametrize("number", [0, 1, 2])
def test_slices_along_each_axis_stand_upright(open_image, balls, number):
    person = open_image(balls)
    person.canvas.show_slices_along(number)
    rest = [axis for axis in range(3) if axis != number]
    assert list(person.viewer.dims.order) == [number, *rest]
    person.click(*PLACE)
    assert person.mask[PLACE] == 1
    assert person.canvas.current_plane().axes == tuple(rest)


def test_clicks_of_other_objects_fade(open_image, balls):
    person = open_image(balls)
    person.click(*PLACE)
    person.workflow.new_object()
    person.click(12, 5, 5)
    points = person.canvas.points[True]
    owners = points.features["object"].to_numpy()
    opacity = points.face_color[:, 3]
    assert (opacity[owners == 2] == 1).all()
    assert (opacity[owners == 1] < 0.5).all()
    person.workflow.choose(1)
    opacity = person.canvas.points[True].face_color[:, 3]
    assert (opacity[owners == 1] == 1).all()
    assert str(points.symbol[0]) != str(person.canvas.points[False].current_symbol)


def test_a_click_without_an_effect_gets_a_word(open_image, balls):
    person = open_image(balls)
    said = []
    person.workflow.queue.advised.connect(said.append)
    person.click(*PLACE)
    assert said[-1] == ""
    person.workflow.new_object()
    person.click(*PLACE)
    assert "Here is Object 1, which keeps its pixels" in said[-1]
    assert person.mask[PLACE] == 1


def test_a_slice_without_clicks_shows_no_dot(open_image, balls):
    person = open_image(balls)
    points = person.canvas.points[True]
    assert points.canvas_size_limits[0] == 0
    person.click(*PLACE)
    assert points.canvas_size_limits[0] > 5
    person.go(13)
    assert points.canvas_size_limits[0] == 0
    person.go(12)
    assert points.canvas_size_limits[0] > 5


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1), (0, 2, 1)])
def test_any_axis_and_transposed_views(open_image, balls, order):
    person = open_image(balls)
    person.viewer.dims.order = order
    person.click(*PLACE)
    changed = np.argwhere(person.mask)
    assert (changed[:, order[0]] == PLACE[order[0]]).all()
    assert person.mask[PLACE] == 1


def test_moving_and_deleting_a_point_predicts_again(open_image, balls):
    person = open_image(balls)
    points = person.canvas.points[True]
    person.click(*PLACE)
    person.click(12, 32, 32)
    points.selected_data = {1}
    points.remove_selected()
    assert len(person.answers) == 3
    (steps,) = person.canvas.session.objects.prompts.values()
    assert len(steps) == len(points.data) == 1
    points.data = np.array([(12, 60, 90)])
    assert len(person.answers) == 4
    (steps,) = person.canvas.session.objects.prompts.values()
    assert (steps[0].click.row, steps[0].click.column) == (60, 90)
    assert person.mask[12, 60, 90] == 1
    assert person.mask[PLACE] == 0


def test_closing_lets_go_of_the_viewer(open_image, balls):
    person = open_image(balls)
    presses = list(person.viewer.mouse_drag_callbacks)
    canvas = person.canvas
    person.controller.close()
    assert person.canvas is None
    assert len(person.viewer.mouse_drag_callbacks) == len(presses) - 1
    canvas.points[True].add([PLACE])
    assert not canvas.session.objects.prompts
    person.controller.close()  # a second time does nothing


def test_an_image_whose_mask_has_no_room_is_named(open_image, balls, monkeypatch):
    person = open_image(balls)

    def refuse(*_):
        raise MemoryError

    monkeypatch.setattr(LayerCanvas, "__init__", refuse)
    person.controller.use_image(person.viewer.add_image(balls, name="vast"))
    assert "not enough memory for a mask of 'vast'" in person.troubles[0][0]
