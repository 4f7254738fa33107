import json
from dataclasses import replace

import numpy as np
import pytest
from skimage.io import imsave

from napari_simpleclick import Predictor, UserError
from napari_simpleclick.evaluation import CaseOptions, find_cases, finding
from napari_simpleclick.evaluation.finding import measure_finding
from napari_simpleclick.evaluation.result import CaseResult, Result
from napari_simpleclick.evaluation.worker import RobotSettings
from tests.helpers import PartNetwork

PLACES = [(30, 30), (30, 90), (90, 40), (90, 110)]


@pytest.fixture
def images(tmp_path, monkeypatch):
    """Three images of four bright disks, and a network that sees bright things."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((120, 150))
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    for number in range(3):
        labels = np.zeros((120, 150), np.uint8)
        for label, (row, column) in enumerate(PLACES, start=1):
            near = (rows - row) ** 2 + (columns - column - 3 * number) ** 2
            labels[near <= 14**2] = label
        image = 40 + 160 * (labels > 0) + rng.normal(0, 3, labels.shape)
        imsave(tmp_path / "images" / f"{number}.png", image.astype(np.uint8))
        imsave(tmp_path / "masks" / f"{number}.png", labels, check_contrast=False)
    predictor = Predictor(PartNetwork(0.4, (128, 128)), threads=1)
    monkeypatch.setattr(finding, "predictor_of", lambda _: predictor)
    return find_cases("folder", tmp_path)


def robots(cases) -> Result:
    """A robot that needs four clicks for each object."""
    return Result(
        dataset="disks",
        instances=len(cases),
        noc={},
        noc_interval={},
        failures={},
        at_limit={},
        miou=(0.3, 0.4, 0.5, 1.0),
        seconds_per_click=0.1,
        weights="bundled",
        settings={},
        cases=tuple(
            CaseResult(
                name=case.name,
                instance=case.instance,
                clicks=((0, 0, True),) * 4,
                ious=(0.3, 0.4, 0.5, 1.0),
                seconds=0.1,
            )
            for case in cases
        ),
    )


def test_what_is_found_is_counted_and_written(images, tmp_path):
    out = tmp_path / "result.json"
    done = []
    result = measure_finding(
        robots(images),
        images,
        RobotSettings(),
        4,
        out=out,
        progress=lambda *count: done.append(count),
    )
    found = result.find
    assert (found.examples, found.images, found.objects) == (4, 2, 8)
    assert found.right == 8
    assert found.recall == 1
    assert found.precision == 8 / found.proposed
    assert found.clicks_saved == 4 * 8
    assert found.miou > 0.8
    assert done == [(1, 2), (2, 2)]
    assert json.loads(out.read_text())["find"]["recall"] == 1
    assert Result.read(out).find == found


def test_images_are_examples_as_a_whole(images):
    """Three objects are on the first image, which has four."""
    result = measure_finding(robots(images), images, RobotSettings(), 3)
    assert result.find.examples == 4


def test_objects_that_were_not_drawn_are_neither_right_nor_wrong(images):
    drawn = [case for case in images if case.name == "0" or case.instance in (1, 4)]
    everything = measure_finding(robots(images), images, RobotSettings(), 4).find
    found = measure_finding(robots(drawn), drawn, RobotSettings(), 4).find
    assert (found.objects, found.right, found.recall) == (4, 4, 1)
    assert found.proposed - found.right == everything.proposed - everything.right
    few = [case for case in images if case.name != "0" or case.instance == 2]
    again = measure_finding(robots(few), few, RobotSettings(), 4).find
    assert again == everything.model_copy(
        update={name: getattr(again, name) for name in ("seconds", "seconds_learning")}
    )


def test_what_is_mostly_ignored_is_neither_right_nor_wrong(images):
    everything = measure_finding(robots(images), images, RobotSettings(), 4).find
    unknown = CaseOptions(ignore=4)
    cases = [replace(case, options=unknown) for case in images if case.instance != 4]
    found = measure_finding(robots(cases), cases, RobotSettings(), 3).find
    assert (found.objects, found.right) == (6, 6)
    assert found.proposed <= everything.proposed - 2


def test_no_image_left_is_refused(images):
    with pytest.raises(UserError, match="leaves no image to search"):
        measure_finding(robots(images), images, RobotSettings(), 12)
