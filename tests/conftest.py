"""What every test may use."""

from __future__ import annotations

import os
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


#: What is driven by one process only, the longest first: each has servers that tests share.
SERVERS = ("comfyui", "webui")
#: Set in the processes that ``pytest -n`` starts.
IN_PARALLEL = "PYTEST_XDIST_WORKER" in os.environ
if IN_PARALLEL:  # as many processes as cores compute already; torch is not loaded yet
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in the browser come last: its pages take processor time as long as they are open.

    Where processes share the work, those of a server stay together, and are begun first.
    """
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
    if not IN_PARALLEL:
        return
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    order = {name: place for place, name in enumerate(SERVERS)}
    items.sort(key=lambda item: order.get(_group(item), len(order)))


def _group(item: pytest.Item) -> str:
    folder = item.path.parent.name
    if folder == "webui":
        return "webui"
    if folder in ("host", "browser") or item.get_closest_marker("host") is not None:
        return "comfyui"
    return item.path.name
