import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_simpleclick.plugin import settings

PLUGIN = ("napari-simpleclick", "SimpleClick")


@pytest.fixture
def first_use(saved_settings):
    """Nobody has seen the tour."""
    settings.save(tour=True)


def open_panel(viewer):
    return viewer.window.add_plugin_dock_widget(*PLUGIN)[1]


def test_the_tour_goes_along_with_what_is_done(first_use, make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    panel = open_panel(viewer)
    tour = panel.tour
    qtbot.waitUntil(tour.isVisible)
    assert tour.count.text() == "1 of 4"
    qtbot.mouseClick(panel.samples.buttons["em"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: tour.count.text() == "2 of 4")
    assert not panel.samples.isVisible()


def test_clicks_objects_and_the_last_card(first_use, open_window, discs):
    hand = open_window(discs)
    tour = hand.panel.tour
    assert tour.count.text() == "2 of 4"
    hand.click(0, 30, 30)
    hand.wait(1)
    assert tour.count.text() == "3 of 4"
    assert "Ctrl+Z" in tour.text.text()
    hand.key(Qt.Key.Key_N)
    assert tour.count.text() == "4 of 4"
    assert not tour.never.isVisible()
    hand.press(tour.next)
    assert not tour.isVisible()
    assert not settings.load().tour


def test_undo_is_also_the_third_step(first_use, open_window, discs):
    hand = open_window(discs)
    hand.click(0, 30, 30)
    hand.wait(1)
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert hand.panel.tour.count.text() == "4 of 4"


def test_next_back_and_never_again(first_use, open_window, discs):
    hand = open_window(discs)
    tour = hand.panel.tour
    hand.press(tour.back)
    assert tour.count.text() == "1 of 4"
    assert not tour.back.isEnabled()
    hand.press(tour.next)
    hand.press(tour.next)
    assert tour.count.text() == "3 of 4"
    hand.press(tour.never)
    assert not tour.isVisible()
    hand.panel.parent().destroyOnClose()
    hand.qtbot.waitUntil(lambda: hand.controller.closed)
    panel = open_panel(hand.viewer)
    hand.qtbot.waitUntil(panel.isVisible)
    assert not panel.tour.isVisible()
    hand.press(panel.help.tour)
    hand.qtbot.waitUntil(panel.tour.isVisible)


def test_a_tour_that_was_seen_is_not_shown(open_window, discs):
    hand = open_window(discs)
    assert not hand.panel.tour.isVisible()


@pytest.mark.parametrize("key", ["em", "mri"])
def test_without_an_image_there_is_only_what_to_do_first(
    make_napari_viewer, qtbot, key
):
    viewer = make_napari_viewer(show=True)
    panel = open_panel(viewer)
    assert "Open an image" in panel.hint.text()
    assert not panel.undo.isVisible()
    assert not panel.sections["propagation"].isVisible()
    qtbot.mouseClick(panel.samples.buttons[key], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(panel.undo.isVisible)
    assert panel.controller.canvas is not None
    assert not panel.samples.isVisible()


def test_every_control_has_a_tip(open_window, discs):
    hand = open_window(discs)
    hand.panel.help.show_table()
    shown = [*hand.panel.findChildren(QWidget)]
    shown += hand.panel.help.table.findChildren(QWidget)
    kinds = ("QPushButton", "KeyButton", "QComboBox", "QCheckBox", "QSpinBox")
    bare = [
        getattr(widget, "text", widget.objectName)()
        for widget in shown
        if type(widget).__name__ in (*kinds, "QDoubleSpinBox", "QSlider")
        and not widget.toolTip()
    ]
    assert bare == []
