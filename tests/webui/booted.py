"""Hosts that several test files share, so that each is booted once."""

from __future__ import annotations

from tests.webui.conftest import Start
from tests.webui.server import RunningWebui

#: So that a picture above the limit need not be large.
LIMIT = {"fixative_api_megapixels": 1}


def with_api(webui: Start, flavour: str) -> RunningWebui:
    """A host with its API, open to all."""
    return webui(flavour, "--api")


def small_limit(webui: Start) -> RunningWebui:
    """The same, the oldest one, which takes a megapixel."""
    return webui("a1111-1.6.0", "--api", settings=LIMIT)
