"""Extras in a browser: switch our entry on, give files or a folder, press Generate."""

from __future__ import annotations

import os
import re
from pathlib import Path

from playwright.sync_api import Browser, Route, expect

from tests.webui.server import RunningWebui
from tests.webui.uploading import upload

JOB_MS, READY_MS = 120_000, 60_000
#: Where screenshots go; none are taken where it is not set.
SHOTS = "FIXATIVE_WEBUI_SHOTS"


class ExtrasPage:
    """One page of a host, with Extras open.

    Args:
        browser: a running browser.
        webui: a running host.
    """

    def __init__(self, browser: Browser, webui: RunningWebui) -> None:
        self.webui = webui
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(READY_MS)
        context.route("**/*", self._only_local)
        self.page = context.new_page()
        self.page.goto(webui.url)
        self._open("#tabs", "Extras")
        expect(self.page.locator("#fixative_extras_enable")).to_be_visible()

    def close(self) -> None:
        """Close the page."""
        self.page.context.close()

    def switch(self, on: bool) -> None:
        """Open our entry, which ticks it as well, or close it."""
        box = self.page.locator("#fixative_extras_enable-visible-checkbox")
        if box.is_checked() != on:
            self.page.locator("#fixative_extras_enable .label-wrap").click()
        expect(box).to_be_checked(checked=on)
        self.page.wait_for_timeout(300)

    def strength(self, value: float) -> None:
        """Write a number into the field beside the slider."""
        field = self.page.locator("#fixative_extras_strength input[type=number]")
        field.fill(f"{value:g}")
        field.press("Tab")

    def folder(self, given: Path, out: Path) -> str:
        """Run over a folder; what the host says of the last picture."""
        self._open("#mode_extras", "Batch from Directory")
        for name, path in (("input", given), ("output", out)):
            field = self.page.locator(f"#extras_batch_{name}_dir textarea")
            field.fill(str(path))
            field.press("Tab")
        return self._generate()

    def files(self, *paths: Path) -> str:
        """Run over uploaded files; what the host says of the last picture."""
        self._open("#mode_extras", "Batch Process")
        place = self.page.locator("#extras_image_batch")
        upload(place, paths)
        return self._generate()

    def shot(self, name: str) -> None:
        """Take a picture of the page, where they are wanted."""
        if SHOTS in os.environ:
            self.page.wait_for_timeout(500)
            path = Path(os.environ[SHOTS]) / f"{self.webui.flavour}_{name}.png"
            self.page.screenshot(path=path, full_page=True)

    def _generate(self) -> str:
        self.page.wait_for_timeout(500)
        before = self.webui.log_text().count("Ending job")
        self.page.locator("#extras_generate").click()
        waited = 0
        while self.webui.log_text().count("Ending job") <= before:
            self.page.wait_for_timeout(200)
            waited += 200
            assert waited < JOB_MS, self.webui.log_text()[-2000:]
        self.page.wait_for_timeout(1000)
        return self.page.locator("#html_info_extras").last.inner_text()

    def _open(self, tabs: str, name: str) -> None:
        exact = re.compile(rf"^\s*{re.escape(name)}\s*$")
        self.page.locator(f"{tabs} > .tab-nav button").filter(has_text=exact).click()

    def _only_local(self, route: Route) -> None:
        """Gradio asks the network for letters: refuse at once instead of waiting."""
        url = route.request.url
        local = url.startswith((self.webui.url, "data:", "blob:"))
        route.continue_() if local else route.abort()
