import numpy as np
import pytest

from napari_simpleclick.images import Window, default_window


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.zeros((4, 4), np.uint8), Window(0, 255)),
        (np.zeros((4, 4), bool), Window(0, 1)),
        (np.linspace(0, 1, 16).reshape(4, 4), Window(0, 1)),
        (np.full((4, 4), np.nan), Window(0, 1)),
    ],
)
def test_windows_that_depend_on_the_type_alone(image, expected):
    assert default_window(image) == expected


def test_other_types_are_stretched_without_their_outliers():
    image = np.tile(np.arange(1000, dtype=np.int16), (1000, 1))
    image[0, 0], image[0, 1] = -30000, 30000
    window = default_window(image)
    assert 0 < window.low < 20
    assert 980 < window.high < 1000


def test_window_clips_and_bends():
    values = np.array([-5.0, 0.0, 5.0, 10.0, 20.0, np.nan, np.inf, -np.inf])
    got = Window(0, 10, gamma=2).apply(values)
    np.testing.assert_allclose(got, [0, 0, 0.25, 1, 1, 0, 1, 0])


def test_a_window_without_width_is_harmless():
    assert np.isfinite(Window(3, 3).apply(np.array([2.0, 3.0, 4.0]))).all()
