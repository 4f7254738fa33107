"""What a person can cause."""

from __future__ import annotations


class UserError(ValueError):
    """A person's mistake, or a file's: one sentence, what is wrong and what to do.

    It is shown as it is, without a traceback. Every other exception is a bug, keeps its
    traceback and is reported as one.
    """


def sentence_of(error: OSError) -> str:
    """Say what a file or a disk has prevented, and what to do."""
    if not error.strerror:
        return str(error)
    what = f"'{error.filename}'" if error.filename else "A file"
    return f"{what} cannot be used ({error.strerror}); mend that, or choose another."


class MissingPackageError(UserError, ImportError):
    """A package that only some tasks need is not installed; says how to install it."""
