"""A click: where, and whether it is inside or outside the object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Click:
    """One click of a person or of the robot annotator.

    Parameters
    ----------
    row, column : float
        Position in px; (0, 0) is the centre of the first pixel.
    positive : bool
        True inside the object, False on what does not belong to it.

    Examples
    --------
    >>> Click(120, 85)
    Click(row=120, column=85, positive=True)
    >>> Click.parse("-40,60")
    Click(row=40.0, column=60.0, positive=False)
    """

    row: float
    column: float
    positive: bool = True

    @classmethod
    def parse(cls, text: str) -> Click:
        """Read ``ROW,COLUMN``, with a leading minus for a negative click.

        Raises
        ------
        UserError
            If the text is something else.
        """
        place = text.strip()
        negative = place.startswith("-")
        try:
            row, column = (float(part) for part in place.removeprefix("-").split(","))
        except ValueError:
            raise UserError(
                f"'{text}' is not a click; write ROW,COLUMN such as 120,85, or "
                "-ROW,COLUMN for a negative click."
            ) from None
        return cls(row, column, not negative)


def check_clicks(clicks: Iterable[Click], shape: tuple[int, int]) -> None:
    """Refuse an empty list and clicks outside an image.

    Parameters
    ----------
    clicks : iterable of Click
        The clicks.
    shape : tuple of int
        (height, width) of the image, px.

    Raises
    ------
    UserError
        If there is no click, or one lies outside.
    """
    count = 0
    for click in clicks:
        count += 1
        inside = -0.5 <= click.row < shape[0] - 0.5
        if not (inside and -0.5 <= click.column < shape[1] - 0.5):
            raise UserError(
                f"The click at row {click.row:g}, column {click.column:g} is outside "
                f"the image of {shape[0]} x {shape[1]} px; click on the image."
            )
    if count == 0:
        raise UserError("There is no click yet; click on the object first.")
