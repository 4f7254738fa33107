import subprocess
import sys
import tempfile

import dask.array
import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_simpleclick.images import lazy_array
from napari_simpleclick.plugin import em_sample, mri_sample
from napari_simpleclick.plugin.layers.canvas import LayerCanvas


def test_panel_without_an_image_says_what_to_do(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    _, panel = viewer.window.add_plugin_dock_widget("napari-simpleclick", "SimpleClick")
    assert "Open an image" in panel.hint.text()
    assert not panel.undo.isEnabled()
    viewer.add_image(np.zeros((30, 40)))
    qtbot.waitUntil(lambda: panel.controller.canvas is not None)
    assert "Click on the object" in panel.hint.text()
    assert panel.undo.isEnabled()


def test_samples_open(make_napari_viewer):
    viewer = make_napari_viewer()
    for key, shape in (("em", (5, 250, 250)), ("mri", (47, 48, 41))):
        (layer,) = viewer.open_sample("napari-simpleclick", key)
        assert layer.data.shape == shape
    assert em_sample()[0][1]["units"] == ("nm",) * 3
    look = mri_sample()[0][1]
    assert look["units"] == ("mm",) * 3
    assert look["axis_labels"] == ("inferior", "posterior", "left")


def test_a_slice_without_clicks_shows_no_dot(open_window, discs):
    hand = open_window(discs)
    points = hand.canvas.points[True]
    assert points.canvas_size_limits[0] == 0
    hand.viewer.dims.set_point(0, 12)
    hand.click(12, 30, 30)
    hand.wait(1)
    assert points.canvas_size_limits[0] > 5
    hand.viewer.dims.set_point(0, 13)
    assert points.canvas_size_limits[0] == 0
    hand.viewer.dims.set_point(0, 12)
    assert points.canvas_size_limits[0] > 5


def test_the_mask_of_a_large_volume_stays_on_disk(open_window, discs, monkeypatch):
    monkeypatch.setattr(lazy_array, "MEMORY_BYTES", 1000)
    hand = open_window(discs)
    mask = hand.canvas.mask
    assert isinstance(mask.data, np.memmap)
    hand.viewer.dims.set_point(0, 12)
    hand.click(12, 30, 30)
    hand.wait(1)
    assert mask.data[12, 30, 30] == 1
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not np.asarray(mask.data).any()


def full_disk():
    raise OSError(28, "No space left on device")


def test_no_room_for_the_mask_of_a_large_volume(open_window, discs, monkeypatch):
    hand = open_window(discs[12])
    monkeypatch.setattr(lazy_array, "MEMORY_BYTES", 1000)
    monkeypatch.setattr(tempfile, "TemporaryFile", full_disk)
    hand.viewer.add_image(discs, name="large")
    hand.panel.image_choice.value = hand.viewer.layers["large"]
    hand.qtbot.waitUntil(lambda: bool(hand.troubles))
    assert "not enough memory for a mask of 'large'" in hand.troubles[0]


@pytest.mark.parametrize(
    "look",
    [{"rotate": 20}, {"shear": [0.2]}, {"affine": [[0, 2, 5], [2, 0, 1], [0, 0, 1]]}],
)
def test_clicks_land_where_they_are_made_in_moved_layers(open_window, discs, look):
    hand = open_window(discs[12], **look)
    hand.click(30, 30)
    hand.wait(1)
    np.testing.assert_allclose(hand.canvas.points[True].data, [[30, 30]], atol=1)
    assert hand.canvas.mask.data[30, 30] == 1


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
    ndim = hand.canvas.image.ndim
    place = (1, 12, 30, 30)[4 - ndim :]
    hand.viewer.dims.set_point(range(ndim), place)
    hand.click(*place)
    hand.wait(1)
    assert hand.canvas.mask.ndim == ndim
    assert hand.canvas.mask.data[place] == 1


def test_contrast_limits_are_what_is_segmented(open_window, discs):
    hand = open_window(discs)
    hand.canvas.image.contrast_limits = (30, 90)
    hand.canvas.image.gamma = 0.5
    window = hand.canvas.window()
    assert (window.low, window.high, window.gamma) == (30, 90, 0.5)


def test_three_dimensional_view_is_explained(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.ndisplay = 3
    hand.controller.click((12, 30, 30), True)
    assert "2-D view" in hand.troubles[0]
    assert len(hand.canvas.points[True].data) == 0


@pytest.mark.parametrize("victim", ["mask", "image", "points"])
def test_deleting_a_layer_while_a_prediction_runs(open_window, discs, victim):
    hand = open_window(discs)
    hand.click(0, 30, 30)
    layer = getattr(hand.canvas, victim)
    hand.viewer.layers.remove(layer[True] if victim == "points" else layer)
    assert hand.canvas is None
    hand.qtbot.waitUntil(lambda: not hand.controller.answers.working)
    assert hand.answers == []
    assert hand.troubles == []
    if victim != "image":
        hand.qtbot.waitUntil(hand.panel.start.isVisible)
        hand.press(hand.panel.start)
        hand.viewer.layers.selection.active = hand.canvas.points[True]
        hand.click(0, 30, 30)
        hand.wait(1)


def close_dock(hand):
    """Do what the cross of the dock does."""
    hand.panel.parent().destroyOnClose()
    hand.qtbot.waitUntil(lambda: hand.controller.closed)
    hand.qtbot.wait(300)


def test_closing_the_panel_lets_go_of_the_viewer(open_window, discs):
    hand = open_window(discs)
    hand.click(0, 30, 30)
    controller, points = hand.controller, hand.canvas.points[True]
    close_dock(hand)
    hand.click(0, 60, 60)
    hand.double_click(0, 60, 60)
    assert len(points.data) == 0
    assert controller.canvas is None
    assert controller.mouse._on_press not in hand.viewer.mouse_drag_callbacks


def test_reopened_panel_goes_on_with_the_same_layers(open_window, discs):
    hand = open_window(discs)
    hand.viewer.dims.set_point(0, 12)
    hand.click(12, 30, 30)
    hand.wait(1)
    names, canvas = [layer.name for layer in hand.viewer.layers], hand.canvas
    close_dock(hand)
    _, panel = hand.viewer.window.add_plugin_dock_widget(
        "napari-simpleclick", "SimpleClick"
    )
    again = type(hand)(hand.viewer, panel, hand.qtbot)
    panel.controller.answers.answered.connect(again.answers.append)
    again.settle()
    assert again.canvas is canvas
    assert [layer.name for layer in hand.viewer.layers] == names
    again.click(12, 60, 90)
    again.wait(1)
    assert len(canvas.points[True].data) == 2
    assert len(again.answers[0].request.prompts) == 2


def test_two_images_have_their_own_layers(open_window, discs):
    hand = open_window(discs)
    first = hand.canvas
    other = hand.viewer.add_image(discs[12], name="other")
    hand.panel.image_choice.value = other
    assert hand.canvas is not first
    hand.panel.image_choice.value = first.image
    assert hand.canvas is first


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


def test_oblique_volume_the_click_is_on_the_slice_that_is_shown(open_window, discs):
    """An affine that mixes the hidden axis with a shown one, as oblique scans have."""
    angle = np.deg2rad(15)
    affine = np.eye(4)
    affine[0, 0] = affine[2, 2] = np.cos(angle)
    affine[0, 2], affine[2, 0] = -np.sin(angle), np.sin(angle)
    hand = open_window(discs, affine=affine)
    hand.viewer.dims.set_point(0, 5)
    plane = hand.canvas.current_plane()
    for column in (10, 60, 110):
        hand.controller.click((hand.viewer.dims.point[0], 50, column), True)
    hand.wait(3)
    assert {
        object_slice.plane for object_slice in hand.canvas.session.objects.prompts
    } == {plane}
    for data in hand.canvas.points[True].data:
        assert round(data[0]) == plane.index[0]


def test_clicks_and_mask_follow_an_image_that_is_moved(open_window, discs):
    hand = open_window(discs)
    hand.canvas.image.scale = (4, 2, 2)
    hand.canvas.image.translate = (0, 10, 20)
    hand.viewer.dims.set_point(0, 0)
    hand.settle()
    for layer in hand.canvas.layers[1:]:
        np.testing.assert_allclose(layer.scale, (4, 2, 2))
        np.testing.assert_allclose(layer.translate, (0, 10, 20))
    hand.click(0, 30, 30)
    hand.wait(1)
    np.testing.assert_allclose(hand.canvas.points[True].data, [[0, 30, 30]], atol=1)


def test_data_of_another_shape_end_the_work_on_them(open_window, discs):
    hand = open_window(discs)
    hand.canvas.image.data = discs[:5, :50]
    assert "another shape" in hand.troubles[0]
    assert hand.canvas is None


def test_a_hidden_mask_is_shown_and_written(open_window, discs):
    hand = open_window(discs)
    hand.canvas.mask.visible = False
    hand.viewer.dims.set_point(0, 12)
    hand.viewer.dims.transpose()
    hand.settle()
    hand.click(12, 30, 30)
    hand.wait(1)
    assert hand.canvas.mask.visible
    assert hand.canvas.mask.data[12, 30, 30] == 1


def test_no_room_for_a_mask_is_explained(open_window, discs, monkeypatch):
    hand = open_window(discs)

    def refuse(*_):
        raise MemoryError

    monkeypatch.setattr(LayerCanvas, "__init__", refuse)
    hand.controller.use_image(hand.viewer.add_image(discs, name="vast"))
    assert "not enough memory for a mask of 'vast'" in hand.troubles[0]


def test_menu_opens_the_panel(make_napari_viewer):
    from napari_simpleclick.plugin import open_panel

    viewer = make_napari_viewer(show=True)
    open_panel()
    names = list(viewer.window.dock_widgets)
    assert any("SimpleClick" in name for name in names)


CLOSED = """
import napari
import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMainWindow

viewer = napari.Viewer()
viewer.add_image(np.zeros((24, 100, 120), np.uint8))
_, panel = viewer.window.add_plugin_dock_widget("napari-simpleclick", "SimpleClick")
while panel.controller.engine is None:
    QTest.qWait(20)
panel.controller.click((0, 40, 40), True)
windows = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMainWindow)]
QTimer.singleShot(30, lambda: [window.close() for window in windows])
napari.run()
print("closed")
"""


def test_a_window_is_closed_while_a_click_is_predicted(tmp_path):
    """As with the mouse: napari takes no layer away before its window is gone."""
    script = tmp_path / "script.py"
    script.write_text(CLOSED)
    run = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "closed" in run.stdout
    assert "Traceback" not in run.stderr
    assert "Error" not in run.stderr
