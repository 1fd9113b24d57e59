"""The tab in a browser, opened once for each gradio; and the engine beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from fixative import Protector, ProtectSettings, load_codec, load_mixture
from tests.webui.server import RunningWebui
from tests.webui.tab_page import TabPage

#: A real A1111 or Forge that somebody has started with this extension in it, for the same clicks:
#: ``127.0.0.1:7860=/folder/of/the/host``. With no checkpoint loaded, its results are the engine's.
REAL = "FIXATIVE_TEST_WEBUI_REAL"
HOSTS = ["a1111-1.10.1", "forge", *(["real"] if REAL in os.environ else [])]


@pytest.fixture(scope="session", params=HOSTS)
def tab_of_gradio(
    request: pytest.FixtureRequest, webui: Callable[..., RunningWebui], browser: Browser
) -> Generator[TabPage]:
    """The tab on the gradio of A1111 and on that of Forge; on a real host, where there is one."""
    if request.param == "real":
        address, _, folder = os.environ[REAL].partition("=")
        running = RunningWebui("real", address, Path(folder), Path(folder, "server.log"))
    else:
        running = webui(request.param, "--api")
    opened = TabPage(browser, running)
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
