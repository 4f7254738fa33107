"""Models are loaded one after the other, and downloads can be given up."""

import http.server
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from napari_simpleclick.inference import Predictor
from napari_simpleclick.weights import catalogue, store
from napari_simpleclick.weights.catalogue import BUNDLED
from napari_simpleclick.weights.store import checksum
from napari_simpleclick.workflow import InlineExecutor, ModelChoice
from napari_simpleclick.workflow.model_loader import ModelLoader
from tests.executors import HeldExecutor

XTINY = Path(store.__file__).parent / "simpleclick-xtiny.safetensors"


class Serve(http.server.SimpleHTTPRequestHandler):
    """Serves the bundled weights in small parts."""

    def do_GET(self):
        content = XTINY.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        try:
            for start in range(0, len(content), 2**16):
                self.wfile.write(content[start : start + 2**16])
        except OSError:
            pass

    def log_message(self, *_):
        pass


@pytest.fixture
def remote(monkeypatch):
    """A model that has to be downloaded."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Serve) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        card = replace(
            catalogue()["simpleclick-xtiny"],
            name="remote",
            file="remote.safetensors",
            sha256=checksum(XTINY),
            url=f"http://127.0.0.1:{service.server_port}/remote.safetensors",
        )
        cards = {**catalogue(), "remote": card}
        monkeypatch.setattr(
            sys.modules[catalogue.__module__], "catalogue", lambda: cards
        )
        yield ModelChoice("remote", "cpu")
        service.shutdown()


class Heard:
    """What a loader tells."""

    def __init__(self, models):
        self.kinds, self.errors, self.bytes = [], [], []
        for name in ("loading", "loaded", "cancelled"):
            getattr(models, name).connect(lambda name=name: self.kinds.append(name))
        models.failed.connect(lambda error: self.errors.append(str(error)))
        models.downloading.connect(lambda *both: self.bytes.append(both))


def make(executor=None):
    models = ModelLoader(executor or InlineExecutor())
    return models, Heard(models)


def test_the_bundled_model_is_loaded_and_warm(monkeypatch):
    calls, predict = [], Predictor.predict

    def count(self, *arguments, **more):
        calls.append(1)
        return predict(self, *arguments, **more)

    monkeypatch.setattr(Predictor, "predict", count)
    models, heard = make()
    models.choose(ModelChoice(device="cpu"))
    assert heard.kinds == ["loading", "loaded"]
    assert models.engine.card.name == BUNDLED
    assert "cpu" in models.devices
    assert calls == [1, 1]
    assert models.engine.shown is None


@pytest.mark.parametrize(
    ("choice", "words", "instead"),
    [
        (ModelChoice("gone.safetensors"), "no file 'gone.safetensors'", ModelChoice()),
        (ModelChoice(device="cuda:77"), "no device 'cuda:77'", ModelChoice()),
        (ModelChoice(precision="float1"), "no precision 'float1'", ModelChoice()),
        (ModelChoice(mode="quick"), "no mode 'quick'", ModelChoice()),
    ],
)
def test_a_first_choice_that_is_gone_is_replaced(choice, words, instead):
    models, heard = make()
    models.choose(choice)
    assert words in heard.errors[0]
    assert "Until then it is 'bundled'" in heard.errors[0]
    assert models.choice == instead
    assert models.engine is not None


@pytest.mark.parametrize("mode", ["fast", "exact"])
def test_exact_is_the_published_protocol_whatever_the_precision(mode, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    models, _ = make()
    models.choose(ModelChoice(precision="bfloat16", mode=mode))
    predictor, exact = models.engine.predictor, mode == "exact"
    assert predictor.flip is exact
    assert predictor.dtype == (torch.float32 if exact else torch.bfloat16)
    assert models.computing == ""


def test_openvino_takes_over_while_the_model_answers(monkeypatch):
    pytest.importorskip("openvino")
    monkeypatch.delenv("NAPARI_SIMPLECLICK_OPENVINO")
    models, heard = make(held := HeldExecutor())
    models.choose(ModelChoice("simpleclick-xtiny", "cpu", "float32"))
    held.release()
    assert heard.kinds == ["loading", "loaded"]
    assert not models.engine.predictor.encoder.is_accelerated
    held.release_all()
    assert models.engine.predictor.encoder.is_accelerated
    assert models.computing == "OpenVINO computes."
    models.choose(models.choice._replace(mode="exact"))
    assert not models.engine.predictor.encoder.is_accelerated
    assert models.computing == ""


def test_a_later_choice_that_fails_changes_nothing(tmp_path):
    models, heard = make()
    models.choose(ModelChoice(device="cpu"))
    before = models.engine
    (tmp_path / "bad.pth").write_bytes(b"")
    models.choose(models.choice._replace(model=str(tmp_path / "bad.pth")))
    assert models.engine is before
    assert "is empty" in heard.errors[0]
    assert models.choice == ModelChoice(device="cpu")


class AtOnce(InlineExecutor):
    """Calls what comes from another thread without waiting for a better moment."""

    def call_soon(self, call):
        call()


def test_a_download_tells_its_bytes_and_ends_in_use(remote):
    models, heard = make(AtOnce())
    models.choose(remote)
    assert models.engine.card.name == "remote"
    done, total = zip(*heard.bytes, strict=True)
    assert set(total) == {XTINY.stat().st_size}
    assert list(done) == sorted(done)
    assert done[-1] == total[-1]


def test_a_download_that_is_given_up_leaves_everything_as_it_was(remote, cache):
    models, heard = make(AtOnce())
    models.choose(ModelChoice(device="cpu"))
    before = models.engine
    models.downloading.connect(models.cancel)
    models.choose(remote)
    assert heard.kinds[-1] == "cancelled"
    assert models.engine is before
    assert models.choice == ModelChoice(device="cpu")
    assert not models.is_loading
    assert not list(cache.glob("*"))
    assert heard.errors == []


def test_what_is_loaded_for_a_loader_that_was_closed_is_dropped():
    models, heard = make(HeldExecutor())
    models.choose(ModelChoice(device="cpu"))
    models.close()
    models._executor.release_all()
    assert models.engine is None
    assert heard.kinds == ["loading"]


def test_only_the_last_of_two_choices_counts():
    models, heard = make(HeldExecutor())
    models.choose(ModelChoice("gone.safetensors"))
    models.choose(ModelChoice(device="cpu"))
    models._executor.release_all()
    assert heard.errors == []
    assert models.choice.model == "bundled"
    assert heard.kinds == ["loading", "loading", "loaded"]
