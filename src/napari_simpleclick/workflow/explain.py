"""What went wrong, in a sentence for a person."""

from __future__ import annotations

from napari_simpleclick.errors import UserError, sentence_of

REPORT_TO = "https://github.com/napari-simpleclick/napari-simpleclick/issues"

BUG = (
    f"This is a bug of napari-simpleclick: {{}}. Please copy the details and report "
    f"them at {REPORT_TO}"
)


def is_explained(error: BaseException) -> bool:
    """Whether an error is one that a person or a computer can cause, and says how."""
    return isinstance(error, (UserError, MemoryError, OSError)) and bool(str(error))


def explain(error: BaseException) -> str:
    """Give the sentence of an error; if it has none to show, it is a bug.

    Parameters
    ----------
    error : BaseException
        A :class:`UserError` or a MemoryError with a text are shown as they are.
    """
    if is_explained(error):
        return sentence_of(error) if isinstance(error, OSError) else str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory; close other programs or crop the image."
    text = str(error).strip().partition("\n")[0].rstrip(".")
    name = type(error).__name__
    return BUG.format(f"{name}, {text}" if text else name)


def in_context(what: str, error: Exception) -> Exception:
    """Say what an error has prevented; a bug stays what it is.

    Parameters
    ----------
    what : str
        The beginning of a sentence, which the error ends.
    error : Exception
        The error.
    """
    if not is_explained(error):
        return error
    told = UserError(f"{what}: {explain(error).rstrip('.')}.")
    told.__cause__ = error
    return told
