"""Whole runs: workers, resuming, settings and what cannot be run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage.io import imread, imsave

from napari_simpleclick.evaluation import (
    Result,
    RobotSettings,
    draw_strips,
    find_cases,
    robot,
)
from napari_simpleclick.evaluation.annotator import view_of
from napari_simpleclick.evaluation.run import choose_cases
from napari_simpleclick.evaluation.worker import published_size
from napari_simpleclick.networks import NETWORKS
from tests.evaluation.conftest import QUICK

PROJECT = Path(__file__).parents[2]


def without_times(result):
    plain = result.model_dump()
    for key in ("seconds_per_click", "pie"):
        plain.pop(key)
    for case in plain["cases"]:
        case.pop("seconds")
    return plain


def test_the_number_of_workers_does_not_change_the_numbers(discs, tmp_path):
    cases = find_cases("folder", discs)
    alone = robot("folder", cases, QUICK, out=tmp_path / "out.json")
    assert Result.read(tmp_path / "out.json") == alone
    two = robot("folder", cases, QUICK, jobs=2)
    assert without_times(alone) == without_times(two)
    assert alone.instances == 6
    assert len(alone.miou) == 4
    assert all(len(case.clicks) == 4 for case in alone.cases)
    assert max(alone.cases[0].ious) > 0.5


@pytest.mark.slow
def test_a_cluster_does_not_change_the_numbers(discs):
    distributed = pytest.importorskip("distributed")
    cases = find_cases("folder", discs)
    alone = robot("folder", cases, QUICK)
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    )
    with cluster:
        dask = robot("folder", cases, QUICK, scheduler=cluster.scheduler_address)
    assert without_times(alone) == without_times(dask)


UNTIL_TWO = """
import sys
from pathlib import Path

from napari_simpleclick.evaluation import find_cases, robot
from tests.evaluation.conftest import QUICK


def wait(done, total):
    if done == 2:
        print("two", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    root, out, jobs = sys.argv[1:]
    cases = find_cases("folder", Path(root))
    robot("folder", cases, QUICK, out=Path(out), jobs=int(jobs), progress=wait)
"""
"""An evaluation that stands still after two objects."""


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_run_goes_on_to_the_same_result(discs, tmp_path, jobs):
    out, record = tmp_path / "out.json", tmp_path / "out.json.unfinished"
    script = tmp_path / "until_two.py"
    script.write_text(UNTIL_TWO)
    run = subprocess.Popen(
        [sys.executable, str(script), str(discs), str(out), str(jobs)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(PROJECT), *sys.path])},
    )
    with run:
        assert run.stdout.readline() == b"two\n"
        run.kill()
    assert not out.exists()
    with record.open("a") as file:
        file.write('{"name": "cut o')
    kept = record.read_text().splitlines()[1:3]

    cases, left = find_cases("folder", discs), []
    resumed = robot(
        "folder", cases, QUICK, out=out, progress=lambda done, total: left.append(done)
    )
    assert left == [2, 3, 4, 5, 6]
    assert not record.exists()
    assert Result.read(out) == resumed
    assert without_times(resumed) == without_times(robot("folder", cases, QUICK))
    seconds = {(case.name, case.instance): case.seconds for case in resumed.cases}
    for line in kept:
        case = json.loads(line)
        assert seconds[case["name"], case["instance"]] == case["seconds"]


def test_an_unfinished_run_with_other_settings_is_not_mixed_up(discs, tmp_path):
    cases = find_cases("folder", discs)

    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        robot("folder", cases, QUICK, out=tmp_path / "a.json", progress=stop)
    other = QUICK.model_copy(update={"threshold": 0.6})
    with pytest.raises(ValueError, match="other settings"):
        robot("folder", cases, other, out=tmp_path / "a.json")


def test_other_images_of_the_same_names_are_not_mixed_up(discs, tmp_path):
    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        robot(
            "a",
            find_cases("folder", discs),
            QUICK,
            out=tmp_path / "a.json",
            progress=stop,
        )
    for path in (discs / "images").iterdir():
        imsave(path, 255 - imread(path), check_contrast=False)
    with pytest.raises(ValueError, match="other settings or images"):
        robot("a", find_cases("folder", discs), QUICK, out=tmp_path / "a.json")


def test_a_finished_run_is_not_made_again(discs, tmp_path):
    cases, out = find_cases("folder", discs), tmp_path / "a.json"
    first = robot("folder", cases, QUICK, out=out)
    assert robot("folder", cases, QUICK, out=out) == first
    more = QUICK.model_copy(update={"clicks": 5})
    assert len(robot("folder", cases, more, out=out).miou) == 5


def test_stopping_at_a_target(discs):
    cases = find_cases("folder", discs)
    easy = QUICK.model_copy(update={"stop_at": 0.05})
    result = robot("folder", cases, easy)
    assert result.noc == {"80": None, "85": None, "90": None}
    full = robot("folder", cases, QUICK)
    for stopped, whole in zip(result.cases, full.cases, strict=True):
        count = len(stopped.ious)
        assert stopped.ious == whole.ious[:count]
        assert stopped.ious[-1] >= 0.05 or count == 4


@pytest.mark.parametrize(
    ("name", "clicks"), [("random-walker", 2), ("grabcut", 5), ("geodesic", 4)]
)
def test_baselines_find_bright_discs(discs, name, clicks):
    cases = find_cases("folder", discs)[:1]
    settings = QUICK.model_copy(update={"baseline": name, "clicks": clicks})
    result = robot("folder", cases, settings)
    assert result.weights == name
    assert "sha256" not in result.settings
    assert result.miou[-1] > 0.6
    assert result.pie is not None


def test_initial_masks_are_corrected(discs, tmp_path):
    cases = find_cases("folder", discs)
    damaged = QUICK.model_copy(update={"initial": "damaged", "clicks": 2})
    result = robot("folder", cases, damaged)
    assert without_times(result) == without_times(robot("folder", cases, damaged))
    other = robot("folder", cases, damaged.model_copy(update={"seed": 1}))
    first = [case.clicks[0] for case in result.cases]
    assert first != [case.clicks[0] for case in other.cases]

    folder = tmp_path / "initial"
    folder.mkdir()
    for path in (discs / "masks").iterdir():
        imsave(folder / path.name, imread(path), check_contrast=False)
    perfect = QUICK.model_copy(update={"initial": str(folder), "clicks": 1})
    for case in robot("folder", cases, perfect).cases:
        assert case.clicks == ((0, 0, False),)  # nothing is wrong with these masks
    (folder / "1.png").unlink()
    with pytest.raises(ValueError, match="no initial masks for '1'"):
        robot("folder", cases, perfect)
    with pytest.raises(ValueError, match="no initial masks 'sp'"):
        robot("folder", cases, QUICK.model_copy(update={"initial": "sp"}))


def test_pictures_show_the_recorded_masks(discs):
    cases = find_cases("folder", discs)
    result = robot("folder", cases, QUICK)
    groups = draw_strips(result, cases, QUICK)
    shown = [*groups["best"], *groups["worst"]]
    assert len({(s.case.name, s.case.instance) for s in shown}) == len(shown) == 6
    for strip in shown:
        assert list(strip.masks) == [1, 2, 3, 4]
        inside = strip.truth == 1
        for count, mask in strip.masks.items():
            iou = (mask & inside).sum() / (mask | inside).sum()
            assert iou == pytest.approx(strip.case.ious[count - 1], abs=1e-6)


def test_cases_are_drawn_by_seed(discs):
    cases = find_cases("folder", discs)
    drawn = choose_cases(cases, 3, seed=1)
    assert drawn == choose_cases(cases, 3, seed=1)
    assert drawn == [case for case in cases if case in drawn]
    assert choose_cases(cases, None) == choose_cases(cases, 99) == cases
    assert len({tuple(choose_cases(cases, 2, seed)) for seed in range(20)}) > 3
    with pytest.raises(ValueError, match="leaves no cases"):
        choose_cases(cases, 0)


def test_what_cannot_be_run(discs, monkeypatch):
    monkeypatch.setattr("napari_simpleclick.tasks.pool.PATIENCE_S", 0.1)
    cases = find_cases("folder", discs)
    with pytest.raises(ValueError, match="no cases"):
        robot("folder", [])
    with pytest.raises(ValueError, match="no baseline 'magic'"):
        robot("folder", cases, QUICK.model_copy(update={"baseline": "magic"}))
    with pytest.raises(ValueError, match="neither a file nor known weights"):
        robot("folder", cases, QUICK.model_copy(update={"weights": "magic"}))
    pytest.importorskip("distributed")
    with pytest.raises(ValueError, match="No Dask scheduler answers"):
        robot("folder", cases, QUICK, scheduler="tcp://127.0.0.1:9")
    (discs / "images" / "0.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="cannot be read as an image"):
        robot("folder", cases, QUICK)


def test_davis_is_evaluated_at_672_px():
    assert RobotSettings().resolved("davis").size == (672, 672)
    spec = NETWORKS["simpleclick-base"].spec
    assert published_size("davis585", spec) == published_size("GrabCut", spec)
    assert published_size("DAVIS", spec) == (672, 672)
    close = NETWORKS["focalclick-hrnet18s-s1"].spec
    assert published_size("DAVIS", close) == (256, 256)


def test_masks_have_their_true_size_when_the_image_is_cropped(discs):
    result = robot("folder", find_cases("folder", discs), QUICK)
    for case in result.cases:
        for row, column, _ in case.clicks:
            assert 0 <= row < 80
            assert 0 <= column < 100
    assert np.isfinite(result.miou).all()


def test_a_first_look_is_as_published_unless_asked(discs, tmp_path):
    cases = find_cases("folder", discs)
    assert QUICK.first_look == "published"
    results = {}
    for look in ("published", "view", "magnifications"):
        settings = QUICK.model_copy(update={"first_look": look, "clicks": 1})
        path = tmp_path / f"{look}.json"
        results[look] = robot("folder", cases, settings, out=path)
        assert json.loads(path.read_text())["settings"]["first_look"] == look
    plain = robot("folder", cases, QUICK.model_copy(update={"clicks": 1}))
    assert without_times(plain) == without_times(results["published"])
    assert results["magnifications"].miou != results["published"].miou


def test_the_robot_looks_at_eight_times_the_object():
    truth = np.zeros((500, 600), np.int32)
    truth[200:220, 300:340] = 1
    truth[0] = -1
    seen = view_of(truth)
    assert (seen.row_min, seen.row_max) == (209.5 - 160, 209.5 + 160)
    assert (seen.column_min, seen.column_max) == (319.5 - 160, 319.5 + 160)


def test_a_first_look_at_a_mask_is_refused(discs):
    settings = QUICK.model_copy(update={"first_look": "view", "initial": "damaged"})
    with pytest.raises(ValueError, match="leave out either"):
        robot("folder", find_cases("folder", discs), settings)


@pytest.mark.parametrize("user", ["box", "lasso"])
def test_what_a_drawing_robot_showed_is_in_the_result(discs, tmp_path, user):
    cases = find_cases("folder", discs)[:1]
    settings = QUICK.model_copy(update={"user": user, "clicks": 2})
    result = robot("folder", cases, settings, out=tmp_path / "a.json")
    assert result.settings["user"] == user
    assert [one["kind"] for one in result.cases[0].prompts] == [user, "click"]
    assert len(result.cases[0].clicks) == 2
    assert "user" not in robot("folder", cases, QUICK).settings
