"""The report of an evaluation as a person opens it: from the disk, in both themes, on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from fixative.evaluation.report import write_report
from tests.evaluation_parts import run_toy

pytestmark = pytest.mark.browser

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
#: Names in the order of the first table's rows.
NAMES = """() => [...document.querySelectorAll("table")][0].tBodies[0].rows.length
  && [...document.querySelector("tbody").rows].map((row) => row.cells[0].textContent.trim())"""
PULLS = """() => [...document.querySelector("tbody").rows]
  .map((row) => Number(row.cells[2].dataset.sort))"""

SCROLLS = """() => [...document.querySelectorAll(".scroll")]
  .some((box) => box.scrollWidth > box.clientWidth)"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    return write_report(run_toy(out), out)


def opened(browser: Browser, report: Path, size: Any = WIDE, theme: Any = "light") -> Page:
    """The page; fails where it says an error or asks for anything."""
    page = browser.new_context(viewport=size, color_scheme=theme, offline=True).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(error.message))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    page.wait_for_load_state("networkidle")
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    return page


def test_tables_sort_by_click_and_by_key(browser: Browser, report: Path) -> None:
    page = opened(browser, report)
    assert page.evaluate(NAMES)[0] == "noise", "the worst comes first"
    heading = page.locator("thead th").nth(2)
    heading.locator("button").click()
    pulls = page.evaluate(PULLS)
    assert pulls == sorted(pulls)
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.locator("button").focus()
    page.keyboard.press("Enter")
    assert page.evaluate(PULLS) == sorted(pulls, reverse=True)
    assert heading.get_attribute("aria-sort") == "descending"
    page.locator("thead th").first.locator("button").focus()
    page.keyboard.press("Space")
    names = page.evaluate(NAMES)
    assert names == sorted(names, key=str.lower)
    assert heading.get_attribute("aria-sort") is None
    page.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_have_their_own_ground_and_plots(
    browser: Browser, report: Path, theme: str
) -> None:
    page = opened(browser, report, theme=theme)
    ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if theme == "light" else "rgb(22, 24, 29)")
    plot = page.locator("picture img").first
    shown = plot.evaluate("(image) => image.currentSrc === image.getAttribute('src')")
    assert shown == (theme == "light")
    page.context.close()


def test_every_picture_is_drawn(browser: Browser, report: Path) -> None:
    page = opened(browser, report)
    widths = page.evaluate("() => [...document.images].map((image) => image.naturalWidth)")
    assert len(widths) > 6
    assert all(widths)
    page.context.close()


def test_a_phone_scrolls_tables_not_the_page(browser: Browser, report: Path) -> None:
    page = opened(browser, report, PHONE)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(SCROLLS)
    page.context.close()
