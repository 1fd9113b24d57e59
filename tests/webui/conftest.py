"""Thin hosts, each booted once for all tests that ask for the same, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.webui.environments import CHECKOUT, EnvironmentUnavailableError
from tests.webui.hosting import Hosted, hosted
from tests.webui.server import RunningWebui, running_webui
from tests.webui.tab_fixtures import protector, tab, tab_of_gradio

__all__ = ["protector", "tab", "tab_of_gradio"]

#: ``webui("forge", "--api")``: see ``running_webui`` for the rest.
Start = Callable[..., RunningWebui]


@pytest.fixture(scope="session")
def webui(tmp_path_factory: pytest.TempPathFactory) -> Generator[Start]:
    """A function that boots a thin host, or gives the one that was booted for the same arguments.

    All of them stop when the session ends.
    """
    running: dict[str, RunningWebui] = {}
    with ExitStack() as stack:

        def start(flavour: str, *flags: str, **options: Any) -> RunningWebui:
            key = json.dumps([flavour, flags, options], default=str)
            if key not in running:
                base = tmp_path_factory.mktemp(flavour.replace(".", "_"))
                options.setdefault("extension", CHECKOUT)
                try:
                    host = stack.enter_context(running_webui(flavour, base, *flags, **options))
                except EnvironmentUnavailableError as error:
                    pytest.skip(str(error))
                running[key] = host
            return running[key]

        yield start


@pytest.fixture(params=("a1111-1.6.0", "forge"))  # for VAEs, what lies between is as the oldest
def vae_host(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Hosted, None, None]:
    with hosted(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def a1111(tmp_path: Path) -> Generator[Hosted, None, None]:
    with hosted("a1111-1.10.1", tmp_path) as found:
        yield found


@pytest.fixture
def forge(tmp_path: Path) -> Generator[Hosted, None, None]:
    with hosted("forge", tmp_path) as found:
        yield found
