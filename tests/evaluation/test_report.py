import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from napari_simpleclick.evaluation.comparison import compare
from napari_simpleclick.evaluation.metrics import summarise
from napari_simpleclick.evaluation.report import Strip, extremes, write_report
from napari_simpleclick.evaluation.result import CaseResult

SETTINGS = {"threshold": 0.49, "flip": True, "size": [448, 448], "clicks": 20}


class Page(HTMLParser):
    """Rows of the tables as text, and every attribute."""

    def __init__(self, path):
        super().__init__()
        self.rows, self.tags, self.attributes, self._cell = [], [], [], None
        self.source = path.read_text("utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True
        if tag == "small":
            self.rows[-1][-1] += " "

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1][-1] = " ".join(self.rows[-1][-1].split())
            self._cell = None

    def handle_data(self, data):
        if self._cell:
            self.rows[-1][-1] += data

    def values(self, *names):
        return [value for name, value in self.attributes if name in names]

    def text(self):
        plain = re.sub(r"<(style|svg|script).*?</\1>", "", self.source, flags=re.S)
        return " ".join(re.sub(r"<[^>]*>", "", plain).split())


def case(name, ious, **about):
    clicks = tuple((10 + n, 20, n % 2 == 0) for n in range(len(ious)))
    facts = {"instance": 1, "clicks": clicks, "seconds": 0.1 * len(ious)} | about
    return CaseResult(name=name, ious=tuple(ious), **facts)


def curve(first, last):
    """20 IoUs: one, and the rest."""
    return [first] + [last] * 19


def cases(shift=0.0):
    return [
        case("easy", curve(0.92, 0.97)),
        case("good", curve(0.60 + shift, 0.93)),
        case("hard", curve(0.30 + shift, 0.86)),
        case("lost", curve(0.10 + shift, 0.40)),
    ]


def run(found, weights="vit", **about):
    facts = {"settings": SETTINGS} | about
    return summarise("brats", found, weights=weights, **facts)


def person(found, **about):
    timed = [
        one.model_copy(
            update={
                "times": tuple(2.0 * n + 2 for n in range(len(one.ious))),
                "final_iou": 0.75,
            }
        )
        for one in found
    ]
    return summarise(
        "brats", timed, weights="vit", settings={}, annotator="p07", **about
    )


def strip(one, clicks=(1, 3)):
    image = np.full((400, 500, 3), 90, np.uint8)
    truth = np.zeros((400, 500), np.int32)
    truth[100:140, 200:260] = 1
    masks = dict.fromkeys(clicks, truth == 1)
    return Strip(one, image, truth, masks)


def page_of(results, folder, strips=None):
    return Page(write_report(results, folder / "new" / "report", strips))


def test_tables_have_the_numbers_of_the_result(tmp_path):
    late = case("late", [0.5] * 19 + [0.91])
    result = run([*cases(), late])
    page = page_of([result], tmp_path)
    low, high = result.noc_interval["90"]
    (clicks,) = (row for row in page.rows if row[:2] == ["vit", "5"])
    assert [cell.split()[0] for cell in clicks[2:5]] == ["9.00", "9.00", "12.60"]
    assert clicks[4] == f"12.60 {low:.2f}\u2013{high:.2f}"
    assert clicks[5:] == ["1", "1", "2", "2", "2", "3"]
    (overlaps,) = (row for row in page.rows if row[0] == "vit" and row != clicks)
    assert overlaps[1:7] == ["0.484", *["0.732"] * 4, "0.814"]
    assert overlaps[7:] == ["0.100", f"{0.1 / 448**2 * 1e7:.1f}"]
    lost = [row for row in page.rows if row[0] in ("hard", "lost")]
    assert lost == [
        ["lost", "1", "0.400", "2", "0.400", "20"],
        ["hard", "1", "0.860", "2", "0.860", "20"],
    ]


def test_text_says_what_was_measured(tmp_path):
    text = page_of([run(cases())], tmp_path).text()
    assert "brats: vit" in text
    assert "The robot annotator segmented 4 objects of the brats data set" in text
    assert "448&thinsp;\u00d7&thinsp;448 px" in text
    assert "probability exceeds 0.49" in text
    assert "averaged with the mirrored image" in text
    assert "Comparison" not in text


def test_page_needs_no_other_file(tmp_path):
    robot = run(cases())
    strips = {"best": [strip(robot.cases[0])], "worst": [strip(robot.cases[3])]}
    page = page_of([robot, person(cases())], tmp_path, strips)
    assert not re.search(r"https?:|file:|@import", page.source)
    assert not {"iframe", "img", "object", "embed"} & set(page.tags)
    assert not page.values("src")
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    links = page.values("href", "xlink:href", "src")
    assert links
    for link in links:
        assert link.startswith("data:") or link.removeprefix("#") in ids
    for link in re.findall(r"url\(([^)]*)\)", page.source):
        assert link.removeprefix("#") in ids


def test_same_result_same_bytes(tmp_path):
    first = write_report([run(cases())], tmp_path).read_bytes()
    assert write_report([run(cases())], tmp_path).read_bytes() == first


def test_text_of_files_is_escaped(tmp_path):
    evil = "<b>&$x_1$</b>"
    found = [case(evil, curve(0.1, 0.5)), case("other", curve(0.1, 0.5))]
    robot = run(found, weights="<i>w</i>", settings={"<u>": ["<u>"]})
    strips = {"worst": [strip(robot.cases[0])]}
    page = page_of([robot, person(found)], tmp_path, strips)
    assert not {"b", "i", "u"} & set(page.tags)
    assert "&lt;b&gt;&amp;$x_1$&lt;/b&gt;" in page.source
    assert [evil, "1", "0.500", "2", "0.500", "20"] in page.rows
    assert ["<u>", '["<u>"]'] in page.rows


def test_two_results(tmp_path):
    first, second = (
        run(cases()),
        run(cases(0.2), weights="/somewhere/other.safetensors"),
    )
    page = page_of([first, second], tmp_path)
    assert "brats: vit and other" in page.text()
    assert [row[0] for row in page.rows if row[1:2] == ["4"]] == ["vit", "other"]
    assert ["vit \u2192 other (4 objects)"] in page.rows
    for test in compare(first, second):
        (row,) = (row for row in page.rows if row[0] == test.metric)
        numbers = [float(text.replace("\u2212", "-")) for text in row[1:4]]
        expected = (test.first, test.second, test.difference)
        assert numbers == pytest.approx(expected, abs=5e-4)
        assert row[5] == f"{test.p_value:.3f}"
    for series in (1, 2):
        assert f"stroke: var(--series-{series})" in page.source


def test_names_tell_runs_of_the_same_weights_apart(tmp_path):
    small, large = ({**SETTINGS, "size": [side, side]} for side in (448, 672))
    results = [run(cases(), settings=settings) for settings in (small, large, large)]
    names = [row[0] for row in page_of(results, tmp_path).rows if row[1:2] == ["4"]]
    assert names == ["vit, size [448, 448]", *["vit, size [672, 672]"] * 2]
    again = page_of([run(cases()), run(cases())], tmp_path)
    assert [row[0] for row in again.rows if row[1:2] == ["4"]] == [
        "vit, result 1",
        "vit, result 2",
    ]


def test_runs_without_common_objects(tmp_path):
    other = run([case("elsewhere", curve(0.5, 0.95))], weights="other")
    assert ["No object in common."] in page_of([run(cases()), other], tmp_path).rows


def test_run_that_stopped_early(tmp_path):
    found = [case("a", [0.5, 0.86]), case("b", [0.82])]
    page = page_of([run(found, stop_at=0.8)], tmp_path)
    (row,) = (row for row in page.rows if row[:2] == ["vit", "2"])
    assert row[2].startswith("1.50")
    assert row[3:5] == ["\u2013", "\u2013"]
    assert "Clicks to an IoU of 0.80" in page.text()
    assert "Every object reaches an IoU of 0.80." in page.text()
    without = page_of([run(found, stop_at=0.7)], tmp_path).text()
    assert "Clicks to an IoU of" not in without
    assert "Failures" not in without


def test_person(tmp_path):
    found = [case(str(n), [0.5, 0.95, 0.96][: n % 3 + 1]) for n in range(9)]
    text = page_of([person(found)], tmp_path).text()
    assert "Annotator p07 segmented 9 objects" in text
    assert "median 4.0 s (quartiles 2.0 and 6.0 s; 9 objects)" in text
    assert "seconds to finish" not in page_of([run(found)], tmp_path).source


def test_final_masks_of_a_person_are_told(tmp_path):
    path = write_report([person(cases())], tmp_path)
    assert "mean IoU of 0.750" in path.read_text(encoding="utf-8")
    path = write_report([run(cases())], tmp_path)
    assert "was content with" not in path.read_text(encoding="utf-8")


def test_person_is_tested_against_a_robot_with_the_same_objects(tmp_path):
    elsewhere = run([case("elsewhere", curve(0.5, 0.95))], weights="first")
    robot = run(cases(), weights="second")
    page = page_of([elsewhere, robot, person(cases(0.1))], tmp_path)
    pairs = [row[0] for row in page.rows if "\u2192" in row[0]]
    assert pairs == [
        "robot, first \u2192 robot, second",
        "robot, first \u2192 p07, vit",
        "robot, second \u2192 p07, vit (4 objects)",
    ]


def test_extremes_are_disjoint_and_ordered():
    result = run(cases())
    best, worst = extremes(result, count=2)
    assert [one.name for one in best] == ["easy", "good"]
    assert [one.name for one in worst] == ["lost", "hard"]
    best, worst = extremes(run(cases()[:3]))
    assert [one.name for one in best] == ["easy", "good"]
    assert [one.name for one in worst] == ["hard"]
    best, worst = extremes(run([case(str(n), [0.5]) for n in range(30)]))
    assert [one.name for one in best] == [str(n) for n in range(10)]
    assert [one.name for one in worst] == [str(n) for n in range(10, 20)]


def test_extremes_keep_the_last_iou_of_finished_objects():
    fast, slow = case("fast", [0.5, 0.92]), case("slow", [0.8] * 20)
    assert extremes(run([slow, fast])) == ([fast], [slow])


def test_strips_show_each_click(tmp_path):
    one = case(
        "seen",
        [0.3, 0.5, 0.874],
        clicks=((120, 230, True), (110, 255, False), (105, 205, True)),
    )
    page = page_of([run([one])], tmp_path, {"best": [strip(one)]})
    assert "1 click, IoU 0.30" in page.text()
    assert "3 clicks, IoU 0.87" in page.text()
    frames = re.findall(r'<figure class="frame">(.*?)</figure>', page.source, re.S)
    signs = [re.findall(r'<g class="(positive|negative)"', frame) for frame in frames]
    assert signs == [["positive"], ["positive", "negative", "positive"]]
    numbers = [re.findall(r">(\d+)</text>", frame) for frame in frames]
    assert numbers == [["1"], ["1", "2", "3"]]


def test_strips_are_cut_out_around_the_object(tmp_path):
    one = case("seen", [0.3], clicks=((120, 230, True),))
    found = strip(one, clicks=[1])
    found.image[100:140, 200:260] = 250
    page = page_of([run([one])], tmp_path, {"best": [found]})
    data = next(v for v in page.values("href") if v.startswith("data:image"))
    picture = np.array(Image.open(io.BytesIO(base64.b64decode(data.split(",")[1]))))
    assert max(picture.shape) < 100
    (drawing,) = re.findall(r'<figure class="frame">.*?</figure>', page.source, re.S)
    (path,) = re.findall(r'class="truth" d="M([^"]*)Z"', drawing)
    points = np.array([point.split(",") for point in path.split()], float)
    (left, top), (right, bottom) = points.min(0), points.max(0)
    assert (right - left, bottom - top) == pytest.approx((60, 40), abs=2)
    bright = picture[..., 0] > 170
    rows, columns = (np.flatnonzero(bright.any(axis)) for axis in (1, 0))
    assert (columns[0], rows[0]) == pytest.approx((left, top), abs=2)
    circle = re.search(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawing)
    place = [float(circle[1]), float(circle[2])]
    assert place == pytest.approx([(left + right) / 2, (top + bottom) / 2], abs=1.5)


def test_pictures_of_large_objects_are_small(tmp_path):
    one = case("seen", [0.3], clicks=((500, 700, True),))
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (1200, 1500), np.uint8)
    truth = np.zeros(image.shape, np.int32)
    truth[200:900, 300:1100] = 1
    truth[900:950] = -1
    found = Strip(one, image, truth, {1: truth == 1})
    page = page_of([run([one])], tmp_path, {"worst": [found]})
    data = next(v for v in page.values("href") if v.startswith("data:image"))
    picture = Image.open(io.BytesIO(base64.b64decode(data.split(",")[1])))
    assert max(picture.size) == 220
    assert "not counted" in page.text()
