"""What can go wrong with weights, in one sentence each."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_simpleclick.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator


class WeightsError(UserError):
    """Weights that cannot be found, trusted or used."""


@contextmanager
def enough_memory(what: str) -> Iterator[None]:
    """Turn torch's ways of running out of memory into one sentence.

    Raises
    ------
    MemoryError
        If an allocation inside the block failed.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        failed = isinstance(error, MemoryError) or any(
            sign in str(error).lower() for sign in ("allocate memory", "out of memory")
        )
        if not failed:
            raise
        raise MemoryError(
            f"There is not enough memory for {what}; choose a smaller model or close "
            "other programs."
        ) from error
