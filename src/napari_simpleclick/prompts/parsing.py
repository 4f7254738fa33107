"""Prompts as they are written on the command line."""

from __future__ import annotations

from napari_simpleclick.errors import UserError
from napari_simpleclick.prompts.kinds import Box, Click, Prompt, Scribble
from napari_simpleclick.prompts.text import read_numbers, read_points, split_sign

FORMS = (
    "ROW,COLUMN for a click such as 120,85, -ROW,COLUMN for a negative one, "
    "ROW,COLUMN,ROW,COLUMN for the corners of a box, or ROW,COLUMN;ROW,COLUMN;... for "
    "a scribble"
)


def parse_prompt(text: str) -> Prompt:
    """Read a prompt as it is written on the command line.

    Parameters
    ----------
    text : str
        ``ROW,COLUMN`` for a click, ``ROW,COLUMN,ROW,COLUMN`` for two opposite corners
        of a box, ``ROW,COLUMN;ROW,COLUMN;…`` for a scribble; a leading minus makes a
        click or a scribble negative.

    Raises
    ------
    UserError
        If the text is something else.

    Examples
    --------
    >>> parse_prompt("-12,34.5")
    Click(row=12.0, column=34.5, positive=False)
    >>> parse_prompt("40,60,10,20")
    Box(row_min=10.0, column_min=20.0, row_max=40.0, column_max=60.0)
    >>> parse_prompt("1,2;3,4")
    Scribble(points=((1.0, 2.0), (3.0, 4.0)), positive=True)
    """
    negative, place = split_sign(text)
    try:
        if ";" in place:
            return Scribble(read_points(place), not negative)
        numbers = read_numbers(place)
        if len(numbers) == 4 and not negative:
            return Box.between((numbers[0], numbers[1]), (numbers[2], numbers[3]))
        row, column = numbers
    except ValueError:
        raise UserError(f"'{text}' is not a prompt; write {FORMS}.") from None
    return Click(row, column, not negative)
