import pytest

from napari_simpleclick.images.error_text import reason


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError(), "ValueError"),
        (ValueError("It ends early."), "It ends early"),
        (RuntimeError("All of these failed:\n  one: no data\n"), "one: no data"),
    ],
)
def test_the_last_line_says_it(error, text):
    assert reason(error) == text
