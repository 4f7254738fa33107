"""What other packages' errors say, as a part of a sentence."""

from __future__ import annotations


def reason(error: Exception) -> str:
    """Give the last line of an error's text, without a full stop.

    Parameters
    ----------
    error : Exception
        Of a package that reads or writes files; those of several lines say at their
        end what went wrong.

    Returns
    -------
    str
        The name of its class if it has no text.
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].strip().rstrip(".")
