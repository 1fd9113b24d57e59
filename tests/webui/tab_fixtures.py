"""The tab in a browser, opened once for each gradio; and the engine beside it."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest
from playwright.sync_api import Browser

from fixative import Protector, ProtectSettings, load_codec, load_mixture
from tests.webui.server import RunningWebui
from tests.webui.tab_page import TabPage


@pytest.fixture(scope="session", params=["a1111-1.10.1", "forge"])
def tab_of_gradio(
    request: pytest.FixtureRequest, webui: Callable[..., RunningWebui], browser: Browser
) -> Generator[TabPage]:
    """The tab on the gradio of A1111 and on that of Forge."""
    opened = TabPage(browser, webui(request.param, "--api"))
    yield opened
    opened.close()


@pytest.fixture
def tab(tab_of_gradio: TabPage) -> Generator[TabPage]:
    """The page; a test fails where our part of it says an error."""
    tab_of_gradio.errors.clear()
    yield tab_of_gradio
    assert tab_of_gradio.errors == []


@pytest.fixture(scope="session")
def protector() -> Protector:
    """What the tab protects with where no checkpoint is loaded."""
    codec = load_codec()
    return Protector(codec, load_mixture(family=codec.family), ProtectSettings())
