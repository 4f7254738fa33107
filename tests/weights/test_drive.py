"""Downloads from Google Drive, which asks to confirm what it cannot scan."""

import http.server
import re
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from napari_simpleclick import load_weights
from napari_simpleclick.weights import WeightsError, catalogue, download, is_local

gdown = pytest.importorskip("gdown")
adapters = pytest.importorskip("requests.adapters")

FORM = (
    '<html><body><form id="download-form" method="get" '
    'action="https://drive.usercontent.google.com/download">'
    '<input type="hidden" name="id" value="{id}">'
    '<input type="hidden" name="export" value="download">'
    '<input type="hidden" name="confirm" value="t"></form></body></html>'
)
REFUSAL = (
    '<html><p class="uc-error-subcaption">Too many users have viewed it.</p></html>'
)


class Drive(http.server.BaseHTTPRequestHandler):
    """Shows a page first; the file comes to who confirms."""

    def do_GET(self):
        place = urlsplit(self.path)
        asked = {key: value[0] for key, value in parse_qs(place.query).items()}
        self.server.asked.append(place.path)
        if place.path.endswith("/download") and asked.get("confirm") == "t":
            self.send(self.server.files[asked["id"]], 'attachment; filename="a.pth"')
        elif asked.get("id") in self.server.files:
            self.send(FORM.format(id=asked["id"]).encode())
        else:
            self.send(REFUSAL.encode())

    def send(self, content, disposition=None):
        self.send_response(200)
        kind = "application/octet-stream" if disposition else "text/html"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if disposition:
            self.send_header("Content-Disposition", disposition)
        self.end_headers()
        with suppress(OSError):  # the other side gave up
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def drive(monkeypatch):
    """A server on this computer that answers for Google's."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Drive) as server:
        server.files, server.asked = {}, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        send = adapters.HTTPAdapter.send

        def redirected(self, request, **options):
            place = urlsplit(request.url)
            here = f"127.0.0.1:{server.server_port}"
            request.url = place._replace(scheme="http", netloc=here).geturl()
            return send(self, request, **options)

        monkeypatch.setattr(adapters.HTTPAdapter, "send", redirected)
        yield server
        server.shutdown()


@pytest.fixture
def card():
    return replace(catalogue()["sbd_vit_xtiny"], drive="a-file")


@pytest.fixture
def known(card, monkeypatch):
    """The card is in the catalogue."""
    cards = {**catalogue(), card.name: card}
    monkeypatch.setattr(sys.modules[catalogue.__module__], "catalogue", lambda: cards)
    return card


def test_a_download_is_confirmed_and_known_from_then_on(
    drive, known, official_checkpoint, tmp_path
):
    drive.files["a-file"] = official_checkpoint.read_bytes()
    told = []
    path = download(known, report=lambda done, total: told.append((done, total)))
    assert path.read_bytes() == official_checkpoint.read_bytes()
    assert told[-1] == (path.stat().st_size,) * 2
    assert is_local(known)
    _, card = load_weights(known.name)
    assert card.network == "simpleclick-xtiny"
    asked = len(drive.asked)
    assert download(known) == path
    assert len(drive.asked) == asked


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"<html>sign in</html>", "of no use"), (None, "holds a simpleclick-xtiny")],
)
def test_what_is_not_the_network_is_not_kept(
    drive, card, official_checkpoint, cache, content, reason
):
    drive.files["a-file"] = content or official_checkpoint.read_bytes()
    wanted = card if content else replace(card, network="simpleclick-base")
    with pytest.raises(WeightsError, match=rf"{reason}.* 1\. download .* 2\. load"):
        download(wanted)
    assert not list(cache.glob("*"))
    assert not is_local(wanted)


def test_a_refusal_leads_to_the_two_steps_by_hand(drive, card):
    with pytest.raises(WeightsError, match=r"Failed to retrieve.* 1\. download .* 2\."):
        download(card)


def test_giving_up_is_passed_on_and_nothing_is_known(drive, card, official_checkpoint):
    class GivenUp(Exception):
        pass

    def give_up(done, total):
        raise GivenUp

    drive.files["a-file"] = official_checkpoint.read_bytes()
    with pytest.raises(GivenUp):
        download(card, report=give_up)
    assert not is_local(card)


def test_a_file_in_a_folder_is_found_by_its_name(
    drive, card, official_checkpoint, monkeypatch
):
    names = {"a-file": "x/SBD_xtiny.pth", "b-file": "x/sbd_base.pth"}
    listed = [
        gdown.download_folder.__globals__["GoogleDriveFileToDownload"](*one, one[1])
        for one in names.items()
    ]
    monkeypatch.setattr(gdown, "download_folder", lambda **_: listed)
    drive.files["a-file"] = official_checkpoint.read_bytes()
    there = replace(card, drive="a-folder", drive_name="xtiny")
    with pytest.raises(WeightsError, match=r"2 of the 2 files .* name it"):
        download(replace(there, drive_name="sbd"))
    assert download(there).is_file()


def test_without_the_downloader_it_says_what_to_install(card, monkeypatch):
    monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(
        WeightsError, match=r"napari-simpleclick\[drive\].* 1\. download"
    ):
        download(card)


def test_patterns_of_names_tell_the_files_of_a_folder_apart():
    names = [
        *("hrnet18s_S1_cclvs", "hrnet18s_S2_cclvs", "hrnet32_S2_cclvs"),
        *("hrnet32_S2_comb", "segformerB0_S1_cclvs", "segformerB0_S2_cclvs"),
        *("segformerB3_S2_cclvs", "segformerB3_S2_comb"),
    ]
    cards = [c for c in catalogue().values() if c.network.startswith("focalclick")]
    found = [
        [name for name in names if re.search(card.drive_name, f"{name}.pth".lower())]
        for card in cards
    ]
    assert sorted(found) == sorted([name] for name in names)
