import hashlib
import http.server
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from safetensors.torch import save_file

from napari_simpleclick import load_weights, networks
from napari_simpleclick.weights import (
    Card,
    WeightsError,
    catalogue,
    download,
    is_local,
    load_encoder,
    save_weights,
    spec_of,
    store,
)
from napari_simpleclick.weights.catalogue import BUNDLED
from napari_simpleclick.weights.store import checksum, described, locate

PACKAGED = [name for name, card in catalogue().items() if card.packaged]


@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_weights_are_those_of_the_catalogue(name):
    card = catalogue()[name]
    path = locate(card)
    assert is_local(card)
    assert path.stat().st_size == card.bytes
    assert checksum(path) == card.sha256
    network, loaded = load_weights(name)
    assert loaded == card
    assert not network.training


def test_packaged_weights_stay_small():
    assert BUNDLED in PACKAGED
    assert sum(catalogue()[name].bytes for name in PACKAGED) < 30e6


def test_official_checkpoint_loads_and_is_known_from_then_on(
    official_checkpoint, tmp_path
):
    path = tmp_path / "sbd_vit_xtiny.pth"
    shutil.copy(official_checkpoint, path)
    card = catalogue()["sbd_vit_xtiny"]
    assert not is_local(card)
    network, loaded = load_weights(path)
    assert loaded.name == "sbd_vit_xtiny"
    assert loaded.sha256 == checksum(path)
    assert is_local(card)
    assert described(card).bytes == path.stat().st_size
    again, _ = load_weights("sbd_vit_xtiny")
    for one, other in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(WeightsError, match="has changed since"):
        load_weights("sbd_vit_xtiny")


@pytest.fixture
def hashed(monkeypatch):
    """Files that were hashed, in order."""
    seen = []

    def count(path):
        seen.append(path.name)
        return checksum(path)

    monkeypatch.setattr(store, "checksum", count)
    return seen


@pytest.fixture
def official(tmp_path):
    """A file that counts as an official one by its name."""
    path = tmp_path / "sbd_vit_xtiny.pth"
    state = networks.build("simpleclick-xtiny", 64).state_dict()
    torch.save({"state_dict": state}, path)
    return path


def test_a_file_is_hashed_once_while_it_stays_as_it_is(official, hashed):
    for name in (official, official, "sbd_vit_xtiny", "sbd_vit_xtiny"):
        _, card = load_weights(name)
        assert card.name == "sbd_vit_xtiny"
    assert hashed == ["sbd_vit_xtiny.pth"]
    os.utime(official, (1, 1))
    for _ in range(2):
        load_weights("sbd_vit_xtiny")
    assert len(hashed) == 2  # another time, the same content
    content = bytearray(official.read_bytes())
    content[-1] ^= 1
    official.write_bytes(content)
    with pytest.raises(WeightsError, match="has changed since"):
        load_weights("sbd_vit_xtiny")


def test_what_older_versions_remembered_is_still_known(official, cache, hashed):
    load_weights(official)
    memory = json.loads((cache / "recognised.json").read_text())
    del memory["sbd_vit_xtiny"]["modified"]
    (cache / "recognised.json").write_text(json.dumps(memory))
    load_weights("sbd_vit_xtiny")
    load_weights("sbd_vit_xtiny")
    assert len(hashed) == 2


def test_what_a_network_takes_is_known_without_its_weights(official, tmp_path):
    taken = spec_of(official)
    assert (taken.image_size, taken.multiple_of) == ((64, 64), 16)
    network = networks.build("encode-once-lite1", 96)
    path = tmp_path / "a.safetensors"
    save_weights(network, path, Card("a", "encode-once-lite1", path.name))
    assert spec_of(path) == network.spec
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="damaged"):
        spec_of(path)
    with pytest.raises(WeightsError, match="There is no file"):
        spec_of(tmp_path / "b.safetensors")


def test_files_of_encode_once_networks(tmp_path):
    network = networks.build("encode-once-lite0", 64)
    path = tmp_path / "a.safetensors"
    card = Card("mine", "encode-once-lite0", path.name, "me", "mine", "Apache-2.0")
    save_weights(network, path, card)
    loaded, found = load_weights(path)
    assert found == card
    assert loaded.config == network.config
    own = loaded.state_dict()
    for key, value in network.state_dict().items():
        torch.testing.assert_close(own[key], value.half().to(value.dtype))
    state = {k: v.half() for k, v in own.items() if "num_batches" not in k}
    save_file(state, tmp_path / "b.safetensors")
    again, found = load_weights(tmp_path / "b.safetensors")
    assert found.network == "encode-once-lite0"
    assert again.config.image_size == (448, 448)
    assert (loaded.config.brightness, again.config.brightness) == (0.33, None)
    for one, other in zip(again.parameters(), loaded.parameters(), strict=True):
        assert torch.equal(one, other)


def test_unusable_files_of_encode_once_networks(tmp_path):
    state = networks.build("encode-once-lite0", 64).state_dict()
    path = tmp_path / "a.safetensors"
    save_file(state, path, {"image_size": "small"})
    with pytest.raises(WeightsError, match="says 'small' where its input size"):
        load_weights(path)
    for told in ("bright", "1.5", "nan"):
        save_file(state, path, {"brightness": told})
        with pytest.raises(WeightsError, match=f"says '{told}' where a brightness"):
            load_weights(path)
    fewer = {k: v for k, v in state.items() if not k.startswith("encoder._blocks.3.")}
    save_file(fewer, path)
    with pytest.raises(WeightsError, match="its encoder is none of lite0, lite1"):
        load_weights(path)


def test_our_files_keep_their_card(tmp_path):
    network = networks.build("simpleclick-xtiny", 64)
    card = Card("mine", "simpleclick-xtiny", "a.safetensors", licence="CC0")
    save_weights(network, tmp_path / "a.safetensors", card)
    loaded, found = load_weights(tmp_path / "a.safetensors")
    assert (found.name, found.licence) == ("mine", "CC0")
    assert loaded.config.image_size == (64, 64)
    torch.testing.assert_close(
        loaded.head.conv_seg.weight, network.head.conv_seg.weight, atol=1e-3, rtol=1e-3
    )


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_file_that_runs_code_is_refused_unopened(tmp_path, protocol):
    trap = tmp_path / "trap"
    torch.save({"state_dict": Bomb(trap)}, tmp_path / "a.pth", pickle_protocol=protocol)
    named = r"wants to run '\w+\.mkdir'" if protocol == 2 else "was refused"
    with pytest.raises(WeightsError, match=named):
        load_weights(tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(Bomb(trap), protocol))
    with pytest.raises(WeightsError, match="was refused"):
        load_weights(tmp_path / "b.pth")
    assert not trap.exists()


def test_damaged_files(official_checkpoint, tmp_path):
    whole = official_checkpoint.read_bytes()
    path = tmp_path / "a.pth"
    for content, sentence in (
        (b"", "is empty"),
        (whole[: len(whole) // 2], "damaged or incomplete"),
        (b"not a checkpoint at all" * 99, "damaged"),
    ):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=sentence):
            load_weights(path)
    path = tmp_path / "a.safetensors"
    path.write_bytes(whole[:5000])
    with pytest.raises(WeightsError, match="not a safetensors file"):
        load_weights(path)


def test_checkpoints_of_other_networks(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"state_dict": {"conv1.weight": torch.zeros(1)}}, path)
    with pytest.raises(WeightsError, match="holds none of their tensors"):
        load_weights(path)
    torch.save({"model": {}}, path)
    with pytest.raises(WeightsError, match="it has no 'state_dict'"):
        load_weights(path)
    state = networks.build("simpleclick-xtiny").state_dict()
    torch.save({"state_dict": {**state, "extra.weight": torch.zeros(1)}}, path)
    with pytest.raises(WeightsError, match=r"an unknown 'extra\.weight'"):
        load_weights(path)
    state["neck.down_8.2.bias"] = torch.zeros(3)
    torch.save({"state_dict": state}, path)
    with pytest.raises(WeightsError, match="wrong shape"):
        load_weights(path)


def test_places_that_hold_no_weights(tmp_path):
    with pytest.raises(WeightsError, match="is a folder"):
        load_weights(tmp_path)
    with pytest.raises(WeightsError, match="There is no file"):
        load_weights(tmp_path / "no.pth")
    with pytest.raises(WeightsError, match="choose one of bundled"):
        load_weights("nothing")


def test_official_models_say_how_to_fetch_them():
    for name, card in catalogue().items():
        if card.packaged or card.is_fetched:
            continue
        with pytest.raises(WeightsError, match=r"1\. download .* 2\. load that file"):
            load_weights(name)
        with pytest.raises(WeightsError, match=card.page):
            download(card)


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_weights_that_do_not_fit_into_memory():
    code = """
import resource, torch
from napari_simpleclick.networks import NETWORKS
from napari_simpleclick.weights.checkpoints import network_from
from pathlib import Path
shapes = {k: v.shape for k, v in torch.nn.Module.state_dict(
    __import__("napari_simpleclick").networks.build("simpleclick-xtiny")).items()}
state = {k: torch.empty(s, device="meta") for k, s in shapes.items()}
wide = 8192
state["backbone.pos_embed"] = torch.empty(1, 785, wide, device="meta")
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**29, used + 2**29))
about = {"params": {"backbone_params": {"value": {"num_heads": 16}}}}
try:
    network_from(state, about, Path("huge.pth"))
except MemoryError as error:
    print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "not enough memory for the network in 'huge.pth'" in run.stdout


class Flaky(http.server.SimpleHTTPRequestHandler):
    """Serves a file, but breaks off the first ``failures`` times."""

    failures = 1
    content = b""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        if type(self).failures > 0:
            type(self).failures -= 1
            self.wfile.write(self.content[:100])
            return
        self.wfile.write(self.content)

    def log_message(self, *_):
        pass


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    """Try again at once, where a person waits a second, then two, then three."""
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda seconds: None))


@pytest.fixture
def server():
    handler = type("Handler", (Flaky,), {"content": b"weights" * 1000})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield service, handler
        service.shutdown()


def remote_card(service, handler, tmp_path) -> Card:
    (tmp_path / "sum").write_bytes(handler.content)
    return Card(
        "remote",
        "simpleclick-xtiny",
        "remote.safetensors",
        sha256=checksum(tmp_path / "sum"),
        url=f"http://127.0.0.1:{service.server_port}/remote.safetensors",
    )


def test_download_survives_a_broken_connection(server, tmp_path, cache):
    card = remote_card(*server, tmp_path)
    path = download(card)
    assert path.read_bytes() == server[1].content
    assert path.parent == Path(cache)
    server[0].shutdown()
    assert download(card) == path


def test_a_download_with_a_wrong_checksum_is_not_kept(server, tmp_path, cache):
    server[1].failures = 0
    card = replace(remote_card(*server, tmp_path), sha256="0" * 64)
    with pytest.raises(WeightsError, match="could not be downloaded"):
        download(card)
    assert not (Path(cache) / card.file).exists()


class Patient(http.server.BaseHTTPRequestHandler):
    """Serves a file in parts, and breaks off after ``most`` bytes of a request."""

    content = bytes(range(256)) * 1000
    most = 2**17
    version = '"one"'
    asked: ClassVar[list[int]] = []

    def do_GET(self):
        start = 0
        if self.headers.get("If-Range") == self.version:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        self.asked.append(start)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.send_header("ETag", self.version)
        self.end_headers()
        self.wfile.write(self.content[start : start + self.most])

    def log_message(self, *_):
        pass


@pytest.fixture
def patient():
    handler = type("Handler", (Patient,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield service, handler
        service.shutdown()


def test_a_download_goes_on_where_it_broke_off(patient, tmp_path, cache):
    card = remote_card(*patient, tmp_path)
    reports = []
    path = download(card, report=lambda done, total: reports.append((done, total)))
    assert path.read_bytes() == Patient.content
    assert patient[1].asked == [0, 2**17]
    assert reports[-1] == (256_000, 256_000)
    assert [file.name for file in Path(cache).glob("remote*")] == [card.file]


def test_a_download_that_was_given_up_goes_on_later(patient, tmp_path):
    class GivenUp(Exception):
        pass

    def give_up(done, total):
        raise GivenUp

    card = remote_card(*patient, tmp_path)
    patient[1].most = 1_000_000
    with pytest.raises(GivenUp):
        download(card, report=give_up)
    assert download(card).read_bytes() == Patient.content
    assert 0 < patient[1].asked[1] < len(Patient.content)


def test_a_file_that_has_changed_meanwhile_is_fetched_from_its_start(patient, tmp_path):
    card = remote_card(*patient, tmp_path)

    def change(done, total):
        patient[1].version = '"two"'

    with pytest.raises(WeightsError, match="could not be downloaded"):
        download(replace(card, sha256="0" * 64), report=change)
    assert patient[1].asked[:2] == [0, 0]


def test_an_unknown_checksum_is_noted_at_the_first_download(server, tmp_path):
    server[1].failures = 0
    card = replace(remote_card(*server, tmp_path), sha256="")
    path = download(card)
    assert described(card).sha256 == checksum(path)
    assert locate(card) == path
    path.write_bytes(b"other weights")
    assert locate(card).read_bytes() == server[1].content
    server[1].content = b"other weights"
    path.write_bytes(server[1].content)
    with pytest.raises(WeightsError, match="could not be downloaded"):
        locate(card)


def test_a_known_md5_is_checked(server, tmp_path):
    server[1].failures = 0
    card = replace(remote_card(*server, tmp_path), sha256="", md5="0" * 32)
    with pytest.raises(WeightsError, match="could not be downloaded"):
        download(card)
    right = hashlib.md5(server[1].content).hexdigest()
    assert download(replace(card, md5=right)).read_bytes() == server[1].content


def test_weights_with_an_address_are_downloaded_when_they_are_loaded(
    server, tmp_path, monkeypatch
):
    network = networks.build("ritm-hrnet18s")
    params = {"with_prev_mask": {"type": "builtin", "value": True, "specified": True}}
    config = {"class": "isegm.model.is_hrnet_model.HRNetModel", "params": params}
    path = tmp_path / "a.pth"
    torch.save({"state_dict": network.state_dict(), "config": config}, path)
    server[1].content = path.read_bytes()
    known = catalogue()["coco_lvis_h18s_itermask"]
    assert known.url.startswith("https://github.com/saic-vul/")
    assert known.licence == "MIT"
    card = replace(known, url=f"http://127.0.0.1:{server[0].server_port}/a.pth")
    monkeypatch.setattr(
        sys.modules[catalogue.__module__], "catalogue", lambda: {card.name: card}
    )
    loaded, found = load_weights(card.name)
    assert found.network == "ritm-hrnet18s"
    assert is_local(card)
    state = loaded.state_dict()
    for key, tensor in network.state_dict().items():
        assert torch.equal(state[key], tensor), key


def test_mae_initialises_the_backbone(tmp_path):
    source = networks.build("simpleclick-xtiny", 224).backbone.state_dict()
    encoder = {k: v for k, v in source.items() if not k.startswith(("fc_norm", "head"))}
    encoder["norm.weight"] = torch.ones(160)
    torch.save({"model": encoder}, tmp_path / "mae.pth")
    network = networks.build("simpleclick-xtiny", 448)
    load_encoder(network, "mae", tmp_path / "mae.pth")
    assert torch.equal(
        network.backbone.blocks[7].mlp.fc2.weight, encoder["blocks.7.mlp.fc2.weight"]
    )
    assert network.backbone.pos_embed.shape == (1, 785, 160)
    assert torch.equal(network.backbone.pos_embed[:, 0], encoder["pos_embed"][:, 0])
    other = networks.build("simpleclick-base")
    with pytest.raises(WeightsError, match="does not fit this network"):
        load_encoder(other, "mae", tmp_path / "mae.pth")


def test_a_pyramid_variant_is_stored_with_its_weights(tmp_path):
    config = replace(networks.NETWORKS["simpleclick-xtiny"], levels="parallel")
    network = config.build()
    path = tmp_path / "a.safetensors"
    save_weights(network, path, Card("a", "simpleclick-xtiny", path.name))
    loaded, card = load_weights(path)
    assert loaded.config.levels == "parallel"
    assert card.network == "simpleclick-xtiny"
    state = dict(loaded.state_dict().items())
    save_file(state, path, {"levels": "spiral"})
    with pytest.raises(WeightsError, match="a pyramid 'spiral'"):
        load_weights(path)
