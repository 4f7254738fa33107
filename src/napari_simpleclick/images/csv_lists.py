"""Lists of files as CSV, as spreadsheets write them."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def read_list(path: Path, columns: Sequence[str], advice: str) -> csv.DictReader[str]:
    """Read a list; commas, semicolons or tabs separate its columns.

    Parameters
    ----------
    path : Path
        UTF-8, with the names of the columns in the first line.
    columns : sequence of str
        Those that it must have.
    advice : str
        What to do if one is missing.

    Raises
    ------
    UserError
        If it cannot be read, or a column is missing.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"'{path}' cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"'{path}' is not UTF-8 text; save it as 'CSV UTF-8' in the spreadsheet."
        ) from error
    separator = max(",;\t", key=text.partition("\n")[0].count)
    table = csv.DictReader(text.splitlines(), delimiter=separator)
    missing = [name for name in columns if name not in (table.fieldnames or ())]
    if missing:
        raise UserError(f"'{path}' has no column '{missing[0]}'; {advice}.")
    return table
