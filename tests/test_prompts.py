import pytest

from napari_simpleclick import Click


@pytest.mark.parametrize(
    ("text", "click"),
    [
        ("12,34", Click(12, 34)),
        (" 1.5, 2 ", Click(1.5, 2)),
        ("-0,7", Click(0, 7, positive=False)),
    ],
)
def test_parse(text, click):
    assert Click.parse(text) == click


@pytest.mark.parametrize("text", ["", "12", "1,2,3", "a,b", "--1,2,x"])
def test_parse_explains_what_to_write(text):
    with pytest.raises(ValueError, match="write ROW,COLUMN"):
        Click.parse(text)
