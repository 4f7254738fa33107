"""What the network sees, in a real window."""

import dask.array
import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_simpleclick.images import Window
from napari_simpleclick.images.channels import CHANNEL_NAMES_KEY
from napari_simpleclick.images.intensity import CT_WINDOWS, percentile_window
from napari_simpleclick.plugin.layers.placement import NOT_RECORDED, default_options
from napari_simpleclick.plugin.sections.intensities import TOO_LATE

NAMES = ("FLAIR", "T1", "T1c", "T2")


def choose(hand, box, data):
    """Choose an entry with the keyboard."""
    if box.findData(data) == box.count() - 1:
        QTest.keyClick(box, Qt.Key.Key_End)  # not by way of the others
    way = Qt.Key.Key_Down if box.findData(data) > box.currentIndex() else Qt.Key.Key_Up
    while box.currentData() != data:
        before = box.currentIndex()
        QTest.keyClick(box, way)
        assert box.currentIndex() != before
    seen = hand.panel.sections["intensities"]
    hand.qtbot.waitUntil(lambda: not seen._soon.isActive())


def opened(open_window, data, place, **look):
    """Open a window at a place, with the section open."""
    hand = open_window(data, **look)
    hand.press(hand.panel.sections["intensities"].toggleButton())
    image = hand.canvas.image
    hand.viewer.dims.set_point(range(image.ndim), image.data_to_world(place))
    hand.settle()
    return hand


def modalities(discs, axis=0):
    """Four channels; the object is only in the last three."""
    flat = np.full_like(discs, 40)
    return np.stack([flat, discs, 255 - discs, discs // 2], axis=axis)


def window_of(hand):
    """What the network's last picture was mapped with."""
    return hand.controller.engine.predictor._asked.image.window


def shown_look(hand):
    return hand.controller.engine.shown[1]


def click(hand, *place):
    count = len(hand.answers)
    hand.click(*place)
    hand.wait(count + 1)


def test_presets_are_what_is_segmented_and_can_be_displayed(open_window, discs):
    hand = opened(open_window, discs.astype(np.int16) * 3 - 200, (12, 30, 30))
    seen = hand.panel.sections["intensities"]
    click(hand, 12, 30, 30)
    assert window_of(hand) == hand.canvas.window()
    assert not seen.display.isVisible()
    choose(hand, seen.choice, "soft tissue")
    assert "-150" in seen.hint.text()
    assert "no Hounsfield" not in seen.hint.text()
    mask = hand.canvas.mask.data.copy()
    click(hand, 12, 60, 90)
    assert window_of(hand) == CT_WINDOWS["soft tissue"]
    np.testing.assert_array_equal(hand.canvas.mask.data[:12], mask[:12])
    hand.press(seen.display)
    hand.qtbot.waitUntil(lambda: hand.canvas.image.contrast_limits == [-150, 250])
    choose(hand, seen.choice, "displayed")
    click(hand, 12, 31, 31)
    assert window_of(hand) == Window(-150, 250)


def test_an_8_bit_image_has_no_hounsfield_units(open_window, discs):
    hand = opened(open_window, discs, (12, 30, 30))
    choose(hand, hand.panel.sections["intensities"].choice, "liver")
    assert "no Hounsfield" in hand.panel.sections["intensities"].hint.text()


@pytest.mark.parametrize("how", ["slice", "volume"])
def test_stretched_intensities(open_window, discs, how):
    hand = opened(open_window, discs, (12, 30, 30))
    seen = hand.panel.sections["intensities"]
    choose(hand, seen.choice, how)
    click(hand, 12, 30, 30)
    assert hand.canvas.mask.data[12, 30, 30] == 1
    assert shown_look(hand).intensities == how
    hand.press(seen.display)
    wanted = hand.canvas.view().window() if how == "volume" else None
    wanted = wanted or percentile_window(discs[12])
    limits = hand.canvas.image
    hand.qtbot.waitUntil(
        lambda: np.allclose(limits.contrast_limits, (wanted.low, wanted.high))
    )


def test_a_click_after_another_choice_sees_the_image_anew(open_window, discs):
    """The answer to all clicks, as if they had been made with this choice."""
    hand = opened(open_window, discs, (12, 30, 30))
    click(hand, 12, 30, 30)
    hand.canvas.image.contrast_limits = (30, 90)
    click(hand, 12, 33, 33)
    mask = hand.canvas.mask.data[12].copy()
    hand.controller.engine._latest.clear()
    hand.press(hand.panel.undo)
    click(hand, 12, 33, 33)
    np.testing.assert_array_equal(hand.canvas.mask.data[12], mask)


@pytest.mark.parametrize("how", ["displayed", "slice", "liver"])
def test_only_the_shown_slice_of_a_lazy_image_is_read(open_window, discs, how):
    read = []

    def load(block, block_info=None):
        if block_info:
            read.append(block_info[0]["chunk-location"][:2])
        return block

    data = dask.array.from_array(modalities(discs), chunks=(1, 1, 100, 120))
    hand = opened(
        open_window,
        data.map_blocks(load, dtype=data.dtype),
        (1, 12, 30, 30),
        axis_labels=("channel", "z", "y", "x"),
        contrast_limits=(0, 255),
        metadata={NOT_RECORDED: True},  # a session's file tells images by some slices
    )
    seen = hand.panel.sections["intensities"]
    choose(hand, seen.choice, how)
    for box, channel in zip(seen.colours, (1, 2, 3), strict=True):
        choose(hand, box, channel)
    shown = {(1, 12), (2, 12), (3, 12)}
    ahead = set(read)
    read.clear()
    click(hand, 1, 12, 30, 30)
    assert set(read) <= shown <= ahead | set(read)
    opened_at = (0, 11)  # napari's first slices, shown before the one that is clicked
    near = {z + step for z in (*opened_at, 12) for step in (-1, 0, 1)}
    assert {z for _, z in ahead} <= near
    click(hand, 1, 12, 33, 33)
    assert set(read) <= shown
    assert hand.canvas.mask.data[0, 12, 30, 30] == 1


def test_the_full_resolution_of_a_pyramid_is_seen(open_window, discs):
    data = modalities(discs)
    pyramid = [data, data[:, :, ::2, ::2]]
    labels = ("channel", "z", "y", "x")
    look = {"multiscale": True, "axis_labels": labels}
    hand = opened(open_window, pyramid, (1, 12, 30, 30), **look)
    choose(hand, hand.panel.sections["intensities"].choice, "volume")
    click(hand, 1, 12, 30, 30)
    assert hand.canvas.mask.data.shape == (1, 24, 100, 120)
    assert hand.canvas.mask.data[0, 12, 30, 30] == 1


def test_modalities_are_combined_by_their_names(open_window, discs):
    hand = opened(
        open_window,
        modalities(discs),
        (0, 12, 30, 30),
        axis_labels=("modality", "inferior", "posterior", "left"),
        metadata={CHANNEL_NAMES_KEY: NAMES},
        scale=(1, 3, 0.5, 0.5),
        translate=(0, 5, 6, 7),
    )
    seen, canvas = hand.panel.sections["intensities"], hand.canvas
    hand.qtbot.waitUntil(lambda: seen.colours[0].currentText() == "FLAIR")
    assert [box.currentText() for box in seen.colours] == ["FLAIR", "T1c", "T2"]
    assert canvas.mask.data.shape == (1, 24, 100, 120)
    click(hand, 0, 12, 30, 30)
    assert shown_look(hand).channels == (0, 2, 3)
    assert canvas.mask.data[0, 12, 30, 30] == 1
    world = canvas.mask.data_to_world((0, 12, 30, 30))
    np.testing.assert_allclose(
        world[1:], canvas.image.data_to_world((0, 12, 30, 30))[1:]
    )
    for channel in range(4):  # the same mask and clicks whichever is shown
        hand.viewer.dims.set_point(0, channel)
        there = (channel, *canvas.image.data_to_world((0, 12, 30, 30))[1:])
        assert canvas.mask.get_value(there, world=True) == 1
        look = {"view_direction": None, "dims_displayed": [2, 3], "world": True}
        assert canvas.points[True].get_value(there, **look) == 0


def test_the_displayed_channel_alone(open_window, discs):
    hand = opened(
        open_window,
        modalities(discs),
        (3, 12, 30, 30),
        axis_labels=("channel", "z", "y", "x"),
    )
    click(hand, 3, 12, 30, 30)
    assert shown_look(hand).channels == (3,)
    hand.viewer.dims.set_point(0, 1)
    click(hand, 1, 12, 33, 33)
    assert shown_look(hand).channels == (1,)
    (steps,) = hand.canvas.session.objects.prompts.values()
    assert len(steps) == 2
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert len(hand.canvas.points[True].data) == 1


@pytest.mark.parametrize("axis", [0, 1])
def test_an_axis_of_channels_is_chosen_and_propagated_past(open_window, discs, axis):
    place = [12, 30, 30]
    place.insert(axis, 1)
    hand = opened(open_window, modalities(discs, axis), place)
    seen = hand.panel.sections["intensities"]
    assert hand.canvas.options.channel_axis is None
    hand.qtbot.waitUntil(lambda: seen.axis.findData(axis) > 0)
    choose(hand, seen.axis, axis)
    canvas = hand.canvas
    assert canvas.options.channel_axis == axis
    assert canvas.mask.data.shape[axis] == 1
    assert canvas.mask.data.shape[1 - axis] == 24
    assert sum("mask" in layer.name for layer in hand.viewer.layers) == 1
    hand.settle()
    click(hand, *place)
    through = hand.panel.sections["propagation"]
    hand.press(through.toggleButton())
    through.ghost.setChecked(True)
    hand.qtbot.waitUntil(through.both.isEnabled)
    hand.key(Qt.Key.Key_T)
    others = tuple(a for a in range(4) if a != 1 - axis)
    assert canvas.mask.data.any(axis=others).sum() > 8
    hand.qtbot.waitUntil(lambda: len(hand.viewer.layers[-1].data) > 0)
    QTest.keyClick(seen.axis, Qt.Key.Key_Up)
    assert hand.troubles == [TOO_LATE]
    assert hand.canvas is canvas
    assert seen.axis.currentData() == axis


def test_clicks_move_with_their_image_and_its_channels(open_window, discs):
    hand = opened(
        open_window,
        modalities(discs),
        (1, 12, 30, 30),
        axis_labels=("channel", "z", "y", "x"),
        rotate=20,
    )
    hand.canvas.image.translate = (0, 0, 10, 20)
    hand.settle()
    click(hand, 1, 12, 30, 30)
    np.testing.assert_allclose(
        hand.canvas.points[True].data, [[0, 12, 30, 30]], atol=0.6
    )
    np.testing.assert_allclose(
        hand.canvas.mask.data_to_world((0, 1, 2, 3))[1:],
        hand.canvas.image.data_to_world((0, 1, 2, 3))[1:],
    )


def test_a_view_along_the_channels_is_explained(open_window, discs):
    hand = opened(
        open_window,
        modalities(discs),
        (1, 12, 30, 30),
        axis_labels=("channel", "z", "y", "x"),
    )
    hand.viewer.dims.order = (1, 2, 0, 3)
    hand.controller.click((1, 12, 30, 30), True)
    assert "shows the channels" in hand.troubles[0]


def test_colour_images_are_shown_as_they_are(open_window, discs):
    colour = np.stack([discs[12]] * 3, axis=-1)
    hand = opened(open_window, colour, (30, 30), rgb=True)
    seen = hand.panel.sections["intensities"]
    assert "as they are" in seen.hint.text()
    assert not seen.choice.isEnabled()
    assert not seen.channels.isVisible()
    click(hand, 30, 30)


def test_planes_are_no_channels(open_window, discs):
    hand = open_window(discs)
    assert default_options(hand.canvas.image).channel_axis is None
