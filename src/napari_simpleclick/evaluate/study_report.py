"""What a study found: the person's numbers beside the robot's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_simpleclick.evaluate.report import write_report
from napari_simpleclick.evaluate.run import draw_strips, robot
from napari_simpleclick.evaluate.worker import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from napari_simpleclick.evaluate.study import Study


def report_study(study: Study, model: str) -> Path:
    """Let the robot annotate the cases of a study, and compare it with the person.

    Parameters
    ----------
    study : Study
        With at least one finished case.
    model : str
        Catalogue name or file of the weights that the person clicked with.

    Returns
    -------
    Path
        The web page; the results are beside it as JSON.
    """
    folder = study.path.with_suffix("")
    folder.mkdir(exist_ok=True)
    settings = Settings(weights=model, flip=False)
    person = study.result(model)
    person.save(folder / "person.json")
    machine = robot("study", study.cases, settings, out=folder / "robot.json")
    strips = draw_strips(person, study.cases, settings)
    return write_report([person, machine], folder, strips)
