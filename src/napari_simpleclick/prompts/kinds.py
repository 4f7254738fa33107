"""The kinds of prompts, and their one JSON form.

All coordinates are in px of one slice; (0, 0) is the centre of its first pixel.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from napari_simpleclick.errors import UserError
from napari_simpleclick.prompts.lines import (
    Point,
    as_points,
    lines_inside,
    walk_along,
)
from napari_simpleclick.prompts.text import read_line, read_numbers, split_sign

if TYPE_CHECKING:
    from collections.abc import Callable


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
        negative, place = split_sign(text)
        try:
            (row, column) = read_numbers(place)
        except ValueError:
            raise UserError(
                f"'{text}' is not a click; write ROW,COLUMN such as 120,85, or "
                "-ROW,COLUMN for a negative click."
            ) from None
        return cls(row, column, not negative)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle around an object.

    Parameters
    ----------
    row_min, column_min, row_max, column_max : float
        Its corners, px. They may lie beyond the image's edge; see :meth:`clipped`.
    """

    row_min: float
    column_min: float
    row_max: float
    column_max: float

    @classmethod
    def between(cls, one: Point, other: Point) -> Box:
        """Span a box between two opposite corners, in any order."""
        rows, columns = sorted((one[0], other[0])), sorted((one[1], other[1]))
        return cls(rows[0], columns[0], rows[1], columns[1])

    @classmethod
    def parse(cls, text: str) -> Box:
        """Read ``ROW,COLUMN,ROW,COLUMN``: two opposite corners.

        Raises
        ------
        UserError
            If the text is something else.
        """
        try:
            top, left, bottom, right = read_numbers(text)
        except ValueError:
            raise UserError(
                f"'{text}' is not a box; write ROW,COLUMN,ROW,COLUMN of two opposite "
                "corners, such as 10,20,40,60."
            ) from None
        return cls.between((top, left), (bottom, right))

    def clipped(self, shape: tuple[int, int]) -> Box:
        """Give the part of the box that lies on an image of (height, width) px."""
        low = (max(self.row_min, -0.5), max(self.column_min, -0.5))
        high = (min(self.row_max, shape[0] - 0.5), min(self.column_max, shape[1] - 0.5))
        return Box(*low, *high)


@dataclass(frozen=True, slots=True)
class Scribble:
    """A stroke inside an object, or on what does not belong to it.

    Parameters
    ----------
    points : tuple of tuple of float
        (row, column) of the corners of its line, px, in the order they were drawn.
    positive : bool
        As of a :class:`Click`.
    """

    points: tuple[Point, ...]
    positive: bool = True

    def __post_init__(self) -> None:
        """Take points of any kind, such as those of an array."""
        object.__setattr__(self, "points", as_points(self.points))

    @classmethod
    def parse(cls, text: str) -> Scribble:
        """Read ``ROW,COLUMN;ROW,COLUMN;…``, with a leading minus for a negative one.

        Raises
        ------
        UserError
            If the text is something else.
        """
        negative, place = split_sign(text)
        return cls(read_line(place, "scribble"), not negative)

    @property
    def length_px(self) -> float:
        """Length of the line."""
        return sum(math.dist(one, other) for one, other in pairwise(self.points))

    def evenly_spaced(self, distance_px: float) -> tuple[Point, ...]:
        """Give points along the line, both its ends included.

        Parameters
        ----------
        distance_px : float
            Distance between neighbours along the line, above 0; it is rounded to a
            whole part of the length.

        Returns
        -------
        tuple of tuple of float
            (row, column) of at least one point; of two if the line has a length.
        """
        length = self.length_px
        if not length:
            return self.points[:1]
        count = max(1, round(length / distance_px))
        return (*walk_along(self.points, length / count, count), self.points[-1])

    def clipped(self, shape: tuple[int, int]) -> tuple[Scribble, ...]:
        """Give the parts of the line that lie on an image of (height, width) px."""
        parts = lines_inside(self.points, shape)
        return tuple(Scribble(points, self.positive) for points in parts)


@dataclass(frozen=True, slots=True)
class Lasso:
    """A closed line around an object.

    Parameters
    ----------
    points : tuple of tuple of float
        (row, column) of its corners, px, in the order they were drawn; the last is
        joined to the first. They may lie beyond the image's edge.
    """

    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        """Take points of any kind, such as those of an array."""
        object.__setattr__(self, "points", as_points(self.points))

    @classmethod
    def parse(cls, text: str) -> Lasso:
        """Read ``ROW,COLUMN;ROW,COLUMN;…``.

        Raises
        ------
        UserError
            If the text is something else.
        """
        return cls(read_line(text, "lasso"))


Prompt = Click | Box | Scribble | Lasso
"""What a session holds, and what a network may be asked with."""


def prompt_to_json(prompt: Prompt) -> dict[str, Any]:
    """Give the JSON value of a prompt, the same in every file.

    Returns
    -------
    dict
        ``kind`` (``click``, ``box``, ``scribble`` or ``lasso``) and the parameters of
        its class.

    Examples
    --------
    >>> prompt_to_json(Click(1.0, 2.0))
    {'kind': 'click', 'row': 1.0, 'column': 2.0, 'positive': True}
    """
    return {"kind": type(prompt).__name__.lower(), **asdict(prompt)}


def prompt_from_json(value: Any) -> Prompt:
    """Read what :func:`prompt_to_json` gave.

    Raises
    ------
    UserError
        If it is something else.
    """
    try:
        fields = {name: one for name, one in value.items() if name != "kind"}
        positive = bool(fields.pop("positive", True))
        if value["kind"] in ("scribble", "lasso"):
            points = fields.pop("points")
            line = tuple((float(row), float(column)) for row, column in points)
            if value["kind"] == "lasso":
                return Lasso(line, **fields)
            return Scribble(line, positive, **fields)
        numbers = {name: float(one) for name, one in fields.items()}
        if value["kind"] == "box":
            return Box(**numbers)
        if value["kind"] == "click":
            return Click(positive=positive, **numbers)
        raise ValueError(value["kind"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{value!r} is not a click, a box, a scribble or a lasso."
        ) from error


def moved(prompt: Prompt, move: Callable[[Point], Point]) -> Prompt:
    """Give the same prompt elsewhere, such as on another pixel grid.

    Parameters
    ----------
    prompt : Prompt
        The prompt.
    move : callable
        Takes the (row, column) of a point and gives its new one.

    Returns
    -------
    Prompt
        A click, a box between the two new corners, a scribble, or a lasso.
    """
    if isinstance(prompt, Click):
        return Click(*move((prompt.row, prompt.column)), prompt.positive)
    if isinstance(prompt, Box):
        one = move((prompt.row_min, prompt.column_min))
        return Box.between(one, move((prompt.row_max, prompt.column_max)))
    points = tuple(move(point) for point in prompt.points)
    return (
        Lasso(points)
        if isinstance(prompt, Lasso)
        else Scribble(points, prompt.positive)
    )
