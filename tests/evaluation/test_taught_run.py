"""The robot before and after teaching."""

import json

import numpy as np
import pytest
from skimage.io import imsave
from typer.testing import CliRunner

from napari_simpleclick.cli import app
from napari_simpleclick.errors import UserError
from napari_simpleclick.evaluation import (
    Result,
    RobotSettings,
    TeachSettings,
    find_cases,
    robot_taught,
    write_report,
)
from napari_simpleclick.evaluation.case_options import CaseOptions
from napari_simpleclick.evaluation.datasets import Case
from napari_simpleclick.evaluation.taught_run import split_cases
from tests.networks.toy import register
from tests.training.bright import discs, save_bright


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Ten pictures with a disc each, and weights that miss them by a little."""
    register(monkeypatch)
    save_bright(tmp_path / "bright.safetensors")
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    for number, example in enumerate(discs(10)):
        imsave(tmp_path / "images" / f"{number}.png", example.image)
        mask = example.mask.astype(np.uint8)
        imsave(tmp_path / "masks" / f"{number}.png", mask, check_contrast=False)
    return tmp_path


def test_others_are_measured_than_were_learned_from(root):
    weights, out = str(root / "bright.safetensors"), root / "out.json"
    settings = RobotSettings(weights=weights, clicks=3, flip=False)
    cases = find_cases("folder", root)
    teaching = TeachSettings((3, 5), batches=10)
    result, measured = robot_taught(
        "folder", cases, settings, teaching, limit=3, out=out
    )
    taught = result.taught
    assert taught.objects == 5
    assert [point.objects for point in taught.curve] == [0, 3, 5]
    assert (taught.before.noc, taught.before.miou) == (result.noc, result.miou)
    assert taught.after.miou[0] > taught.before.miou[0]
    learned = {name.split("'")[1] for name in taught.names}
    assert learned == set("01234")
    assert {case.name for case in measured} <= set("56789")
    assert len(result.cases) == 3
    assert Result.read(out) == result
    assert (root / "out.taught-5.safetensors").exists()
    page = write_report([result], root / "page").read_text()
    assert "Learning from objects" in page
    again, _ = robot_taught("folder", cases, settings, teaching, limit=3, out=out)
    assert again == result


def test_results_without_teaching_are_as_before(root):
    weights = str(root / "bright.safetensors")
    arguments = ["--dataset", "folder", "--root", root, "-w", weights, "--clicks", 1]
    more = ["--limit", 1, "--jobs", 1, "--json", root / "out.json"]
    run = CliRunner().invoke(app, [str(a) for a in ("evaluate", *arguments, *more)])
    assert run.exit_code == 0, run.output
    assert "taught" not in json.loads((root / "out.json").read_text())


@pytest.mark.parametrize("text", ["", "x", "5,3", "0", "5,,6"])
def test_what_is_no_number_of_objects_is_refused(text):
    with pytest.raises(UserError, match="no number of objects"):
        TeachSettings.parse(text)


def cases_of(names, tmp_path, index=False):
    return [
        Case(
            f"{name} axis 2 slice {label}" if index else name,
            label,
            tmp_path / name,
            tmp_path / name,
            "folder",
            2 if index else None,
            label if index else None,
            CaseOptions(),
        )
        for name in names
        for label in (1, 2, 3, 4)
    ]


def test_images_are_split_in_halves(tmp_path):
    learn, rest = split_cases(cases_of("abcd", tmp_path), 6, 0)
    assert {case.name for case in learn} <= {"a", "b"}
    assert [case.name for case in rest] == [*"ccccdddd"]
    assert split_cases(cases_of("abcd", tmp_path), 6, 0)[0] == learn


def test_slices_of_one_volume_are_split_in_halves(tmp_path):
    learn, rest = split_cases(cases_of("a", tmp_path, index=True), 2, 0)
    assert {case.index for case in learn} == {1, 2}
    assert {case.index for case in rest} == {3, 4}


def test_objects_of_one_picture_are_split_in_order(tmp_path):
    learn, rest = split_cases(cases_of("a", tmp_path), 3, 0)
    assert sorted(case.instance for case in learn) == [1, 2, 3]
    assert [case.instance for case in rest] == [4]
    with pytest.raises(UserError, match="too many to be taught"):
        split_cases(cases_of("a", tmp_path), 4, 0)
