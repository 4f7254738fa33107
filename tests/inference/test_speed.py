import numpy as np

from napari_simpleclick import Click
from napari_simpleclick.inference.speed import SpeedTest


def test_time_is_told_and_what_was_shown_stays(predictor):
    predictor.set_image(np.eye(64) * 255)
    before = predictor.predict([Click(20, 20)])
    test = SpeedTest(predictor)
    test.encode()
    for _ in range(3):
        test.click()
    assert 0 < test.speed.encode_s < 60
    assert 0 < test.speed.click_s < 60
    np.testing.assert_array_equal(predictor.predict([Click(20, 20)]), before)
