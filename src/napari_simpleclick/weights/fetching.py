"""Downloading a file by HTTP, going on where a connection broke off."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import requests
from tqdm import tqdm

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

CHUNK_BYTES = 2**16
"""Between two reports of how far a download is."""

TIMEOUT_S = 30
"""Without a sign of life from the server."""

Report = Callable[[int, int], None]
"""Is told bytes so far and bytes in all, 0 if unknown; raises to stop a download."""


class Fetcher:
    """Downloads a file for pooch.

    What has arrived is kept beside the target until all of it is there, if the server
    tells versions of the file apart; the next attempt asks for the rest of the same
    version.

    Parameters
    ----------
    target : Path
        Where the file will be in the end.
    progress : bool
        Show a progress bar on stderr.
    report : callable or None
        Called with bytes so far and in all instead of that bar.
    """

    def __init__(self, target: Path, progress: bool, report: Report | None) -> None:
        self._part = target.with_name(f"{target.name}.part")
        self._version = target.with_name(f"{target.name}.part-version")
        self._progress, self._report = progress, report

    def __call__(self, url: str, file: str, fetcher: Any) -> None:
        """Download to ``file``, as pooch asks for it."""
        del fetcher  # pooch hands itself over
        have, headers = self._kept()
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as got:
            if got.status_code == requests.codes.requested_range_not_satisfiable:
                self._forget()
            got.raise_for_status()
            if got.status_code != requests.codes.partial_content:
                have = 0
            version = got.headers.get("ETag", "")
            if version.startswith("W/"):
                version = ""  # a weak one does not promise the same bytes
            self._version.write_text(version)
            left = int(got.headers.get("Content-Length") or 0)
            try:
                with self._part.open("ab" if have else "wb") as part:
                    self._receive(got, part, have, have + left if left else 0)
            except BaseException:
                if not version:
                    self._forget()
                raise
        shutil.move(self._part, file)
        self._forget()

    def _kept(self) -> tuple[int, dict[str, str]]:
        """Bytes that are here already, and how to ask for the rest."""
        try:
            have, version = self._part.stat().st_size, self._version.read_text()
        except OSError:
            return 0, {}
        if not have or not version:
            return 0, {}
        return have, {"Range": f"bytes={have}-", "If-Range": version}

    def _receive(
        self, got: requests.Response, part: BinaryIO, done: int, total: int
    ) -> None:
        """Write what comes, and tell how far it is."""
        hidden = not self._progress or self._report is not None
        with tqdm(
            total=total or None,
            initial=done,
            unit="B",
            unit_scale=True,
            disable=hidden,
        ) as bar:
            for chunk in got.iter_content(CHUNK_BYTES):
                done += part.write(chunk)
                bar.update(len(chunk))
                if self._report is not None:
                    self._report(done, total)
        if total and done < total:
            raise requests.ConnectionError(f"only {done} of {total} bytes came")

    def _forget(self) -> None:
        self._part.unlink(missing_ok=True)
        self._version.unlink(missing_ok=True)
