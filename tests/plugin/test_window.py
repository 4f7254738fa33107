import subprocess
import sys

import numpy as np
import pytest
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_simpleclick.plugin import em_sample, mri_sample
from napari_simpleclick.plugin.key_button import KeyButton
from napari_simpleclick.plugin.key_table import KeyTable
from napari_simpleclick.plugin.layers.camera import grid_of


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
    shapes = {"em": (5, 250, 250), "brain": (5, 256, 256), "mri": (47, 48, 41)}
    for key, shape in shapes.items():
        (layer,) = viewer.open_sample("napari-simpleclick", key)
        assert layer.data.shape == shape
    assert em_sample()[0][1]["units"] == ("nm",) * 3
    look = mri_sample()[0][1]
    assert look["units"] == ("mm",) * 3
    assert look["axis_labels"] == ("inferior", "posterior", "left")


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


def close_dock(hand):
    """Do what the cross of the dock does."""
    hand.panel.parent().destroyOnClose()
    hand.qtbot.waitUntil(lambda: hand.controller.closed)
    hand.qtbot.wait(300)


def test_closing_the_panel_lets_go_of_the_viewer(open_window, discs):
    hand = open_window(discs)
    hand.click(0, 30, 30)
    controller, points = hand.controller, hand.canvas.points[True]
    before = len(points.data)
    close_dock(hand)
    hand.click(0, 60, 60)
    hand.double_click(0, 60, 60)
    assert len(points.data) == before
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
    panel.workflow.queue.answered.connect(again.answers.append)
    again.settle()
    assert again.canvas is canvas
    assert [layer.name for layer in hand.viewer.layers] == names
    again.click(12, 60, 90)
    again.wait(1)
    assert len(canvas.points[True].data) == 2
    assert len(again.answers[0].request.prompts) == 2


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


def test_pixels_changed_in_place_are_what_is_clicked_on(open_window, discs):
    hand = open_window(discs.copy())
    hand.viewer.dims.set_point(0, 12)
    hand.settle()
    image = hand.canvas.image
    hand.click(12, 60, 90)
    hand.wait(1)
    assert hand.canvas.mask.data[12, 60, 90]
    hand.workflow.undo()
    image.data[:] = discs[:, :, ::-1]
    image.refresh()
    hand.click(12, 60, 30)
    hand.wait(2)
    found = hand.canvas.mask.data[12] > 0
    disc = discs[12, :, ::-1] > 120
    disc[:, 60:] = False
    assert (found & disc).sum() > 0.8 * (found | disc).sum()


def test_clicks_in_a_grid_of_pictures_are_refused_aloud(open_window, discs):
    hand = open_window(discs)
    grid_of(hand.viewer).enabled = True
    assert "turn the grid off" in hand.troubles.pop()
    hand.settle()
    hand.click(0, 30, 30)
    QTest.qWait(50)
    assert not any(len(layer.data) for layer in hand.canvas.points.values())
    grid_of(hand.viewer).enabled = False
    hand.settle()
    hand.click(0, 30, 30)
    hand.wait(1)


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


def test_a_window_is_closed_while_a_click_is_predicted(threads, tmp_path):
    """As with the mouse: napari takes no layer away before its window is gone."""
    script = tmp_path / "script.py"
    script.write_text(CLOSED)
    run = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "closed" in run.stdout
    assert "Traceback" not in run.stderr
    assert "Error" not in run.stderr


def test_texts_of_buttons_have_room(open_window, discs):
    panel = open_window(discs).panel
    for section in panel.sections.values():
        section.expand()
    QTest.qWait(100)
    panel.setFixedWidth(panel.minimumSizeHint().width())
    QTest.qWait(100)
    buttons = [one for one in panel.findChildren(KeyButton) if one.isVisible()]
    assert len(buttons) > 10
    for button in buttons:
        needed = button.fontMetrics().horizontalAdvance(button.text())
        assert button.width() >= needed, button.text()


def test_an_open_model_section_leaves_no_hole_below_it(open_window, discs):
    panel = open_window(discs).panel
    section, inner = panel.sections["model"], panel.scroll.widget()
    section.expand()
    QTest.qWait(200)
    end = section.mapTo(inner, section.rect().bottomLeft()).y()
    assert inner.height() - end - panel.help.height() < 250


def test_a_table_of_keys_that_is_taller_than_the_screen_is_scrolled(open_window, discs):
    hand = open_window(discs)
    table = KeyTable(hand.viewer.window._qt_window)
    hand.qtbot.addWidget(table)
    table.show()
    table.resize(table.width(), 300)
    QApplication.processEvents()
    assert table.height() == 300
    assert table.rect().contains(table.done_button.geometry())


def test_layers_of_an_image_that_was_not_clicked_on_go_with_it(open_window, discs):
    hand = open_window(discs)
    assert len(hand.viewer.layers) > 1
    hand.viewer.layers.remove(hand.canvas.image)
    hand.qtbot.waitUntil(lambda: not hand.viewer.layers)


def test_a_section_that_is_opened_below_the_edge_is_scrolled_to(open_window, discs):
    hand = open_window(discs)
    hand.viewer.window.resize(1100, 620)
    hand.settle()
    scroll, section = hand.panel.scroll, hand.panel.sections["outline"]
    hand.press(section.toggleButton())

    def shown(widget):
        low = widget.mapTo(scroll.viewport(), widget.rect().bottomLeft()).y()
        high = widget.mapTo(scroll.viewport(), widget.rect().topLeft()).y()
        return high >= 0 and low <= scroll.viewport().height()

    hand.qtbot.waitUntil(lambda: shown(section.toggleButton()) and shown(section))
