"""Pages in a browser: they load, sort, fit a phone, and can be printed."""

import re
import shutil

import numpy as np
import pytest

from napari_simpleclick.evaluation.report import Strip, write_report
from napari_simpleclick.measurement.case_report import write_case_report
from tests.evaluation.test_report import cases, person, run
from tests.measurement.test_case_report import balls, case_of

PHONE = {"width": 390, "height": 844}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

LOADED = """async () => {
  const shown = [...document.querySelectorAll("img")].map((one) => one.src);
  const drawn = [...document.querySelectorAll("image")].map(
    (one) => one.getAttribute("href"));
  for (const address of [...shown, ...drawn]) {
    const picture = new Image();
    picture.src = address;
    await picture.decode();
    if (!picture.naturalWidth) throw new Error(address.slice(0, 40));
  }
  return shown.length + drawn.length;
}"""


@pytest.fixture(scope="module")
def browser():
    """Start a browser without a window."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is missing")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium is installed")
    with api.sync_playwright() as play:
        started = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


def strip(one):
    image = np.full((120, 160, 3), 90, np.uint8)
    truth = np.zeros((120, 160), np.int32)
    truth[30:60, 40:90] = 1
    return Strip(one, image, truth, {1: truth == 1, 3: truth == 1})


def evaluation_page(folder):
    robot = run(cases())
    strips = {"best": [strip(robot.cases[0])], "worst": [strip(robot.cases[3])]}
    long = "weights/with/a/very/long/name/that/does/not/break/anywhere.safetensors"
    return write_report([robot, run(cases(0.1), long)], folder, strips)


def study_page(folder):
    found = person(cases())
    strips = {"best": [strip(found.cases[0])], "worst": [strip(found.cases[3])]}
    return write_report([found, run(cases())], folder, strips)


def case_page(folder):
    facts = {"Image": f"scan.nii.gz, SHA-256 {'0f' * 32}"}
    write_case_report(folder / "case.html", case_of(balls(6), facts=facts))
    return folder / "case.html"


PAGES = {"evaluation": evaluation_page, "study": study_page, "case": case_page}


@pytest.fixture(params=PAGES)
def opened(request, browser, tmp_path):
    """Open each page; whatever the browser complains of fails the test."""
    path = PAGES[request.param](tmp_path)
    page, complaints = browser.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda failed: complaints.append(failed.url[:80]))
    page.goto(path.as_uri())
    yield page
    page.close()
    assert complaints == []


def test_pictures_load(opened):
    assert opened.evaluate(LOADED) >= 2


def test_pages_fit_a_phone(opened):
    opened.set_viewport_size(PHONE)
    wide = opened.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE["width"]
    small = opened.evaluate(
        "Math.min(...[...document.querySelectorAll('p, td, th, dd, figcaption')]"
        ".filter((one) => one.innerText)"
        ".map((one) => parseFloat(getComputedStyle(one).fontSize)))"
    )
    assert small >= 11


def numbers(table, column):
    cells = table.locator(f"tbody tr > :nth-child({column + 1})").all_inner_texts()
    return [float(cell.split()[0].replace(",", "")) for cell in cells]


def test_tables_sort(opened):
    table = opened.locator("table.sortable").first
    plain = numbers(table, 1)
    assert len(plain) >= 2
    count = table.locator("thead th[tabindex]").count()
    assert count >= 4
    for place in range(1, count):
        head = table.locator("thead th[tabindex]").nth(place)
        head.click()
        assert head.get_attribute("aria-sort") == "ascending"
        assert table.locator("[aria-sort]").count() == 1
    head = table.locator("thead th[tabindex]").nth(1)
    head.focus()
    opened.keyboard.press("Enter")
    assert numbers(table, 1) == sorted(plain)
    opened.keyboard.press("Enter")
    assert numbers(table, 1) == sorted(plain, reverse=True)


def test_columns_under_a_shared_head_sort_by_themselves(browser, tmp_path):
    page = browser.new_page()
    page.goto(evaluation_page(tmp_path).as_uri())
    table = page.locator("table.groups")
    table.locator("thead tr").nth(1).locator("th").nth(2).click()  # NoC 90
    found = numbers(table, 4)
    assert found == sorted(found)
    page.close()


def test_pages_can_be_printed(opened, request):
    printed = opened.pdf(prefer_css_page_size=True)
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", printed))
    assert pages >= 1
    if "case" in request.node.name:
        assert pages == 1
