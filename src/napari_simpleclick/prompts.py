"""What a person shows a network of an object: clicks, boxes, scribbles and lassos.

All coordinates are in px of one slice; (0, 0) is the centre of its first pixel.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Point = tuple[float, float]
"""Row and column, px."""

FORMS = (
    "ROW,COLUMN for a click such as 120,85, -ROW,COLUMN for a negative one, "
    "ROW,COLUMN,ROW,COLUMN for the corners of a box, or ROW,COLUMN;ROW,COLUMN;... for "
    "a scribble"
)


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
        negative, place = _split_sign(text)
        try:
            (row, column) = _numbers(place)
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
            top, left, bottom, right = _numbers(text)
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

    @classmethod
    def parse(cls, text: str) -> Scribble:
        """Read ``ROW,COLUMN;ROW,COLUMN;…``, with a leading minus for a negative one.

        Raises
        ------
        UserError
            If the text is something else.
        """
        negative, place = _split_sign(text)
        return cls(_line(place, "scribble"), not negative)

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
        return (*_along(self.points, length / count, count), self.points[-1])

    def clipped(self, shape: tuple[int, int]) -> Scribble:
        """Leave out the points that do not lie on an image of (height, width) px."""
        points = tuple(point for point in self.points if _is_inside(point, shape))
        return Scribble(points, self.positive)


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

    @classmethod
    def parse(cls, text: str) -> Lasso:
        """Read ``ROW,COLUMN;ROW,COLUMN;…``.

        Raises
        ------
        UserError
            If the text is something else.
        """
        return cls(_line(text, "lasso"))

    @property
    def area_px(self) -> float:
        """Area inside, px; parts that the line goes around twice count twice."""
        ends = (*self.points[1:], *self.points[:1])
        twice = sum(
            a[0] * b[1] - a[1] * b[0] for a, b in zip(self.points, ends, strict=True)
        )
        return abs(twice) / 2


Prompt = Click | Box | Scribble | Lasso
"""What a session holds, and what a network may be asked with."""


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
    negative, place = _split_sign(text)
    try:
        if ";" in place:
            return Scribble(_points(place), not negative)
        numbers = _numbers(place)
        if len(numbers) == 4 and not negative:
            return Box.between((numbers[0], numbers[1]), (numbers[2], numbers[3]))
        row, column = numbers
    except ValueError:
        raise UserError(f"'{text}' is not a prompt; write {FORMS}.") from None
    return Click(row, column, not negative)


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


def check_prompts(prompts: Iterable[Prompt], shape: tuple[int, int]) -> None:
    """Refuse an empty list, and prompts that say nothing about an image.

    Parameters
    ----------
    prompts : iterable of Prompt
        The prompts.
    shape : tuple of int
        (height, width) of the image, px.

    Raises
    ------
    UserError
        If there is no prompt, one lies outside, a box or a lasso has no area or a
        scribble no point.
    """
    count = 0
    for prompt in prompts:
        count += 1
        _check(prompt, shape)
    if count == 0:
        raise UserError("There is no click yet; click on the object first.")


def _check(prompt: Prompt, shape: tuple[int, int]) -> None:
    size = f"the image of {shape[0]} x {shape[1]} px"
    if isinstance(prompt, Click):
        if not _is_inside((prompt.row, prompt.column), shape):
            raise UserError(
                f"The click at row {prompt.row:g}, column {prompt.column:g} is outside "
                f"{size}; click on the image."
            )
    elif isinstance(prompt, Box):
        _check_box(prompt, shape, size)
    elif isinstance(prompt, Lasso):
        _check_lasso(prompt, shape, size)
    elif not prompt.points:
        raise UserError("The scribble is empty; draw a line on the object.")
    elif not prompt.clipped(shape).points:
        raise UserError(f"The scribble is outside {size}; draw it on the image.")


def _check_box(box: Box, shape: tuple[int, int], size: str) -> None:
    text = (
        f"The box from row {box.row_min:g}, column {box.column_min:g} to row "
        f"{box.row_max:g}, column {box.column_max:g}"
    )
    if not (box.row_min < box.row_max and box.column_min < box.column_max):
        raise UserError(f"{text} has no area; draw it around the object.")
    inside = box.clipped(shape)
    if not (inside.row_min < inside.row_max and inside.column_min < inside.column_max):
        raise UserError(f"{text} is outside {size}; draw it on the image.")


def _check_lasso(lasso: Lasso, shape: tuple[int, int], size: str) -> None:
    if not lasso.area_px:
        raise UserError("The lasso has no area; draw it around the object.")
    corners = list(zip(*lasso.points, strict=True))
    if any(
        max(places) < -0.5 or min(places) >= side - 0.5
        for places, side in zip(corners, shape, strict=True)
    ):
        raise UserError(f"The lasso is outside {size}; draw it on the image.")


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


def _is_inside(point: Point, shape: tuple[int, int]) -> bool:
    return all(-0.5 <= at < side - 0.5 for at, side in zip(point, shape, strict=True))


def _along(points: tuple[Point, ...], step: float, count: int) -> Iterable[Point]:
    """Walk along a line; yields its beginning and every step, but not its end."""
    walked, wanted = 0.0, 0
    for one, other in pairwise(points):
        length = math.dist(one, other)
        while length and wanted < count and wanted * step <= walked + length:
            part = (wanted * step - walked) / length
            row, column = (a + part * (b - a) for a, b in zip(one, other, strict=True))
            yield row, column
            wanted += 1
        walked += length


def _split_sign(text: str) -> tuple[bool, str]:
    place = text.strip()
    return place.startswith("-"), place.removeprefix("-")


def _points(text: str) -> tuple[Point, ...]:
    """Read points between semicolons; raises ValueError if one is none."""
    rows = [_numbers(part) for part in text.split(";")]
    return tuple((row, column) for row, column in rows)


def _line(text: str, kind: str) -> tuple[Point, ...]:
    """Read points between semicolons; raises UserError if one is none."""
    try:
        return _points(text)
    except ValueError:
        raise UserError(
            f"'{text}' is not a {kind}; write ROW,COLUMN;ROW,COLUMN;... such as "
            "10,20;30,25;40,50."
        ) from None


def _numbers(text: str) -> list[float]:
    """Read numbers between commas; raises ValueError if one is none, or not finite."""
    numbers = [float(part) for part in text.split(",")]
    if not all(map(math.isfinite, numbers)):
        raise ValueError(text)
    return numbers
