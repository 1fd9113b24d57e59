"""One server for all tests of this folder; a page for each of both renderers."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator

from tests.browser.building import build
from tests.browser.comparing import GRAPH, show
from tests.browser.ui import Ui
from tests.host.server import RunningHost


@pytest.fixture(scope="session", params=[False, True], ids=["classic", "nodes2"])
def page_of_renderer(request: Any, browser: Browser, host: RunningHost) -> Generator[Ui]:
    """The front end, opened once for each renderer; the classic one is that of all tests."""
    if not request.param:
        yield request.getfixturevalue("classic_page")
        return
    ui = Ui(browser, host.address, vue_nodes=True)
    yield ui
    ui.close()


@pytest.fixture
def ui(page_of_renderer: Ui) -> Generator[Ui]:
    """The front end in both renderers; a test fails where our part of it says an error."""
    page_of_renderer.errors.clear()
    yield page_of_renderer
    assert page_of_renderer.errors == []


@pytest.fixture(scope="session")
def classic_page(browser: Browser, host: RunningHost) -> Generator[Ui]:
    """The front end as it comes, for what does not depend on the renderer."""
    ui = Ui(browser, host.address, vue_nodes=False)
    yield ui
    ui.close()


@pytest.fixture
def classic(classic_page: Ui) -> Generator[Ui]:
    """The classic front end; a test fails where our part of it says an error."""
    classic_page.errors.clear()
    yield classic_page
    assert classic_page.errors == []


@pytest.fixture
def compare(ui: Ui) -> Locator:
    """The widget after a run, in view."""
    build(ui, GRAPH)
    ui.run()
    show(ui)
    return ui.compare()
