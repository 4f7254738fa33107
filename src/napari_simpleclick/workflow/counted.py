"""Numbers in sentences."""


def counted(number: int, word: str) -> str:
    """Say how many, such as "1 slice" or "2 slices"."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def to_look_at(unsure: list[int]) -> str:
    """Say how many slices are to be looked at, from those of each object."""
    held = sum(count > 0 for count in unsure)
    return f"{counted(sum(unsure), 'slice')} to look at, {counted(held, 'object')}"
