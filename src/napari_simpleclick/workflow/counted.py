"""Numbers in sentences."""


def counted(number: int, word: str) -> str:
    """Say how many, such as "1 slice" or "2 slices"."""
    return f"{number} {word}{'' if number == 1 else 's'}"
