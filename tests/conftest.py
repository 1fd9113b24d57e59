"""What every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.host.fixtures import built_host, client, host

__all__ = ["built_host", "client", "host"]

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of this repository."""
    return CHECKOUT


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in the browser come last: its pages take processor time as long as they are open."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
