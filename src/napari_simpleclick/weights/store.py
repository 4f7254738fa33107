"""Where weights are on this computer, and how they get there."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pooch

from napari_simpleclick.weights import drive
from napari_simpleclick.weights.catalogue import Card, catalogue, find_card
from napari_simpleclick.weights.errors import WeightsError
from napari_simpleclick.weights.fetching import Fetcher, Report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from napari_simpleclick.networks import Network, NetworkSpec
    from napari_simpleclick.weights.taught import Base

RETRIES = 3
"""Attempts at a download that breaks off or arrives damaged."""


def cache_folder() -> Path:
    """Folder for downloads; ``NAPARI_SIMPLECLICK_CACHE`` overrides the user cache."""
    name = "napari-simpleclick"
    return Path(os.environ.get("NAPARI_SIMPLECLICK_CACHE") or pooch.os_cache(name))


def load_weights(name_or_path: str | Path = "bundled") -> tuple[Network, Card]:
    """Load a network with its weights.

    Parameters
    ----------
    name_or_path : str or Path
        A name in the catalogue, ``"bundled"`` for the packaged weights that need the
        fewest clicks, or a ``.safetensors`` or official ``.pth`` file. An
        official file is recognised by its name, and found again by its catalogue
        name from then on. A file of taught weights needs those that were taught.

    Returns
    -------
    Network
        In evaluation mode, on the CPU.
    Card
        Where the weights come from and their licence.

    Raises
    ------
    WeightsError
        If the weights cannot be found, trusted or used.
    MemoryError
        If they do not fit into memory.

    Examples
    --------
    >>> network, card = load_weights("bundled")
    >>> card.network, card.name
    ('encode-once-lite0', 'encode-once')
    """
    from napari_simpleclick.weights.checkpoints import network_from

    known = find_card(name_or_path)
    path = locate_weights(name_or_path)
    state, about = _read(path)
    network, kind = network_from(state, about, path)
    if known is None:
        known = _describe(path, kind, about)
    elif known.network != kind:
        raise WeightsError(
            f"'{path}' holds a {kind}, but '{known.name}' is a {known.network}; "
            "fetch the right file."
        )
    return network, known


def spec_of(name_or_path: str | Path) -> NetworkSpec:
    """Tell what the network of some weights takes, without loading them.

    Parameters
    ----------
    name_or_path : str or Path
        As :func:`load_weights` takes it. Nothing is read for known weights, and of a
        file only the shapes of its tensors.

    Raises
    ------
    WeightsError
        If there are no such weights.
    """
    from napari_simpleclick.networks import NETWORKS
    from napari_simpleclick.weights.checkpoints import recognise

    known = find_card(name_or_path)
    if known is not None:
        return NETWORKS[known.network].spec
    path = locate_weights(name_or_path)
    return recognise(*_read(path, shapes_only=True), path)[1].spec


def base_of(name_or_path: str | Path) -> Base:
    """Tell which weights some weights are, or were before they were taught.

    Raises
    ------
    WeightsError
        If there are no such weights.
    """
    from napari_simpleclick.weights.checkpoints import read_checkpoint
    from napari_simpleclick.weights.taught import Base, lesson_of

    path = locate_weights(name_or_path)
    lesson = lesson_of(read_checkpoint(path, shapes_only=True)[1], path)
    if lesson is not None:
        return lesson.base
    known = find_card(name_or_path)
    name = path.stem if known is None else known.name
    return Base(name, str(path.resolve()), checksum(path))


def read_base(base: Base, path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the weights that a file was taught on, and what they say about themselves.

    Parameters
    ----------
    base : Base
        As the file names them.
    path : Path
        The file.

    Raises
    ------
    WeightsError
        If they are not on this computer, or others by now.
    """
    from napari_simpleclick.weights.checkpoints import read_checkpoint

    return read_checkpoint(_locate_base(base, path))


def _read(
    path: Path, shapes_only: bool = False
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a file; that of taught weights together with those before."""
    from napari_simpleclick.weights.checkpoints import read_checkpoint
    from napari_simpleclick.weights.taught import check_whole, complete, lesson_of

    state, about = read_checkpoint(path, shapes_only=shapes_only)
    lesson = lesson_of(about, path)
    if lesson is None:
        return state, about
    before, told = read_checkpoint(
        _locate_base(lesson.base, path), shapes_only=shapes_only
    )
    if not shapes_only:
        check_whole(state, about, path)
    return complete(state, before, path), {**told, **about}


def _locate_base(base: Base, path: Path) -> Path:
    """Find the very weights that a file was taught on."""
    known = catalogue().get(base.name)
    places = [path.with_name(Path(base.file).name), Path(base.file)]
    if known is not None and is_local(known):
        places.insert(0, locate(known))
    for place in places:
        if place.is_file() and checksum(place) == base.sha256:
            return place
    raise WeightsError(
        f"'{path.name}' was taught on the weights '{base.name}', which are others now "
        f"or not on this computer; put their file '{Path(base.file).name}' beside it, "
        "or teach again."
    )


def locate_weights(name_or_path: str | Path) -> Path:
    """Path of weights by name or path, downloading known ones if need be.

    Raises
    ------
    WeightsError
        If there are no such weights.
    """
    known = find_card(name_or_path)
    path = locate(known) if known else Path(name_or_path).expanduser()
    if known is None and not path.exists() and path.suffix == "":
        raise WeightsError(
            f"'{name_or_path}' is neither a file nor known weights; choose one of "
            f"bundled, {', '.join(catalogue())}, or give the path of a file."
        )
    return path


def _describe(path: Path, kind: str, about: dict[str, Any]) -> Card:
    """Card of a file that was loaded by path; official files are remembered."""
    if "card" in about:
        known = {field.name for field in fields(Card)}
        try:
            told = json.loads(about["card"]).items()
            return Card(**{k: v for k, v in told if k in known} | {"file": path.name})
        except (ValueError, TypeError, AttributeError) as error:
            raise WeightsError(
                f"'{path}' is damaged: its model card cannot be read; take another "
                "copy, or make it again."
            ) from error
    for card in catalogue().values():
        if card.file == path.name and card.network == kind:
            seen = _remembered().get(card.name, {})
            if seen.get("path") == str(path.resolve()) and _unchanged(seen, path):
                return described(card)
            return _remember(card, path)
    return Card(path.stem, kind, path.name, origin=f"file {path.name}")


def locate(card: Card) -> Path:
    """Path of known weights on this computer, downloading them if need be.

    Raises
    ------
    WeightsError
        If only a person can fetch them, the download failed, or a file that was
        recognised before has changed since.
    """
    if card.packaged is not None:
        return card.packaged
    seen = _remembered().get(card.name)
    if not seen or not Path(seen["path"]).exists():
        return download(card)
    path = Path(seen["path"])
    if seen["sha256"] == (card.sha256 or seen["sha256"]):
        if _unchanged(seen, path):
            return path
        if checksum(path) == seen["sha256"]:
            _note(card, path, seen["sha256"])  # copied or touched, but the same
            return path
    if card.is_fetched:
        return download(card)
    raise WeightsError(
        f"'{path}' has changed since it was recognised as {card.name}; fetch it again "
        "and load it by its path."
    )


def _unchanged(seen: Mapping[str, Any], path: Path) -> bool:
    """Whether a file has size and time that it had when it was hashed."""
    found = path.stat()
    return (seen.get("bytes"), seen.get("modified")) == (
        found.st_size,
        found.st_mtime_ns,
    )


def download(card: Card, progress: bool = False, report: Report | None = None) -> Path:
    """Download weights into the cache, or find them there.

    Parameters
    ----------
    card : Card
        With an address or a place on Google Drive, and a checksum where one is known.
    progress : bool
        Show a progress bar on stderr.
    report : callable or None
        Called with bytes so far and in all instead of that bar. An exception that it
        raises stops the download and is passed on; what has come is kept for the next
        time, if the server can go on from there.

    Returns
    -------
    Path
        The file. Its checksum has been verified; where none is known, that of the first
        download is noted, and the file has to keep it.

    Raises
    ------
    WeightsError
        If there is no address, or the download failed.
    """
    if card.drive and not card.url:
        return _from_drive(card, progress, report)
    if not card.url:
        by_hand = drive.steps_by_hand(card)
        raise WeightsError(f"'{card.name}' has to be fetched by hand: {by_hand}")
    fetch = Fetcher(cache_folder() / card.file, progress, report)
    try:
        path = pooch.create(
            cache_folder(),
            base_url="",
            registry={card.file: _expected(card)},
            urls={card.file: card.url},
            retry_if_failed=RETRIES,
        ).fetch(card.file, downloader=fetch)
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"'{card.name}' could not be downloaded from {card.url} ({error}); check "
            "the connection and try again."
        ) from error
    _note(card, Path(path), card.sha256 or checksum(Path(path)))
    return Path(path)


def _from_drive(card: Card, progress: bool, report: Report | None) -> Path:
    """Download from Google Drive, unless the file is here already."""
    path = cache_folder() / card.file
    noted = _remembered().get(card.name)
    if path.exists() and noted and checksum(path) == noted["sha256"]:
        return path
    drive.fetch(card, path, progress, report)
    _note(card, path, checksum(path))
    return path


def _expected(card: Card) -> str | None:
    """Checksum of a file as pooch takes it: known, or noted at the first download."""
    noted = _remembered().get(card.name, {}).get("sha256")
    return card.published_checksum or (f"sha256:{noted}" if noted else None)


def checksum(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remembered() -> dict[str, dict[str, Any]]:
    try:
        found: dict[str, dict[str, Any]] = json.loads(_memory().read_text())
    except (OSError, ValueError):
        return {}
    return found


def _memory() -> Path:
    return cache_folder() / "recognised.json"


def _remember(card: Card, path: Path) -> Card:
    """Note an official file's place and checksum for the next time."""
    digest = checksum(path)
    _note(card, path, digest)
    return replace(card, sha256=digest, bytes=path.stat().st_size)


def _note(card: Card, path: Path, digest: str) -> None:
    """Note what a file is, and by which size and time to tell that it still is."""
    found = path.stat()
    known = _remembered()
    known[card.name] = {
        "path": str(path.resolve()),
        "sha256": digest,
        "bytes": found.st_size,
        "modified": found.st_mtime_ns,
    }
    with suppress(OSError):  # a cache that cannot be written is no reason to fail
        cache_folder().mkdir(parents=True, exist_ok=True)
        partial = _memory().with_suffix(".part")
        partial.write_text(json.dumps(known, indent=2))
        partial.replace(_memory())


def described(card: Card) -> Card:
    """Complete a card with what this computer has learnt about the file."""
    seen = _remembered().get(card.name)
    return replace(card, sha256=seen["sha256"], bytes=seen["bytes"]) if seen else card


def is_local(card: Card) -> bool:
    """Whether the weights are on this computer."""
    seen = _remembered().get(card.name)
    return (
        card.packaged is not None
        or bool(card.is_fetched and (cache_folder() / card.file).exists())
        or bool(seen and Path(seen["path"]).exists())
    )
