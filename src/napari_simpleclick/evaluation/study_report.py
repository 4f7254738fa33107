"""What a study found: the person's numbers beside the robot's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage.io import imread

from napari_simpleclick.evaluation.report import Strip, extremes, write_report
from napari_simpleclick.evaluation.run import robot
from napari_simpleclick.evaluation.worker import RobotSettings, as_picture, predictor_of

if TYPE_CHECKING:
    from pathlib import Path

    from napari_simpleclick.evaluation.result import CaseResult, Result
    from napari_simpleclick.evaluation.study import Study


def report_study(study: Study) -> Path:
    """Let the robot annotate the cases of a study, and compare it with the person.

    Parameters
    ----------
    study : Study
        With at least one finished case.

    Returns
    -------
    Path
        The web page; the results are beside it as JSON.
    """
    folder = study.masks
    person = study.result()
    person.save(folder / "person.json")
    settings = RobotSettings(weights=study.model, flip=False)
    machine = robot("study", study.cases, settings, out=folder / "robot.json")
    predictor_of.cache_clear()  # the window has a model of its own
    return write_report([person, machine], folder, _strips(study, person))


def _strips(study: Study, person: Result) -> dict[str, list[Strip]]:
    """Pictures of the person's best and worst cases, from the recorded masks."""
    groups = zip(("best", "worst"), extremes(person), strict=True)
    return {name: [_strip(study, case) for case in cases] for name, cases in groups}


def _strip(study: Study, found: CaseResult) -> Strip:
    number = study.finished.index(found)
    image, truth = study.cases[number].load()
    masks = {
        count: np.asarray(imread(study.mask_path(number, count)) > 0)
        for count in range(1, len(found.clicks) + 1)
    }
    return Strip(found, as_picture(image), truth, masks)
