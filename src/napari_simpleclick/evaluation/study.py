"""The record of a person who annotates cases: what was clicked, when, how well."""

from __future__ import annotations

import json
import os
import re
import zlib
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError
from skimage.io import imsave

from napari_simpleclick.errors import UserError
from napari_simpleclick.evaluation.metrics import dice, summarise
from napari_simpleclick.evaluation.result import CaseResult, Result
from napari_simpleclick.weights import find_card
from napari_simpleclick.weights.catalogue import BUNDLED_BEFORE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_simpleclick.evaluation.datasets import Case

CODE = re.compile(r"[A-Za-z0-9_-]{1,16}")
"""What a participant may be called: a code, so that nobody's name is recorded."""


class Study:
    """Cases in random order, with a record on disk of all that a person does.

    The record, ``CODE.jsonl``, is written line by line. Opening the same study again
    goes on after the last finished case; a case that was cut off starts anew, its
    earlier clicks stay in the record.

    Parameters
    ----------
    cases : sequence of Case
        At least one.
    participant : str
        A code of up to 16 letters, digits, ``-`` and ``_``.
    folder : Path
        Where the record is, or will be.
    model : str
        Catalogue name or file of the weights; the same for the whole study.

    Raises
    ------
    UserError
        If the code cannot be used, the folder cannot be written, or the record there
        is of other cases or another model.
    """

    def __init__(
        self, cases: Sequence[Case], participant: str, folder: Path, model: str
    ) -> None:
        if not CODE.fullmatch(participant):
            raise UserError(
                f"'{participant}' is not a participant code; use up to 16 letters, "
                "digits, - and _, and no name."
            )
        card = find_card(model)
        self.participant, self.model = participant, card.name if card else model
        rng = np.random.default_rng(zlib.crc32(participant.encode()))
        self.cases = [cases[index] for index in rng.permutation(len(cases))]
        self.path = folder / f"{participant}.jsonl"
        self.finished: list[CaseResult] = []
        self._clear()
        keys = [[case.name, case.instance] for case in self.cases]
        try:
            self.masks.mkdir(parents=True, exist_ok=True)
            if self.path.exists():
                self._load(keys)
            self._write("open", cases=keys, model=Path(self.model).name)
        except OSError as error:
            raise UserError(
                f"'{folder}' cannot be written to: {error.strerror}; choose another "
                "folder."
            ) from error

    def _clear(self) -> None:
        self._clicks: list[tuple[int, int, bool]] = []
        self._ious: list[float] = []
        self._times: list[float] = []
        self._active = 0.0
        self._since: float | None = None

    @property
    def masks(self) -> Path:
        """Folder of the mask after each click, and of the report."""
        return self.path.with_suffix("")

    # -- where it stands ------------------------------------------------------------

    @property
    def current(self) -> Case | None:
        """The case to annotate now; None when all are done."""
        done = len(self.finished)
        return self.cases[done] if done < len(self.cases) else None

    @property
    def paused(self) -> bool:
        """Whether the clock stands still."""
        return self._since is None

    @property
    def seconds(self) -> float:
        """Time spent on the current case, without pauses."""
        running = 0.0 if self._since is None else monotonic() - self._since
        return self._active + running

    # -- what happens ---------------------------------------------------------------

    def begin(self) -> None:
        """Start the clock: the current case is in front of the person."""
        self._clear()
        self._since = monotonic()
        case = self.current
        assert case is not None
        self._write("begin", case=case.name, instance=case.instance)

    def pause(self) -> None:
        """Stop the clock."""
        if self._since is not None:
            self._active = self.seconds
            self._since = None
            self._write("pause")

    def resume(self) -> None:
        """Let the clock go on."""
        if self._since is None:
            self._since = monotonic()
            self._write("resume")

    def click(
        self,
        row: int,
        column: int,
        positive: bool,
        mask: NDArray[np.bool_],
        iou: float,
        seconds: float,
        **about: Any,
    ) -> None:
        """Record a click with its answer.

        Parameters
        ----------
        row, column : int
            Where, px.
        positive : bool
            Its sign.
        mask : ndarray
            (H, W) bool, the answer; kept as a picture for the report.
        iou : float
            Of the mask after it, 0 to 1.
        seconds : float
            When it was made, on the clock of the case.
        **about
            Whatever else is worth keeping: slice, zoom, clicks that still stand.
        """
        count = len(self._clicks) + 1
        path = self.mask_path(len(self.finished), count)
        imsave(path, 255 * mask.astype(np.uint8), check_contrast=False)
        self._clicks.append((row, column, positive))
        self._ious.append(float(np.float32(iou)))
        self._times.append(round(seconds, 3))
        self._write(
            "click",
            row=row,
            column=column,
            positive=positive,
            iou=iou,
            dice=dice(iou),
            seconds=round(seconds, 3),
            **about,
        )

    def note(self, event: str, **about: Any) -> None:
        """Record something else that the person did: undo, redo, a moved click."""
        self._write(event, **about)

    def mask_path(self, number: int, count: int) -> Path:
        """Picture of the mask of case ``number`` (from 0) after ``count`` clicks."""
        return self.masks / f"case{number + 1}-click{count}.png"

    def finish(self, iou: float) -> None:
        """Go on, as the person is content with the current case.

        Parameters
        ----------
        iou : float
            Of the final mask, painting included, 0 to 1.

        Raises
        ------
        UserError
            If nothing was clicked yet.
        """
        case = self.current
        if case is None or not self._clicks:
            raise UserError("Click on the object first; there is no mask yet.")
        found = CaseResult(
            name=case.name,
            instance=case.instance,
            clicks=tuple(self._clicks),
            ious=tuple(self._ious),
            seconds=round(self.seconds, 3),
            times=tuple(self._times),
            final_iou=round(iou, 6),
        )
        self._write("finish", dice=dice(iou), result=found.model_dump())
        self.finished.append(found)
        self._clear()

    def result(self, most: int = 20) -> Result:
        """Sum up the finished cases.

        Parameters
        ----------
        most : int
            Clicks that a missed target counts as.

        Raises
        ------
        UserError
            If no case is finished.
        """
        if not self.finished:
            raise UserError("No case is finished yet, so there is nothing to report.")
        settings = {"clicks": most, "order": [case.name for case in self.cases]}
        return summarise(
            "study",
            self.finished,
            weights=Path(self.model).name,
            settings=settings,
            most=most,
            annotator=self.participant,
        )

    # -- the record -----------------------------------------------------------------

    def _load(self, keys: list[list[Any]]) -> None:
        text = self.path.read_text(encoding="utf-8", errors="replace")
        if not text.endswith("\n"):
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n")
        for line in text.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue  # cut off by a crash
            if event["event"] == "open" and event["cases"] != keys:
                raise UserError(
                    f"'{self.path}' is the record of other cases; choose another "
                    "folder or another code."
                )
            model = event.get("model", Path(self.model).name)
            model = BUNDLED_BEFORE if model == "bundled" else model
            if model != Path(self.model).name:
                raise UserError(
                    f"'{self.path}' was begun with the model '{model}'; choose that "
                    "one in the SimpleClick panel first."
                )
            if event["event"] == "finish":
                self.finished.append(self._finished_case(event["result"]))

    def _finished_case(self, values: dict[str, Any]) -> CaseResult:
        try:
            return CaseResult(**values)
        except ValidationError as error:
            raise UserError(
                f"'{self.path}' is damaged ({error.errors()[0]['msg']}); choose "
                "another folder or another code."
            ) from error

    def _write(self, event: str, **about: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, "at": now, **about}) + "\n")
            file.flush()
            os.fsync(file.fileno())
