"""Weights on Google Drive, which asks a person to confirm large downloads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import requests

from napari_simpleclick.weights.errors import WeightsError
from napari_simpleclick.weights.fetching import TIMEOUT_S

if TYPE_CHECKING:
    from pathlib import Path

    from napari_simpleclick.weights.catalogue import Card
    from napari_simpleclick.weights.fetching import Report

INSTALL = "pip install 'napari-simpleclick[drive]'"


def steps_by_hand(card: Card) -> str:
    """Tell a person how to fetch the file of a card, in two steps."""
    named = f" and name it '{card.file}'" if card.drive_name else f" '{card.file}'"
    what = f"the weights of {card.network}" if card.drive_name else "the file"
    return (
        f"1. download {what}{named} from {card.page}; 2. load that file once, and it "
        "is known by name from then on."
    )


def fetch(
    card: Card, target: Path, progress: bool = False, report: Report | None = None
) -> None:
    """Download a file from Google Drive; it is refused unless it is the network's.

    Parameters
    ----------
    card : Card
        With the id of the file, or of a folder and the file's name in it.
    target : Path
        Where the file goes.
    progress : bool
        Show a progress bar on stderr.
    report : callable or None
        Called with bytes so far and in all instead of that bar; an exception that it
        raises stops the download and is passed on.

    Raises
    ------
    WeightsError
        If the downloader is not installed, the file could not be had, or it holds
        something else.
    """
    gdown = _downloader(card)
    target.parent.mkdir(parents=True, exist_ok=True)
    arrived = target.with_name(f"arrived-{target.name}")
    try:
        gdown.download(
            id=_file_id(gdown, card),
            output=str(arrived),
            quiet=not progress or report is not None,
            resume=True,
            use_cookies=False,
            timeout=TIMEOUT_S,
            progress=None if report is None else lambda n, all_: report(n, all_ or 0),
        )
    except (gdown.exceptions.DownloadError, requests.RequestException, OSError) as e:
        first = str(e).strip().partition("\n")[0].rstrip(":.") or type(e).__name__
        raise WeightsError(
            f"'{card.name}' could not be had from Google Drive ({first}); fetch it by "
            f"hand: {steps_by_hand(card)}"
        ) from e
    try:
        check(arrived, card)
    except WeightsError:
        arrived.unlink()
        raise
    arrived.replace(target)


def _downloader(card: Card) -> Any:
    try:
        import gdown
    except ImportError as error:
        raise WeightsError(
            f"'{card.name}' lies on Google Drive, and what downloads from there is not "
            f"installed: {INSTALL}, or fetch it by hand: {steps_by_hand(card)}"
        ) from error
    return gdown


def _file_id(gdown: Any, card: Card) -> str:
    """Give the id of the file; one in a folder is found by its name."""
    if not card.drive_name:
        return card.drive
    listed = gdown.download_folder(
        id=card.drive, quiet=True, skip_download=True, use_cookies=False
    )
    found = [
        file.id
        for file in listed or ()
        if re.search(card.drive_name, file.path.lower())
    ]
    if len(found) != 1:
        raise gdown.exceptions.DownloadError(
            f"{len(found) or 'none'} of the {len(listed or ())} files in the folder "
            "can be meant"
        )
    return str(found[0])


def check(path: Path, card: Card) -> None:
    """Refuse a file that does not hold the network of a card; nothing in it is run.

    Raises
    ------
    WeightsError
        If it does not.
    """
    from napari_simpleclick.weights.checkpoints import kind_of

    try:
        kind = kind_of(path)
    except WeightsError as error:
        raise WeightsError(
            f"What came for '{card.name}' is of no use ({str(error).rstrip('.')}); "
            f"fetch it by hand: {steps_by_hand(card)}"
        ) from error
    if kind != card.network:
        raise WeightsError(
            f"What came for '{card.name}' holds a {kind}, not a {card.network}; fetch "
            f"it by hand: {steps_by_hand(card)}"
        )
