"""What the network is shown of a slice."""

import dask.array
import numpy as np
import pytest

from napari_simpleclick.images import Plane, Window
from napari_simpleclick.images.channels import find_axis, possible_axes, preferred
from napari_simpleclick.images.intensity import CT_WINDOWS, percentile_window
from napari_simpleclick.images.view import DisplaySettings, View, VolumeWindows

PLANE = Plane((2, 3), (0, 3, 0, 0))


@pytest.fixture
def volume():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 20, 30, 40)) * 100
    return (values * np.arange(1, 5).reshape(4, 1, 1, 1)).astype(np.float32)


class Counted:
    """An array that remembers what was read."""

    def __init__(self, array):
        self.array, self.reads = array, []
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __getitem__(self, index):
        self.reads.append(index)
        return self.array[index]


def view(volume, **look):
    return View(volume, DisplaySettings(**look), VolumeWindows(), volume, 4)


def seen(view, plane=PLANE):
    """Show a slice as the network has it."""
    picture, window = view.read(plane), view.window()
    return window.apply(picture)


def test_as_displayed_is_the_slice_itself(volume):
    shown = Window(-50, 60, 0.7)
    one = view(volume, shown=shown, axis=0, channels=(2,))
    assert one.window() == shown
    np.testing.assert_array_equal(one.read(PLANE), volume[2, 3])


def test_stretched_on_the_slice(volume):
    unit = seen(view(volume, intensities="slice", axis=0, channels=(1,)))
    expected = percentile_window(volume[1, 3]).apply(volume[1, 3])
    np.testing.assert_array_equal(unit, expected)
    assert percentile_window(np.array([[0, 0, 7]], np.uint8)).high <= 7


def test_stretched_on_the_volume_reads_a_few_slices_once(volume):
    counted = Counted(volume)
    one = view(counted, intensities="volume", axis=0, channels=(1,))
    window = one.window()
    assert len(counted.reads) == 9
    assert one.window() == window
    assert len(counted.reads) == 9
    whole = percentile_window(volume[1].reshape(-1, 40))
    assert window.low == pytest.approx(whole.low, rel=0.1)
    one.windows.forget()
    assert one.window() == window
    assert len(counted.reads) == 18


@pytest.mark.parametrize("shape", [(30, 40), (1, 30, 40), (3, 2, 30, 40)])
def test_percentiles_of_volumes_of_any_depth(shape):
    data = dask.array.arange(int(np.prod(shape))).reshape(shape)
    window = VolumeWindows().find(data, len(shape), None, 0)
    assert 0 <= window.low < window.high < np.prod(shape)


@pytest.mark.parametrize("name", CT_WINDOWS)
def test_ct_presets_are_fixed(volume, name):
    assert view(volume, intensities=name).window() == CT_WINDOWS[name]


def test_the_soft_tissue_window():
    assert CT_WINDOWS["soft tissue"] == Window(-150, 250)


@pytest.mark.parametrize("intensities", ["displayed", "slice", "volume", "bone"])
def test_channels_are_combined_each_with_its_own_window(volume, intensities):
    counted = Counted(volume)
    three = view(counted, intensities=intensities, axis=0, channels=(3, -1, 0))
    picture = seen(three)
    assert picture.shape == (30, 40, 3)
    assert picture.dtype == np.float32
    assert not picture[..., 1].any()
    first = {
        "volume": three.windows.find(counted, 4, 0, 3),
        "bone": CT_WINDOWS["bone"],
    }.get(intensities, percentile_window(volume[3, 3]))
    np.testing.assert_allclose(picture[..., 0], first.apply(volume[3, 3]), atol=1e-6)
    if intensities == "slice":
        assert [read[:2] for read in counted.reads[:2]] == [(3, 3), (0, 3)]


def test_colour_is_taken_as_it_is():
    colour = np.arange(5 * 6 * 4, dtype=np.uint8).reshape(5, 6, 4)
    one = View(colour, DisplaySettings(rgb=True), VolumeWindows(), colour, 2)
    plane = Plane((0, 1), (0, 0))
    np.testing.assert_array_equal(one.read(plane), colour[..., :3])
    assert one.window() is None


def test_axes_of_channels():
    labels = ("time", "c", "z", "y", "x")
    assert find_axis((9, 3, 5, 50, 60), labels) == 1
    assert find_axis((9, 1, 5, 50, 60), labels) is None
    assert find_axis((9, 30, 5, 50, 60), labels) is None
    assert find_axis((3, 50, 60), ("", "", "")) is None
    assert find_axis((3, 50, 60), ("Modality", "y", "x")) == 0
    assert possible_axes((4, 20, 30, 16)) == (0, 3)
    assert possible_axes((3, 4)) == possible_axes((3, 5, 5), rgb=True) == ()


def test_modalities_of_a_glioma():
    assert preferred(("FLAIR", "T1", "T1c", "T2")) == (0, 2, 3)
    assert preferred(("FLAIR", "T1")) == ()
