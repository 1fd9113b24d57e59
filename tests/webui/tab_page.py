"""The tab Fixative in a browser: gives files, presses buttons, reads and downloads results."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Route, expect

from tests.webui.server import RunningWebui
from tests.webui.uploading import upload

#: A job of seconds, on a machine that is busy with other things.
JOB_MS = 300_000
READY_MS = 60_000
#: Where screenshots go; none are taken where it is not set.
SHOTS = "FIXATIVE_WEBUI_SHOTS"
OURS = "fixative"


class TabPage:
    """One page of a host, with the tab open.

    Args:
        browser: a running browser.
        webui: a running host.
        width: of the window.
    """

    def __init__(self, browser: Browser, webui: RunningWebui, *, width: int = 1280) -> None:
        self.webui, self.errors = webui, list[str]()
        context = browser.new_context(viewport={"width": width, "height": 900})
        context.route("**/*", self._only_local)
        context.set_default_timeout(READY_MS)
        self.page: Page = context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(webui.url)
        self._button("#tabs", "Fixative").click()
        expect(self.page.locator("#fixative_tabs")).to_be_visible()

    def close(self) -> None:
        """Close the page."""
        self.page.context.close()

    def open(self, name: str, inner: str | None = None) -> None:
        """Go to a sub-tab, and to one inside of Protect."""
        self._button("#fixative_tabs", name).click()
        if inner is not None:
            self._button("#fixative_protect_tabs", inner).click()

    def give(self, field: str, *files: Path) -> None:
        """Drop files on a field, and wait until the page knows of them."""
        place = self.page.locator(f"#fixative_{field}").first
        upload(place, files)

    def write(self, field: str, text: str) -> None:
        """Write into a field."""
        box = self.page.locator(f"#fixative_{field}").first.locator("input, textarea").first
        box.fill(text)
        box.press("Tab")

    def run(self, name: str) -> str:
        """Press Run and wait for the report; what it says."""
        self.begin(name)
        return self.report(name)

    def begin(self, name: str) -> None:
        """Press Run and see that the host's progress bar follows."""
        self.page.evaluate(
            "(name) => document.querySelectorAll(`#fixative_${name}_report .fixative-report`)"
            ".forEach((one) => one.remove())",
            name,
        )
        with self.page.expect_request("**/internal/progress") as asked:
            self.page.locator(f"#fixative_{name}_run").click()
        assert "task(" in (asked.value.post_data or "")

    def report(self, name: str) -> str:
        """The report, once it is there."""
        found = self.page.locator(f"#fixative_{name}_report .fixative-report").last
        expect(found).to_be_visible(timeout=JOB_MS)
        run = self.page.locator(f"#fixative_{name}_run")
        expect(run).not_to_have_class(re.compile("fixative-busy"), timeout=JOB_MS)
        return found.inner_text()

    def view(self, name: str) -> Locator:
        """The comparison of a sub-tab."""
        return self.page.locator(f"#fixative_{name}_view .fixative-view").last

    def downloads(self, name: str, folder: Path, count: int) -> list[Path]:
        """Download what a sub-tab offers, under the names that the page gives."""
        links = self.page.locator(f"#fixative_{name}_files").first.locator("a[href]")
        expect(links).to_have_count(count)
        return [self._download(link, folder) for link in links.all()]

    def shot(self, name: str) -> None:
        """Take a picture of the page, where they are wanted."""
        if SHOTS in os.environ:
            self.save(Path(os.environ[SHOTS]) / f"{self.webui.flavour}_{name}.png")

    def save(self, path: Path) -> None:
        """Take a picture of the tab."""
        self.page.wait_for_timeout(500)
        self.page.locator("#tabs").screenshot(path=path)

    def loaded(self, images: Locator) -> Sequence[int]:
        """Widths of pictures as they came from the server; 0 = refused."""
        for image in images.all():
            image.evaluate("(one) => one.decode().catch(() => {})")
        return [image.evaluate("(one) => one.naturalWidth") for image in images.all()]

    def _download(self, link: Locator, folder: Path) -> Path:
        with self.page.expect_download() as waiting:
            link.click()
        path = folder / waiting.value.suggested_filename
        waiting.value.save_as(path)
        return path

    def _button(self, tabs: str, name: str) -> Locator:
        """The head of a tab; both gradios make it a button."""
        exact = re.compile(rf"^\s*{re.escape(name)}\s*$")
        return self.page.locator(f"{tabs} > .tab-nav button").filter(has_text=exact)

    def _only_local(self, route: Route) -> None:
        """Gradio asks the network for letters: refuse at once instead of waiting."""
        if route.request.url.startswith((self.webui.url, "data:", "blob:")):
            route.continue_()
        else:
            route.abort()

    def _heard(self, message: ConsoleMessage) -> None:
        told = f"{message.text} {message.location.get('url', '')}"
        if message.type == "error" and OURS in told:
            self.errors.append(told)
