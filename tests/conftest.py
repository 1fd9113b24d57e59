"""What every test may use."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in the browser come last: its pages take processor time as long as they are open."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
