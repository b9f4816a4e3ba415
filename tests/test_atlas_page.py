"""The index page in a real browser, headless Chromium, without a network: what loads, what shows, what fits.

Without Chromium and its driver these tests are skipped, or fail if LSTM_SYM_BROWSER=required is in the environment.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from urllib.parse import urlparse

import pytest
from atlas_pages import HOSTILE, write

import lstm_sym as ls
from lstm_sym.atlas import index

#: Boxes of all equations' SVGs, and what there is in them.
BOXES = """
return [...document.querySelectorAll('.equation svg')].map(svg => {
    const box = svg.getBoundingClientRect(), ink = svg.getBBox();
    return [box.left, box.right, box.width, box.height, ink.width, ink.height];
});
"""
COLOURS = """
const style = element => getComputedStyle(document.querySelector(element));
return {paper: style('body').backgroundColor, ink: style('body').color, signs: style('.equation svg use').fill,
        image: document.querySelector('picture img').currentSrc.slice(-4000)};
"""


def found(*names):
    """The first of these programs that is installed, or None."""
    return next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="module")
def browser():
    """Chromium, with its network off and no name that resolves."""
    programs = found("chromium", "chromium-browser", "google-chrome"), found("chromedriver")
    if None in programs and os.environ.get("LSTM_SYM_BROWSER") != "required":
        pytest.skip("needs chromium and chromedriver (Debian: chromium, chromium-driver)")
    assert None not in programs, "LSTM_SYM_BROWSER=required, and there is no chromium or no chromedriver"
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-extensions"):
        options.add_argument(f"--{argument}")
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(programs[1]))
    driver.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def page(quick, tmp_path_factory):
    """The address of an index of two real figures, of all kinds of equations, and of a record that means harm."""
    folder = tmp_path_factory.mktemp("atlas")
    for name in ("gradient_reach", "singular_value_waterfall"):
        for kind in (".png", ".dark.png", ".pdf", ".npz", ".json"):
            shutil.copy(quick(name).folder / f"{name}{kind}", folder)
    values = {"zero": ls.zero_state(ls.LSTM), "paths": ls.paths(ls.LSTM, "c", "c", path="total")}
    values |= {"bound": ls.bound(ls.LSTM, "c", "h"), "adjoint": ls.adjoint(ls.GRU)}
    equations = {label: ls.latex(value, equation=True) for label, value in values.items()}
    equations["cases"] = r"f(x) = \begin{cases} 1 & x > 0 \\ 0 & \text{otherwise}\end{cases}"
    write(folder, "equations", figure=False, equations=equations)
    hostile = dict.fromkeys(("title", "claim", "methods", "figure", "landmark", "command"), HOSTILE)
    long = {"what": "word" * 100, "computed": -1e300, "theory": 1e-300, "error": 1e-9}
    more = {"landmarks": [long], "remarks": ["word" * 5000], "parameters": {"word" * 100: "word" * 100}}
    write(folder, "hostile", **hostile, **more, equations={HOSTILE: HOSTILE})
    return index(folder).as_uri()


def requests(browser):
    """The addresses that have been asked for since the page was opened."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


def opened(browser, page, width=1200, dark=False):
    """Open the page afresh, in a window of that width, and whatever is folded in it."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(page)
    browser.execute_script("for (const folded of document.querySelectorAll('details')) folded.open = true")
    return browser


def test_nothing_is_fetched_and_nothing_is_said(browser, page):
    opened(browser, page)
    assert browser.get_log("browser") == []
    asked = requests(browser)
    assert {urlparse(url).scheme for url in asked} <= {"file", "data"}
    assert [url for url in asked if url.startswith("file")] == [page]


def test_what_would_be_fetched_or_would_not_fit_is_noticed(browser, tmp_path):
    (tmp_path / "index.html").write_text('<img src="https://example.org/x.png"><p style="width: 2000px">')
    opened(browser, (tmp_path / "index.html").as_uri(), 360)
    assert "https://example.org/x.png" in requests(browser)
    assert "net::ERR" in browser.get_log("browser")[0]["message"]
    assert browser.execute_script("return document.documentElement.scrollWidth") > 360


def test_every_image_is_there(browser, page):
    opened(browser, page)
    images = "return [...document.images].map(image => [image.complete, image.naturalWidth, image.clientWidth])"
    shown = browser.execute_script(images)
    assert len(shown) == 3
    assert all(complete and natural > 500 and width > 300 for complete, natural, width in shown)


@pytest.mark.parametrize("width", [1200, 600, 360])
def test_every_equation_is_drawn_within_the_window(browser, page, width):
    opened(browser, page, width)
    boxes = browser.execute_script(BOXES)
    assert len(boxes) > 200
    for left, right, *sizes in boxes:
        assert left >= 0
        assert right <= width
        assert min(sizes) > 0


@pytest.mark.parametrize("width", [1200, 360])
def test_nothing_is_wider_than_the_window(browser, page, width):
    opened(browser, page, width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.execute_script("return innerWidth") == width


def test_dark_mode_changes_paper_ink_equations_and_figures(browser, page):
    light = opened(browser, page).execute_script(COLOURS)
    dark = opened(browser, page, dark=True).execute_script(COLOURS)
    assert light["signs"] == light["ink"]
    assert dark["signs"] == dark["ink"]
    assert all(light[part] != dark[part] for part in light)
    assert brightness(light["paper"]) > 240
    assert brightness(light["ink"]) < 40
    assert brightness(dark["paper"]) < 40
    assert brightness(dark["ink"]) > 200


def brightness(colour):
    """The mean of red, green and blue."""
    return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(","))) / 3


def test_records_run_nothing_and_the_contents_lead_to_the_figures(browser, page):
    opened(browser, page)
    assert browser.execute_script("return document.scripts.length") == 0
    links = browser.execute_script(
        "return [...document.querySelectorAll('nav a')].map(a => a.getAttribute('href'))"
    )
    assert links == ["#gradient_reach", "#singular_value_waterfall", "#equations", "#hostile"]
    place = "return document.querySelector(arguments[0]).getBoundingClientRect().top + scrollY"
    places = [browser.execute_script(place, link) for link in links]
    assert places == sorted(places)


def test_it_can_be_printed(browser, page):
    opened(browser, page, dark=True)
    printed = base64.b64decode(browser.print_page())
    assert printed.startswith(b"%PDF-")
    assert printed.count(b"/Type /Page\n") >= 5
    assert len(printed) > 50_000
