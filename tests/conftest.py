"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.host.fixtures import built_host, client, host

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["built_host", "client", "host"]

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of this repository."""
    return CHECKOUT


@pytest.fixture(scope="session")
def browser() -> Generator[Browser]:
    """A headless Chromium, the only one: playwright cannot run twice in a process."""
    from tests.browser.chromium import WHAT_TO_DO, find_chromium, running_browser

    path = find_chromium()
    if path is None:
        pytest.skip(WHAT_TO_DO)
    with running_browser(path) as running:
        yield running


def pytest_configure(config: pytest.Config) -> None:
    """As many processes as cores compute already: those that ``-n`` starts take a thread each."""
    if config.getoption("numprocesses", None):
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in the browser come last: its pages take processor time as long as they are open."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.hookimpl(optionalhook=True)  # only pytest-xdist knows it
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Processes that ``-n`` starts take whole files, and the tests of a server whole."""
    from tests.sharing import ServersWhole

    return ServersWhole(config, log)
