"""What came of teaching: weights, what they are good for, and their file."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError
from napari_simpleclick.training.teaching.check import TOLERATED, Score
from napari_simpleclick.weights.taught import Lesson, save_taught

if TYPE_CHECKING:
    from napari_simpleclick.networks import Network
    from napari_simpleclick.training.teaching.pupil import Weights
    from napari_simpleclick.weights import Card
    from napari_simpleclick.weights.taught import Base


@dataclass(frozen=True, eq=False)
class TaughtModel:
    """What came of teaching.

    Parameters
    ----------
    network : Network
        In evaluation mode; with the weights before, if it was not adopted.
    adopted : bool
        Whether objects that were not learned from need fewer clicks with it.
    base : Base
        The weights before.
    card : Card
        Those of the weights before.
    before, after : Score
        On objects that were not learned from, by the pupils of both halves.
    elsewhere : tuple of Score
        On other kinds of objects, before and after.
    objects : tuple of str
        What was learned from.
    left_out : tuple of str
        A sentence for each object that could not be learned from.
    seconds : float
        How long it took.
    batches : int
        How many batches that were.
    share : float
        1 for the taught weights, 0.5 for the mean of those and the weights before.
    """

    network: Network
    adopted: bool
    base: Base
    card: Card
    before: Score
    after: Score
    elsewhere: tuple[Score, Score]
    objects: tuple[str, ...]
    left_out: tuple[str, ...]
    seconds: float
    batches: int
    share: float
    _root: Weights = field(repr=False)

    @property
    def summary(self) -> str:
        """What was learned, in a sentence."""
        count, before, after = len(self.objects), self.before, self.after
        if not self.batches:
            return (
                f"Nothing could be learned from {count} objects in {self.seconds:.0f} "
                "seconds; allow more time, and teach again."
            )
        if not self.adopted:
            compared = (
                _compared(after, before) or f"{after.clicks:.1f} clicks, as before"
            )
            if after.beats(before):
                compared += ", but other kinds lose too much"
            elif after.clicks < before.clicks:
                compared += ", but first masks are worse"
            return (
                f"{count} objects did not help: others like them need {compared}; "
                "accept more, and teach again."
            )
        better = _compared(after, before) or (
            f"first masks {100 * after.overlap:.0f} % right instead of "
            f"{100 * before.overlap:.0f} %"
        )
        lost = 100 * (self.elsewhere[0].overlap - self.elsewhere[1].overlap)
        price = ""
        if lost > 100 * TOLERATED:
            price = (
                " Other kinds of objects are found less well, by "
                f"{lost:.0f} points of overlap."
            )
        return f"Learned from {count} objects: {better}.{price}"

    def lesson(self) -> Lesson:
        """Give what the file says about itself."""
        from napari_simpleclick import __version__

        before, after = self.elsewhere
        return Lesson(
            self.base,
            self.objects,
            round(self.seconds, 1),
            self.batches,
            self.before.as_dict(),
            self.after.as_dict(),
            {"before": round(before.overlap, 4), "after": round(after.overlap, 4)},
            time.strftime("%Y-%m-%d"),
            f"napari-simpleclick {__version__}",
        )

    def save(self, path: str | Path, name: str = "") -> Card:
        """Write what has changed to a file that ``load_weights`` takes.

        Parameters
        ----------
        path : str or Path
            Target, ``.safetensors``.
        name : str
            How the weights are called; by default as the file.

        Returns
        -------
        Card
            As it is in the file.

        Raises
        ------
        UserError
            If nothing was adopted, or the file has another ending.
        OSError
            If it cannot be written; nothing is left of it then.
        """
        path = Path(path)
        if not self.adopted:
            raise UserError(self.summary)
        if path.suffix != ".safetensors":
            raise UserError(
                f"'{path}' does not end in .safetensors; give it that ending."
            )
        count = len(self.objects)
        card = replace(
            self.card,
            name=name or path.stem,
            file=path.name,
            origin=f"taught on {count} accepted objects; before: {self.card.origin}",
            training_data=f"{self.card.training_data}; {count} accepted objects",
            bytes=0,
            sha256="",
            md5="",
            url="",
            page="",
        )
        save_taught(self.network, self._root, path, card, self.lesson())
        return card


def _compared(after: Score, before: Score) -> str:
    """Tell of clicks, as exactly as it takes; nothing if there is no difference."""
    for digits in (1, 2):
        new, old = f"{after.clicks:.{digits}f}", f"{before.clicks:.{digits}f}"
        if new != old:
            return f"{new} clicks an object instead of {old}"
    return ""
