import dask.array
import numpy as np
import pytest

from napari_simpleclick.plugin import em_sample, mri_sample
from napari_simpleclick.plugin.keys import KEYS


def test_panel_without_an_image_says_what_to_do(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    _, panel = viewer.window.add_plugin_dock_widget("napari-simpleclick", "SimpleClick")
    assert "Open an image" in panel.hint.text()
    assert not panel.undo.isEnabled()
    viewer.add_image(np.zeros((30, 40)))
    assert "Click on the object" in panel.hint.text()
    assert panel.undo.isEnabled()


def test_samples_open(make_napari_viewer):
    viewer = make_napari_viewer()
    for key, shape in (("em", (5, 250, 250)), ("mri", (41, 48, 47))):
        (layer,) = viewer.open_sample("napari-simpleclick", key)
        assert layer.data.shape == shape
    assert em_sample()[0][1]["units"] == ("nm",) * 3
    assert mri_sample()[0][1]["units"] == ("mm",) * 3


@pytest.mark.parametrize(
    "look",
    [{"rotate": 20}, {"shear": [0.2]}, {"affine": [[0, 2, 5], [2, 0, 1], [0, 0, 1]]}],
)
def test_clicks_land_where_they_are_made_in_moved_layers(open_window, discs, look):
    hand = open_window(discs[12], **look)
    hand.click(30, 30)
    hand.wait(1)
    np.testing.assert_allclose(hand.bench.points[True].data, [[30, 30]], atol=1)
    assert hand.bench.mask.data[30, 30] == 1


def make_rgb(discs):
    return np.stack([discs[12]] * 3, axis=-1), {"rgb": True}


def make_time_series(discs):
    return np.stack([discs] * 2), {}


def make_lazy(discs):
    return dask.array.from_array(discs, chunks=(1, 100, 120)), {}


def make_pyramid(discs):
    return [discs, discs[:, ::2, ::2]], {"multiscale": True}


def make_float(discs):
    return discs.astype(np.float32) * 3 - 200, {}


@pytest.mark.parametrize(
    "make", [make_rgb, make_time_series, make_lazy, make_pyramid, make_float]
)
def test_kinds_of_images(open_window, discs, make):
    data, look = make(discs)
    hand = open_window(data, **look)
    ndim = hand.bench.image.ndim
    place = (1, 12, 30, 30)[4 - ndim :]
    hand.viewer.dims.set_point(range(ndim), place)
    hand.click(*place)
    hand.wait(1)
    assert hand.bench.mask.ndim == ndim
    assert hand.bench.mask.data[place] == 1


def test_contrast_limits_are_what_is_segmented(open_window, discs):
    hand = open_window(discs)
    hand.bench.image.contrast_limits = (30, 90)
    hand.bench.image.gamma = 0.5
    window = hand.bench.window()
    assert (window.low, window.high, window.gamma) == (30, 90, 0.5)


def test_three_dimensional_view_is_explained(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.ndisplay = 3
    hand.controller.click((12, 30, 30), True)
    assert "2-D view" in hand.troubles[0]
    assert len(hand.bench.points[True].data) == 0


@pytest.mark.parametrize("victim", ["mask", "image", "points"])
def test_deleting_a_layer_while_a_prediction_runs(open_window, discs, victim):
    hand = open_window(discs)
    hand.click(0, 30, 30)
    layer = getattr(hand.bench, victim)
    hand.viewer.layers.remove(layer[True] if victim == "points" else layer)
    assert hand.bench is None
    hand.qtbot.waitUntil(lambda: not hand.controller._working)
    assert hand.answers == []
    assert hand.troubles == []
    if victim != "image":
        assert hand.panel.start.isVisible()
        hand.press(hand.panel.start)
        hand.viewer.layers.selection.active = hand.bench.points[True]
        hand.click(0, 30, 30)
        hand.wait(1)


def close_dock(hand):
    """Do what the cross of the dock does."""
    hand.panel.parent().destroyOnClose()
    hand.qtbot.waitUntil(lambda: hand.controller._closed)
    hand.qtbot.wait(300)


def test_closing_the_panel_lets_go_of_the_viewer(open_window, discs):
    hand = open_window(discs)
    hand.click(0, 30, 30)
    controller, points = hand.controller, hand.bench.points[True]
    close_dock(hand)
    hand.click(0, 60, 60)
    hand.double_click(0, 60, 60)
    assert len(points.data) == 0
    assert controller.bench is None
    assert controller.mouse._on_press not in hand.viewer.mouse_drag_callbacks
    assert hand.viewer.camera.zoom > 0


def test_reopened_panel_goes_on_with_the_same_layers(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.click(12, 30, 30)
    hand.wait(1)
    names, bench = [layer.name for layer in hand.viewer.layers], hand.bench
    close_dock(hand)
    _, panel = hand.viewer.window.add_plugin_dock_widget(
        "napari-simpleclick", "SimpleClick"
    )
    again = type(hand)(hand.viewer, panel, hand.qtbot)
    panel.controller.answered.connect(again.answers.append)
    again.settle()
    assert again.bench is bench
    assert [layer.name for layer in hand.viewer.layers] == names
    again.click(12, 60, 90)
    again.wait(1)
    assert len(bench.points[True].data) == 2
    assert len(again.answers[0].request.steps) == 2


def test_two_images_have_their_own_layers(open_window, discs):
    hand = open_window(discs)
    first = hand.bench
    other = hand.viewer.add_image(discs[12], name="other")
    hand.panel.image_choice.value = other
    assert hand.bench is not first
    hand.panel.image_choice.value = first.image
    assert hand.bench is first


def test_a_model_that_cannot_be_loaded_is_explained(open_window, discs, tmp_path):
    hand = open_window(discs)
    bad = tmp_path / "bad.pth"
    bad.write_bytes(b"")
    hand.controller.use_model(str(bad))
    hand.qtbot.waitUntil(lambda: bool(hand.troubles), timeout=20_000)
    assert "is empty" in hand.panel.trouble.text()
    assert hand.panel.copy_details.isVisible()
    hand.controller.use_model("bundled")
    hand.qtbot.waitUntil(lambda: hand.controller.engine is not None, timeout=20_000)


def test_keys_are_not_naparis_own(make_napari_viewer):
    from napari.settings import get_settings

    viewer = make_napari_viewer()
    taken = set()
    for action, bindings in get_settings().shortcuts.shortcuts.items():
        if any(word in action for word in ("viewer", "points", "image", "labels")):
            taken.update(str(key).upper() for key in bindings)
    ours = {key.upper() for key in KEYS if key != "Control-Z"}
    assert not ours & taken
    assert not ours & {str(key).upper() for key in viewer.keymap}
