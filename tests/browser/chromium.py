"""Finds a Chromium to drive; what to install where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WHAT_TO_DO = (
    f"no browser on PATH ({', '.join(NAMES)}): install Chromium, for example "
    "'apt-get install chromium' on Debian, 'apt-get install chromium-browser' on Ubuntu"
)


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome; playwright's own download is not used."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def running_browser(path: str) -> Generator[Browser]:
    """A headless browser until the block is left."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
