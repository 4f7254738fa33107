"""The public names, and the import paths of the release before."""

import doctest
import importlib
import inspect
import subprocess
import sys

import numpy as np
import pytest

import napari_simpleclick
from napari_simpleclick import _old_paths
from napari_simpleclick.errors import UserError

NAMES = (
    *("Click", "Predictor", "load_weights", "networks", "propagate_mask"),
    *("read_image", "write_labels", "measure", "evaluate", "train", "UserError"),
)


def fresh(code):
    """Run code in a new process, where nothing has been imported yet."""
    command = [sys.executable, "-W", "always", "-c", code]
    return subprocess.run(command, check=True, text=True, capture_output=True)


@pytest.mark.parametrize("name", NAMES)
def test_name_is_listed_and_there(name):
    assert name in dir(napari_simpleclick)
    assert getattr(napari_simpleclick, name)


def test_listing_names_imports_nothing_heavy():
    run = fresh(
        "import sys, napari_simpleclick; dir(napari_simpleclick);"
        "from napari_simpleclick import Click; Click(1, 2);"
        "print({'torch', 'qtpy', 'napari', 'numpy'} & set(sys.modules))"
    )
    assert run.stdout.strip() == "set()"
    assert run.stderr == ""


def test_functions_say_how_they_are_called():
    assert list(inspect.signature(napari_simpleclick.evaluate).parameters)[:2] == [
        *("data", "dataset"),
    ]
    assert "config" in inspect.signature(napari_simpleclick.train).parameters
    assert "robot annotator" in napari_simpleclick.evaluate.__doc__


def test_version_is_that_of_the_install():
    assert napari_simpleclick.__version__ == importlib.metadata.version(
        "napari-simpleclick"
    )


@pytest.mark.parametrize("old", _old_paths.MODULES)
def test_old_modules_lead_to_new_ones(old):
    name = f"napari_simpleclick.{old}"
    sys.modules.pop(name, None)
    with pytest.warns(DeprecationWarning) as caught:
        importlib.import_module(name)
    told = " ".join(str(warning.message) for warning in caught)
    assert f"napari_simpleclick.{_old_paths.MODULES[old]} now" in told
    assert all(warning.filename == importlib.__file__ for warning in caught)


@pytest.mark.parametrize("old", _old_paths.NAMES)
def test_old_names_lead_to_new_ones(old):
    room, name = old.split(".")
    with pytest.warns(DeprecationWarning, match=_old_paths.NAMES[old]):
        module = importlib.import_module(f"napari_simpleclick.{room}")
        assert getattr(module, name) is _old_paths._find(_old_paths.NAMES[old])


def test_names_in_old_modules_warn_where_they_are_used():
    with pytest.warns(DeprecationWarning) as caught:
        from napari_simpleclick.volumes.files import read_image
    assert read_image is napari_simpleclick.read_image
    assert {warning.filename for warning in caught} == {__file__}
    assert "images.files.read_image now" in str(caught[-1].message)


def test_old_room_and_new_function_share_a_name():
    run = fresh(
        "from napari_simpleclick.evaluate import robot\n"
        "from napari_simpleclick.evaluate.datasets import Options\n"
        "from napari_simpleclick.train import read_config\n"
        "from napari_simpleclick import evaluate, evaluation, train, training\n"
        "assert robot is evaluation.robot is evaluate.robot\n"
        "assert Options is evaluation.CaseOptions is evaluate.Options\n"
        "assert read_config is training.read_config is train.read_config\n"
        "import napari_simpleclick\n"
        "try:\n"
        "    napari_simpleclick.evaluate('no such folder')\n"
        "except napari_simpleclick.UserError as error:\n"
        "    print(error)\n"
    )
    assert "There is no folder" in run.stdout
    assert "napari_simpleclick.evaluation.robot now" in run.stderr


def test_what_never_was_is_not_found():
    with pytest.raises(ModuleNotFoundError, match=r"napari_simpleclick\.images\.magic"):
        importlib.import_module("napari_simpleclick.volumes.magic")
    with pytest.raises(ImportError, match="magic"):
        from napari_simpleclick.evaluate import magic  # noqa: F401
    with pytest.raises(AttributeError, match="magic"):
        napari_simpleclick.networks.magic  # noqa: B018


@pytest.mark.parametrize(
    "module",
    [
        "evaluation.protocol",
        "images.files",
        "inference.predictor",
        "networks",
        "prompts.kinds",
        "prompts.parsing",
        "propagation.volume",
        "weights.store",
    ],
)
def test_examples_in_docstrings_run(module):
    found = importlib.import_module(f"napari_simpleclick.{module}")
    assert doctest.testmod(found, optionflags=doctest.ELLIPSIS).failed == 0
    assert doctest.testmod(found, optionflags=doctest.ELLIPSIS).attempted > 0


@pytest.fixture
def squares(tmp_path):
    square = np.zeros((60, 70), np.uint8)
    square[10:40, 20:50] = 1
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
        for number in range(2):
            path = tmp_path / name / f"{number}.png"
            napari_simpleclick.write_labels(path, square)
    return tmp_path


QUICK = {"clicks": 2, "size": (64, 64), "flip": False}


def test_evaluate_a_folder_and_a_list_of_cases_alike(squares, tmp_path):
    evaluate = napari_simpleclick.evaluate
    out = tmp_path / "result.json"
    whole = evaluate(str(squares), **QUICK, out=str(out))
    assert whole.instances == 2
    assert out.exists()
    cases = importlib.import_module("napari_simpleclick.evaluation").find_cases(
        "folder", squares
    )
    again = evaluate(cases, "squares", limit=1, **QUICK)
    assert (again.dataset, again.instances) == ("squares", 1)
    key = {(case.name, case.instance): case.ious for case in whole.cases}
    assert all(key[case.name, case.instance] == case.ious for case in again.cases)


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        ({"clicks": 0}, "clicks: "),
        ({"stop_at": 2}, "stop_at: "),
        ({"weights": "magic"}, "neither a file nor known weights"),
        ({"limit": 0}, "leaves no cases"),
        ({"dataset": "magic"}, "There is no data set 'magic'"),
    ],
)
def test_evaluate_refuses_in_a_sentence(squares, choices, sentence):
    with pytest.raises(UserError, match=sentence):
        napari_simpleclick.evaluate(squares, **choices)


def test_a_misspelt_setting_is_named(squares):
    with pytest.raises(TypeError, match="'cliks'"):
        napari_simpleclick.evaluate(squares, cliks=3)
